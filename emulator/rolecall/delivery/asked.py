"""What a provider is asked, with everything that it may know, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct, field

from rolecall.access.policies import PolicyStore
from rolecall.caches import BoundedCache
from rolecall.errors import AwsError
from rolecall.http import HttpAnswer, HttpRequest
from rolecall.ids import Identifiers
from rolecall.policy import Decision
from rolecall.principals import Caller
from rolecall.sessions.credentials import TemporaryCredentials
from rolecall.sessions.flaws import FLAWLESS
from rolecall.sessions.flaws import Flaw as Flaw
from rolecall.sessions.keys import KeyRing
from rolecall.storage.attachments import Attachment
from rolecall.storage.engine import Database


class Issued(NamedTuple):
    """Credentials that a provider hands out until ``renewed_at_seconds``. ``caller`` is their session."""

    credentials: TemporaryCredentials
    issued_at_seconds: float
    renewed_at_seconds: float
    caller: Caller


# By attachment, role, and whatever else the credentials depend on.
Cache = BoundedCache[tuple[Hashable, ...], Issued]


class Asked(Struct, frozen=True):
    """A request to an attachment. ``db`` is a snapshot. Times are seconds since the epoch, by the sandbox's clock.

    A fault rule may ask for credentials with a ``flaw``.
    """

    attachment: Attachment
    request: HttpRequest
    now_seconds: float
    db: Any
    policies: PolicyStore
    keys: KeyRing
    ids: Identifiers
    cache: Cache
    flaw: Flaw = FLAWLESS


class WorkWantedError(Exception):
    """A provider needs something that must be made and stored first. The request then starts again."""

    def __init__(self, work: Callable[[Database], object]) -> None:
        super().__init__()
        self.work = work


class Minting(Protocol):
    """Makes what a program needs besides the address of its attachment."""

    @property
    def keys(self) -> KeyRing: ...

    def service_account_token(self, issuer: str, subject: str, audience: str, claims: Mapping[str, Any]) -> str:
        """A token of one of Rolecall's own issuers, by its name."""


class Delivered(Struct, frozen=True):
    """An answer; None if it does not reach the program.

    ``caller`` is the session that was handed out. ``decisions`` are about the trust policy. ``error`` is for the log,
    where AWS tells of an error in an ordinary document.
    """

    answer: HttpAnswer | None
    caller: Caller | None = None
    decisions: Sequence[Decision] = field(default=())
    error: AwsError | None = None

"""What became of one call: the value that the gateway hands to whoever asked to be told, the decision log first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rolecall.errors import AwsError
from rolecall.policy import Decision
from rolecall.principals import Caller

# A message repeats a one-time code that breaks a limit, because STS's model does not mark it as sensitive, and with a
# space too many it is still good. From the first value to the last mention, so that no value can end it early.
_SHOWN_CODE = re.compile(r"Value '.*' at 'tokenCode'", re.DOTALL)

# From the content of an encoded authorization message and its expiry, in seconds since the epoch, to its text.
SealMessage = Callable[[Mapping[str, Any], int], str]
# The service under which sign-ins are in the log, as in CloudTrail.
SIGN_IN_SERVICE = "signin"

# Beyond that a request's parameters are not kept for the log, so that those that wait for it stay small.
KEPT_BODY_BYTES = 65_536


class Recorder(Protocol):
    """How the parameters and the answer of an operation are written down, as JSON and without what is secret."""

    @property
    def parameters(self) -> Callable[[Any], str]: ...

    @property
    def answer(self) -> Callable[[Any], str] | None: ...

    @property
    def error_names(self) -> Mapping[str, str]: ...


@dataclass(slots=True)
class Recorded:
    """What was asked and answered, secrets and all: only what ``recorder`` makes of it may be written.

    ``parameters`` are None when they were not in order or the request's ``body_bytes`` are too many, ``answer`` when
    there was none or it is not written down. Like an outcome never changed.
    """

    recorder: Recorder = field(repr=False)
    body_bytes: int
    # Never in a text that somebody makes of an outcome, such as a failing test.
    parameters: Mapping[str, Any] | None = field(repr=False)
    answer: Mapping[str, Any] | None = field(repr=False)


def recorded(
    recorder: Recorder, body_bytes: int, parameters: Mapping[str, Any] | None, answer: Mapping[str, Any] | None
) -> Recorded:
    """What the log needs of a call, and nothing that it would only hold in memory."""
    kept = parameters if body_bytes <= KEPT_BODY_BYTES else None
    return Recorded(recorder, body_bytes, kept, None if recorder.answer is None else answer)


@dataclass(slots=True)
class Outcome:
    """One call and its end. Never changed once it is made; not frozen, because making it is on every call's road.

    ``caller`` is None until credentials are proven; ``access_key_id`` is then only what the request claims.
    ``decisions`` are in the order of the questions, the refused one last. ``now_seconds`` is the sandbox's time,
    ``received_at_seconds`` the wall clock's. ``seal_message`` is there when a decision refused;
    ``further`` are then the actions and resources that were not asked about any more.
    """

    request_id: str
    service: str
    operation: str
    caller: Caller | None
    decisions: tuple[Decision, ...]
    error: AwsError | None
    region: str = ""
    access_key_id: str = ""
    source_ip: str = ""
    user_agent: str = ""
    status: int = 0
    now_seconds: float = 0.0
    received_at_seconds: float = 0.0
    latency_seconds: float = 0.0
    seal_message: SealMessage | None = None
    recorded: Recorded | None = None
    # As the service said it, where ``error`` has the name that all services share.
    error_code: str = ""
    further: Sequence[tuple[str, str]] = ()


Observer = Callable[[Outcome], None]


def without_codes(message: str) -> str:
    """An error's message without the one-time codes that it repeats; for every log."""
    return _SHOWN_CODE.sub("Value at 'tokenCode'", message) if "tokenCode" in message else message

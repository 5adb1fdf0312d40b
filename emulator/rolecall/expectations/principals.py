"""The users, roles and root users of a sandbox: found by the names of an expectation, with their rights."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.access.check import Rights
from rolecall.access.context import identity_keys
from rolecall.access.policies import Authority, PolicyStore
from rolecall.arns import root_arn
from rolecall.delivery import role_principal
from rolecall.identities import IdentityStore, root_principal, user_principal
from rolecall.policy import Layers
from rolecall.policy.patterns import glob, wildcards
from rolecall.principals import Caller, Session
from rolecall.sessions.credentials import OpenedSession
from rolecall.storage import gather
from rolecall.storage.gather import Entity
from rolecall.storage.roles import list_roles
from rolecall.storage.users import list_users

# The session in which a role is asked about. A trust policy may name a role's session.
SESSION_NAME = "rolecall"
SESSION_SECONDS = 3600
# More than a database can hold in time.
_ALL = 10_000_000
_ROOT = "root"
_KINDS = ("user", "role")

Made = TypeVar("Made")

GONE_MESSAGE = "the principal does not exist any more"


class NoSuchNameError(ValueError):
    """A name that means nothing in this sandbox, or several things. The message says what to write."""


class Who(Struct, frozen=True):
    """One principal. ``label`` is its shortest name: ``role/deploy``, in another account ``444455556666:role/deploy``.

    ``kind`` is user, role or root. ``unique_id`` is the account id for a root user.
    """

    kind: str
    account_id: str
    name: str
    arn: str
    unique_id: str
    label: str


class _Everyone(Struct, frozen=True):
    """The accounts with their names, and the principals, account by account."""

    accounts: Mapping[str, str]
    roots: Sequence[Who]
    entities: Sequence[Who]
    by_arn: Mapping[str, Who]


def remembered(store: PolicyStore, name: str, make: Callable[[], Made]) -> Made:
    """What ``make`` works out from one generation of a sandbox. It is worked out once in the generation."""
    key = ("expectations", name)
    known: Made | None = store.resources.get(key)
    if known is None:
        known = make()
        store.resources.put(key, known)
    return known


def _everyone(connection: Connection, policies: PolicyStore) -> _Everyone:
    accounts = gather.account_names(connection)
    # In a closed account nobody can act any more.
    acting = [each for each in accounts if not policies.membership(connection, each).closed]
    first = next(iter(accounts), "")

    def who(kind: str, account_id: str, name: str, arn: str, unique_id: str) -> Who:
        short = _ROOT if kind == _ROOT else f"{kind}/{name}"
        return Who(kind, account_id, name, arn, unique_id, short if account_id == first else f"{account_id}:{short}")

    entities = []
    for each in acting:
        for user in list_users(connection, each, limit=_ALL):
            entities.append(who("user", each, user.name, user.arn, user.user_id))
        for role in list_roles(connection, each, limit=_ALL):
            entities.append(who("role", each, role.name, role.arn, role.role_id))
    roots = [who(_ROOT, each, _ROOT, root_arn(each), each) for each in acting]
    return _Everyone(accounts, roots, entities, {each.arn: each for each in (*roots, *entities)})


class Principals:
    """The principals of one generation of a sandbox."""

    def __init__(self, connection: Connection, store: IdentityStore, now_seconds: float) -> None:
        self._connection = connection
        self._store = store
        self._now_seconds = int(now_seconds)
        self._rights: dict[str, Rights] = {}
        everyone = remembered(store.policies, "everyone", lambda: _everyone(connection, store.policies))
        self._accounts = everyone.accounts
        self.roots: Sequence[Who] = everyone.roots
        self.entities: Sequence[Who] = everyone.entities
        self.by_arn: Mapping[str, Who] = everyone.by_arn

    @property
    def roles(self) -> Iterator[Who]:
        return (who for who in self.entities if who.kind == "role")

    @property
    def default_account_id(self) -> str:
        """The account that was declared first."""
        return next(iter(self._accounts))

    def named(self, written: str, kinds: Sequence[str] = (*_KINDS, _ROOT)) -> list[Who]:
        """The principals that a name means: one, or all that a name with wildcards matches.

        A name is ``role/deploy``, with its path or without, ``user/ci``, ``root``, one of these after ``ACCOUNT:``, or
        an ARN. Without an account the default account is searched first, and then the others. Raises NoSuchNameError.
        """
        found = self._by_arn(written) if written.startswith("arn:") else self._by_name(written)
        fitting = [who for who in found if who.kind in kinds]
        if fitting:
            return fitting
        if found:
            raise NoSuchNameError(f"{written} is no {' or '.join(kinds)}")
        raise NoSuchNameError(f"the sandbox has no {written}{self._near(written, kinds)}")

    def single(self, written: str, kinds: Sequence[str] = (*_KINDS, _ROOT)) -> Who:
        """The one principal that a name means. Raises NoSuchNameError."""
        found = self.named(written, kinds)
        if len(found) > 1:
            raise NoSuchNameError(f"{written} means {labels(found)}: name one of them")
        return found[0]

    def _by_arn(self, written: str) -> list[Who]:
        return [who for who in (*self.roots, *self.entities) if glob(wildcards(written))(who.arn)]

    def _by_name(self, written: str) -> list[Who]:
        account, colon, name = written.rpartition(":")
        accounts = self._accounts_called(account) if colon else list(self._accounts)
        # IAM compares names without case.
        matches = glob(wildcards(name.lower()))
        all_of_them = (*self.roots, *self.entities)
        found = [
            who
            for who in all_of_them
            if who.account_id in accounts and (matches(_short(who).lower()) or matches(_with_path(who).lower()))
        ]
        if colon or not found:
            return found
        own = [who for who in found if who.account_id == self.default_account_id]
        if own:
            return own
        if len({who.account_id for who in found}) > 1:
            raise NoSuchNameError(
                f"several accounts have {written}: write {' or '.join(who.label for who in found[:4])}"
            )
        return found

    def _accounts_called(self, account: str) -> list[str]:
        found = [each for each, name in self._accounts.items() if account in (each, name)]
        if not found:
            known = ", ".join(f"{each} ({name})" if name else each for each, name in self._accounts.items())
            raise NoSuchNameError(f"the sandbox has no account {account!r}; it has {known}")
        return found

    def _near(self, written: str, kinds: Sequence[str]) -> str:
        whole = written.startswith("arn:")
        known = [who.arn if whole else who.label for who in (*self.entities, *self.roots) if who.kind in kinds]
        near = difflib.get_close_matches(written, known, 1)
        return f", did you mean {near[0]}?" if near else ""

    def rights(self, who: Who) -> Rights:
        """The rights of the credentials that a principal calls with: long-term keys, or a session of the role."""
        known = self._rights.get(who.arn)
        if known is None:
            known = self._rights[who.arn] = self._rights_of(who)
        return known

    def _rights_of(self, who: Who) -> Rights:
        policies, connection = self._store.policies, self._connection
        if who.kind == "role":
            role = _entity(policies.role(connection, who.unique_id))
            opened = OpenedSession(role_principal(role, SESSION_NAME), self._session(), "")
            return self._store.of_session(connection, opened).rights
        if who.kind == _ROOT:
            authority, principal = policies.root(connection, who.account_id), root_principal(who.account_id)
        else:
            authority = policies.user(connection, who.unique_id)
            principal = user_principal(_entity(authority))
        if authority is None:
            raise NoSuchNameError(GONE_MESSAGE)
        caller = Caller(principal, "")
        layers = Layers(identity=authority.identity, boundary=authority.boundary, scps=authority.scps)
        return Rights(caller, layers, identity_keys(caller, authority))

    def _session(self) -> Session:
        began = self._now_seconds
        return Session(
            type="AssumeRole",
            session_name=SESSION_NAME,
            access_key_id="",
            issued_at_seconds=began,
            expires_at_seconds=began + SESSION_SECONDS,
        )


def _entity(authority: Authority | None) -> Entity:
    if authority is None or authority.entity is None:
        # The snapshot that named it has it.
        raise NoSuchNameError(GONE_MESSAGE)
    return authority.entity


def _short(who: Who) -> str:
    return _ROOT if who.kind == _ROOT else f"{who.kind}/{who.name}"


def _with_path(who: Who) -> str:
    """``role/team/deploy``"""
    return who.arn.split(":", 5)[5]


def labels(several: Iterable[Who], shown: int = 12) -> str:
    """The names of principals for a line of text; a long list is cut."""
    names = [who.label for who in several]
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")

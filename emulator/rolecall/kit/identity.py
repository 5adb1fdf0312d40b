"""The users, roles and accounts that a test names: their ARNs, keys, and rights."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rolecall.access.check import Rights
from rolecall.access.context import identity_keys
from rolecall.arns import parse_arn
from rolecall.delivery import role_session
from rolecall.errors import AwsError
from rolecall.identities import IdentityStore, read_identities, user_principal
from rolecall.ids import Identifiers
from rolecall.policy import CompiledPolicies, Layers
from rolecall.principals import Caller
from rolecall.storage import gather
from rolecall.storage.access_keys import AccessKeyRecord, access_keys_of
from rolecall.storage.engine import Database
from rolecall.storage.roles import RoleRecord, list_roles, role_by_name
from rolecall.storage.users import UserRecord, list_users, user_by_name
from rolecall.worlds.world import World

ROOT = "root"
_PROBE_SESSION_NAME = "assertion"
_PROBE_SECONDS = 3600
_NAMES_SHOWN = 20

Credentials = Mapping[str, Any] | Sequence[str] | Any
Keys = tuple[str, str, str]


class UnknownIdentityError(LookupError):
    """The sandbox has no identity with that name, or none with credentials to call with."""


class Identities:
    """The identities of one sandbox. They are read from its database, so that those a test makes are found too."""

    def __init__(self, database: Database, world: World) -> None:
        self._database = database
        # In the order of the file. The database does not keep the order.
        self._declared_users = [user.name for user in world.accounts[0].users if user.access_keys]
        self._declared_account = world.accounts[0].account_id
        declared = [key for account in world.accounts for user in account.users for key in user.access_keys]
        declared += [key for account in world.accounts for key in account.root_access_keys]
        self._declared_keys = {key.access_key_id: position for position, key in enumerate(declared)}

    @property
    def _accounts(self) -> dict[str, str]:
        """The name of each account by its id, the default one first. A snapshot may have other accounts."""
        with self._database.snapshot() as connection:
            return gather.account_names(connection)

    def account_id(self, account: str | None) -> str:
        """The id of an account, from its name in the sandbox file or its id; the first account for None."""
        accounts = self._accounts
        if account is None:
            return next(iter(accounts))
        for account_id, name in accounts.items():
            if account in (account_id, name):
                return account_id
        known = ", ".join(f"{account_id} ({name})" if name else account_id for account_id, name in accounts.items())
        raise UnknownIdentityError(f"the sandbox has no account {account!r}; it has {known}")

    def user(self, name: str, account: str | None = None) -> UserRecord:
        """A user by name or ARN, in the account, or else in the first account that has it."""
        candidates = list(self._candidates("user", name, account))
        with self._database.snapshot() as connection:
            for account_id, plain in candidates:
                found = user_by_name(connection, account_id, plain)
                if found is not None:
                    return found
        searched = self._searched(account)
        with self._database.snapshot() as connection:
            known = [user.name for account_id in searched for user in list_users(connection, account_id)]
        raise UnknownIdentityError(_not_found("user", name, account, known))

    def role(self, name: str, account: str | None = None) -> RoleRecord:
        """A role by name or ARN, in the account, or else in the first account that has it."""
        candidates = list(self._candidates("role", name, account))
        with self._database.snapshot() as connection:
            for account_id, plain in candidates:
                found = role_by_name(connection, account_id, plain)
                if found is not None:
                    return found
        searched = self._searched(account)
        with self._database.snapshot() as connection:
            known = [role.name for account_id in searched for role in list_roles(connection, account_id)]
        raise UnknownIdentityError(_not_found("role", name, account, known))

    def _candidates(self, kind: str, name: str, account: str | None) -> Iterator[tuple[str, str]]:
        if not isinstance(name, str):
            raise TypeError(f"a {kind} must be given as a str, its name or ARN, not as {type(name).__name__}")
        arn = parse_arn(name)
        if arn is not None:
            if arn.service == "iam" and arn.resource.startswith(f"{kind}/"):
                yield arn.account_id, name.rpartition("/")[2]
            return
        for account_id in self._searched(account):
            yield account_id, name

    def _searched(self, account: str | None) -> list[str]:
        return list(self._accounts) if account is None else [self.account_id(account)]

    def keys(self, user: str, account: str | None = None) -> Keys:
        """The oldest active access key of a user; ``root`` is the root user of the account."""
        if user == ROOT:
            account_id, user_id = self.account_id(account), None
        else:
            record = self.user(user, account)
            account_id, user_id = record.account_id, record.user_id
        keys = self._active_keys(account_id, user_id)
        if keys is None:
            raise UnknownIdentityError(
                f"{user!r} has no active access key to call with: give it one in the sandbox file "
                "(access_keys), make one with IAM's CreateAccessKey, or pass credentials="
            )
        return keys

    def default_keys(self) -> Keys:
        """The key of the default account's first declared user that has one, else of its root user.

        The world of a snapshot may have none of them. Then it is the first user by name that has a key.
        """
        account_id = self.account_id(None)
        with self._database.snapshot() as connection:
            users = list_users(connection, account_id)
        names = {user.name for user in users}
        if account_id == self._declared_account:
            for name in self._declared_users:
                if name in names:
                    return self.keys(name, account_id)
        found = None if self._declared_users else self._active_keys(account_id, None)
        for user in users:
            found = found or self._active_keys(account_id, user.user_id)
        return found or self.keys(ROOT)

    def _active_keys(self, account_id: str, user_id: str | None) -> Keys | None:
        with self._database.snapshot() as connection:
            # Of several keys the first that the file declares: it is the one that ``rolecall env`` prints.
            for known in sorted(access_keys_of(connection, account_id, user_id), key=self._position):
                if known.status == "Active":
                    key = gather.access_key(connection, known.access_key_id)
                    return None if key is None else (key.access_key_id, key.secret_access_key, "")
        return None

    def _position(self, key: AccessKeyRecord) -> int:
        return self._declared_keys.get(key.access_key_id, len(self._declared_keys))

    def rights(self, keys: Keys, now_seconds: float) -> Rights:
        """The rights behind credentials. Raises UnknownIdentityError for credentials that the sandbox refuses."""
        access_key_id, _, session_token = keys
        with self._database.snapshot() as connection:
            try:
                return self._store(connection).resolve(connection, access_key_id, session_token, now_seconds).rights
            except AwsError as error:
                raise UnknownIdentityError(f"these credentials are refused: {error.code}: {error.message}") from error

    def rights_of_user(self, user: UserRecord) -> Rights:
        """The rights of a user, even one without a key."""
        with self._database.snapshot() as connection:
            store = self._store(connection)
            authority = store.policies.user(connection, user.user_id)
        if authority is None or authority.entity is None:
            raise UnknownIdentityError(f"the user {user.name!r} does not exist any more")
        caller = Caller(user_principal(authority.entity), "")
        layers = Layers(identity=authority.identity, boundary=authority.boundary, scps=authority.scps)
        return Rights(caller, layers, identity_keys(caller, authority))

    def rights_of_role(self, role: RoleRecord, now_seconds: float) -> Rights:
        """The rights of a session of a role without session policies. The trust policy is not evaluated."""
        with self._database.snapshot() as connection:
            store = self._store(connection)
            authority = store.policies.role(connection, role.role_id)
            if authority is None or authority.entity is None:
                raise UnknownIdentityError(f"the role {role.name!r} does not exist any more")
            # Identifiers of its own: an assertion must not change the seeded sequence.
            ids = Identifiers()
            made = role_session(store.keys, ids, now_seconds, authority.entity, _PROBE_SESSION_NAME, _PROBE_SECONDS)
            keys = made.credentials
            return store.resolve(connection, keys.access_key_id, keys.session_token, now_seconds).rights

    def trust(self, role_arn: str) -> CompiledPolicies | None:
        """The trust policy of an ARN's role, for questions about assuming it; None for ``*``."""
        with self._database.snapshot() as connection:
            found = self._store(connection).policies.trust(connection, role_arn)
        if found is None and role_arn != "*":
            raise UnknownIdentityError(f"the sandbox has no role {role_arn!r}")
        return None if found is None else found.policy

    def _store(self, connection: Any) -> IdentityStore:
        return read_identities(connection, self._database.generation(connection))


def keys_of(credentials: Credentials) -> Keys:
    """Keys from STS's ``Credentials``, a pair or triple of texts, or an object of boto3. Raises TypeError."""
    if isinstance(credentials, Mapping) and {"AccessKeyId", "SecretAccessKey"} <= set(credentials):
        return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials.get("SessionToken") or ""
    if isinstance(credentials, tuple | list) and len(credentials) in (2, 3):
        return credentials[0], credentials[1], (credentials[2] if len(credentials) == 3 else None) or ""
    frozen = getattr(credentials, "get_frozen_credentials", None)
    if frozen is None:
        raise TypeError(
            "credentials must be STS's Credentials, (id, secret) or (id, secret, token), "
            f"or credentials of boto3; not {type(credentials).__name__}"
        )
    found = frozen()
    return found.access_key, found.secret_key, found.token or ""


def _not_found(kind: str, name: str, account: str | None, known: Sequence[str]) -> str:
    """The message with a suggestion: the nearest name, or the existing names."""
    of = "" if account is None else f" in account {account}"
    near = difflib.get_close_matches(name.rpartition("/")[2], known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known[:_NAMES_SHOWN]) or 'none'}"
    return f"the sandbox has no {kind} {name!r}{of}; {hint}"

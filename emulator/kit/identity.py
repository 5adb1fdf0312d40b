"""Who a test means: users, roles and accounts by name, their ARNs, keys, and the rights behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emulator.access.check import Rights
from emulator.access.context import identity_keys
from emulator.access.policies import PolicyStore
from emulator.arns import assumed_role_arn, iam_arn, parse_arn
from emulator.errors import AwsError
from emulator.identities import IdentityStore, user_principal
from emulator.ids import Identifiers
from emulator.policy import CompiledPolicies, Layers
from emulator.principals import Caller, Principal
from emulator.sandbox.world import World
from emulator.sessions.credentials import SessionRequest, issue
from emulator.sessions.keys import KeyRing
from emulator.storage import gather, keyring
from emulator.storage.access_keys import access_keys_of
from emulator.storage.engine import Database
from emulator.storage.roles import RoleRecord, role_by_name
from emulator.storage.users import UserRecord, user_by_name

ROOT = "root"
_PROBE_SESSION_NAME = "assertion"
_PROBE_SECONDS = 3600

Credentials = Mapping[str, Any] | Sequence[str] | Any
Keys = tuple[str, str, str]


class UnknownIdentityError(LookupError):
    """The sandbox has nobody of that name, or nobody who could call."""


class Identities:
    """The people of one sandbox. Looked up in its database, so that those a test makes are found too."""

    def __init__(self, database: Database, world: World) -> None:
        self._database = database
        self._default_account = world.accounts[0]
        self._accounts = {account.account_id: account.name for account in world.accounts}

    def account_id(self, account: str | None) -> str:
        """An account by its name in the sandbox file or its id; the first one for None."""
        if account is None:
            return next(iter(self._accounts))
        for account_id, name in self._accounts.items():
            if account in (account_id, name):
                return account_id
        known = ", ".join(
            f"{account_id} ({name})" if name else account_id for account_id, name in self._accounts.items()
        )
        raise UnknownIdentityError(f"the sandbox has no account {account!r}; it has {known}")

    def user(self, name: str, account: str | None = None) -> UserRecord:
        """A user by name or ARN, of the account or else of the first one that has it."""
        with self._database.snapshot() as connection:
            for account_id, plain in self._candidates("user", name, account):
                found = user_by_name(connection, account_id, plain)
                if found is not None:
                    return found
        raise UnknownIdentityError(f"the sandbox has no user {name!r}{_of(account)}")

    def role(self, name: str, account: str | None = None) -> RoleRecord:
        """A role by name or ARN, of the account or else of the first one that has it."""
        with self._database.snapshot() as connection:
            for account_id, plain in self._candidates("role", name, account):
                found = role_by_name(connection, account_id, plain)
                if found is not None:
                    return found
        raise UnknownIdentityError(f"the sandbox has no role {name!r}{_of(account)}")

    def _candidates(self, kind: str, name: str, account: str | None) -> Iterator[tuple[str, str]]:
        arn = parse_arn(name)
        if arn is not None:
            if arn.service == "iam" and arn.resource.startswith(f"{kind}/"):
                yield arn.account_id, name.rpartition("/")[2]
            return
        for account_id in self._accounts if account is None else [self.account_id(account)]:
            yield account_id, name

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
        """The key of the default account's first declared user that has one, else of its root user."""
        for user in self._default_account.users:
            if user.access_keys:
                return self.keys(user.name, self._default_account.account_id)
        return self.keys(ROOT)

    def _active_keys(self, account_id: str, user_id: str | None) -> Keys | None:
        with self._database.snapshot() as connection:
            for known in access_keys_of(connection, account_id, user_id):
                if known.status == "Active":
                    key = gather.access_key(connection, known.access_key_id)
                    return None if key is None else (key.access_key_id, key.secret_access_key, "")
        return None

    def rights(self, keys: Keys, now_seconds: float) -> Rights:
        """The rights behind credentials. Raises UnknownIdentityError for those the sandbox would refuse."""
        access_key_id, _, session_token = keys
        with self._database.snapshot() as connection:
            try:
                return self._store(connection).resolve(connection, access_key_id, session_token, now_seconds).rights
            except AwsError as error:
                raise UnknownIdentityError(f"these credentials are no good: {error.code}: {error.message}") from error

    def rights_of_user(self, user: UserRecord) -> Rights:
        """The rights of a user, whether or not it has a key to call with."""
        with self._database.snapshot() as connection:
            store = self._store(connection)
            authority = store.policies.user(connection, user.user_id)
        if authority is None or authority.entity is None:
            raise UnknownIdentityError(f"the user {user.name!r} is gone")
        caller = Caller(user_principal(authority.entity), "")
        layers = Layers(identity=authority.identity, boundary=authority.boundary, scps=authority.scps)
        return Rights(caller, layers, identity_keys(caller, authority))

    def rights_of_role(self, role: RoleRecord, now_seconds: float) -> Rights:
        """The rights of a session of a role that carries no session policy. Nobody is asked who may assume it."""
        arn = assumed_role_arn(role.account_id, role.name, _PROBE_SESSION_NAME)
        role_arn = iam_arn(role.account_id, "role", role.path, role.name)
        user_id = f"{role.role_id}:{_PROBE_SESSION_NAME}"
        principal = Principal("AssumedRole", role.account_id, arn, role_arn, user_id, role.role_id, role.name)
        request = SessionRequest(
            type="AssumeRole",
            principal=principal,
            duration_seconds=_PROBE_SECONDS,
            session_name=_PROBE_SESSION_NAME,
        )
        with self._database.snapshot() as connection:
            store = self._store(connection)
            # Identifiers of its own: an assertion must not move the seeded ones on.
            issued = issue(store.keys, Identifiers(), now_seconds, request)
            token = issued.session_token
            return store.resolve(connection, issued.access_key_id, token, now_seconds).rights

    def trust(self, role_arn: str) -> CompiledPolicies | None:
        """The trust policy of the role an ARN names, for questions about assuming it; None for ``*``."""
        with self._database.snapshot() as connection:
            found = self._store(connection).policies.trust(connection, role_arn)
        if found is None and role_arn != "*":
            raise UnknownIdentityError(f"the sandbox has no role {role_arn!r}")
        return None if found is None else found.policy

    def _store(self, connection: Any) -> IdentityStore:
        keys = KeyRing.of_rows(keyring.load(connection))
        return IdentityStore(PolicyStore(self._database.generation(connection)), keys)


def keys_of(credentials: Credentials) -> Keys:
    """From what STS answers as ``Credentials``, a pair or triple of texts, or an object of boto3. Raises TypeError."""
    if isinstance(credentials, Mapping) and {"AccessKeyId", "SecretAccessKey"} <= set(credentials):
        return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials.get("SessionToken") or ""
    if isinstance(credentials, tuple | list) and len(credentials) in (2, 3):
        return credentials[0], credentials[1], (credentials[2] if len(credentials) == 3 else None) or ""
    frozen = getattr(credentials, "get_frozen_credentials", None)
    if frozen is None:
        raise TypeError(
            "credentials are what STS answers as Credentials, (id, secret) or (id, secret, token), "
            f"or credentials of boto3; not {type(credentials).__name__}"
        )
    found = frozen()
    return found.access_key, found.secret_key, found.token or ""


def _of(account: str | None) -> str:
    return "" if account is None else f" in account {account}"

"""Identities: from an access key id and a session token to the caller, the secret and the rights.

Identities are cached for one generation of the database, so an unchanged caller costs one look-up a call. Every call
checks expiry. Refusals come in AWS's order: a damaged token, then an expired one, then an unknown key.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.access.check import Rights
from rolecall.access.context import UNSIGNED_KEYS, identity_keys
from rolecall.access.entity_principals import root_principal as root_principal
from rolecall.access.entity_principals import user_principal as user_principal
from rolecall.access.policies import (
    APPROVER_SCOPE_DOWN_NAME,
    EVERYTHING,
    Authority,
    PolicyStore,
    kept_document,
)
from rolecall.caches import BoundedCache
from rolecall.errors import DAMAGED_TOKEN_MESSAGE, EXPIRED_TOKEN_MESSAGE, UNKNOWN_KEY_MESSAGE, AwsError
from rolecall.policy import Layers, NamedPolicy, PolicyKind, compile_policies
from rolecall.principals import Caller, Principal
from rolecall.reprs import repr_without
from rolecall.sessions.credentials import OpenedSession, open_session
from rolecall.sessions.keys import KeyRing
from rolecall.sessions.tokens import BadTokenError
from rolecall.storage import gather, keyring

_IDENTITY_LIMIT, _TOKEN_CHARACTERS = 2048, 20_480
_NOTHING = compile_policies([], PolicyKind.SESSION)
ADMINISTRATOR_POLICY_ARN = "arn:aws:iam::aws:policy/AdministratorAccess"


class Identity(Struct, frozen=True):
    """The caller, the secret that must sign the call, and the rights. Long-term keys have no expiry."""

    rights: Rights
    secret_access_key: str
    expires_at_seconds: int | None = None

    __repr__ = repr_without("secret_access_key")

    @property
    def caller(self) -> Caller:
        return self.rights.caller


def read_identities(connection: Connection, generation: int, earlier: IdentityStore | None = None) -> IdentityStore:
    """The identities of the connection's generation, with its key ring. Everything is read again.

    ``earlier`` is of an earlier generation. It saves the work of compiling policies that are still the same.
    """
    policies = PolicyStore(generation) if earlier is None else earlier.policies.after(generation)
    return IdentityStore(policies, _key_ring(tuple(keyring.load(connection))))


# Keys change by rotation only, but every new generation asks.
_key_ring = lru_cache(maxsize=4)(KeyRing.of_rows)


def unsigned_identity(caller: Caller) -> Identity:
    """The identity of a caller with a verified token or assertion: it has no secret and no policies of its own."""
    return Identity(Rights(caller, Layers(identity=None), UNSIGNED_KEYS), "")


NOBODY = unsigned_identity(Caller(Principal("Anonymous", "", "", "", "anonymous", "", ""), ""))


class IdentityStore:
    """The identities of one generation, with the policies and the key ring that they come from."""

    def __init__(self, policies: PolicyStore, keys: KeyRing) -> None:
        self.policies = policies
        self.keys = keys
        self.generation = policies.generation
        self._known: BoundedCache[tuple[str, str], Identity] = BoundedCache(_IDENTITY_LIMIT, _TOKEN_CHARACTERS)

    def without(self, generation: int, changed: Collection[str]) -> IdentityStore:
        """The identities of a later generation, which differs by changes to these entities and by no others.

        ``changed`` are unique ids of users and roles, and ids of access keys. A session depends on its user or role,
        and a long-term key on itself and on its user. Everything else that they depend on bears on everyone's rights.
        """
        store = IdentityStore(self.policies.without(generation, changed), self.keys)
        store._known = self._known.without(
            lambda key, identity: key[0] in changed or identity.caller.principal.entity_id in changed
        )
        return store

    def resolve(self, connection: Connection, access_key_id: str, session_token: str, now_seconds: float) -> Identity:
        """The identity for the credentials of a request. Raises AwsError InvalidClientTokenId or ExpiredToken."""
        identity = self._known.get((access_key_id, session_token))
        if identity is None:
            if session_token:
                identity = self._from_token(connection, access_key_id, session_token, now_seconds)
            else:
                identity = self._from_key(connection, access_key_id)
            self._known.put((access_key_id, session_token), identity)
        if identity.expires_at_seconds is not None and identity.expires_at_seconds <= now_seconds:
            raise AwsError("ExpiredToken", EXPIRED_TOKEN_MESSAGE)
        return identity

    def _from_token(
        self, connection: Connection, access_key_id: str, session_token: str, now_seconds: float
    ) -> Identity:
        try:
            opened = open_session(self.keys, access_key_id, session_token)
        except BadTokenError as error:
            raise AwsError("InvalidClientTokenId", DAMAGED_TOKEN_MESSAGE, reason=str(error)) from error
        if opened.session.expires_at_seconds <= now_seconds:
            raise AwsError("ExpiredToken", EXPIRED_TOKEN_MESSAGE)
        return self.of_session(connection, opened)

    def of_session(self, connection: Connection, opened: OpenedSession) -> Identity:
        """The identity for an opened session. Raises AwsError InvalidClientTokenId when its role or user is gone."""
        principal, session = opened.principal, opened.session
        authority = self._authority(connection, principal)
        if authority is None:
            # Deleting a role or user ends its sessions, even if a new one gets the same name.
            raise AwsError("InvalidClientTokenId", UNKNOWN_KEY_MESSAGE, reason="the role or user behind it is gone")
        if principal.type == "User" and authority.entity is not None:
            principal = user_principal(authority.entity)
        identity_layer = authority.identity
        if principal.type == "FederatedUser" and authority.entity is None:
            # A federated user of the root user has the root user's rights, limited by its session policy.
            everything = NamedPolicy(kept_document(EVERYTHING, PolicyKind.IDENTITY), "root user")
            identity_layer = compile_policies([everything], PolicyKind.IDENTITY)
        inline = session.policies
        if session.type == "AssumeRoot":
            # The policies of privileged tasks only deny. Everything else is allowed, as for the root user.
            inline = (EVERYTHING, *inline)
        session_layer = self.policies.session(connection, inline, session.policy_arns)
        scope_down = self.policies.scope_down(session.scope_down_policies)
        if session.type == "GetDelegatedAccessToken":
            # A delegated session has only the delegated rights, whatever resource policies allow the approver.
            approver = self.policies.session(connection, session.approver_policies, session.approver_policy_arns)
            narrowed = self.policies.scope_down(session.approver_scope_down_policies, APPROVER_SCOPE_DOWN_NAME)
            delegation = (session_layer or _NOTHING, *(() if approver is None else (approver,)), *narrowed)
            layers = Layers(
                identity=identity_layer,
                boundary=authority.boundary,
                scps=authority.scps,
                delegation=delegation,
                scope_down=scope_down,
            )
        else:
            layers = Layers(
                identity=identity_layer,
                boundary=authority.boundary,
                session=session_layer,
                session_policy_required=principal.type == "FederatedUser" and session_layer is None,
                scps=authority.scps,
                scope_down=scope_down,
            )
        rights = _rights(Caller(principal, session.access_key_id, session), layers, authority)
        return Identity(rights, opened.secret_access_key, session.expires_at_seconds)

    def _from_key(self, connection: Connection, access_key_id: str) -> Identity:
        key = gather.access_key(connection, access_key_id)
        if key is None or key.status != "Active":
            raise AwsError("InvalidClientTokenId", UNKNOWN_KEY_MESSAGE, reason="no active access key has this id")
        principal = root_principal(key.account_id)
        authority = self.policies.root(connection, key.account_id)
        if key.user_id is not None:
            authority = self.policies.user(connection, key.user_id)
            if authority is not None and authority.entity is not None:
                principal = user_principal(authority.entity)
        if authority is None:
            raise AwsError("InvalidClientTokenId", UNKNOWN_KEY_MESSAGE, reason="the key's owner is gone")
        layers = Layers(identity=authority.identity, boundary=authority.boundary, scps=authority.scps)
        return Identity(_rights(Caller(principal, access_key_id), layers, authority), key.secret_access_key)

    def knows_key(self, connection: Connection, access_key_id: str) -> bool:
        """Whether the sandbox has a long-term key with this id, in any status."""
        return gather.access_key(connection, access_key_id) is not None

    def administrator(self, connection: Connection, access_key_id: str) -> Identity:
        """The default account's administrator, for a sandbox that is not strict: a user with AdministratorAccess.

        If there is no such user, the account's root user takes its place.
        """
        account_id = gather.default_account_id(connection) or ""
        user_id = gather.user_with_policy(connection, account_id, ADMINISTRATOR_POLICY_ARN)
        principal, authority = root_principal(account_id), self.policies.root(connection, account_id)
        if user_id is not None:
            authority = self.policies.user(connection, user_id)
            if authority is not None and authority.entity is not None:
                principal = user_principal(authority.entity)
        if authority is None:
            raise AwsError("InvalidClientTokenId", UNKNOWN_KEY_MESSAGE, reason="the sandbox has no account")
        layers = Layers(identity=authority.identity, boundary=authority.boundary, scps=authority.scps)
        return Identity(_rights(Caller(principal, access_key_id), layers, authority), "")

    def root(self, connection: Connection, account_id: str) -> Identity:
        """The root user of an account, without a key. Raises AwsError InvalidClientTokenId for an unknown account."""
        authority = self.policies.root(connection, account_id)
        if authority is None:
            raise AwsError("InvalidClientTokenId", UNKNOWN_KEY_MESSAGE, reason="the sandbox has no such account")
        layers = Layers(identity=authority.identity, boundary=authority.boundary, scps=authority.scps)
        return Identity(_rights(Caller(root_principal(account_id), ""), layers, authority), "")

    def _authority(self, connection: Connection, principal: Principal) -> Authority | None:
        if principal.type == "AssumedRole":
            return self.policies.role(connection, principal.entity_id)
        if principal.entity_id == principal.account_id:
            return self.policies.root(connection, principal.account_id)
        return self.policies.user(connection, principal.entity_id)


def _rights(caller: Caller, layers: Layers, authority: Authority) -> Rights:
    return Rights(caller, layers, identity_keys(caller, authority))


__all__ = [
    "NOBODY",
    "Identity",
    "IdentityStore",
    "read_identities",
    "root_principal",
    "unsigned_identity",
    "user_principal",
]

"""Sign-in federation: temporary credentials become a sign-in token, and that becomes a session in a browser.

IAM User Guide, "Enable custom identity broker access to the AWS console". Owned here: which credentials may sign in,
for how long, and what a signed-in visitor may do. Not here: HTTP, cookies and pages (``web``), and the sealing of
tokens (``sessions``).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.access.check import ask
from rolecall.access.console_access import CONSOLE_ARN, authenticates, console_access, enters_console, refuses
from rolecall.access.context import Moment
from rolecall.access.permission import Permission
from rolecall.access.regions import sign_in_region
from rolecall.clock import Clock
from rolecall.data import actions
from rolecall.delivery import role_session
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.identities import (
    ADMINISTRATOR_POLICY_ARN,
    Identity,
    IdentityStore,
    read_identities,
    root_principal,
    user_principal,
)
from rolecall.ids import Identifiers
from rolecall.policy import denial_message
from rolecall.principals import ROLE_SESSIONS, Caller, Principal, federated_principal
from rolecall.sessions.credentials import OpenedSession, SessionRequest, TemporaryCredentials, issue
from rolecall.sessions.keys import KeyRing
from rolecall.sessions.signin import open_console, open_sign_in, seal_console, seal_sign_in
from rolecall.sessions.tokens import BadTokenError
from rolecall.signin.stopped import logged_message, stopped_message
from rolecall.storage import keyring
from rolecall.storage.clock_states import load_clock
from rolecall.storage.engine import Database
from rolecall.storage.roles import SERVICE_LINKED_PATH

SIGN_IN_TOKEN_SECONDS = 900
MINIMUM_DURATION_SECONDS = 900
MAXIMUM_DURATION_SECONDS = 43_200
# AWS answers 400 without a reason; these sentences are Rolecall's own.
INVALID_CREDENTIALS_MESSAGE = "The credentials are not valid: {reason}."
LONG_TERM_MESSAGE = (
    "Long-term credentials cannot sign in: use AssumeRole or GetFederationToken, and pass sessionId, sessionKey and "
    "sessionToken."
)
KIND_MESSAGE = "Credentials of {kind} cannot sign in. Use credentials from AssumeRole* or GetFederationToken."
DURATION_RANGE_MESSAGE = "SessionDuration must be a whole number of seconds from 900 to 43200."
DURATION_KIND_MESSAGE = (
    "SessionDuration is only for credentials of a role. Other sessions end when their credentials expire."
)
DURATION_CHAINED_MESSAGE = "SessionDuration cannot be used with a role that was assumed by role chaining."
# Not documented for scoped credentials. They end with their session or before, and so does what they open.
DURATION_SCOPED_MESSAGE = "SessionDuration cannot be used with credentials from GetScopedCredentials."
DURATION_SIGNIN_MESSAGE = "SessionDuration exceeds the MaxSigninSessionDuration set for this role."
DURATION_ROLE_MESSAGE = "SessionDuration exceeds the MaxSessionDuration set for this role."
SIGN_IN_TOKEN_MESSAGE = "The sign-in token is not valid, or older than 15 minutes."  # noqa: S105
CONSOLE_REGION = "us-east-1"
OWN_SESSION_NAME = "rolecall-console"
OWN_SESSION_SECONDS = 3600
# API reference, GetFederationToken: the longest Name.
_MAXIMUM_FEDERATED_NAME = 32
GONE_MESSAGE = "This user or role is gone."
SERVICE_ROLE_MESSAGE = "Only its service can use a service-linked role."


class SignInError(Exception):
    """A sign-in is refused. The visitor sees the message. The log has ``logged``, which is the message by default."""

    def __init__(self, message: str, logged: str = "") -> None:
        super().__init__(message)
        self.logged = logged or message


class Visitor(Struct, frozen=True):
    """A signed-in visitor, until ``ends_at_seconds``."""

    identity: Identity
    ends_at_seconds: int


class ChimePermission(Struct, frozen=True):
    """One action of Chime and the reason for its refusal; the reason is empty when the action is allowed."""

    action: str
    access_level: str
    refusal: str


class SignIn:
    """The sign-in endpoint's rules for one sandbox."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def sign_in_token(
        self, access_key_id: str, secret_access_key: str, session_token: str, duration_seconds: int | None
    ) -> tuple[str, Caller]:
        """A sign-in token for temporary credentials, valid for 15 minutes, and their principal. Raises SignInError."""
        if not session_token:
            raise SignInError(LONG_TERM_MESSAGE)
        with self._database.snapshot() as connection:
            now_seconds = self._now_seconds(connection)
            identities = self._identities(connection)
            try:
                identity = identities.resolve(connection, access_key_id, session_token, now_seconds)
            except AwsError as error:
                reason = error.message.rstrip(".")
                raise SignInError(INVALID_CREDENTIALS_MESSAGE.format(reason=reason)) from error
            if not hmac.compare_digest(identity.secret_access_key.encode(), secret_access_key.encode()):
                raise SignInError(INVALID_CREDENTIALS_MESSAGE.format(reason="the secret does not belong to the key"))
            ends_at_seconds = _ends_at(connection, identities, identity, duration_seconds, int(now_seconds))
            good_until_seconds = int(now_seconds) + SIGN_IN_TOKEN_SECONDS
            token = seal_sign_in(identities.keys, session_token, ends_at_seconds, good_until_seconds)
            return token, identity.caller

    def own_session(self, ids: Identifiers, account_id: str, kind: str, unique_id: str) -> TemporaryCredentials:
        """Credentials of one hour with which a ``user``, a ``role`` or the ``root`` user can sign in. Stores nothing.

        They are for the owner of the sandbox, who may become everyone, so no trust policy is asked. A user signs in as
        a federated user of the same name with all of the user's rights. Raises SignInError.
        """
        with self._database.snapshot() as connection:
            now_seconds = self._now_seconds(connection)
            identities = self._identities(connection)
            if kind == "role":
                role = identities.policies.role(connection, unique_id)
                if role is None or role.entity is None:
                    raise SignInError(GONE_MESSAGE)
                if role.entity.path.startswith(SERVICE_LINKED_PATH):
                    raise SignInError(SERVICE_ROLE_MESSAGE)
                made = role_session(
                    identities.keys, ids, now_seconds, role.entity, OWN_SESSION_NAME, OWN_SESSION_SECONDS
                )
                return made.credentials
            owner = root_principal(account_id)
            if kind == "user":
                user = identities.policies.user(connection, unique_id)
                if user is None or user.entity is None:
                    raise SignInError(GONE_MESSAGE)
                owner = user_principal(user.entity)
            request = SessionRequest(
                type="GetFederationToken",
                principal=federated_principal(owner, owner.name[:_MAXIMUM_FEDERATED_NAME]),
                duration_seconds=OWN_SESSION_SECONDS,
                session_name=owner.name,
                policy_arns=(ADMINISTRATOR_POLICY_ARN,),
            )
            return issue(identities.keys, ids, now_seconds, request)

    def console_session(self, sign_in_token: str, request: HttpRequest) -> tuple[str, int]:
        """A console session, and the seconds it will last. ``request`` is the browser's. Raises SignInError."""
        with self._database.snapshot() as connection:
            now_seconds = self._now_seconds(connection)
            identities = self._identities(connection)
            try:
                opened = open_sign_in(identities.keys, sign_in_token, now_seconds)
            except BadTokenError as error:
                raise SignInError(SIGN_IN_TOKEN_MESSAGE) from error
            self._check_access(connection, identities, opened.session, request)
            # The role's setting of this moment counts, because the browser's session begins now.
            most_seconds = _most_signin_seconds(connection, identities, opened.session.principal)
            ends_at_seconds = opened.ends_at_seconds
            if most_seconds is not None:
                ends_at_seconds = min(ends_at_seconds, int(now_seconds) + most_seconds)
            session = seal_console(identities.keys, opened, ends_at_seconds)
        return session, max(0, ends_at_seconds - int(now_seconds))

    def _check_access(
        self, connection: Connection, identities: IdentityStore, opened: OpenedSession, request: HttpRequest
    ) -> None:
        """Raises SignInError when console authorization stops the sign-in, or when the role or user is gone."""
        principal = opened.principal
        access = console_access(connection, identities.policies, principal.account_id)
        if access is None:
            return
        region = sign_in_region(request.headers.get("host", "")) or CONSOLE_REGION
        moment = Moment(request, self._now_seconds(connection), region, opened.session.mfa_authenticated_at_seconds)
        decision = authenticates(access, principal, CONSOLE_ARN, moment)
        if decision.allowed:
            try:
                rights = identities.of_session(connection, opened).rights
            except AwsError as error:
                raise SignInError(GONE_MESSAGE) from error
            decision = enters_console(access, rights, moment)[-1]
            if not refuses(decision):
                return
        raise SignInError(stopped_message(decision), logged_message(decision))

    def visitor(self, console_session: str) -> Visitor | None:
        """The visitor of a console session; None when the session is invalid or over, or its role or user is gone."""
        with self._database.snapshot() as connection:
            identities = self._identities(connection)
            try:
                opened, ends_at_seconds = open_console(identities.keys, console_session, self._now_seconds(connection))
                return Visitor(identities.of_session(connection, opened), ends_at_seconds)
            except (BadTokenError, AwsError):
                return None

    def chime_permissions(self, visitor: Visitor, request: HttpRequest) -> Sequence[ChimePermission]:
        """Every action of Chime on all resources, by access level and name."""
        rights = visitor.identity.rights
        session = rights.caller.session
        mfa_at_seconds = None if session is None else session.mfa_authenticated_at_seconds
        moment = Moment(request, self._clock.now_seconds(), CONSOLE_REGION, mfa_at_seconds)
        found = []
        for action in actions("chime").values():
            decision = ask(rights, Permission(f"chime:{action.name}"), moment)
            refusal = "" if decision.allowed else denial_message(decision)
            found.append(ChimePermission(f"chime:{action.name}", action.access_level, refusal))
        return sorted(found, key=lambda permission: (permission.access_level, permission.action))

    def _now_seconds(self, connection: Connection) -> float:
        """The time by the stored clock, because another process may have moved it."""
        return load_clock(connection).now_seconds(self._clock.wall_seconds())

    def _identities(self, connection: Connection) -> IdentityStore:
        # Pages are rare, so nothing is cached between them.
        return read_identities(connection, self._database.generation(connection))


def _key_ring(connection: Connection) -> KeyRing:
    return KeyRing.of_rows(keyring.load(connection))


def _ends_at(
    connection: Connection, identities: IdentityStore, identity: Identity, duration_seconds: int | None, now: int
) -> int:
    """When the console session ends: with its credentials, or after the duration that a role's session may ask for."""
    principal, session = identity.caller.principal, identity.caller.session
    kind = "an IAM user" if session is None else session.type
    if session is None or not (session.type in ROLE_SESSIONS or session.type == "GetFederationToken"):
        raise SignInError(KIND_MESSAGE.format(kind=kind))
    if duration_seconds is None:
        return session.expires_at_seconds
    if not MINIMUM_DURATION_SECONDS <= duration_seconds <= MAXIMUM_DURATION_SECONDS:
        raise SignInError(DURATION_RANGE_MESSAGE)
    if session.type not in ROLE_SESSIONS:
        raise SignInError(DURATION_KIND_MESSAGE)
    if session.chained:
        raise SignInError(DURATION_CHAINED_MESSAGE)
    if session.scoped:
        raise SignInError(DURATION_SCOPED_MESSAGE)
    trust = identities.policies.trust(connection, principal.principal_arn)
    if trust is not None and duration_seconds > trust.role.max_session_duration_seconds:
        raise SignInError(DURATION_ROLE_MESSAGE)
    most_seconds = _most_signin_seconds(connection, identities, principal)
    if most_seconds is not None and duration_seconds > most_seconds:
        raise SignInError(DURATION_SIGNIN_MESSAGE)
    return now + duration_seconds


def _most_signin_seconds(connection: Connection, identities: IdentityStore, principal: Principal) -> int | None:
    """MaxSigninSessionDuration of the role behind a role session; None when it is not set, and for other sessions."""
    trust = identities.policies.trust(connection, principal.principal_arn)
    return None if trust is None else trust.role.max_signin_session_duration_seconds

"""The request of a program for an authorization code (AuthorizeOAuth2Access), and its approval by a principal.

Sources: Sign-In API reference, AuthorizeOAuth2Access; Service Authorization Reference, AWS Signin. A sandbox asks for
no password: its owner may become everyone. What the principal's policies say counts.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.access.check import RefusedError, check
from rolecall.access.console_access import authenticates, console_access, guarded
from rolecall.access.context import Moment
from rolecall.access.permission import Permission
from rolecall.delivery import role_principal
from rolecall.delivery.sign_in import CROSS_DEVICE, SAME_DEVICE, client_arn, may_sign_in, opened
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.identities import Identity, IdentityStore, root_principal, user_principal
from rolecall.ids import Identifiers
from rolecall.policy import Decision
from rolecall.principals import Principal
from rolecall.sessions.sealed_forms import is_sealed_form as is_sealed_form
from rolecall.sessions.sealed_forms import seal_form as seal_form
from rolecall.signin.stopped import logged_message, stopped_message
from rolecall.storage.signin_sessions import SignInCode, add_code, credentials_mark
from rolecall.storage.sso_sessions import digest

AUTHORIZE = "AuthorizeOAuth2Access"
CONFIRMATION_PATH = "/v1/sessions/confirmation"
PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
    "resource",
)
DEFAULT_SESSION_NAME = "rolecall"
# RFC 6749, section 4.1.2 recommends ten minutes at most.
CODE_SECONDS = 600
_CODE_BYTES = 48
_MAXIMUM_STATE_CHARACTERS = 128
_DENIED = "AccessDeniedException"
_is_callback = re.compile(r"http://127\.0\.0\.1:([1-9][0-9]{0,4})/oauth/callback", re.ASCII).fullmatch
_is_challenge = re.compile(r"[A-Za-z0-9\-._~]{43,128}", re.ASCII).fullmatch
# STS API reference, RoleSessionName.
_is_session_name = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII).fullmatch
_MAXIMUM_PORT = 65_535

# AWS's wordings are not recorded.
CLIENT_MESSAGE = f"client_id must be {SAME_DEVICE} or {CROSS_DEVICE}."
SAME_DEVICE_MESSAGE = "redirect_uri must be http://127.0.0.1:PORT/oauth/callback."
CROSS_DEVICE_MESSAGE = "redirect_uri must be {uri}."
RESPONSE_TYPE_MESSAGE = "response_type must be code."
SCOPE_MESSAGE = "scope must be openid."
METHOD_MESSAGE = "code_challenge_method must be SHA-256."
CHALLENGE_MESSAGE = "code_challenge must have 43 to 128 letters, digits and characters of -._~"
STATE_MESSAGE = "state may have at most 128 characters."
RESOURCE_MESSAGE = "resource is for clients that register, which Rolecall does not emulate yet."
SESSION_NAME_MESSAGE = "A session name has 2 to 64 letters, digits and characters of _+=,.@-"
GONE_MESSAGE = "This user or role is gone, or belongs to a service."


class AuthorizationError(ValueError):
    """A request that no principal can approve. The visitor sees the message. The program learns nothing."""


class UnauthenticatedError(AuthorizationError):
    """A sign-in that console authorization stops before the principal is authenticated. The log has ``refusal``."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(stopped_message(decision))
        self.refusal = RefusedError(_DENIED, logged_message(decision), decision)


class AuthorizationRequest(Struct, frozen=True):
    """A request for a code, with its parameters as they came."""

    client_id: str
    redirect_uri: str
    state: str
    code_challenge: str
    region: str
    parameters: Mapping[str, str]

    def back(self, **answer: str) -> str:
        """The program's address with an answer."""
        return f"{self.redirect_uri}?{urlencode({**answer, **({'state': self.state} if self.state else {})})}"


def authorization_request(parameters: Mapping[str, str], server_url: str, region: str) -> AuthorizationRequest:
    """The request, if it is well formed. ``server_url`` is this server's, without a path. Raises AuthorizationError."""
    client_id, redirect_uri = parameters.get("client_id", ""), parameters.get("redirect_uri", "")
    if client_id == SAME_DEVICE:
        port = _is_callback(redirect_uri)
        _check(port is not None and int(port[1]) <= _MAXIMUM_PORT, SAME_DEVICE_MESSAGE)
    else:
        confirmation = server_url + CONFIRMATION_PATH
        _check(client_id == CROSS_DEVICE, CLIENT_MESSAGE)
        _check(redirect_uri == confirmation, CROSS_DEVICE_MESSAGE.format(uri=confirmation))
    challenge, state = parameters.get("code_challenge", ""), parameters.get("state", "")
    _check(parameters.get("response_type") == "code", RESPONSE_TYPE_MESSAGE)
    _check(parameters.get("scope", "openid") == "openid", SCOPE_MESSAGE)
    _check(parameters.get("code_challenge_method") == "SHA-256", METHOD_MESSAGE)
    _check(_is_challenge(challenge) is not None, CHALLENGE_MESSAGE)
    _check(len(state) <= _MAXIMUM_STATE_CHARACTERS, STATE_MESSAGE)
    _check("resource" not in parameters, RESOURCE_MESSAGE)
    return AuthorizationRequest(client_id, redirect_uri, state, challenge, region, dict(parameters))


def _check(fits: bool, message: str) -> None:
    if not fits:
        raise AuthorizationError(message)


def principal_of(
    connection: Connection, identities: IdentityStore, account_id: str, kind: str, unique_id: str, session_name: str
) -> Principal:
    """The principal who signs in: a ``user``, a ``role`` in a session of that name, or ``root``.

    Raises AuthorizationError.
    """
    policies = identities.policies
    if kind == "root":
        principal = root_principal(account_id)
    else:
        authority = (policies.role if kind == "role" else policies.user)(connection, unique_id)
        if authority is None or authority.entity is None:
            raise AuthorizationError(GONE_MESSAGE)
        _check(kind != "role" or _is_session_name(session_name) is not None, SESSION_NAME_MESSAGE)
        entity = authority.entity
        principal = role_principal(entity, session_name) if kind == "role" else user_principal(entity)
    _check(may_sign_in(connection, policies, principal), GONE_MESSAGE)
    return principal


def identity_of(
    connection: Connection, identities: IdentityStore, principal: Principal, now_seconds: float
) -> Identity:
    """The principal with its rights. Raises AuthorizationError when it is gone."""
    try:
        return identities.of_session(connection, opened(principal, int(now_seconds)))
    except AwsError as error:
        raise AuthorizationError(GONE_MESSAGE) from error


def authorise(
    connection: Connection,
    identities: IdentityStore,
    request: AuthorizationRequest,
    identity: Identity,
    asked: HttpRequest,
    now_seconds: float,
) -> Sequence[Decision]:
    """The decision about signin:AuthorizeOAuth2Access. ``asked`` is the browser's request.

    Raises RefusedError, and UnauthenticatedError when console authorization stops the sign-in before that.
    """
    principal = identity.caller.principal
    account_id = principal.account_id
    context = {"signin:oauthclientid": request.client_id, "signin:oauthredirecturi": request.redirect_uri}
    arn = client_arn(request.client_id, request.region, account_id)
    moment = Moment(asked, now_seconds, request.region, None)
    access = console_access(connection, identities.policies, account_id)
    if access is not None:
        decision = authenticates(access, principal, arn, moment)
        if not decision.allowed:
            raise UnauthenticatedError(decision)
    permission = guarded(Permission(f"signin:{AUTHORIZE}", arn, account_id, context), access)
    return check(identity.rights, [permission], moment, _DENIED)


def approve(
    connection: Connection, request: AuthorizationRequest, principal: Principal, ids: Identifiers, now_seconds: float
) -> str:
    """The program's address with a new code for the principal. ``connection`` is a transaction."""
    secret = urlsafe_b64encode(ids.secret_bytes(_CODE_BYTES)).decode("ascii")
    code = SignInCode(
        code_digest=digest(secret),
        account_id=principal.account_id,
        region=request.region,
        principal=principal,
        credentials_mark=credentials_mark(connection, principal),
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        session_id=None,
        signed_in_at_seconds=int(now_seconds),
        expires_at_seconds=int(now_seconds) + CODE_SECONDS,
    )
    add_code(connection, code, now_seconds)
    return request.back(code=secret)

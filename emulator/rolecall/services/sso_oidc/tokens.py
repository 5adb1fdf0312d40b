"""CreateToken: an access token for an approved device code, an authorization code or a refresh token."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, no_permission, operation
from rolecall.services.sso_oidc.common import (
    DEVICE_CODE,
    GRANT_TYPES,
    PORTAL_SCOPE,
    REFRESH_TOKEN,
    check_grant,
    proven_client,
)
from rolecall.storage.identity_center import identity_center
from rolecall.storage.sso_sessions import (
    ACCESS,
    DENIED,
    PENDING,
    POLLING_SECONDS,
    REFRESH,
    SPENT,
    SsoClient,
    SsoCode,
    SsoSession,
    add_session,
    add_token,
    code_by_digest,
    digest,
    end_session,
    note_poll,
    remove_expired_tokens,
    remove_token,
    spend_code,
    token_of,
)

# An access token that can be refreshed is valid for an hour.
ACCESS_SECONDS = 3600
_TOKEN_BYTES = 96

# As recorded.
PENDING_MESSAGE = "Authorization is still pending"
GRANT_MESSAGE = "Invalid grant provided"
REFRESH_MESSAGE = "Invalid refresh token provided"
# AWS's wordings of these are not recorded.
UNSUPPORTED_MESSAGE = "The grant type is not supported: {grant_type}"
MISSING_MESSAGE = "The grant type {grant_type} needs the parameter {parameter}"
SLOW_MESSAGE = "Polled again before the interval has passed"
EXPIRED_MESSAGE = "The device code has expired"
DENIED_MESSAGE = "The user has denied the request"


@operation("sso-oidc", "CreateToken", permissions=no_permission, proof=proven_client, slow=True)
def create_token(
    call: Call,
    *,
    clientId: str,  # verified by the proof
    clientSecret: str,  # verified by the proof
    grantType: str,
    deviceCode: str | None = None,
    code: str | None = None,
    refreshToken: str | None = None,
    scope: Sequence[str] = (),  # "This parameter has no effect" (API reference)
    redirectUri: str | None = None,
    codeVerifier: str | None = None,
) -> Answer | AwsError:
    """A token for a user's session. API reference: CreateToken.

    Raises AwsError: InvalidClientException, UnsupportedGrantTypeException, UnauthorizedClientException,
    InvalidRequestException (a parameter is missing), InvalidGrantException, AuthorizationPendingException,
    SlowDownException, ExpiredTokenException, AccessDeniedException (the user has denied).
    """
    client: SsoClient = call.proof
    if grantType not in GRANT_TYPES:
        raise AwsError("UnsupportedGrantTypeException", UNSUPPORTED_MESSAGE.format(grant_type=grantType))
    check_grant(client, grantType)
    if grantType == DEVICE_CODE:
        return _by_device_code(call, client, _given(grantType, "deviceCode", deviceCode))
    if grantType == REFRESH_TOKEN:
        return _by_refresh_token(call, client, _given(grantType, "refreshToken", refreshToken))
    found = code_by_digest(call.db, digest(_given(grantType, "code", code)))
    uri = _given(grantType, "redirectUri", redirectUri)
    return _by_code(call, client, found, uri, _given(grantType, "codeVerifier", codeVerifier))


def _given(grant_type: str, parameter: str, value: str | None) -> str:
    if not value:
        message = MISSING_MESSAGE.format(grant_type=grant_type, parameter=parameter)
        raise AwsError("InvalidRequestException", message)
    return value


def _by_device_code(call: Call, client: SsoClient, device_code: str) -> Answer | AwsError:
    code = code_by_digest(call.db, digest(device_code))
    if code is None or code.user_code is None or code.client_id != client.client_id or code.status == SPENT:
        raise AwsError("InvalidGrantException", GRANT_MESSAGE)
    if code.expires_at_seconds <= call.now_seconds:
        raise AwsError("ExpiredTokenException", EXPIRED_MESSAGE)
    if code.status == DENIED:
        raise AwsError("AccessDeniedException", DENIED_MESSAGE)
    if code.status == PENDING:
        return _still_pending(call, code)
    return _spent(call, client, code)


def _still_pending(call: Call, code: SsoCode) -> AwsError:
    """A refusal that keeps the time of the poll."""
    at_millis, polled_at_millis = int(call.now_seconds * 1000), code.polled_at_millis
    note_poll(call.db, code.code_digest, at_millis)
    if polled_at_millis is not None and 0 <= at_millis - polled_at_millis < POLLING_SECONDS * 1000:
        return AwsError("SlowDownException", SLOW_MESSAGE)
    return AwsError("AuthorizationPendingException", PENDING_MESSAGE)


def _by_code(
    call: Call, client: SsoClient, code: SsoCode | None, redirect_uri: str, verifier: str
) -> Answer | AwsError:
    if code is None or code.user_code is not None or code.client_id != client.client_id:
        raise AwsError("InvalidGrantException", GRANT_MESSAGE)
    if code.status == SPENT:
        # RFC 6749, section 4.1.2: a code that comes twice may be stolen, so its tokens must end.
        end_session(call.db, code.session_id or "")
        return AwsError("InvalidGrantException", GRANT_MESSAGE, reason="the code was used before")
    if code.expires_at_seconds <= call.now_seconds:
        raise AwsError("InvalidGrantException", GRANT_MESSAGE, reason="the code has expired")
    if code.redirect_uri != redirect_uri:
        raise AwsError("InvalidGrantException", GRANT_MESSAGE, reason="the code is for another redirect URI")
    # RFC 7636, section 4.6.
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode("ascii").rstrip("=")
    if not hmac.compare_digest(challenge.encode(), code.code_challenge.encode()):
        raise AwsError("InvalidGrantException", GRANT_MESSAGE, reason="the code verifier does not fit")
    return _spent(call, client, code)


def _spent(call: Call, client: SsoClient, code: SsoCode) -> Answer:
    """The first tokens of a new session."""
    session_id = call.ids.uuid()
    center = identity_center(call.db)
    if center is None or code.user_id is None or not spend_code(call.db, code.code_digest, session_id):
        raise AwsError("InvalidGrantException", GRANT_MESSAGE)
    session = SsoSession(
        session_id=session_id,
        client_id=client.client_id,
        user_id=code.user_id,
        scopes=client.scopes,
        expires_at_seconds=int(call.now_seconds) + center.session_duration_seconds,
    )
    add_session(call.db, session, call.now_seconds)
    return _tokens(call, client, session)


def _by_refresh_token(call: Call, client: SsoClient, refresh_token: str) -> Answer:
    token = token_of(call.db, refresh_token, REFRESH)
    if token is None or token.session.client_id != client.client_id:
        raise AwsError("InvalidGrantException", REFRESH_MESSAGE)
    if token.session.expires_at_seconds <= call.now_seconds:
        raise AwsError("InvalidGrantException", REFRESH_MESSAGE, reason="the session has expired")
    # RFC 9700, section 4.14: the refresh token of a public client works once.
    if not remove_token(call.db, token.token_digest):
        raise AwsError("InvalidGrantException", REFRESH_MESSAGE)
    remove_expired_tokens(call.db, token.session.session_id, call.now_seconds)
    return _tokens(call, client, token.session)


def _tokens(call: Call, client: SsoClient, session: SsoSession) -> Answer:
    """A client with the portal's scope gets short access tokens and a refresh token. Others stay signed in with one."""
    can_refresh = PORTAL_SCOPE in session.scopes and (not client.grant_types or REFRESH_TOKEN in client.grant_types)
    left_seconds = session.expires_at_seconds - int(call.now_seconds)
    lasts_seconds = min(ACCESS_SECONDS, left_seconds) if can_refresh else left_seconds
    access_token = _secret(call, "aoa")
    add_token(call.db, session.session_id, access_token, ACCESS, int(call.now_seconds) + lasts_seconds)
    answer: Answer = {"accessToken": access_token, "tokenType": "Bearer", "expiresIn": lasts_seconds}
    if can_refresh:
        answer["refreshToken"] = _secret(call, "aor")
        add_token(call.db, session.session_id, answer["refreshToken"], REFRESH, session.expires_at_seconds)
    return answer


def _secret(call: Call, beginning: str) -> str:
    return beginning + urlsafe_b64encode(call.ids.secret_bytes(_TOKEN_BYTES)).decode("ascii")

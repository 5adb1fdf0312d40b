"""CreateOAuth2Token: temporary credentials for an authorization code or a refresh token.

Sources: model and API reference of Sign-In; RFC 6749, RFC 7636 (PKCE), RFC 9449 (DPoP).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TypedDict

from msgspec import Struct

from rolecall.access.console_access import console_access, guarded
from rolecall.access.permission import ContextValue, Permission
from rolecall.delivery.sign_in import client_arn, credentials_request, may_sign_in, opened, session_seconds
from rolecall.errors import AwsError
from rolecall.principals import Caller, Principal
from rolecall.reprs import repr_without
from rolecall.services.registry import Answer, Call, Parameters, Proven, operation
from rolecall.services.signin.common import ISSUER, client_keys, denied, invalid
from rolecall.sessions.credentials import issue
from rolecall.sessions.dpop import DpopError, DpopProof, verify
from rolecall.sessions.tokens import seal
from rolecall.storage.signin_sessions import (
    ACTIVE,
    REVOKED,
    SignInCode,
    SignInSession,
    add_session,
    code_of,
    credentials_mark,
    note_refresh,
    owner_arn_of,
    revoke,
    session_by_refresh_token,
    spend_code,
    use_proof,
)
from rolecall.storage.sso_sessions import digest

AUTHORIZATION_CODE = "authorization_code"
TOKEN_PATH = "/v1/token"  # noqa: S105 - a path
# The model's pattern of a refresh token begins with these letters.
_REFRESH_PREFIX = "ASOR"
_REFRESH_BYTES = 96

# As recorded (aws-cli, issue 10330).
TOKEN_EXPIRED_MESSAGE = "The refresh token has expired."  # noqa: S105 - a message
# AWS's wordings of these are not recorded.
CODE_EXPIRED_MESSAGE = "The authorization code has expired."
CHANGED_MESSAGE = "The user's credentials have changed."
MISSING_MESSAGE = "The grant type {grant_type} needs the parameter {parameter}."
PROOF_MESSAGE = "The DPoP proof is missing or invalid."

_NOBODY = Caller(Principal("Anonymous", "", "", "", "anonymous", "", ""), "")


class TokenInput(TypedDict, total=False):
    """The body of a request. Which members are needed depends on the grant."""

    clientId: str
    grantType: str
    code: str
    redirectUri: str
    codeVerifier: str
    refreshToken: str


class _Grant(Struct, frozen=True):
    """A proven grant. It has a code, or a session. ``secret`` is the code or the refresh token itself."""

    grant_type: str
    principal: Principal
    region: str
    client_id: str
    redirect_uri: str
    proof: DpopProof
    secret: str
    code: SignInCode | None = None
    session: SignInSession | None = None

    __repr__ = repr_without("secret")


class _Replayed(Struct, frozen=True):
    """A code that was used before, with the session that it became."""

    session_id: str


def _proof(call: Call, parameters: Parameters) -> Proven:
    """The principal who approved the grant. Raises AwsError ValidationException, AccessDeniedException."""
    given = parameters["tokenInput"]
    url = f"{call.scheme}://{call.host}{TOKEN_PATH}"
    try:
        proof = verify(call.headers.get("dpop", ""), "POST", url, call.received_at_seconds)
    except DpopError as error:
        raise invalid(PROOF_MESSAGE, str(error)) from error
    if given["grantType"] == AUTHORIZATION_CODE:
        return _by_code(call, given, proof)
    return _by_refresh_token(call, given, proof)


def _given(given: Mapping[str, str], parameter: str) -> str:
    value = given.get(parameter)
    if not value:
        raise invalid(MISSING_MESSAGE.format(grant_type=given["grantType"], parameter=parameter))
    return value


def _by_code(call: Call, given: Mapping[str, str], proof: DpopProof) -> Proven:
    secret, redirect_uri, verifier = (_given(given, name) for name in ("code", "redirectUri", "codeVerifier"))
    code = code_of(call.db, secret)
    if code is None or code.client_id != given["clientId"]:
        raise invalid(reason="there is no such code for this client")
    if code.session_id is not None:
        return Proven(_NOBODY, _Replayed(code.session_id))
    if code.expires_at_seconds <= call.now_seconds:
        raise denied("AUTHCODE_EXPIRED", CODE_EXPIRED_MESSAGE)
    if code.redirect_uri != redirect_uri:
        raise invalid(reason="the code is for another redirect URI")
    # RFC 7636, section 4.6.
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode("ascii").rstrip("=")
    if not hmac.compare_digest(challenge.encode(), code.code_challenge.rstrip("=").encode()):
        raise invalid(reason="the code verifier does not fit")
    _check_principal(call, code.principal, code.credentials_mark)
    grant = _Grant(
        given["grantType"], code.principal, code.region, code.client_id, redirect_uri, proof, secret, code=code
    )
    return Proven(_NOBODY, grant, opened(code.principal, int(call.now_seconds)))


def _by_refresh_token(call: Call, given: Mapping[str, str], proof: DpopProof) -> Proven:
    secret = _given(given, "refreshToken")
    session = session_by_refresh_token(call.db, secret)
    if session is None or session.client_id != given["clientId"]:
        raise invalid(reason="there is no such refresh token for this client")
    if not hmac.compare_digest(session.key_thumbprint.encode(), proof.key_thumbprint.encode()):
        raise invalid(PROOF_MESSAGE, "the proof is by another key than the session's")
    if session.status == REVOKED:
        raise invalid(reason="the session has been revoked")
    if session.expires_at_seconds <= call.now_seconds:
        raise denied("TOKEN_EXPIRED", TOKEN_EXPIRED_MESSAGE)
    _check_principal(call, session.principal, session.credentials_mark)
    grant = _Grant(
        given["grantType"],
        session.principal,
        session.region,
        session.client_id,
        session.redirect_uri,
        proof,
        secret,
        session=session,
    )
    return Proven(_NOBODY, grant, opened(session.principal, session.issued_at_seconds, session))


def _check_principal(call: Call, principal: Principal, mark: str) -> None:
    """Raises AwsError when the principal is gone, or the password is another one than at the sign-in."""
    if not may_sign_in(call.db, call.policies, principal):
        raise denied("USER_CREDENTIALS_CHANGED", CHANGED_MESSAGE, "the user or role is gone")
    if not hmac.compare_digest(credentials_mark(call.db, principal), mark):
        raise denied("USER_CREDENTIALS_CHANGED", CHANGED_MESSAGE, "the password is another one than at the sign-in")


def _permissions(call: Call, _parameters: Parameters) -> Sequence[Permission]:
    grant = call.proof
    if isinstance(grant, _Replayed):
        return ()
    account_id = grant.principal.account_id
    context: dict[str, ContextValue] = {
        **client_keys(grant.client_id, grant.redirect_uri),
        "signin:oauthgranttype": grant.grant_type,
        "signin:oauthclientauthentication": "none",
    }
    arn = client_arn(grant.client_id, grant.region, account_id)
    permission = Permission("signin:CreateOAuth2Token", arn, account_id, context)
    return [guarded(permission, console_access(call.db, call.policies, account_id))]


@operation("signin", "CreateOAuth2Token", permissions=_permissions, proof=_proof)
def create_oauth2_token(
    call: Call,
    *,
    tokenInput: TokenInput,  # verified by the proof
) -> Answer | AwsError:
    """Credentials of the principal who approved the program. API reference: CreateOAuth2Token.

    A code works once. A refresh token works until its session ends, and a repeated call has the same effect.
    Raises AwsError: ValidationException (also for a proof of another key, and a revoked session),
    AccessDeniedException AUTHCODE_EXPIRED, TOKEN_EXPIRED, USER_CREDENTIALS_CHANGED, INSUFFICIENT_PERMISSIONS.
    """
    del tokenInput
    grant = call.proof
    if isinstance(grant, _Replayed):
        return _ended(call, grant.session_id)
    proof = grant.proof
    if not use_proof(
        call.db,
        f"{proof.key_thumbprint} {proof.proof_id}",
        grant.secret,
        proof.good_until_seconds,
        call.received_at_seconds,
    ):
        return invalid(PROOF_MESSAGE, "the proof was used before, with another grant")
    if grant.session is None:
        return _signed_in(call, grant)
    if not note_refresh(call.db, grant.session.session_id, call.headers.get("user-agent", ""), call.now_seconds):
        return invalid(reason="the session has been revoked")
    return _tokens(call, grant.session, grant.secret)


def _ended(call: Call, session_id: str) -> AwsError:
    """RFC 6749, section 4.1.2: a code that comes twice may be stolen, so what it became must end."""
    revoke(call.db, session_id, "the authorization code was used again")
    return invalid(reason="the code was used before")


def _signed_in(call: Call, grant: _Grant) -> Answer | AwsError:
    """The first tokens of a new session."""
    code = grant.code
    assert code is not None  # noqa: S101 - a grant without a session has a code
    refresh_token = _REFRESH_PREFIX + urlsafe_b64encode(call.ids.secret_bytes(_REFRESH_BYTES)).decode("ascii")
    session = SignInSession(
        session_id=call.ids.uuid(),
        account_id=code.account_id,
        region=code.region,
        principal=code.principal,
        owner_arn=owner_arn_of(code.principal),
        credentials_mark=code.credentials_mark,
        client_id=code.client_id,
        redirect_uri=code.redirect_uri,
        key_thumbprint=grant.proof.key_thumbprint,
        refresh_digest=digest(refresh_token),
        status=ACTIVE,
        revocation_reason="",
        user_agent=call.headers.get("user-agent", ""),
        issued_at_seconds=int(call.now_seconds),
        expires_at_seconds=code.signed_in_at_seconds + session_seconds(call.db, call.policies, code.principal),
        last_used_at_seconds=None,
    )
    if session.expires_at_seconds <= call.now_seconds:
        return denied("AUTHCODE_EXPIRED", CODE_EXPIRED_MESSAGE, "the sign-in is over")
    if not spend_code(call.db, code.code_digest, session.session_id):
        first = code_of(call.db, grant.secret)
        return _ended(call, "" if first is None or first.session_id is None else first.session_id)
    add_session(call.db, session, call.now_seconds)
    answer = _tokens(call, session, refresh_token)
    answer["tokenOutput"]["idToken"] = _id_token(call, session)
    return answer


def _tokens(call: Call, session: SignInSession, refresh_token: str) -> Answer:
    request = credentials_request(session, call.now_seconds)
    issued_at_seconds = call.flaw.issued_at_seconds(call.now_seconds, request.duration_seconds)
    credentials = call.flaw.shown(issue(call.keys, call.ids, issued_at_seconds, request))
    return {
        "tokenOutput": {
            "accessToken": {
                "accessKeyId": credentials.access_key_id,
                "secretAccessKey": credentials.secret_access_key,
                "sessionToken": credentials.session_token,
            },
            "tokenType": "aws_sigv4",
            "expiresIn": credentials.expires_at_seconds - int(call.now_seconds),
            "refreshToken": refresh_token,
        }
    }


def _id_token(call: Call, session: SignInSession) -> str:
    """Programs read the principal from it: AWS CLI names the profile's login_session after the claim sub."""
    claims = {
        "iss": ISSUER,
        "sub": session.principal.arn,
        "iat": session.issued_at_seconds,
        "exp": session.expires_at_seconds,
        "jti": call.ids.uuid(),
    }
    # The purpose of a sealed token is its audience: here the client.
    return seal(call.keys.newest, session.client_id, claims, compressed=False)

"""OAuth tokens for callers with credentials: a token for the AWS MCP Server, introspection and revocation.

Sources: Sign-In User Guide, "Configure OAuth access to AWS MCP Server" and "OAuth condition keys"; RFC 7662; RFC 7009.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.access.permission import ContextValue, Permission
from rolecall.delivery.sign_in import client_arn
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.signin.common import ISSUER, client_keys, invalid
from rolecall.sessions.tokens import BadTokenError, open_token, seal
from rolecall.storage.signin_sessions import ACTIVE, SignInSession, revoke, session_by_refresh_token

# The only service of which AWS documents that it takes such tokens.
RESOURCE = "aws-mcp.amazonaws.com"
# "For the non-interactive (client credentials) flow, the implicit client ID".
CLIENT_ID = "arn:aws:signin:::client-credentials/sigv4"
TOKEN_SECONDS = 3600
_ACCESS_PREFIX, _REFRESH_PREFIX = "ASOA", "ASOR"
_PURPOSE = "signin-access"
_SERVICE_PRINCIPAL = "arn:aws:signin:{region}:{account_id}:service-principal/{resource}"
_is_service_principal = re.compile(r"[a-z0-9.-]+", re.ASCII).fullmatch
_ACCESS, _REFRESH = "access_token", "refresh_token"
# AWS's wording is not recorded.
TARGET_MESSAGE = "The requested resource is invalid, missing, unknown, or malformed"


def _resource_arn(call: Call, resource: str) -> str:
    # A name that no service has must not become a pattern or another ARN.
    name = resource if _is_service_principal(resource) else "*"
    return _SERVICE_PRINCIPAL.format(region=call.region, account_id=call.account_id, resource=name)


def _to_issue(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the operation is authorised as CreateOAuth2Token."""
    context: dict[str, ContextValue] = {
        **client_keys(CLIENT_ID),
        "signin:oauthgranttype": parameters["grantType"],
    }
    arn = _resource_arn(call, parameters["resource"])
    return [Permission("signin:CreateOAuth2Token", arn, context=context)]


@operation("signin", "CreateOAuth2TokenWithIAM", permissions=_to_issue, writes=False)
def create_oauth2_token_with_iam(
    call: Call,
    *,
    grantType: str,  # the model allows only client_credentials
    resource: str,
) -> Answer:
    """A bearer token of the caller for the AWS MCP Server, which Rolecall does not serve.

    It lasts an hour, and no longer than the caller's session. Raises AwsError ValidationException invalid_target.
    """
    del grantType
    if resource != RESOURCE:
        raise invalid(TARGET_MESSAGE, word="invalid_target")
    principal, session, now = call.caller.principal, call.caller.session, int(call.now_seconds)
    lasts_seconds = TOKEN_SECONDS
    if session is not None:
        lasts_seconds = max(1, min(TOKEN_SECONDS, session.expires_at_seconds - now))
    signed_in = None if session is None else dict(session.context).get("aws:signinsessionarn")
    claims = {
        "iss": ISSUER,
        "sub": principal.arn,
        "client_id": CLIENT_ID,
        "resource": resource,
        "account_id": principal.account_id,
        "user_id": principal.user_id,
        "iat": now,
        "nbf": now,
        "exp": now + lasts_seconds,
        "jti": call.ids.uuid(),
        **({} if signed_in is None else {"signin_session": signed_in}),
    }
    token = seal(call.keys.newest, _PURPOSE, claims, compressed=False)
    # The model's pattern of a token has no dots.
    text = _ACCESS_PREFIX + urlsafe_b64encode(token.encode()).decode("ascii")
    return {"accessToken": text, "tokenType": "Bearer", "expiresIn": lasts_seconds}


def _claims(call: Call, token: str) -> Mapping[str, Any] | None:
    """What an access token of this account says; None for any other text."""
    if not token.startswith(_ACCESS_PREFIX):
        return None
    try:
        _, claims = open_token(call.keys, _PURPOSE, urlsafe_b64decode(token[len(_ACCESS_PREFIX) :]).decode("ascii"))
    except (BadTokenError, ValueError):
        return None
    return claims if hmac.compare_digest(str(claims.get("account_id")), call.account_id) else None


def _session(call: Call, token: str) -> SignInSession | None:
    """The session of a refresh token of this account; None for any other text."""
    session = session_by_refresh_token(call.db, token) if token.startswith(_REFRESH_PREFIX) else None
    return None if session is None or session.account_id != call.account_id else session


def _on_token(call: Call, action: str, token: str, context: dict[str, ContextValue]) -> Sequence[Permission]:
    """The permission on the client or service that the token is for. An unknown token is for none of them."""
    claims, session = _claims(call, token), _session(call, token)
    arn = "*"
    context["signin:oauthtokentype"] = _REFRESH if token.startswith(_REFRESH_PREFIX) else _ACCESS
    if claims is not None:
        arn = _resource_arn(call, claims["resource"])
    if session is not None:
        arn = client_arn(session.client_id, session.region, session.account_id)
    return [Permission(f"signin:{action}", arn, context=context)]


def _to_introspect(call: Call, parameters: Parameters) -> Sequence[Permission]:
    claims, session = _claims(call, parameters["token"]), _session(call, parameters["token"])
    context: dict[str, ContextValue] = {}
    if claims is not None:
        context |= client_keys(claims["client_id"])
    if session is not None:
        context |= client_keys(session.client_id)
    return _on_token(call, "IntrospectOAuth2Token", parameters["token"], context)


def _to_revoke(call: Call, parameters: Parameters) -> Sequence[Permission]:
    return _on_token(call, "RevokeOAuth2Token", parameters["token"], {})


@operation("signin", "IntrospectOAuth2TokenWithIAM", permissions=_to_introspect, writes=False)
def introspect_oauth2_token_with_iam(
    call: Call,
    *,
    token: str,
    tokenTypeHint: str = "",  # "The server checks both token types regardless of the hint" (model)
) -> Answer:
    """What a token says while it is good, and that it is not active otherwise (RFC 7662, section 2.2)."""
    del tokenTypeHint
    claims, session = _claims(call, token), _session(call, token)
    if claims is not None and claims["exp"] > call.now_seconds:
        return {
            "active": True,
            "tokenType": _ACCESS,
            "clientId": claims["client_id"],
            "userId": claims["user_id"],
            "accountId": claims["account_id"],
            "aud": claims["resource"],
            "signinSession": claims.get("signin_session"),
            **{name: claims[name] for name in ("exp", "iat", "nbf", "sub", "iss", "jti")},
        }
    if session is None or session.status != ACTIVE or session.expires_at_seconds <= call.now_seconds:
        return {"active": False}
    return {
        "active": True,
        "tokenType": _REFRESH,
        "clientId": session.client_id,
        "userId": session.principal.user_id,
        "accountId": session.account_id,
        "sub": session.principal.arn,
        "iss": ISSUER,
        "iat": session.issued_at_seconds,
        "nbf": session.issued_at_seconds,
        "exp": session.expires_at_seconds,
        "jti": session.session_id,
        "signinSession": session.arn,
    }


@operation("signin", "RevokeOAuth2TokenWithIAM", permissions=_to_revoke)
def revoke_oauth2_token_with_iam(call: Call, *, token: str) -> None:
    """End the session of a refresh token. An unknown token is no error (RFC 7009, section 2.2)."""
    session = _session(call, token)
    if session is not None:
        revoke(call.db, session.session_id)

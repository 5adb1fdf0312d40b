"""OAuth tokens for callers with credentials: tokens for the AWS MCP Server and for ECR, introspection and revocation.

Sources: Sign-In User Guide, "Configure OAuth access to AWS MCP Server" and "OAuth condition keys"; RFC 7662; RFC 7009.
"""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import ContextValue, Permission
from rolecall.delivery.sign_in import client_arn
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.signin.access_tokens import (
    TARGET_MESSAGE,
    TOKEN_SECONDS,
    access_claims,
    opened_access_token,
    resource_arn,
    sealed_access_token,
)
from rolecall.services.signin.common import ISSUER, client_keys, invalid
from rolecall.storage.signin_sessions import ACTIVE, SignInSession, revoke, session_by_refresh_token

# The only service of which AWS documents that it takes such tokens.
RESOURCE = "aws-mcp.amazonaws.com"
# "For the non-interactive (client credentials) flow, the implicit client ID".
CLIENT_ID = "arn:aws:signin:::client-credentials/sigv4"
# Model of Sign-In, CreateBearerToken: the service of its example, and "currently 43200 (12 hours)".
BEARER_RESOURCE = "ecr.amazonaws.com"
BEARER_SECONDS = 43_200
_REFRESH_PREFIX = "ASOR"
_ACCESS, _REFRESH = "access_token", "refresh_token"
# AWS's wording is not recorded.
DURATION_MESSAGE = f"The requested duration exceeds the maximum of {BEARER_SECONDS} seconds."


def _to_issue(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the operation is authorised as CreateOAuth2Token."""
    context: dict[str, ContextValue] = {
        **client_keys(CLIENT_ID),
        "signin:oauthgranttype": parameters["grantType"],
    }
    arn = resource_arn(call.region, call.account_id, parameters["resource"])
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
    return _token_of_caller(call, resource, TOKEN_SECONDS)


@operation("signin", "CreateBearerToken", writes=False)
def create_bearer_token(
    call: Call,
    *,
    grantType: str,  # the model allows only client_credentials
    resource: str,
    durationSeconds: int = BEARER_SECONDS,
) -> Answer:
    """A bearer token of the caller for a service that takes such tokens. Rolecall does not serve the service.

    It lasts as long as asked, and no longer than the caller's session, which is assumed. The reference does not have
    the action yet. Raises AwsError ValidationException.
    """
    del grantType
    if resource != BEARER_RESOURCE:
        raise invalid(TARGET_MESSAGE, word="invalid_target")
    if durationSeconds > BEARER_SECONDS:
        raise invalid(DURATION_MESSAGE, word="invalid_request")
    return _token_of_caller(call, resource, durationSeconds)


def _token_of_caller(call: Call, resource: str, most_seconds: int) -> Answer:
    session, now = call.caller.session, int(call.now_seconds)
    lasts_seconds = most_seconds
    if session is not None:
        lasts_seconds = max(1, min(most_seconds, session.expires_at_seconds - now))
    signed_in = None if session is None else dict(session.context).get("aws:signinsessionarn")
    claims = {
        **access_claims(call, call.caller.principal, resource, now + lasts_seconds),
        "client_id": CLIENT_ID,
        **({} if signed_in is None else {"signin_session": signed_in}),
    }
    return {"accessToken": sealed_access_token(call, claims), "tokenType": "Bearer", "expiresIn": lasts_seconds}


def _session(call: Call, token: str) -> SignInSession | None:
    """The session of a refresh token of this account; None for any other text."""
    session = session_by_refresh_token(call.db, token) if token.startswith(_REFRESH_PREFIX) else None
    return None if session is None or session.account_id != call.account_id else session


def _on_token(call: Call, action: str, token: str, context: dict[str, ContextValue]) -> Sequence[Permission]:
    """The permission on the client or service that the token is for. An unknown token is for none of them."""
    claims, session = opened_access_token(call, token), _session(call, token)
    arn = "*"
    context["signin:oauthtokentype"] = _REFRESH if token.startswith(_REFRESH_PREFIX) else _ACCESS
    if claims is not None:
        arn = resource_arn(call.region, call.account_id, claims["resource"])
    if session is not None:
        arn = client_arn(session.client_id, session.region, session.account_id)
    return [Permission(f"signin:{action}", arn, context=context)]


def _to_introspect(call: Call, parameters: Parameters) -> Sequence[Permission]:
    claims, session = opened_access_token(call, parameters["token"]), _session(call, parameters["token"])
    context: dict[str, ContextValue] = {}
    if claims is not None and "client_id" in claims:
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
    claims, session = opened_access_token(call, token), _session(call, token)
    if claims is not None and claims["exp"] > call.now_seconds:
        return {
            "active": True,
            "tokenType": _ACCESS,
            "clientId": claims.get("client_id"),
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

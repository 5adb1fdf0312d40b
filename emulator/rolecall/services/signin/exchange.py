"""CreateOAuth2TokenWithTokenExchange: an access token for a signed token about a principal.

Sources: model and API reference of Sign-In; RFC 8693 (token exchange), RFC 7523 (JWT bearer grant). AWS does not say
which tokens it supports. The tokens of GetWebIdentityToken are the only ones whose claims AWS documents to name a
principal, so Rolecall takes these, and refuses every other token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.access.console_access import console_access, guarded
from rolecall.access.permission import ContextValue, Permission
from rolecall.arns import parse_arn
from rolecall.delivery.sign_in import opened, principal_of_arn
from rolecall.errors import AwsError
from rolecall.principals import Caller, Principal
from rolecall.services.registry import Answer, Call, Parameters, Proven, operation
from rolecall.services.signin.access_tokens import (
    TARGET_MESSAGE,
    TOKEN_SECONDS,
    access_claims,
    resource_arn,
    sealed_access_token,
)
from rolecall.services.signin.common import GRANT_MESSAGE, client_keys, invalid
from rolecall.sessions.outbound_tokens import CLAIM_NAMESPACE, ISSUER_HOST_ENDING, issuer_url, key_purpose, key_set
from rolecall.sessions.signing_keys import load_signing_key
from rolecall.sessions.web_identity import WebToken, audience_of, check_times, read_key_set, read_token
from rolecall.storage.outbound_federation import OutboundFederation, federation_of_issuer
from rolecall.storage.signing_keys import signing_keys_of

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
# Model of Sign-In, the examples of the member resource: the only targets that AWS documents.
EXCHANGE_RESOURCES = ("glue.amazonaws.com",)
MCP_SERVICE = "aws-mcp.amazonaws.com"
_is_mcp_address = re.compile(r"https://aws-mcp\.[a-z]{2}(?:-[a-z]+)+-[0-9]\.api\.aws/mcp", re.ASCII).fullmatch
# General Reference, Sign-In OAuth endpoints. RFC 7523, section 3: the token endpoint may name the audience.
_ENDPOINT = "https://{region}.oauth.signin.aws"
_TOKEN_PATH = "/v1/token"  # noqa: S105 - a path
# What each grant needs, and what it may have besides.
_NEEDED = {TOKEN_EXCHANGE: ("subjectToken", "subjectTokenType", "resource"), JWT_BEARER: ("assertion",)}
_OPTIONAL = {TOKEN_EXCHANGE: ("scope",), JWT_BEARER: ("clientId", "resource", "scope")}
_MAXIMUM_TOKEN_CHARACTERS = 4096

# AWS's wordings of these are not recorded.
MISSING_MESSAGE = "The grant type {grant_type} needs the parameter {parameter}."
UNKNOWN_MESSAGE = "The grant type {grant_type} has no parameter {parameter}."
TYPE_MESSAGE = f"The subject token type must be {JWT_TYPE}."
CLIENT_MESSAGE = "The client identifier does not match the assertion."
SCOPE_MESSAGE = "The requested scope is invalid, unknown, or malformed"

_NOBODY = Caller(Principal("Anonymous", "", "", "", "anonymous", "", ""), "")


class _Exchange(Struct, frozen=True):
    """A proven token and what is asked for it. ``resource`` is as it was asked, ``service`` its service principal."""

    grant_type: str
    principal: Principal
    expires_at_seconds: int
    resource: str
    service: str
    scope: str
    client_id: str


def _prove(call: Call, parameters: Parameters) -> Proven:
    """The principal that the token names. Raises AwsError InvalidGrantException, InvalidScopeException, Validation…."""
    grant_type = parameters["grantType"]
    _check_parameters(grant_type, parameters)
    is_bearer = grant_type == JWT_BEARER
    token = _verified(call, parameters["assertion" if is_bearer else "subjectToken"])
    claims: Mapping[str, Any] = token.claims if is_bearer else {}
    client_id = parameters.get("clientId")
    if client_id is not None and client_id != claims.get("client_id"):
        raise invalid(CLIENT_MESSAGE, word="invalid_client")
    resource = _agreed(parameters.get("resource"), claims.get("resource"), _target_refused)
    scope = _agreed(parameters.get("scope"), claims.get("scope") if is_bearer else None, _scope_refused)
    service = _service_of(resource, is_bearer)
    principal = _principal(call, token)
    _check_scope(call, principal.account_id, scope)
    exchange = _Exchange(
        grant_type, principal, token.claims["exp"], resource, service, scope, str(claims.get("client_id") or "")
    )
    return Proven(_NOBODY, exchange, opened(principal, token.claims["iat"]))


def _check_parameters(grant_type: str, parameters: Parameters) -> None:
    for name in _NEEDED[grant_type]:
        if name not in parameters:
            raise invalid(MISSING_MESSAGE.format(grant_type=grant_type, parameter=name), word="invalid_request")
    known: Collection[str] = {"grantType", *_NEEDED[grant_type], *_OPTIONAL[grant_type]}
    for name in parameters:
        if name not in known:
            raise invalid(UNKNOWN_MESSAGE.format(grant_type=grant_type, parameter=name), word="invalid_request")
    if grant_type == TOKEN_EXCHANGE and parameters["subjectTokenType"] != JWT_TYPE:
        raise invalid(TYPE_MESSAGE, word="invalid_request")


def _verified(call: Call, text: str) -> WebToken:
    """The token, when an account's issuer has signed it for Sign-In. Raises AwsError InvalidGrantException."""
    try:
        token = read_token(text)
        federation = _federation_of(call, token.issuer)
        purpose = key_purpose(federation.account_id)
        keys = [load_signing_key(each.algorithm, each.private_key) for each in signing_keys_of(call.db, purpose)]
        read_key_set(json.dumps(key_set(keys))).verify(token)
        audience_of(token, _audiences(call))
        check_times(token, call.now_seconds)
    except AwsError as error:
        raise _grant_refused(error.reason or error.message) from error
    # What the token becomes must not outlast it, so there is no grace after it has expired.
    if token.claims["exp"] <= call.now_seconds:
        raise _grant_refused("the token has expired")
    return token


def _federation_of(call: Call, issuer: str) -> OutboundFederation:
    issuer_id = issuer.removeprefix("https://").removesuffix(ISSUER_HOST_ENDING)
    federation = federation_of_issuer(call.db, issuer_id)
    if federation is None or issuer != issuer_url(issuer_id):
        raise _grant_refused("the issuer is not the one of an account's outbound tokens")
    return federation


def _audiences(call: Call) -> tuple[str, ...]:
    own, aws = f"{call.scheme}://{call.host}", _ENDPOINT.format(region=call.region)
    return (own, f"{own}{_TOKEN_PATH}", aws, f"{aws}{_TOKEN_PATH}")


def _principal(call: Call, token: WebToken) -> Principal:
    own = token.claims.get(CLAIM_NAMESPACE)
    arn = own.get("principal_id") if isinstance(own, dict) else None
    parsed = parse_arn(arn) if isinstance(arn, str) else None
    federation = _federation_of(call, token.issuer)
    principal = None
    if parsed is not None and parsed.account_id == federation.account_id:
        # The name of a role's session is not in the token. Its id stands for it.
        principal = principal_of_arn(call.db, call.policies, str(arn), str(token.claims.get("jti", ""))[:64])
    if principal is None:
        raise _grant_refused("the token names no principal, or one that is gone")
    return principal


def _agreed(asked: str | None, claimed: Any, refused: Any) -> str:
    """What is asked, which must be what the assertion claims, if it claims anything."""
    if claimed is not None and (not isinstance(claimed, str) or asked not in (None, claimed)):
        raise refused()
    return asked or claimed or ""


def _service_of(resource: str, is_bearer: bool) -> str:
    """The service principal of a target. Raises AwsError ValidationException invalid_target."""
    if is_bearer and _is_mcp_address(resource):
        return MCP_SERVICE
    if not is_bearer and resource in EXCHANGE_RESOURCES:
        return resource
    raise _target_refused()


def _check_scope(call: Call, account_id: str, scope: str) -> None:
    """Every part of a scope is the ARN of a managed policy. Raises AwsError InvalidScopeException."""
    arns = scope.split(" ") if scope else []
    if len(arns) > call.settings.quotas.session_policy_arns_count:
        raise _scope_refused()
    for arn in arns:
        parsed = parse_arn(arn)
        if parsed is None or parsed.account_id not in ("aws", account_id):
            raise _scope_refused()
        if call.policies.managed_document(call.db, arn) is None:
            raise _scope_refused()


def _permissions(call: Call, _parameters: Parameters) -> Sequence[Permission]:
    """Sign-In User Guide: signin:CreateOAuth2Token is triggered by "token exchange operations"."""
    exchange: _Exchange = call.proof
    account_id = exchange.principal.account_id
    context: dict[str, ContextValue] = {
        **(client_keys(exchange.client_id) if exchange.client_id else {}),
        "signin:oauthgranttype": exchange.grant_type,
        "signin:oauthclientauthentication": "none",
    }
    arn = resource_arn(call.region, account_id, exchange.service)
    permission = Permission("signin:CreateOAuth2Token", arn, account_id, context)
    return [guarded(permission, console_access(call.db, call.policies, account_id))]


@operation("signin", "CreateOAuth2TokenWithTokenExchange", permissions=_permissions, proof=_prove, writes=False)
def create_oauth2_token_with_token_exchange(
    call: Call,
    *,
    grantType: str,
    subjectToken: str = "",
    subjectTokenType: str = "",
    assertion: str = "",
    clientId: str = "",
    resource: str = "",
    scope: str = "",
) -> Answer:
    """An access token of the principal that a token of GetWebIdentityToken names.

    It lasts an hour, and no longer than the token. Raises AwsError: InvalidGrantException, InvalidScopeException,
    ValidationException (invalid_request, invalid_target, invalid_client), AccessDeniedException.
    """
    # The proof has read them.
    del subjectToken, subjectTokenType, assertion, clientId, resource, scope
    exchange: _Exchange = call.proof
    lasts_seconds = min(TOKEN_SECONDS, exchange.expires_at_seconds - int(call.now_seconds))
    claims = access_claims(call, exchange.principal, exchange.service, int(call.now_seconds) + lasts_seconds)
    if exchange.client_id:
        claims["client_id"] = exchange.client_id
    if exchange.scope:
        claims["scope"] = exchange.scope
    token = sealed_access_token(call, claims)
    if len(token) > _MAXIMUM_TOKEN_CHARACTERS:
        raise _scope_refused()
    answer: Answer = {"accessToken": token, "tokenType": "Bearer", "expiresIn": lasts_seconds}
    if grantType == JWT_BEARER:
        return {**answer, "resource": exchange.resource, "scope": exchange.scope or None}
    return {**answer, "issuedTokenType": ACCESS_TOKEN_TYPE}


def _grant_refused(reason: str) -> AwsError:
    return AwsError("InvalidGrantException", GRANT_MESSAGE, reason=reason)


def _target_refused() -> AwsError:
    return invalid(TARGET_MESSAGE, word="invalid_target")


def _scope_refused() -> AwsError:
    return AwsError("InvalidScopeException", SCOPE_MESSAGE)

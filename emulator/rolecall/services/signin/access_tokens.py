"""Access tokens of Sign-In: what they say, and the service that they are for. Rolecall serves no such service.

Sources: Sign-In User Guide, "Sign-In with OAuth 2.0"; RFC 7519.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from rolecall.principals import Principal
from rolecall.services.registry import Call
from rolecall.services.signin.common import ISSUER
from rolecall.sessions.tokens import BadTokenError, open_token, seal

ACCESS_PREFIX = "ASOA"
TOKEN_SECONDS = 3600
_PURPOSE = "signin-access"
_SERVICE_PRINCIPAL = "arn:aws:signin:{region}:{account_id}:service-principal/{resource}"
_is_service_principal = re.compile(r"[a-z0-9.-]+", re.ASCII).fullmatch
# AWS's wording is not recorded.
TARGET_MESSAGE = "The requested resource is invalid, missing, unknown, or malformed"


def resource_arn(region: str, account_id: str, resource: str) -> str:
    """The resource on which a token for a service is authorised."""
    # A name that no service has must not become a pattern or another ARN.
    name = resource if _is_service_principal(resource) else "*"
    return _SERVICE_PRINCIPAL.format(region=region, account_id=account_id, resource=name)


def access_claims(call: Call, principal: Principal, resource: str, expires_at_seconds: int) -> dict[str, Any]:
    """What a new token of a principal says."""
    now = int(call.now_seconds)
    return {
        "iss": ISSUER,
        "sub": principal.arn,
        "resource": resource,
        "account_id": principal.account_id,
        "user_id": principal.user_id,
        "iat": now,
        "nbf": now,
        "exp": expires_at_seconds,
        "jti": call.ids.uuid(),
    }


def sealed_access_token(call: Call, claims: Mapping[str, Any]) -> str:
    token = seal(call.keys.newest, _PURPOSE, dict(claims), compressed="scope" in claims)
    # The model's pattern of a token has no dots.
    return ACCESS_PREFIX + urlsafe_b64encode(token.encode()).decode("ascii")


def opened_access_token(call: Call, token: str) -> Mapping[str, Any] | None:
    """What an access token of the caller's account says; None for any other text."""
    if not token.startswith(ACCESS_PREFIX):
        return None
    try:
        _, claims = open_token(call.keys, _PURPOSE, urlsafe_b64decode(token[len(ACCESS_PREFIX) :]).decode("ascii"))
    except (BadTokenError, ValueError):
        return None
    return claims if hmac.compare_digest(str(claims.get("account_id")), call.account_id) else None

"""Shared by the operations: the words of refusals, and the keys about a client."""

from __future__ import annotations

from rolecall.access.permission import ContextValue
from rolecall.errors import AwsError

# Model of Sign-In, the member iss.
ISSUER = "signin.amazonaws.com"
# As recorded (aws-cli, issue 10613).
GRANT_MESSAGE = "The provided authorization grant is invalid, expired, revoked, or malformed"


def denied(word: str, message: str, reason: str = "") -> AwsError:
    """AccessDeniedException with a word of OAuth2ErrorCode, which decides its status."""
    return AwsError("AccessDeniedException", message, reason=reason, members={"error": word})


def invalid(message: str = GRANT_MESSAGE, reason: str = "", word: str = "INVALID_REQUEST") -> AwsError:
    return AwsError("ValidationException", message, reason=reason, members={"error": word})


def client_keys(client_id: str, redirect_uri: str = "") -> dict[str, ContextValue]:
    """Sign-In User Guide, OAuth condition keys."""
    keys: dict[str, ContextValue] = {"signin:oauthclientid": client_id}
    if redirect_uri:
        keys["signin:oauthredirecturi"] = redirect_uri
    return keys

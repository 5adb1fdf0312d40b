"""Shared by the operations: who a client is, and the words of refusals."""

from __future__ import annotations

import hmac

from rolecall.errors import AwsError
from rolecall.principals import Caller, Principal
from rolecall.services.registry import Call, Parameters, Proven
from rolecall.storage.sso_sessions import SsoClient, client_by_id, digest

AUTHORIZATION_CODE = "authorization_code"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
GRANT_TYPES = (AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN)
# The scope of the access portal. With it a client may get refresh tokens.
PORTAL_SCOPE = "sso:account:access"

# AWS's wordings of these are not recorded.
CLIENT_MESSAGE = "Invalid client provided"
GRANT_MESSAGE = "The client is not registered for this grant type"

# A client acts for no one until a user has approved it.
_CLIENT = Caller(Principal("Anonymous", "", "", "", "anonymous", "", ""), "")


def unproven(_call: Call, _parameters: Parameters) -> Proven:
    """For the operation that every program may call."""
    return Proven(_CLIENT, None)


def proven_client(call: Call, parameters: Parameters) -> Proven:
    """The client that the parameters prove. Raises AwsError InvalidClientException."""
    client = client_by_id(call.db, parameters["clientId"])
    secret_digest = digest(parameters["clientSecret"])
    if client is None or not hmac.compare_digest(client.secret_digest, secret_digest):
        raise AwsError("InvalidClientException", CLIENT_MESSAGE)
    if client.expires_at_seconds <= call.now_seconds:
        raise AwsError("InvalidClientException", CLIENT_MESSAGE, reason="the registration has expired")
    return Proven(_CLIENT, client)


def check_grant(client: SsoClient, grant_type: str) -> None:
    """Raises AwsError UnauthorizedClientException for a grant that the client did not register.

    API reference, RegisterClient: the list of grant types restricts the flows of a client. A client without a list may
    use every grant, but needs a redirect URI for a code.
    """
    if client.grant_types and grant_type not in client.grant_types:
        raise AwsError("UnauthorizedClientException", GRANT_MESSAGE)

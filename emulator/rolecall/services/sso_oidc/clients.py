"""RegisterClient: a program becomes a public client of IAM Identity Center."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, no_permission, operation
from rolecall.services.sso_oidc.common import AUTHORIZATION_CODE, GRANT_TYPES, unproven
from rolecall.storage.identity_center import identity_center
from rolecall.storage.sso_sessions import SsoClient, add_client, digest, is_start_url

# IAM Identity Center OIDC API reference: a registration is valid for 90 days.
REGISTRATION_SECONDS = 90 * 86_400
_CLIENT_ID_BYTES = 22
_SECRET_BYTES = 48
_MAXIMUM_ITEMS = 50
_MAXIMUM_CHARACTERS = 2048
_NAME_CHARACTERS = 256
_is_scope = re.compile(r"[a-zA-Z0-9_.-]{1,64}(:[a-zA-Z0-9_.*-]{1,64}){0,4}").fullmatch
# RFC 8252, section 7.3: the redirect of a program on the user's machine.
_is_redirect = re.compile(
    r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
).fullmatch

# AWS's wordings of these are not recorded.
TYPE_MESSAGE = "Only public clients can be registered"
NAME_MESSAGE = "The client name must have 1 to 256 characters"
SCOPE_MESSAGE = "Invalid scope provided"
GRANT_TYPE_MESSAGE = "The grant type is not supported: {grant_type}"
REDIRECT_MESSAGE = "The redirect URI must be an http URL of the loopback address: {uri}"
NO_REDIRECT_MESSAGE = "The grant type authorization_code needs a redirect URI"
ISSUER_MESSAGE = "Invalid issuer URL provided"
MANY_MESSAGE = "A list has too many or too long members"


@operation("sso-oidc", "RegisterClient", permissions=no_permission, proof=unproven)
def register_client(
    call: Call,
    *,
    clientName: str,
    clientType: str,
    scopes: Sequence[str] = (),
    redirectUris: Sequence[str] = (),
    grantTypes: Sequence[str] = (),
    issuerUrl: str | None = None,
) -> Answer:
    """A new client. API reference: RegisterClient.

    Raises AwsError: InvalidClientMetadataException (type, name), InvalidScopeException, UnsupportedGrantTypeException,
    InvalidRedirectUriException, InvalidRequestException (issuer).
    """
    if clientType != "public":
        raise AwsError("InvalidClientMetadataException", TYPE_MESSAGE)
    if not 1 <= len(clientName) <= _NAME_CHARACTERS:
        raise AwsError("InvalidClientMetadataException", NAME_MESSAGE)
    if any(_is_too_much(each) for each in (scopes, redirectUris, grantTypes)):
        raise AwsError("InvalidRequestException", MANY_MESSAGE)
    if not all(map(_is_scope, scopes)):
        raise AwsError("InvalidScopeException", SCOPE_MESSAGE)
    for grant_type in grantTypes:
        if grant_type not in GRANT_TYPES:
            raise AwsError("UnsupportedGrantTypeException", GRANT_TYPE_MESSAGE.format(grant_type=grant_type))
    for uri in redirectUris:
        if not _is_redirect(uri):
            raise AwsError("InvalidRedirectUriException", REDIRECT_MESSAGE.format(uri=uri))
    if AUTHORIZATION_CODE in grantTypes and not redirectUris:
        raise AwsError("InvalidRedirectUriException", NO_REDIRECT_MESSAGE)
    if issuerUrl is not None and not is_start_url(identity_center(call.db), issuerUrl):
        raise AwsError("InvalidRequestException", ISSUER_MESSAGE)
    secret = urlsafe_b64encode(call.ids.secret_bytes(_SECRET_BYTES)).decode("ascii")
    client = SsoClient(
        client_id=urlsafe_b64encode(call.ids.noise(_CLIENT_ID_BYTES)).decode("ascii").rstrip("="),
        secret_digest=digest(secret),
        name=clientName,
        scopes=tuple(dict.fromkeys(scopes)),
        redirect_uris=tuple(dict.fromkeys(redirectUris)),
        grant_types=tuple(dict.fromkeys(grantTypes)),
        expires_at_seconds=int(call.now_seconds) + REGISTRATION_SECONDS,
    )
    add_client(call.db, client, call.now_seconds)
    return {
        "clientId": client.client_id,
        "clientSecret": secret,
        "clientIdIssuedAt": int(call.now_seconds),
        "clientSecretExpiresAt": client.expires_at_seconds,
    }


def _is_too_much(members: Sequence[str]) -> bool:
    return len(members) > _MAXIMUM_ITEMS or any(len(each) > _MAXIMUM_CHARACTERS for each in members)

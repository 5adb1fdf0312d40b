"""StartDeviceAuthorization: a program asks a user to approve it on a page, with a code (RFC 8628)."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, no_permission, operation
from rolecall.services.sso_oidc.common import DEVICE_CODE, check_grant, proven_client
from rolecall.storage.identity_center import identity_center
from rolecall.storage.sso_sessions import (
    DEVICE_PAGE,
    PENDING,
    POLLING_SECONDS,
    SsoClient,
    SsoCode,
    add_code,
    digest,
    is_start_url,
)

# As recorded.
DEVICE_CODE_SECONDS = 600
_DEVICE_CODE_BYTES = 64
# Letters of which no word is made and no two look alike (RFC 8628, section 6.1).
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE_LETTERS = 8
# AWS's wording is not recorded.
START_URL_MESSAGE = "Invalid start URL provided"


@operation("sso-oidc", "StartDeviceAuthorization", permissions=no_permission, proof=proven_client)
def start_device_authorization(
    call: Call,
    *,
    clientId: str,  # verified by the proof
    clientSecret: str,  # verified by the proof
    startUrl: str,
) -> Answer:
    """A device code for the client, and a user code for its user. API reference: StartDeviceAuthorization.

    Raises AwsError: InvalidClientException, UnauthorizedClientException, InvalidRequestException (start URL).
    """
    client: SsoClient = call.proof
    check_grant(client, DEVICE_CODE)
    if not is_start_url(identity_center(call.db), startUrl):
        raise AwsError("InvalidRequestException", START_URL_MESSAGE)
    device_code = urlsafe_b64encode(call.ids.secret_bytes(_DEVICE_CODE_BYTES)).decode("ascii").rstrip("=")
    letters = "".join(_LETTERS[byte % len(_LETTERS)] for byte in call.ids.secret_bytes(_USER_CODE_LETTERS))
    user_code = f"{letters[:4]}-{letters[4:]}"
    code = SsoCode(
        code_digest=digest(device_code),
        client_id=client.client_id,
        user_code=user_code,
        status=PENDING,
        user_id=None,
        redirect_uri="",
        code_challenge="",
        polled_at_millis=None,
        session_id=None,
        expires_at_seconds=int(call.now_seconds) + DEVICE_CODE_SECONDS,
    )
    add_code(call.db, code, call.now_seconds)
    page = f"{call.scheme}://{call.host}{DEVICE_PAGE}"
    return {
        "deviceCode": device_code,
        "userCode": user_code,
        "verificationUri": page,
        "verificationUriComplete": f"{page}?user_code={user_code}",
        "expiresIn": DEVICE_CODE_SECONDS,
        "interval": POLLING_SECONDS,
    }

"""The certificates of a trust anchor and its revocation lists, checked before they are kept.

cryptography is loaded with the first of them: see ``delivery.anywhere.library``.
"""

from __future__ import annotations

from rolecall.delivery.anywhere.library import certificates
from rolecall.services.rolesanywhere.common import invalid, over_quota

# The guide, "Quotas": certificates for each trust anchor, "Adjustable: No".
MAXIMUM_CERTIFICATES = 2


def check_bundle(bundle: str) -> None:
    """Raises AwsError ValidationException for text without certificates of authorities, or with another certificate."""
    try:
        count = certificates().check_anchor_bundle(bundle)
    except ValueError as error:
        raise invalid(str(error)) from error
    if count > MAXIMUM_CERTIFICATES:
        raise over_quota(f"A trust anchor may have at most {MAXIMUM_CERTIFICATES} certificates.")


def check_revocation_list(data: bytes, bundle: str) -> str:
    """The text of a revocation list in PEM. Raises AwsError ValidationException."""
    try:
        text = data.decode("ascii")
        certificates().check_crl(text, bundle)
    except ValueError as error:
        raise invalid(f"The certificate revocation list is not valid: {error}.") from error
    return text

"""X.509 signing certificates of users, and of the root user when the root user calls."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.hazmat.primitives.hashes import SHA256

from rolecall.errors import AwsError
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.iam.pem import one_certificate
from rolecall.services.iam.users.users import check_user_is_named, lock_owner, named_or_calling_user
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.signing_certificates import (
    SigningCertificate,
    add_certificate,
    certificates_of,
    remove_certificate,
    set_certificate_status,
)
from rolecall.storage.users import UserRecord

NOT_FOUND_MESSAGE = "The Certificate with id {certificate_id} cannot be found."
COUNT_MESSAGE = "Cannot exceed quota for CertificatesPerUser: {limit}"
MALFORMED_MESSAGE = "Certificate {body} is malformed."
DUPLICATE_MESSAGE = "Duplicate certificate uploaded."
STATUS_MESSAGE = "Operation does not support status {status}"
# AWS's wording was not recorded.
NOT_YET_MESSAGE = "Certificate is not yet valid."


def _certificates(call: Call, owner: UserRecord | None) -> list[SigningCertificate]:
    return certificates_of(call.db, call.account_id, None if owner is None else owner.user_id)


def _existing(call: Call, name: str | None, certificate_id: str) -> SigningCertificate:
    for certificate in _certificates(call, named_or_calling_user(call, name)):
        if certificate.certificate_id == certificate_id:
            return certificate
    raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(certificate_id=certificate_id))


def _shown(owner: UserRecord | None, certificate: SigningCertificate) -> Answer:
    return {
        "UserName": None if owner is None else owner.name,
        "CertificateId": certificate.certificate_id,
        "CertificateBody": certificate.body,
        "Status": certificate.status,
        "UploadDate": certificate.uploaded_at_seconds,
    }


def _fingerprint(body: str, now_seconds: float) -> str:
    """The fingerprint of a PEM certificate. Raises AwsError: MalformedCertificate, InvalidCertificate."""
    try:
        certificate = one_certificate(body)
    except ValueError as error:
        raise AwsError("MalformedCertificate", MALFORMED_MESSAGE.format(body=body), reason=str(error)) from error
    now = datetime.fromtimestamp(now_seconds, UTC)
    if now > certificate.not_valid_after_utc:
        raise AwsError("MalformedCertificate", MALFORMED_MESSAGE.format(body=body), reason="expired")
    if now < certificate.not_valid_before_utc:
        raise AwsError("InvalidCertificate", NOT_YET_MESSAGE)
    return certificate.fingerprint(SHA256()).hex()


@operation("iam", "UploadSigningCertificate", precheck=check_user_is_named)
def upload_signing_certificate(call: Call, *, CertificateBody: str, UserName: str | None = None) -> Answer:
    """Add a certificate, active at once. A user's own certificate may be uploaded again.

    API reference: UploadSigningCertificate.

    Raises AwsError: ValidationError, NoSuchEntity, MalformedCertificate, InvalidCertificate, LimitExceeded,
    DuplicateCertificate.
    """
    owner = named_or_calling_user(call, UserName)
    lock_owner(call, owner)
    fingerprint = _fingerprint(CertificateBody, call.now_seconds)
    limit = call.settings.quotas.signing_certificates_per_user_count
    present = _certificates(call, owner)
    for each in present:
        if each.fingerprint == fingerprint:
            # AWS answers the present certificate, as if it were active, and changes nothing.
            return {"Certificate": {**_shown(owner, each), "Status": "Active"}}
    if len(present) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    certificate = SigningCertificate(
        certificate_id=call.ids.upper_id(),
        account_id=call.account_id,
        user_id=None if owner is None else owner.user_id,
        body=CertificateBody,
        fingerprint=fingerprint,
        status="Active",
        uploaded_at_seconds=int(call.now_seconds),
    )
    try:
        add_certificate(call.db, certificate)
    except AlreadyThere as error:
        raise AwsError("DuplicateCertificate", DUPLICATE_MESSAGE) from error
    return {"Certificate": _shown(owner, certificate)}


@operation("iam", "ListSigningCertificates", precheck=check_user_is_named)
def list_signing_certificates(
    call: Call, *, UserName: str | None = None, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """The certificates, oldest first. Raises AwsError: ValidationError, NoSuchEntity."""
    owner = named_or_calling_user(call, UserName)
    filters = ("root" if owner is None else owner.user_id,)
    certificates, rest = page(call, filters, _certificates(call, owner), _position, Marker, MaxItems)
    return {"Certificates": [_shown(owner, certificate) for certificate in certificates], **rest}


def _position(certificate: SigningCertificate) -> str:
    return f"{certificate.uploaded_at_seconds:020d} {certificate.certificate_id}"


@operation("iam", "UpdateSigningCertificate", precheck=check_user_is_named)
def update_signing_certificate(call: Call, *, CertificateId: str, Status: str, UserName: str | None = None) -> None:
    """Switch a certificate on or off. Raises AwsError: ValidationError, NoSuchEntity, InvalidInput."""
    certificate = _existing(call, UserName, CertificateId)
    if Status not in ("Active", "Inactive"):
        raise AwsError("InvalidInput", STATUS_MESSAGE.format(status=Status))
    set_certificate_status(call.db, certificate.certificate_id, Status)


@operation("iam", "DeleteSigningCertificate", precheck=check_user_is_named)
def delete_signing_certificate(call: Call, *, CertificateId: str, UserName: str | None = None) -> None:
    """Delete a certificate. Raises AwsError: ValidationError, NoSuchEntity."""
    remove_certificate(call.db, _existing(call, UserName, CertificateId).certificate_id)

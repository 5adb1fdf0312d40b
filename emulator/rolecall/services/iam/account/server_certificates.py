"""Server certificates: upload, show, list, rename, delete, tag.

The private key is checked against the certificate and then forgotten: no operation of IAM shows it. AWS refuses to
delete a certificate that a load balancer uses. A sandbox has no load balancers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct

from rolecall.errors import AwsError
from rolecall.ids import SERVER_CERTIFICATE_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, tag_answer, tag_pairs
from rolecall.services.iam.named import NamedKind
from rolecall.services.iam.pem import certificates_in, one_certificate
from rolecall.services.iam.resource_kinds import listing, renaming
from rolecall.services.iam.tagging import taggable
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.access_keys import lock_account
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.server_certificates import (
    ServerCertificate,
    add_server_certificate,
    count_server_certificates,
    list_server_certificates,
    move_server_certificate,
    remove_server_certificate,
    server_certificate_by_name,
)

NOT_FOUND_MESSAGE = "The Server Certificate with name {name} cannot be found."
ALREADY_EXISTS_MESSAGE = "The Server Certificate with name {name} already exists."
MALFORMED_MESSAGE = "Unable to parse certificate. Please ensure the certificate is in PEM format."
MISMATCH_MESSAGE = (
    "The private key did not match the public key provided. Please verify the key material and try again."
)
EXPIRED_MESSAGE = "Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed."
# What AWS says of a chain that is not PEM.
UNPARSED_CHAIN_MESSAGE = "Unknown"
CHAIN_MESSAGE = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "
    "followed by any intermediaries in order. The index within the chain of the invalid certificate is: {index}"
)
# AWS's wording of these three was not recorded.
NOT_YET_MESSAGE = "Certificate is not yet valid. The 'Not Before' date restriction on the certificate has not passed."
MALFORMED_KEY_MESSAGE = "Unable to parse private key. Please ensure the private key is in PEM format and not encrypted."
COUNT_MESSAGE = "Cannot exceed quota for ServerCertificatesPerAccount: {limit}"


NO_TAGS_MESSAGE = "The provided tag map must not be null/empty."
NO_KEYS_MESSAGE = "The provided tag keys must not be null/empty."

CERTIFICATES: NamedKind[ServerCertificate] = NamedKind(
    attrgetter("certificate_id"), server_certificate_by_name, NOT_FOUND_MESSAGE, ALREADY_EXISTS_MESSAGE
)


def _locked_id(call: Call, name: str) -> str:
    certificate_id = CERTIFICATES.existing_id(call, name)
    lock_account(call.db, call.account_id)
    return certificate_id


def _check_not_empty(_call: Call, parameters: Parameters) -> None:
    """AWS refuses lists without elements for this kind."""
    for member, message in (("Tags", NO_TAGS_MESSAGE), ("TagKeys", NO_KEYS_MESSAGE)):
        if member in parameters and not parameters[member]:
            raise AwsError("InvalidInput", message)


taggable(
    "server_certificate",
    "ServerCertificate",
    "ServerCertificateName",
    CERTIFICATES.existing_id,
    changeable=_locked_id,
    precheck=_check_not_empty,
)


class _Checked(Struct, frozen=True):
    """What a certificate that passed all checks says."""

    expires_at_seconds: int


def _check_certificate(call: Call, parameters: Parameters) -> _Checked:
    """Parse the certificate, its key and its chain. Parsing a long chain takes long, so no transaction waits for it.

    Raises AwsError: MalformedCertificate, KeyPairMismatch.
    """
    try:
        certificate = one_certificate(parameters["CertificateBody"])
        public_key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AwsError("MalformedCertificate", MALFORMED_MESSAGE, reason=str(error)) from error
    if _public_part(parameters["PrivateKey"]) != public_key:
        raise AwsError("KeyPairMismatch", MISMATCH_MESSAGE)
    now = datetime.fromtimestamp(call.now_seconds, UTC)
    if now > certificate.not_valid_after_utc:
        raise AwsError("MalformedCertificate", EXPIRED_MESSAGE)
    if now < certificate.not_valid_before_utc:
        raise AwsError("MalformedCertificate", NOT_YET_MESSAGE)
    chain = parameters.get("CertificateChain")
    if chain is not None:
        _check_chain(certificate, chain)
    return _Checked(int(certificate.not_valid_after_utc.timestamp()))


def _public_part(private_key: str) -> bytes:
    """The public key of a private key in PEM. Raises AwsError MalformedCertificate."""
    try:
        key = load_pem_private_key(private_key.encode("latin-1"), password=None)
    # TypeError: the key is encrypted.
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # Not the parser's reason, which may quote the key.
        raise AwsError("MalformedCertificate", MALFORMED_KEY_MESSAGE, reason=type(error).__name__) from error
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_chain(certificate: x509.Certificate, text: str) -> None:
    """Each certificate must have signed the one before it. AWS numbers the first link -1, the next one 1."""
    try:
        chain = certificates_in(text)
    except ValueError as error:
        raise AwsError("MalformedCertificate", UNPARSED_CHAIN_MESSAGE, reason=str(error)) from error
    signed = certificate
    for index, issuer in enumerate(chain):
        try:
            signed.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise AwsError("MalformedCertificate", CHAIN_MESSAGE.format(index=index or -1)) from error
        signed = issuer


@operation("iam", "UploadServerCertificate", prepare=_check_certificate)
def upload_server_certificate(
    call: Call,
    *,
    ServerCertificateName: str,
    CertificateBody: str,
    PrivateKey: str,
    Path: str = "/",
    CertificateChain: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """Store a certificate that belongs to its key and its chain. API reference: UploadServerCertificate.

    Raises AwsError: MalformedCertificate, KeyPairMismatch, InvalidInput (tags), LimitExceeded, EntityAlreadyExists.
    """
    del PrivateKey  # checked before the transaction
    checked: _Checked = call.prepared
    tags = tag_pairs(Tags, case_sensitive=True)
    if server_certificate_by_name(call.db, call.account_id, ServerCertificateName) is not None:
        raise CERTIFICATES.already_exists(ServerCertificateName)
    lock_account(call.db, call.account_id)
    limit = call.settings.quotas.server_certificates_per_account_count
    if count_server_certificates(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    certificate = ServerCertificate(
        certificate_id=call.ids.unique_id(SERVER_CERTIFICATE_PREFIX),
        account_id=call.account_id,
        name=ServerCertificateName,
        path=Path,
        # AWS shows both without the line end at their ends.
        body=CertificateBody.strip(),
        chain=None if CertificateChain is None else CertificateChain.strip(),
        expires_at_seconds=checked.expires_at_seconds,
        uploaded_at_seconds=int(call.now_seconds),
    )
    try:
        add_server_certificate(call.db, certificate)
    except AlreadyThere as error:
        raise CERTIFICATES.already_exists(ServerCertificateName) from error
    add_tags(call, "server_certificate", certificate.certificate_id, tags)
    answer: Answer = {"ServerCertificateMetadata": _metadata(certificate)}
    if tags:
        answer["Tags"] = tag_answer(tags)
    return answer


def _metadata(certificate: ServerCertificate) -> Answer:
    return {
        "Path": certificate.path,
        "ServerCertificateName": certificate.name,
        "ServerCertificateId": certificate.certificate_id,
        "Arn": certificate.arn,
        "UploadDate": certificate.uploaded_at_seconds,
        "Expiration": certificate.expires_at_seconds,
    }


@operation("iam", "GetServerCertificate")
def get_server_certificate(call: Call, *, ServerCertificateName: str) -> Answer:
    """One certificate with its text, its chain and its tags. Raises AwsError NoSuchEntity."""
    certificate = CERTIFICATES.existing(call, ServerCertificateName)
    shown: Answer = {"ServerCertificateMetadata": _metadata(certificate), "CertificateBody": certificate.body}
    if certificate.chain is not None:
        shown["CertificateChain"] = certificate.chain
    # AWS answers an empty list for a certificate without tags.
    shown["Tags"] = tag_answer(tags_of(call.db, "server_certificate", certificate.certificate_id))
    return {"ServerCertificate": shown}


@operation("iam", "ListServerCertificates", permissions=listing("server-certificate"))
def list_server_certificates_operation(
    call: Call, *, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Certificates by name. Raises AwsError ValidationError (marker)."""
    shown, rest = CERTIFICATES.page(call, list_server_certificates, PathPrefix, Marker, MaxItems)
    return {"ServerCertificateMetadataList": [_metadata(certificate) for certificate in shown], **rest}


@operation("iam", "UpdateServerCertificate", permissions=renaming("server-certificate"))
def update_server_certificate(
    call: Call, *, ServerCertificateName: str, NewPath: str | None = None, NewServerCertificateName: str | None = None
) -> None:
    """Give a certificate another name, another path, or both. Its tags stay.

    Raises AwsError: NoSuchEntity, EntityAlreadyExists.
    """
    CERTIFICATES.move(call, move_server_certificate, ServerCertificateName, NewServerCertificateName, NewPath)


@operation("iam", "DeleteServerCertificate")
def delete_server_certificate(call: Call, *, ServerCertificateName: str) -> None:
    """Delete a certificate and its tags. Raises AwsError NoSuchEntity."""
    remove_server_certificate(call.db, CERTIFICATES.existing_id(call, ServerCertificateName))

"""Server certificates: upload, show, list, rename, delete. Their tags are with the tags of the other kinds.

The private key is checked against the certificate and then forgotten: no operation of IAM shows it. AWS refuses to
delete a certificate that a load balancer uses. A sandbox has no load balancers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from rolecall.errors import AwsError
from rolecall.ids import SERVER_CERTIFICATE_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, opened_marker, page_of, tag_answer, tag_pairs
from rolecall.services.iam.pem import certificates_in, one_certificate
from rolecall.services.iam.resource_kinds import listing, renaming
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


def existing_server_certificate(call: Call, name: str) -> ServerCertificate:
    """The account's certificate with that name. Raises AwsError NoSuchEntity."""
    certificate = server_certificate_by_name(call.db, call.account_id, name)
    if certificate is None:
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(name=name))
    return certificate


@dataclass(frozen=True, slots=True)
class _Checked:
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
    Tags: Sequence[Mapping[str, Any]] = (),
) -> Answer:
    """Store a certificate that belongs to its key and its chain. API reference: UploadServerCertificate.

    Raises AwsError: MalformedCertificate, KeyPairMismatch, InvalidInput (tags), LimitExceeded, EntityAlreadyExists.
    """
    del PrivateKey  # checked before the transaction
    checked: _Checked = call.prepared
    tags = tag_pairs(Tags, case_sensitive=True)
    _check_free(call, ServerCertificateName)
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
        raise _taken(ServerCertificateName) from error
    add_tags(call, "server_certificate", certificate.certificate_id, tags)
    answer: Answer = {"ServerCertificateMetadata": _metadata(certificate)}
    if tags:
        answer["Tags"] = tag_answer(tags)
    return answer


def _check_free(call: Call, name: str) -> None:
    if server_certificate_by_name(call.db, call.account_id, name) is not None:
        raise _taken(name)


def _taken(name: str) -> AwsError:
    return AwsError("EntityAlreadyExists", ALREADY_EXISTS_MESSAGE.format(name=name))


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
    certificate = existing_server_certificate(call, ServerCertificateName)
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
    after = opened_marker(call, (PathPrefix,), Marker)
    found = list_server_certificates(
        call.db, call.account_id, path_prefix=PathPrefix, after_name_key=after, limit=MaxItems + 1
    )
    shown, rest = page_of(call, (PathPrefix,), found, lambda certificate: certificate.name.lower(), MaxItems)
    return {"ServerCertificateMetadataList": [_metadata(certificate) for certificate in shown], **rest}


@operation("iam", "UpdateServerCertificate", permissions=renaming("server-certificate"))
def update_server_certificate(
    call: Call, *, ServerCertificateName: str, NewPath: str | None = None, NewServerCertificateName: str | None = None
) -> None:
    """Give a certificate another name, another path, or both. Its tags stay.

    Raises AwsError: NoSuchEntity, EntityAlreadyExists.
    """
    certificate = existing_server_certificate(call, ServerCertificateName)
    name, path = NewServerCertificateName or certificate.name, NewPath or certificate.path
    if name.lower() != certificate.name.lower():
        _check_free(call, name)
    try:
        move_server_certificate(call.db, certificate.certificate_id, name, path)
    except AlreadyThere as error:
        raise _taken(name) from error


@operation("iam", "DeleteServerCertificate")
def delete_server_certificate(call: Call, *, ServerCertificateName: str) -> None:
    """Delete a certificate and its tags. Raises AwsError NoSuchEntity."""
    remove_server_certificate(call.db, existing_server_certificate(call, ServerCertificateName).certificate_id)

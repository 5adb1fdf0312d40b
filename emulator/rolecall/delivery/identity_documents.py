"""The instance identity document and its signatures (EC2 User Guide, Instance identity documents).

AWS signs with a key of each Region, whose certificates it publishes. Rolecall cannot, so it signs with a key of its
own. Its certificate says that it is Rolecall's. AWS's file ``pkcs7`` has a DSA signature. Rolecall signs that one with
its RSA key too.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7
from cryptography.x509.oid import NameOID

from rolecall.clock import iso8601
from rolecall.sessions.signing_keys import new_signing_key, private_pem
from rolecall.storage.attachments import Attachment
from rolecall.storage.signing_keys import StoredSigningKey

PURPOSE = "instance identity"
ALGORITHM = "RS256"
_VERSION = "2017-09-30"
_LINE_CHARACTERS = 64
_VALID_DAYS = 36_500
_NAME = "Rolecall instance identity (an emulator, not AWS)"


def new_identity_key(now_seconds: float) -> StoredSigningKey:
    """A new key with its certificate. It takes tens of milliseconds."""
    made = new_signing_key(ALGORITHM)
    private_key: Any = made.private_key
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    start = datetime.fromtimestamp(int(now_seconds), UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=_VALID_DAYS))
        .sign(private_key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM).decode("ascii")
    return StoredSigningKey(made.key_id, PURPOSE, ALGORITHM, private_pem(made), pem, int(now_seconds))


def identity_document(attachment: Attachment) -> str:
    facts = attachment.facts
    document = {
        "accountId": attachment.account_id,
        "architecture": "x86_64",
        "availabilityZone": availability_zone(attachment),
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": facts["image_id"],
        "instanceId": attachment.attachment_id,
        "instanceType": facts["instance_type"],
        "kernelId": None,
        "pendingTime": iso8601(attachment.created_at_seconds),
        "privateIp": private_ip(attachment),
        "ramdiskId": None,
        "region": facts["region"],
        "version": _VERSION,
    }
    # AWS writes a blank on both sides of the colon.
    return json.dumps(document, indent=2, separators=(",", " : "))


def availability_zone(attachment: Attachment) -> str:
    zone: str = attachment.facts.get("availability_zone") or f"{attachment.facts['region']}a"
    return zone


def private_ip(attachment: Attachment) -> str:
    """The declared address, or a made-up one that stays the same."""
    declared: str | None = attachment.facts.get("private_ip")
    if declared is not None:
        return declared
    number = int(attachment.attachment_id.removeprefix("i-")[-6:], 16)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@lru_cache(maxsize=64)
def signature(document: str, private_key_pem: str) -> str:
    """The file ``signature``: RSA with SHA-256, in base64."""
    raw = _private_key(private_key_pem).sign(document.encode(), padding.PKCS1v15(), SHA256())
    return _lines(raw)


@lru_cache(maxsize=64)
def signed_document(document: str, private_key_pem: str, certificate_pem: str) -> str:
    """The files ``rsa2048`` and ``pkcs7``: the document in PKCS #7, in base64 without a heading."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode("ascii"))
    builder = pkcs7.PKCS7SignatureBuilder().set_data(document.encode())
    options = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]
    signed = builder.add_signer(certificate, _private_key(private_key_pem), SHA256())
    return _lines(signed.sign(Encoding.DER, options))


@lru_cache(maxsize=8)
def _private_key(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode("ascii"), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the key of identity documents is an RSA key")
    return key


def _lines(raw: bytes) -> str:
    text = b64encode(raw).decode("ascii")
    return "\n".join(text[start : start + _LINE_CHARACTERS] for start in range(0, len(text), _LINE_CHARACTERS))

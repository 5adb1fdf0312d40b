"""Self-signed certificates for the tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

YEARS = timedelta(days=3650)


def certificate(name: str = "ana", begins: datetime | None = None, ends: datetime | None = None) -> str:
    """A certificate in PEM, by default valid from today for years."""
    begins = begins or datetime.now(UTC) - timedelta(days=1)
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(ends or begins + YEARS)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


@dataclass(frozen=True)
class Certified:
    """A certificate and its private key, both also in PEM."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def body(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def private_key(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def certified(
    name: str, issuer: Certified | None = None, begins: datetime | None = None, ends: datetime | None = None
) -> Certified:
    """A certificate with its key, signed by ``issuer`` or by itself."""
    begins = begins or datetime.now(UTC) - timedelta(days=1)
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    by, signer = (named, key) if issuer is None else (issuer.certificate.subject, issuer.key)
    builder = x509.CertificateBuilder(by, named, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(ends or begins + YEARS)
    return Certified(builder.sign(signer, SHA256()), key)

"""Self-signed certificates for the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

YEARS = timedelta(days=3650)


def certificate(name: str = "ana", begins: datetime | None = None, ends: datetime | None = None) -> str:
    """A certificate in PEM, by default valid from today for years."""
    begins = begins or datetime.now(UTC) - timedelta(days=1)
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(ends or begins + YEARS)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()

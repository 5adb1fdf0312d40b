"""A certificate authority of one run, and a certificate for a client of IAM Roles Anywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# The clock of the sandbox may be hours apart from the machine's.
BEFORE, AFTER = timedelta(days=-2), timedelta(days=365)


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def usage(*, of_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not of_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=of_authority,
        crl_sign=of_authority,
        encipher_only=False,
        decipher_only=False,
    )


def issued(folder: Path) -> str:
    """The authority's certificate. ``app.pem`` and ``app.key`` in the folder are the client's."""
    now = datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    made = []
    for name, public_key, of_authority in (
        ("Authority", authority_key.public_key(), True),
        ("app", key.public_key(), False),
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("Authority"))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + BEFORE)
            .not_valid_after(now + AFTER)
            .add_extension(x509.BasicConstraints(of_authority, None), critical=True)
            .add_extension(usage(of_authority=of_authority), critical=True)
        )
        made.append(builder.sign(authority_key, SHA256()).public_bytes(Encoding.PEM).decode())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "app.key").write_bytes(pem)
    (folder / "app.pem").write_text(made[1], encoding="ascii")
    return made[0]

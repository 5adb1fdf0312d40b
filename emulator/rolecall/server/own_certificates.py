"""Certificates for HTTPS that are made here and signed by an authority made here.

The authority signs one certificate and its key is thrown away. So a client that trusts the authority trusts this
server and nothing else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rolecall.server.tls import tls_context
from rolecall.settings import TlsFiles

# Every client accepts this (Apple, "About upcoming limits on trusted certificates": 825 days).
_LASTS = timedelta(days=800)
_RENEWED_BEFORE = timedelta(days=30)
_NAMES = ("localhost", "*.localhost", "rolecall.localhost")
_ADDRESSES = ("127.0.0.1", "::1")


def own_certificate(folder: Path, host: str) -> TlsFiles:
    """The certificate in ``folder`` for this machine and ``host``. Makes it when it is missing or about to expire.

    Raises OSError when the folder cannot be written.
    """
    files = TlsFiles(str(folder / "server.pem"), str(folder / "server-key.pem"), str(folder / "authority.pem"))
    if not _is_good(files, host):
        folder.mkdir(parents=True, exist_ok=True)
        authority, certificate, key = _made(host)
        _write(Path(files.key_path), key)
        _write(Path(files.certificate_path), certificate)
        _write(Path(files.authority_path), authority)
    return files


def _is_good(files: TlsFiles, host: str) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(Path(files.certificate_path).read_bytes())
        authority = x509.load_pem_x509_certificate(Path(files.authority_path).read_bytes())
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        tls_context(files)
    except Exception:
        # New files are made for every problem with the old ones.
        return False
    return certificate.not_valid_after_utc - _RENEWED_BEFORE > datetime.now(UTC) and set(_names_of(host)) <= set(names)


def _names_of(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    try:
        own: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        own = x509.DNSName(host)
    return names if own in names else [*names, own]


def _made(host: str) -> tuple[bytes, bytes, bytes]:
    """The authority's certificate, the server's, and the server's key, each as PEM."""
    now = datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rolecall on this machine")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])

    def builder(name: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + _LASTS)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )

    authority = (
        builder(issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        builder(subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names_of(host)), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem), certificate.public_bytes(pem), private


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    """Write the whole file or nothing, readable by this user alone."""
    # mkstemp creates the file with mode 0600. The rename keeps the old file whole for a server that is reading it.
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise

"""TLS with a certificate and a key from files."""

from __future__ import annotations

import importlib
import ssl
from pathlib import Path

from rolecall.settings import TlsFiles


class BadCertificateError(Exception):
    """The certificate or its key cannot be used; the message says why."""


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """A context with these files. Raises BadCertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate_path, files.key_path)
    except (OSError, ssl.SSLError) as error:
        raise BadCertificateError(
            f"cannot use the certificate {files.certificate_path} with the key {files.key_path}: "
            f"{error.strerror or error}"
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def own_certificate(folder: Path, host: str) -> TlsFiles:
    """The certificate in ``folder`` for this machine and ``host``. Makes it when it is missing or about to expire.

    Raises OSError when the folder cannot be written.
    """
    # Loaded only here, because few servers make a certificate.
    files: TlsFiles = importlib.import_module("rolecall.server.own_certificates").own_certificate(folder, host)
    return files

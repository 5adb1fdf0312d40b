"""Reading PEM texts of requests: certificates, chains and keys."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def one_certificate(text: str) -> x509.Certificate:
    """The certificate in a text that is one certificate with nothing around it. Raises ValueError."""
    [certificate] = certificates_in(text)
    return certificate


def certificates_in(text: str) -> Sequence[x509.Certificate]:
    """The certificates of a text that is certificates alone, in their order. The parser would skip other text.

    Raises ValueError.
    """
    rest = text
    while rest.strip():
        rest = rest.lstrip()
        end = rest.find(_END)
        if not rest.startswith(_BEGIN) or end < 0 or rest.find(_BEGIN, 1, end) > 0:
            raise ValueError("not certificates in PEM and nothing else")
        rest = rest[end + len(_END) :]
    try:
        certificates = x509.load_pem_x509_certificates(text.encode("ascii"))
        for certificate in certificates:
            # Parsed only now.
            _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate.version
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from error
    return certificates

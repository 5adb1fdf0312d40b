"""Hashes of the keys that sign assertions: SAMLKeyHashes of GetSAMLProvider, and aws:OriginIdentity/Issuer."""

from __future__ import annotations

from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def key_hash(certificate: bytes) -> str:
    """The hash of the public key in a certificate (DER).

    AWS documents neither the algorithm nor the form. Here it is the SHA-256 of the SubjectPublicKeyInfo, in hexadecimal
    digits, so a new certificate for the same key has the same hash.
    """
    key = x509.load_der_x509_certificate(certificate).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

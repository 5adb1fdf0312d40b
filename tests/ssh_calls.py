"""SSH public keys for the tests. They have no private keys: nobody signs in with them, and making one takes long."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def rsa_key(number: int = 1, bits: int = 2048) -> RSAPublicKey:
    """The same key for the same number."""
    digest = hashlib.shake_256(str(number).encode()).digest(bits // 8)
    modulus = int.from_bytes(digest, "big") | (1 << (bits - 1)) | 1
    return RSAPublicNumbers(65537, modulus).public_key()


def ssh(key: RSAPublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def pem(key: RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

"""A stand-in for awscrt's elliptic curves, as far as botocore uses them. Not every machine has awscrt."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key


class Curve:
    """A key on P-256."""

    def __init__(self, key: Any) -> None:
        self._key = key

    @classmethod
    def new_key_from_der_data(cls, data: bytes) -> Curve:
        return cls(load_der_private_key(data, None))

    def get_public_coords(self) -> tuple[bytes, bytes]:
        numbers = self._key.public_key().public_numbers()
        return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")

    def sign(self, digest: bytes) -> bytes:
        signature: bytes = self._key.sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))
        return signature

    @staticmethod
    def decode_der_signature_to_padded_pair(signature: bytes, pad_to: int) -> bytes:
        return b"".join(each.to_bytes(pad_to, "big") for each in utils.decode_dss_signature(signature))

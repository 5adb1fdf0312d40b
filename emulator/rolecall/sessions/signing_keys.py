"""Signing keys of Rolecall's own issuers: made, written as text, published, and used to sign.

Unlike sealing keys, these are asymmetric: a client that fetches the public half can verify a token. A key's id is the
thumbprint of its public half (RFC 7638), so a key has the same id wherever it is published.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from msgspec import Struct

from rolecall.caches import BoundedCache
from rolecall.reprs import repr_without
from rolecall.sessions.algorithms import RSA_ALGORITHMS

_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}
_RSA_BITS = 2048
_RSA_EXPONENT = 65537
# Members of a JSON Web Key that its thumbprint covers, by key type (RFC 7638, section 3.2).
_THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
_LOADED_LIMIT, _PEM_CHARACTERS = 256, 8192


class SigningKey(Struct, frozen=True):
    """A private key for one algorithm of JSON Web Signature, with its id."""

    key_id: str
    algorithm: str
    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    __repr__ = repr_without("private_key")


_loaded: BoundedCache[tuple[str, str], SigningKey] = BoundedCache(_LOADED_LIMIT, _PEM_CHARACTERS)


def new_signing_key(algorithm: str) -> SigningKey:
    """A new key. RSA takes tens of milliseconds. Raises ValueError for an unknown algorithm."""
    if algorithm in RSA_ALGORITHMS:
        return _signing_key(algorithm, rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS))
    if algorithm in _CURVES:
        return _signing_key(algorithm, ec.generate_private_key(_CURVES[algorithm]()))
    raise ValueError(f"no signing keys for {algorithm}")


def private_pem(key: SigningKey) -> str:
    """The private half as text (PKCS #8), for storage."""
    return key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def load_signing_key(algorithm: str, pem: str) -> SigningKey:
    """The key that :func:`private_pem` wrote. Cached, because checking an RSA key takes milliseconds."""
    known = _loaded.get((algorithm, pem))
    if known is None:
        private_key = load_pem_private_key(pem.encode("ascii"), None)
        if not isinstance(private_key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            raise ValueError("neither an RSA key nor one of an elliptic curve")
        known = _signing_key(algorithm, private_key)
        _loaded.put((algorithm, pem), known)
    return known


def public_jwk(key: SigningKey) -> dict[str, str]:
    """The public half as a JSON Web Key (RFC 7517), with id, use and algorithm."""
    return {**_public_members(key.private_key), "kid": key.key_id, "use": "sig", "alg": key.algorithm}


def sign(key: SigningKey, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
    """A JSON Web Token signed with the key, which its header names."""
    headers = {"kid": key.key_id, **(header or {})}
    return jwt.encode(dict(claims), key.private_key, algorithm=key.algorithm, headers=headers)


def _signing_key(algorithm: str, private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> SigningKey:
    members = _public_members(private_key)
    covered = {name: members[name] for name in _THUMBPRINT_MEMBERS[members["kty"]]}
    digest = hashlib.sha256(json.dumps(covered, separators=(",", ":"), sort_keys=True).encode()).digest()
    return SigningKey(urlsafe_b64encode(digest).decode("ascii").rstrip("="), algorithm, private_key)


def _public_members(private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> dict[str, str]:
    public_key = private_key.public_key()
    if isinstance(public_key, rsa.RSAPublicKey):
        members = RSAAlgorithm.to_jwk(public_key, as_dict=True)
    else:
        members = ECAlgorithm.to_jwk(public_key, as_dict=True)
    return {name: value for name, value in members.items() if name != "key_ops"}

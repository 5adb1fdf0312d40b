"""What needs PyJWT: sealing and opening Rolecall's own tokens, reading and verifying those of issuers.

PyJWT loads cryptography's X.509 modules and an HTTP client. That took a tenth of a start, and the first answer needs no
token. So :mod:`rolecall.sessions.jose_door` loads this module with the first token. PyJWT's errors leave as ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS

from rolecall.sessions.algorithms import ALGORITHMS, CURVES, RSA_ALGORITHMS

PublicKey = RSAPublicKey | EllipticCurvePublicKey

_SEALING_ALGORITHM = "HS256"
_OPEN_OPTIONS: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["aud"]}
_RSA_BITS = range(2048, 8193)


class _OwnKeys(HMACAlgorithm):
    """HS256 with keys of the key ring. They need none of the checks for keys from outside."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode()


_signer = PyJWS(algorithms=[])
_signer.register_algorithm(_SEALING_ALGORITHM, _OwnKeys(HMACAlgorithm.SHA256))
_verifier = PyJWS(algorithms=ALGORITHMS)


def sealed(text: bytes, key: bytes, headers: Mapping[str, str]) -> str:
    """The text as a token, signed with HS256."""
    return _signer.encode(text, key, algorithm=_SEALING_ALGORITHM, headers=dict(headers))


def unproven_header(token: str) -> dict[str, Any]:
    """The header of a token that nothing has proven. Raises ValueError, TypeError."""
    try:
        return jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error


def opened(token: str, key: bytes, audience: str) -> dict[str, Any]:
    """The claims of a token for ``audience`` that was signed with HS256. Raises ValueError, TypeError."""
    try:
        return jwt.decode(token, key, algorithms=[_SEALING_ALGORITHM], audience=audience, options=_OPEN_OPTIONS)
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error


def unproven(token: str) -> dict[str, Any]:
    """``header``, ``payload`` and ``signature`` of a token that nothing has proven. Raises ValueError, TypeError."""
    try:
        return _verifier.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error


def signed_with(key: PublicKey, token: str, algorithm: str) -> bool:
    """Whether the key signed the token with this algorithm."""
    try:
        _verifier.decode_complete(token, key, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return True


def public_key(member: Mapping[str, Any]) -> tuple[PublicKey, frozenset[str]]:
    """The public key in a JSON Web Key, and the algorithms it may be used with.

    Raises ValueError, TypeError and KeyError for a key that cannot verify web identity tokens.
    """
    # Only public members are passed on, so a set that shows a private key too is not used as a private key.
    try:
        if member.get("kty") == "RSA":
            key = RSAAlgorithm.from_jwk({name: member[name] for name in ("kty", "n", "e")})
            if isinstance(key, RSAPublicKey) and key.key_size in _RSA_BITS:
                return key, frozenset(RSA_ALGORITHMS)
        elif member.get("kty") == "EC":
            curve_key = ECAlgorithm.from_jwk({name: member[name] for name in ("kty", "crv", "x", "y")})
            if isinstance(curve_key, EllipticCurvePublicKey):
                curve = curve_key.curve.name
                return curve_key, frozenset(name for name, known in CURVES.items() if known == curve)
    except jwt.PyJWTError as error:
        raise ValueError(str(error)) from error
    raise ValueError("not a key for signatures of web identity tokens")

"""DPoP (RFC 9449): the proof that the sender of a request holds the private key of a grant.

The proof is a JSON Web Token in a header. It carries the public key, and is for one method, one address and one moment.
Whether it was used before is for the caller to say, because that takes a database.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from rolecall.sessions.jose_door import jose

# The SDKs of AWS sign with no other algorithm.
ALGORITHM = "ES256"
_TYPE = "dpop+jwt"
_CURVE = "P-256"
# Section 11.1: a proof is good for a short time. A client's clock may also be ahead.
PROOF_SECONDS = 300
_MAXIMUM_CHARACTERS = 4096
_MAXIMUM_ID_CHARACTERS = 256
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Section 4.2: the header has only the public key.
_PUBLIC_MEMBERS = frozenset({"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"})


class DpopError(ValueError):
    """A proof that proves nothing. The text gives the reason, for the log."""


class DpopProof(Struct, frozen=True):
    """A verified proof: the thumbprint of its key (RFC 7638), its id, and when it stops being good."""

    key_thumbprint: str
    proof_id: str
    good_until_seconds: int


def verify(proof: str, method: str, url: str, now_seconds: float) -> DpopProof:
    """The proof in a DPoP header, for a request with this method and address at this wall-clock time.

    Raises DpopError (section 4.3).
    """
    if not proof:
        raise DpopError("the request has no DPoP proof")
    if len(proof) > _MAXIMUM_CHARACTERS:
        raise DpopError("the proof is too long")
    try:
        decoded = jose().unproven(proof)
        claims = json.loads(decoded["payload"])
    except (ValueError, TypeError, RecursionError) as error:
        raise DpopError(f"the proof is no JSON Web Token: {error}") from error
    header = decoded["header"]
    if not isinstance(claims, dict) or header.get("typ") != _TYPE or header.get("alg") != ALGORITHM:
        raise DpopError(f"the proof is not of the type {_TYPE} with {ALGORITHM}")
    key = header.get("jwk")
    if not _signed_by(key, proof):
        raise DpopError("the key in the proof's header did not sign it")
    if claims.get("htm") != method or not _is_same_address(claims.get("htu"), url):
        raise DpopError("the proof is for another request")
    at_seconds, proof_id = claims.get("iat"), claims.get("jti")
    if isinstance(at_seconds, bool) or not isinstance(at_seconds, int | float):
        raise DpopError("the proof has no time")
    if not abs(at_seconds - now_seconds) <= PROOF_SECONDS:
        raise DpopError("the proof is too old, or from the future")
    if not isinstance(proof_id, str) or not 1 <= len(proof_id) <= _MAXIMUM_ID_CHARACTERS:
        raise DpopError("the proof has no id")
    return DpopProof(_thumbprint(key), proof_id, int(at_seconds) + PROOF_SECONDS + 1)


def _signed_by(key: Any, proof: str) -> bool:
    if not isinstance(key, dict) or not key.keys() <= _PUBLIC_MEMBERS or key.get("crv") != _CURVE:
        return False
    try:
        public_key, algorithms = jose().public_key(key)
    except (ValueError, TypeError, KeyError):
        return False
    return ALGORITHM in algorithms and bool(jose().signed_with(public_key, proof, ALGORITHM))


def _thumbprint(key: Any) -> str:
    """RFC 7638, section 3."""
    members = {name: key[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii").rstrip("=")


def _is_same_address(claimed: Any, url: str) -> bool:
    """Section 4.3: without query and fragment, and after normalisation of scheme, host and port."""
    if not isinstance(claimed, str):
        return False
    try:
        one, other = (_parts(text) for text in (claimed, url))
    except ValueError:
        return False
    return one == other


def _parts(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(scheme), parts.path or "/"

"""Tokens of the instance metadata service, version 2: a time of expiry under a seal. Nothing is stored.

A token belongs to one instance. It has 56 characters and begins with the same ones as AWS's tokens do.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
from base64 import b64decode, b64encode

from rolecall.ids import Identifiers
from rolecall.sessions.keys import KeyRing, SealingKey

MINIMUM_TTL_SECONDS = 1
MAXIMUM_TTL_SECONDS = 21_600
_PREFIX = b"\x01\x00\x04"
_NOISE_BYTES = 7
_EXPIRY = struct.Struct(">Q")
_SEAL_BYTES = 24
_TOKEN_CHARACTERS = 56


def new_token(keys: KeyRing, ids: Identifiers, instance_id: str, expires_at_seconds: int) -> str:
    content = _PREFIX + ids.secret_bytes(_NOISE_BYTES) + _EXPIRY.pack(expires_at_seconds)
    return b64encode(content + _seal(keys.newest, instance_id, content)).decode("ascii")


def seconds_left(keys: KeyRing, instance_id: str, token: str, now_seconds: float) -> int:
    """How long the token is valid; 0 for one that is not, or that belongs to another instance.

    Every key is tried, in constant time for a token of the right length.
    """
    if len(token) != _TOKEN_CHARACTERS:
        return 0
    try:
        raw = b64decode(token.encode("ascii"), validate=True)
    except ValueError:
        return 0
    content, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
    known = [hmac.compare_digest(_seal(key, instance_id, content), seal) for key in keys.all()]
    # Only a token that decodes to exactly these bytes was given out: base64 may have unused bits.
    if not any(known) or b64encode(raw).decode("ascii") != token:
        return 0
    expires_at_seconds: int = _EXPIRY.unpack(content[-_EXPIRY.size :])[0]
    return max(0, math.ceil(expires_at_seconds - now_seconds))


def _seal(key: SealingKey, instance_id: str, content: bytes) -> bytes:
    text = b"metadata token\0" + instance_id.encode() + b"\0" + content
    return hmac.digest(key.delivery_key, text, hashlib.sha256)[:_SEAL_BYTES]

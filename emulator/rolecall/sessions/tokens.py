"""Sealed tokens: JSON Web Tokens (RFC 7519) that only this sandbox's key ring can have made.

Every token names its purpose as its audience, so one kind of token can never serve as another. Large claims may be
compressed, except a session's: repetition does not shorten AWS's session tokens either. Expiry is an ordinary claim
here: the code that opens a token checks it by the sandbox's clock.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from msgspec.json import encode as json_bytes

from rolecall.sessions.jose_door import jose
from rolecall.sessions.keys import KeyRing, SealingKey

SESSION_PURPOSE = "session"

_COMPRESS_FROM_BYTES = 1024
# No honest token is larger. A larger one is refused before it is unpacked.
MAXIMUM_TOKEN_CHARACTERS = 65_536
_MAXIMUM_CLAIMS_BYTES = 262_144
# The one accepted form of base64: decoders also ignore unknown characters and unused bits.
_WRITTEN_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)
# Two spellings of the token's type (RFC 7515, section 4.1.9), one character apart in length.
_TYPE = "JWT"
_LONGER_TYPE = "JOSE"


class BadTokenError(Exception):
    """This key ring did not seal the token for this purpose. The text gives the reason, for the log only."""


def seal(
    key: SealingKey,
    purpose: str,
    claims: Mapping[str, Any],
    *,
    minimum_characters: int = 0,
    compressed: bool = True,
) -> str:
    """A token that :func:`open_token` opens with any ring that holds ``key``.

    A shorter token is filled up to exactly ``minimum_characters``. ``compressed`` allows compression of large claims.
    """
    payload: Mapping[str, Any] = claims
    if compressed:
        text = json_bytes(claims)
        if len(text) >= _COMPRESS_FROM_BYTES:
            payload = {"z": b64encode(zlib.compress(text, 6)).decode("ascii")}
    text = json_bytes({"aud": purpose, **payload})
    token = _signed(key, text)
    if len(token) >= minimum_characters:
        return token
    # JSON may end in blanks. Base64 has no text of 4n + 1 characters, so a longer header supplies the extra character.
    token_type = _TYPE
    header, _, signature = map(len, token.split("."))
    wanted_characters = minimum_characters - header - signature - 2
    if wanted_characters % 4 == 1:
        token_type = _LONGER_TYPE
        wanted_characters -= _lengthened(header) - header
    return _signed(key, text.ljust(wanted_characters * 3 // 4), token_type)


def _lengthened(characters: int) -> int:
    """How many characters of base64 one more byte adds to ``characters``."""
    return -(-(characters * 3 // 4 + 1) * 4 // 3)


def _signed(key: SealingKey, text: bytes, token_type: str = _TYPE) -> str:
    token: str = jose().sealed(text, key.token_key, {"kid": key.key_id, "typ": token_type})
    return token


def open_token(ring: KeyRing, purpose: str, token: str) -> tuple[SealingKey, dict[str, Any]]:
    """The key that sealed the token, and its claims. Raises BadTokenError."""
    if len(token) > MAXIMUM_TOKEN_CHARACTERS:
        raise BadTokenError("longer than any token of this sandbox")
    if not _WRITTEN_SIGNATURE.fullmatch(token, token.rfind(".") + 1):
        raise BadTokenError("the signature is not in the form of this sandbox's signatures")
    try:
        header = jose().unproven_header(token)
        key = ring.get(header.get("kid", ""))
        if key is None:
            raise BadTokenError("sealed with a key that is not in the key ring")
        claims = jose().opened(token, key.token_key, purpose)
    except (ValueError, TypeError) as error:
        raise BadTokenError(str(error)) from error
    del claims["aud"]
    if "z" in claims:
        claims = _unpacked(claims["z"])
    return key, claims


def _unpacked(text: str) -> dict[str, Any]:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(b64decode(text), _MAXIMUM_CLAIMS_BYTES)
        if unpacker.unconsumed_tail:
            raise BadTokenError("the packed claims are too large")
        claims = json.loads(plain)
    except (ValueError, RecursionError, zlib.error) as error:
        raise BadTokenError("the packed claims are damaged") from error
    if not isinstance(claims, dict):
        raise BadTokenError("the packed claims are not a JSON object")
    return claims

"""Pagination tokens: where a list went on, sealed so that one account's token is worth nothing in another's list.

``key id.position.seal``, each part base64url: IAM's markers have room for 320 characters, which a JSON Web Token of a
long name would overrun. The list a token belongs to is not in it; the seal covers it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.tokens import BadTokenError

# Half of SHA-256: as hard to guess as a random UUID is.
_SEAL_BYTES = 16
_MAXIMUM_CHARACTERS = 4096


def seal_page(keys: KeyRing, scope: tuple[str, ...], position: str) -> str:
    """A token for ``position`` in the list that ``scope`` names: account, operation, and every filter of the list."""
    key = keys.newest
    return ".".join((_text(key.key_id.encode()), _text(position.encode()), _text(_seal(key, scope, position))))


def open_page(keys: KeyRing, scope: tuple[str, ...], token: str) -> str:
    """The position in a token, if it was sealed for the same scope. Raises BadTokenError."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _MAXIMUM_CHARACTERS:
        raise BadTokenError("not a page token")
    try:
        key_id, position, seal = read = [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
        key = keys.get(key_id.decode())
        text = position.decode()
    except ValueError as error:
        raise BadTokenError("not a page token") from error
    # The decoder passes over characters that mean nothing and bits that are not used.
    if parts != [_text(part) for part in read]:
        raise BadTokenError("not written as this sandbox writes page tokens")
    if key is None or not hmac.compare_digest(seal, _seal(key, scope, text)):
        raise BadTokenError("the token belongs to another list")
    return text


def _seal(key: SealingKey, scope: tuple[str, ...], position: str) -> bytes:
    covered = json.dumps([*scope, position]).encode()
    return hmac.digest(key.page_key, covered, hashlib.sha256)[:_SEAL_BYTES]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii").rstrip("=")

"""Pagination tokens: the position in a list, sealed so that another account's list refuses the token.

The form is ``key id.position.seal``, each part in base64url. IAM's markers have room for 320 characters, and a JSON Web
Token of a long name would be longer. The token does not name its list; the seal covers the list's name.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.tokens import BadTokenError

# Half of SHA-256: as hard to guess as a random UUID.
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
    # The decoder ignores unknown characters and unused bits. Only the form that this module writes is accepted.
    if parts != [_text(part) for part in read]:
        raise BadTokenError("not in the form of this sandbox's page tokens")
    if key is None or not hmac.compare_digest(seal, _seal(key, scope, text)):
        raise BadTokenError("the token belongs to another list")
    return text


def _seal(key: SealingKey, scope: tuple[str, ...], position: str) -> bytes:
    covered = json.dumps([*scope, position]).encode()
    return hmac.digest(key.page_key, covered, hashlib.sha256)[:_SEAL_BYTES]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii").rstrip("=")

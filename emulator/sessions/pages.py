"""Pagination tokens: where a list went on, sealed so that one account's token is worth nothing in another's list."""

from __future__ import annotations

import json
from typing import Any

from emulator.sessions.keys import KeyRing
from emulator.sessions.tokens import PAGE_PURPOSE, BadTokenError, open_token, seal


def seal_page(keys: KeyRing, scope: tuple[str, ...], position: str) -> str:
    """A token for ``position`` in the list that ``scope`` names: account, operation, and every filter of the list."""
    return seal(keys.newest, PAGE_PURPOSE, {"s": json.dumps(scope), "n": position})


def open_page(keys: KeyRing, scope: tuple[str, ...], token: str) -> str:
    """The position in a token, if it was sealed for the same scope. Raises BadTokenError."""
    _, claims = open_token(keys, PAGE_PURPOSE, token)
    position: Any = claims.get("n")
    if claims.get("s") != json.dumps(scope) or not isinstance(position, str):
        raise BadTokenError("the token belongs to another list")
    return position

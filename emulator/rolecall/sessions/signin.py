"""Sign-in tokens and console sessions: AWS's sign-in endpoint makes them from temporary credentials.

Both hold the claims of the session token that they were made from, each sealed for its own purpose. A sign-in token can
only become a console session, and a console session only shows pages.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from rolecall.sessions.credentials import OpenedSession, opened_from_claims
from rolecall.sessions.keys import KeyRing
from rolecall.sessions.tokens import SESSION_PURPOSE, BadTokenError, open_token, seal

SIGN_IN_PURPOSE = "sign-in"
CONSOLE_PURPOSE = "console"


class OpenedSignIn(Struct, frozen=True):
    """An opened sign-in token: the session behind it, and when the console session made from it ends at the latest."""

    session: OpenedSession
    ends_at_seconds: int
    claims: dict[str, Any]


def seal_sign_in(keys: KeyRing, session_token: str, ends_at_seconds: int, good_until_seconds: int) -> str:
    """A sign-in token for the session behind ``session_token``.

    It is valid until ``good_until_seconds``. The console session made from it ends at ``ends_at_seconds`` or earlier.
    Raises BadTokenError when this key ring did not seal the session token.
    """
    _, claims = open_token(keys, SESSION_PURPOSE, session_token)
    return _seal(keys, SIGN_IN_PURPOSE, {**claims, "end": ends_at_seconds, "until": good_until_seconds})


def open_sign_in(keys: KeyRing, sign_in_token: str, now_seconds: float) -> OpenedSignIn:
    """What a sign-in token holds. Raises BadTokenError."""
    key, claims = open_token(keys, SIGN_IN_PURPOSE, sign_in_token)
    good_until_seconds, ends_at_seconds = _whole_number(claims, "until"), _whole_number(claims, "end")
    if good_until_seconds <= now_seconds:
        raise BadTokenError("the sign-in token has expired")
    return OpenedSignIn(opened_from_claims(key, claims), ends_at_seconds, claims)


def seal_console(keys: KeyRing, opened: OpenedSignIn, ends_at_seconds: int) -> str:
    """A console session that ends at ``ends_at_seconds``."""
    return _seal(keys, CONSOLE_PURPOSE, {**opened.claims, "end": ends_at_seconds})


def open_console(keys: KeyRing, text: str, now_seconds: float) -> tuple[OpenedSession, int]:
    """The session in a console session, and when the console session ends. Raises BadTokenError."""
    key, claims = open_token(keys, CONSOLE_PURPOSE, text)
    ends_at_seconds = _whole_number(claims, "end")
    if ends_at_seconds <= now_seconds:
        raise BadTokenError("the console session has expired")
    return opened_from_claims(key, claims), ends_at_seconds


def _seal(keys: KeyRing, purpose: str, claims: dict[str, Any]) -> str:
    return seal(keys.newest, purpose, claims)


def _whole_number(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int):
        raise BadTokenError("sealed by an incompatible version")
    return value

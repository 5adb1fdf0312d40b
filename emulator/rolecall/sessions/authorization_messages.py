"""Encoded authorization messages: the sealed reason of a refusal, which only a permitted caller can decode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rolecall.sessions.keys import KeyRing
from rolecall.sessions.tokens import BadTokenError, open_token, seal

AUTHORIZATION_MESSAGE_PURPOSE = "authorization message"


def seal_message(keys: KeyRing, account_id: str, message: Mapping[str, Any], expires_at_seconds: int) -> str:
    """An encoded message that :func:`open_message` opens for the same account until it expires."""
    claims = {"acct": account_id, "exp": expires_at_seconds, "msg": message}
    return seal(keys.newest, AUTHORIZATION_MESSAGE_PURPOSE, claims)


def open_message(keys: KeyRing, account_id: str, text: str, now_seconds: float) -> Mapping[str, Any]:
    """The message. Raises BadTokenError for a token that is damaged, of another key ring or purpose, or expired."""
    _, claims = open_token(keys, AUTHORIZATION_MESSAGE_PURPOSE, text)
    message = claims.get("msg")
    expires_at_seconds = claims.get("exp")
    if not isinstance(message, dict) or not isinstance(expires_at_seconds, int):
        raise BadTokenError("not an authorization message")
    if claims.get("acct") != account_id:
        raise BadTokenError("the message is about a call of another account")
    if expires_at_seconds <= now_seconds:
        raise BadTokenError("the message has expired")
    return message

"""Values of forms that only the browser which got the form can send back, and only for what the form was about."""

from __future__ import annotations

import hmac
from hashlib import sha256

from rolecall.sessions.keys import KeyRing
from rolecall.sessions.tokens import BadTokenError, open_token, seal

_PURPOSE = "sealed-form"
FORM_SECONDS = 900


def seal_form(keys: KeyRing, cookie: str, subject: str, now_seconds: float) -> str:
    """A value for a form about ``subject``. It is good for the browser with that cookie, and for a quarter hour."""
    claims = {"s": _short(subject), "c": _short(cookie), "until": int(now_seconds) + FORM_SECONDS}
    return seal(keys.newest, _PURPOSE, claims)


def is_sealed_form(keys: KeyRing, value: str, cookie: str, subject: str, now_seconds: float) -> bool:
    """Whether :func:`seal_form` made the value for this cookie and subject."""
    try:
        _, claims = open_token(keys, _PURPOSE, value)
    except BadTokenError:
        return False
    fits = all(
        hmac.compare_digest(str(claims.get(name, "")), _short(text)) for name, text in (("s", subject), ("c", cookie))
    )
    return bool(cookie) and fits and claims.get("until", 0) > now_seconds


def _short(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()

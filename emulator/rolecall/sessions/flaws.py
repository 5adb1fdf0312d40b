"""Credentials that fault rules spoil before a provider hands them out: expired ones, and ones with a wrong secret."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from msgspec import Struct

from rolecall.sessions.credentials import TemporaryCredentials

_STALE_SECONDS = 60


class Flaw(Struct, frozen=True):
    """What is wrong with credentials: they have expired by a minute, or they have another secret."""

    stale: bool = False
    wrong: bool = False

    def issued_at_seconds(self, now_seconds: float, duration_seconds: int) -> float:
        """When credentials are issued: now, or so early that they have expired."""
        return now_seconds - duration_seconds - _STALE_SECONDS if self.stale else now_seconds

    def shown(self, credentials: TemporaryCredentials) -> TemporaryCredentials:
        """The credentials as the client gets them."""
        if not self.wrong:
            return credentials
        digest = hashlib.sha256(credentials.secret_access_key.encode()).digest()
        secret = b64encode(digest[:30]).decode("ascii")
        return TemporaryCredentials(
            credentials.access_key_id, secret, credentials.session_token, credentials.expires_at_seconds
        )


FLAWLESS = Flaw()

"""The key ring: sealing keys by id. The newest key seals, and every key opens."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SEALING_KEY_BYTES = 32


def _derived(secret: bytes, use: str) -> bytes:
    """A separate key for each use, so that one use reveals nothing about another."""
    return hmac.digest(secret, f"rolecall {use}".encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key of the ring. The keys for its uses are derived once."""

    key_id: str
    secret: bytes = field(repr=False)
    token_key: bytes = field(init=False, repr=False)
    access_key_key: bytes = field(init=False, repr=False)
    page_key: bytes = field(init=False, repr=False)
    delivery_key: bytes = field(init=False, repr=False)
    console_key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token_key", _derived(self.secret, "sealed token"))
        object.__setattr__(self, "access_key_key", _derived(self.secret, "secret access key"))
        object.__setattr__(self, "page_key", _derived(self.secret, "page token"))
        object.__setattr__(self, "delivery_key", _derived(self.secret, "delivery token"))
        object.__setattr__(self, "console_key", _derived(self.secret, "console"))

    def secret_access_key(self, access_key_id: str) -> str:
        """The secret of a temporary access key id: 40 characters, derived and never stored."""
        return b64encode(hmac.digest(self.access_key_key, access_key_id.encode(), hashlib.sha256)[:30]).decode("ascii")


class KeyRing:
    """Sealing keys, oldest first. Never empty."""

    __slots__ = ("_by_id", "newest")

    def __init__(self, keys: Sequence[SealingKey]) -> None:
        self.newest = keys[-1]
        self._by_id = {key.key_id: key for key in keys}

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[str, bytes, int]]) -> KeyRing:
        """The ring of stored keys, oldest first. Each row holds id, secret and time of creation."""
        return cls([SealingKey(key_id, secret) for key_id, secret, _ in rows])

    def get(self, key_id: str) -> SealingKey | None:
        return self._by_id.get(key_id)

    def all(self) -> Iterable[SealingKey]:
        """Every key, oldest first."""
        return self._by_id.values()

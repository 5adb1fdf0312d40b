"""The key ring's rows. Writing one raises the generation, so every worker has the new key on its next call."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from rolecall.storage.prepared import PreparedInsert, PreparedSelect
from rolecall.storage.tables import sealing_keys

_ALL = PreparedSelect(
    select(sealing_keys.c.key_id, sealing_keys.c.secret, sealing_keys.c.created_at_seconds).order_by(
        sealing_keys.c.position
    )
)
_NEWEST = PreparedSelect(select(func.max(sealing_keys.c.position).label("position")))
_INSERT = PreparedInsert(sealing_keys)


def load(connection: Connection) -> list[tuple[str, bytes, int]]:
    """Key id, secret and creation time of every sealing key, oldest first."""
    return [(key_id, bytes(secret), created_at) for key_id, secret, created_at in _ALL.all(connection)]


def add(connection: Connection, key_id: str, secret: bytes, created_at_seconds: int) -> None:
    """Add the key that seals from now on."""
    # Each sandbox of a test run gets a key of its own, so this goes directly to the driver.
    newest = _NEWEST.all(connection)[0][0]
    row = {
        "key_id": key_id,
        "secret": secret,
        "created_at_seconds": created_at_seconds,
        "position": 0 if newest is None else newest + 1,
    }
    _INSERT.execute(connection, [row])

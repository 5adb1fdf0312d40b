"""Rows of the signing keys, by their issuer. A reset keeps them, as it keeps sealing keys."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from rolecall.reprs import repr_without
from rolecall.storage.tables import signing_keys as t


class StoredSigningKey(Struct, frozen=True):
    """A key of one issuer. ``load_signing_key`` of sessions reads the text in ``private_key``."""

    key_id: str
    purpose: str
    algorithm: str
    private_key: str
    certificate: str | None
    created_at_seconds: int

    __repr__ = repr_without("private_key")


_OF_PURPOSE = select(t.c.key_id, t.c.purpose, t.c.algorithm, t.c.private_key, t.c.certificate, t.c.created_at_seconds)


def signing_keys_of(connection: Connection, purpose: str) -> list[StoredSigningKey]:
    """Every key of an issuer, oldest first. ``purpose`` names the issuer, such as ``oidc github``."""
    statement = _OF_PURPOSE.where(t.c.purpose == purpose).order_by(t.c.created_at_seconds, t.c.key_id)
    return [StoredSigningKey(*row) for row in connection.execute(statement)]


def newest_signing_key(connection: Connection, purpose: str, algorithm: str) -> StoredSigningKey | None:
    """The key that signs for an issuer with this algorithm; None when there is none yet."""
    found = [key for key in signing_keys_of(connection, purpose) if key.algorithm == algorithm]
    return found[-1] if found else None


def kept_first(made: StoredSigningKey, connection: Connection) -> StoredSigningKey:
    """Store a key unless its issuer has one for the algorithm already. Returns the one that the issuer has now.

    A key is made before the transaction, so that other writers do not wait for it. Another process may have made one
    meanwhile.
    """
    known = newest_signing_key(connection, made.purpose, made.algorithm)
    if known is None:
        add_signing_key(connection, made)
    return known or made


def add_signing_key(connection: Connection, key: StoredSigningKey) -> None:
    """Store a new key. This raises the generation, so every worker sees the key on its next call."""
    connection.execute(
        insert(t).values(
            key_id=key.key_id,
            purpose=key.purpose,
            algorithm=key.algorithm,
            private_key=key.private_key,
            certificate=key.certificate,
            created_at_seconds=key.created_at_seconds,
        )
    )

"""Rows of the signing keys, by the issuer they belong to. Keys outlive a reset, as sealing keys do."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select

from rolecall.storage.tables import signing_keys as t


@dataclass(frozen=True, slots=True)
class StoredSigningKey:
    """A key of one issuer; ``private_key`` is the text that sessions' ``load_signing_key`` reads."""

    key_id: str
    purpose: str
    algorithm: str
    private_key: str = field(repr=False)
    certificate: str | None
    created_at_seconds: int


_OF_PURPOSE = select(t.c.key_id, t.c.purpose, t.c.algorithm, t.c.private_key, t.c.certificate, t.c.created_at_seconds)


def signing_keys_of(connection: Connection, purpose: str) -> list[StoredSigningKey]:
    """Every key of an issuer such as ``oidc github``, the oldest first."""
    statement = _OF_PURPOSE.where(t.c.purpose == purpose).order_by(t.c.created_at_seconds, t.c.key_id)
    return [StoredSigningKey(*row) for row in connection.execute(statement)]


def newest_signing_key(connection: Connection, purpose: str, algorithm: str) -> StoredSigningKey | None:
    """The key that signs for an issuer with this algorithm; None when there is none yet."""
    found = [key for key in signing_keys_of(connection, purpose) if key.algorithm == algorithm]
    return found[-1] if found else None


def add_signing_key(connection: Connection, key: StoredSigningKey) -> None:
    """Keep a new key. Raises the generation, as every write here does: every worker sees it on its next call."""
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

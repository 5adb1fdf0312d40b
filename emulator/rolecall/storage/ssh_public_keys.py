"""SSH public keys of users: rows in, frozen records out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select, update

from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.tables import ssh_public_keys as t


class SshPublicKey(Struct, frozen=True):
    """``body`` is in the form of OpenSSH, without a comment. ``fingerprint`` is its MD5, as ``ssh-keygen`` shows it."""

    key_id: str
    user_id: str
    body: str
    fingerprint: str
    status: str
    uploaded_at_seconds: int


_COLUMNS = tuple(t.c[name] for name in SshPublicKey.__struct_fields__)


def ssh_keys_of(connection: Connection, user_id: str) -> list[SshPublicKey]:
    """The keys of a user, oldest first."""
    statement = select(*_COLUMNS).where(t.c.user_id == user_id).order_by(t.c.uploaded_at_seconds, t.c.key_id)
    return [SshPublicKey(*row) for row in connection.execute(statement)]


def ssh_key_exists(connection: Connection, key_id: str) -> bool:
    """Whether any user has a key with that id."""
    return connection.execute(select(t.c.key_id).where(t.c.key_id == key_id)).first() is not None


def add_ssh_key(connection: Connection, key: SshPublicKey) -> None:
    """Raises AlreadyThere when the user has the same key already, or when the user is gone."""
    with problem_for_conflict(connection, AlreadyThere(key.key_id)):
        connection.execute(insert(t), asdict(key))


def set_ssh_key_status(connection: Connection, key_id: str, status: str) -> None:
    """``status`` is Active or Inactive."""
    connection.execute(update(t).where(t.c.key_id == key_id).values(status=status))


def remove_ssh_key(connection: Connection, key_id: str) -> None:
    connection.execute(delete(t).where(t.c.key_id == key_id))

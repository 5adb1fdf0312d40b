"""Long-term access keys of users and root users: rows in, frozen records out.

Only :class:`KeyInUse` has the secret, for the person who owns the sandbox.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from rolecall.reprs import repr_without
from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.prepared import PreparedSelect


class AccessKeyRecord(Struct, frozen=True):
    """An access key without its secret. ``user_id`` is None for a key of the account's root user."""

    access_key_id: str
    account_id: str
    user_id: str | None
    status: str
    created_at_seconds: int
    last_used_at_seconds: int | None = None
    last_used_service: str | None = None
    last_used_region: str | None = None


class KeyInUse(Struct, frozen=True):
    """An active access key, with its secret. ``user_name`` is None for a key of the account's root user."""

    account_id: str
    user_name: str | None
    access_key_id: str
    secret_access_key: str

    __repr__ = repr_without("secret_access_key")


_KEYS = t.access_keys
# In the order of AccessKeyRecord's fields.
_COLUMNS = (
    _KEYS.c.access_key_id,
    _KEYS.c.account_id,
    _KEYS.c.user_id,
    _KEYS.c.status,
    _KEYS.c.created_at_seconds,
    _KEYS.c.last_used_at_seconds,
    _KEYS.c.last_used_service,
    _KEYS.c.last_used_region,
)
_BY_ID = PreparedSelect(
    select(*_COLUMNS).where(
        _KEYS.c.account_id == bindparam("account_id"), _KEYS.c.access_key_id == bindparam("access_key_id")
    ),
    "account_id",
    "access_key_id",
)


def access_key_by_id(connection: Connection, account_id: str, access_key_id: str) -> AccessKeyRecord | None:
    """The account's access key with that id; None when there is no such key."""
    row = _BY_ID.first(connection, account_id, access_key_id)
    return None if row is None else AccessKeyRecord(*row)


def access_keys_of(connection: Connection, account_id: str, user_id: str | None) -> list[AccessKeyRecord]:
    """The access keys of a user, oldest first. ``user_id`` None means the root user."""
    statement = (
        select(*_COLUMNS)
        .where(_KEYS.c.account_id == account_id, _KEYS.c.user_id.is_not_distinct_from(user_id))
        .order_by(_KEYS.c.created_at_seconds, _KEYS.c.access_key_id)
    )
    return [AccessKeyRecord(*row) for row in connection.execute(statement)]


def keys_in_use(connection: Connection, limit: int) -> list[KeyInUse]:
    """The first ``limit`` active keys: accounts as declared, in each the root user and then the users by name."""
    ordered = _active_keys().order_by(
        t.accounts.c.position, t.users.c.name_key.is_not(None), t.users.c.name_key, _KEYS.c.access_key_id
    )
    return [KeyInUse(*row) for row in connection.execute(ordered.limit(limit))]


def active_key(connection: Connection, access_key_id: str) -> KeyInUse | None:
    """The active key with this id."""
    row = connection.execute(_active_keys().where(_KEYS.c.access_key_id == access_key_id)).first()
    return None if row is None else KeyInUse(*row)


def _active_keys() -> Select[Any]:
    return (
        select(_KEYS.c.account_id, t.users.c.name, _KEYS.c.access_key_id, _KEYS.c.secret_access_key)
        .select_from(_KEYS)
        .join(t.accounts, t.accounts.c.account_id == _KEYS.c.account_id)
        .outerjoin(t.users, t.users.c.user_id == _KEYS.c.user_id)
        .where(_KEYS.c.status == "Active")
    )


def add_access_key(connection: Connection, key: AccessKeyRecord, secret_access_key: str) -> None:
    values = {
        "access_key_id": key.access_key_id,
        "account_id": key.account_id,
        "user_id": key.user_id,
        "secret_access_key": secret_access_key,
        "status": key.status,
        "created_at_seconds": key.created_at_seconds,
    }
    connection.execute(insert(_KEYS), values)


def set_access_key_status(connection: Connection, access_key_id: str, status: str) -> None:
    """``status`` is Active or Inactive."""
    statement = update(_KEYS).where(_KEYS.c.access_key_id == access_key_id).values(status=status)
    connection.execute(statement.execution_options(**{CHANGES_ALONE: access_key_id}))


def remove_access_key(connection: Connection, access_key_id: str) -> None:
    statement = delete(_KEYS).where(_KEYS.c.access_key_id == access_key_id)
    connection.execute(statement.execution_options(**{CHANGES_ALONE: access_key_id}))


def lock_account(connection: Connection, account_id: str) -> None:
    """Lock the account for this transaction. Other writers that lock it wait, if several may write."""
    accounts = t.accounts
    connection.execute(select(accounts.c.account_id).where(accounts.c.account_id == account_id).with_for_update())

"""Amazon Chime accounts: rows in, records out. Each belongs to one AWS account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update

from rolecall.storage import tables as t


class ChimeAccount(NamedTuple):
    """An Amazon Chime account of an AWS account. ``account_type`` is Team or one of the Enterprise types."""

    account_id: str
    aws_account_id: str
    name: str
    account_type: str
    default_license: str
    account_status: str
    disable_remote_control: bool
    enable_dial_out: bool
    created_at_seconds: int


# The position at which a list continues: the creation time and the id of the last account shown.
Position = tuple[int, str]
BEFORE_THE_FIRST: Position = (-1, "")

_COLUMNS = [t.chime_accounts.c[name] for name in ChimeAccount._fields]
_BY_ID = select(*_COLUMNS).where(
    t.chime_accounts.c.account_id == bindparam("account_id"),
    t.chime_accounts.c.aws_account_id == bindparam("aws_account_id"),
)
_BY_ID_LOCKED = _BY_ID.with_for_update()


def account(connection: Connection, aws_account_id: str, account_id: str) -> ChimeAccount | None:
    """The AWS account's Chime account with that id; None when another AWS account has it or there is none."""
    row = connection.execute(_BY_ID, {"account_id": account_id, "aws_account_id": aws_account_id}).first()
    return None if row is None else ChimeAccount._make(row)


def locked_account(connection: Connection, aws_account_id: str, account_id: str) -> ChimeAccount | None:
    """As :func:`account`, and locked: another transaction that locks the account waits until this one ends."""
    row = connection.execute(_BY_ID_LOCKED, {"account_id": account_id, "aws_account_id": aws_account_id}).first()
    return None if row is None else ChimeAccount._make(row)


def list_accounts(
    connection: Connection,
    aws_account_id: str,
    *,
    name_prefix: str = "",
    user_email: str = "",
    after: Position = BEFORE_THE_FIRST,
    limit: int = 100,
) -> list[ChimeAccount]:
    """The AWS account's Chime accounts, oldest first, filtered by the start of the name and by a user's email."""
    accounts, users = t.chime_accounts.c, t.chime_users.c
    statement = select(*_COLUMNS).where(
        accounts.aws_account_id == aws_account_id,
        tuple_(accounts.created_at_seconds, accounts.account_id) > after,
    )
    if name_prefix:
        # Not LIKE: SQLite's LIKE ignores case, and names may hold its wildcards.
        statement = statement.where(func.substr(accounts.name, 1, len(name_prefix)) == name_prefix)
    if user_email:
        owners = select(users.account_id).where(users.email_key == user_email.lower())
        statement = statement.where(accounts.account_id.in_(owners))
    statement = statement.order_by(accounts.created_at_seconds, accounts.account_id).limit(limit)
    return [ChimeAccount._make(row) for row in connection.execute(statement)]


def add_account(connection: Connection, account: ChimeAccount) -> None:
    connection.execute(insert(t.chime_accounts), account._asdict())


def update_account(connection: Connection, account_id: str, changes: Mapping[str, Any]) -> None:
    """Set columns of one account; ``changes`` may be empty."""
    if changes:
        statement = update(t.chime_accounts).where(t.chime_accounts.c.account_id == account_id)
        connection.execute(statement.values(**changes))


def remove_account(connection: Connection, account_id: str) -> None:
    """Delete an account and its users."""
    connection.execute(delete(t.chime_accounts).where(t.chime_accounts.c.account_id == account_id))

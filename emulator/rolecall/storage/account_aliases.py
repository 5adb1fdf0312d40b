"""The alias of an account: one name, unique among all accounts."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from rolecall.storage.problems import AlreadyThere, problem_in_block
from rolecall.storage.tables import account_aliases as t


def alias_of(connection: Connection, account_id: str) -> str | None:
    return connection.execute(select(t.c.alias).where(t.c.account_id == account_id)).scalar()


def set_alias(connection: Connection, account_id: str, alias: str) -> None:
    """Give the account this alias in place of the one it has. Raises AlreadyThere when an account has it."""
    with problem_in_block(connection, AlreadyThere()):
        if alias_of(connection, account_id) != alias:
            connection.execute(delete(t).where(t.c.account_id == account_id))
        connection.execute(insert(t).values(account_id=account_id, alias=alias))


def remove_alias(connection: Connection, account_id: str, alias: str) -> bool:
    """Whether the account had this alias; it has none afterwards."""
    return bool(connection.execute(delete(t).where(t.c.account_id == account_id, t.c.alias == alias)).rowcount)

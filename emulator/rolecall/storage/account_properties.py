"""The properties of accounts, which switch features of IAM on and off."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from rolecall.storage.tables import account_properties as t


def account_properties_of(connection: Connection, account_id: str) -> dict[str, str]:
    """The properties that were set, by name."""
    statement = select(t.c.name, t.c.value).where(t.c.account_id == account_id).order_by(t.c.name)
    return {row[0]: row[1] for row in connection.execute(statement)}


def put_account_properties(connection: Connection, account_id: str, properties: Mapping[str, str]) -> None:
    """Set properties. Others stay as they are."""
    rows = [{"account_id": account_id, "name": name, "value": value} for name, value in properties.items()]
    connection.execute(delete(t).where(t.c.account_id == account_id, t.c.name.in_(list(properties))))
    connection.execute(insert(t), rows)

"""Shared by the tables of named entities: lists by name below a path, counts, and moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Integer, Table, bindparam, func, select, update

from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.problems import AlreadyThere, problem_for_conflict


class ListByPath:
    """The select of a table's entities by name, below a path. It is compiled once."""

    __slots__ = ("_select",)

    def __init__(self, table: Table, columns: Sequence[Column[Any]]) -> None:
        statement = (
            select(*columns)
            .where(
                table.c.account_id == bindparam("account_id"),
                table.c.name_key > bindparam("after_name_key"),
                # Not LIKE: SQLite's LIKE ignores case, and paths may hold its wildcards.
                func.substr(table.c.path, 1, bindparam("prefix_characters", type_=Integer)) == bindparam("path_prefix"),
            )
            .order_by(table.c.name_key)
            .limit(bindparam("limit", type_=Integer))
        )
        names = ("account_id", "after_name_key", "prefix_characters", "path_prefix", "limit")
        self._select = PreparedSelect(statement, *names)

    def rows(
        self, connection: Connection, account_id: str, path_prefix: str, after_name_key: str, limit: int
    ) -> list[Sequence[Any]]:
        """Entities by name, starting after ``after_name_key`` (a name in lower case)."""
        return self._select.all(connection, account_id, after_name_key, len(path_prefix), path_prefix, limit)


class CountInAccount:
    """The number of a table's entities in an account. The select is compiled once."""

    __slots__ = ("_select",)

    def __init__(self, table: Table) -> None:
        statement = select(func.count()).select_from(table).where(table.c.account_id == bindparam("account_id"))
        self._select = PreparedSelect(statement, "account_id")

    def of(self, connection: Connection, account_id: str) -> int:
        [[count]] = self._select.all(connection, account_id)
        return int(count)


def move_entity(connection: Connection, identifier: Column[Any], entity_id: str, name: str, path: str) -> None:
    """Give an entity another name and path. Raises AlreadyThere when another entity of the account has the name."""
    statement = update(identifier.table).where(identifier == entity_id)
    statement = statement.execution_options(**{CHANGES_ALONE: entity_id})
    with problem_for_conflict(connection, AlreadyThere(name)):
        connection.execute(statement.values(name=name, name_key=name.lower(), path=path))

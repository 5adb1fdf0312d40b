"""Shared by the tables of named entities: lists by name below a path, counts, and moves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Select, Table, func, select, update

from rolecall.storage.problems import AlreadyThere, problem_for_conflict


def select_by_path(
    table: Table, columns: tuple[Column[Any], ...], account_id: str, path_prefix: str, after_name_key: str, limit: int
) -> Select[Any]:
    """Entities by name, starting after ``after_name_key`` (a name in lower case)."""
    return (
        select(*columns)
        .where(
            table.c.account_id == account_id,
            table.c.name_key > after_name_key,
            # Not LIKE: SQLite's LIKE ignores case, and paths may hold its wildcards.
            func.substr(table.c.path, 1, len(path_prefix)) == path_prefix,
        )
        .order_by(table.c.name_key)
        .limit(limit)
    )


def count_in_account(connection: Connection, table: Table, account_id: str) -> int:
    statement = select(func.count()).select_from(table).where(table.c.account_id == account_id)
    return int(connection.execute(statement).scalar_one())


def move_entity(connection: Connection, identifier: Column[Any], entity_id: str, name: str, path: str) -> None:
    """Give an entity another name and path. Raises AlreadyThere when another entity of the account has the name."""
    statement = update(identifier.table).where(identifier == entity_id)
    with problem_for_conflict(connection, AlreadyThere(name)):
        connection.execute(statement.values(name=name, name_key=name.lower(), path=path))

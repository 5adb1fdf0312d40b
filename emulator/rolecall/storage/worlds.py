"""Writes declared rows: a declared row is created or changed, and any other row stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)

from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.tables import fault_hits, metadata, sandbox_states
from rolecall.storage.world_rows import Row, WorldRows

_BITS_OF_NUMBERS: Mapping[type, int] = {Integer: 31, BigInteger: 63}
_KINDS_OF_VALUES = {str: "text", int: "a whole number", bool: "true or false", bytes: "bytes"}
# A reset keeps these keys. So credentials from before the reset expire normally instead of becoming unreadable.
_KEPT_BY_WIPE = frozenset({"generations", "sealing_keys", "signing_keys"})


def wipe(connection: Connection, *, for_another_world: bool = False) -> None:
    """Delete every account and everything in it.

    ``for_another_world`` keeps the values of :func:`set_state` but deletes the issuers' keys: the other world has its
    own.
    """
    kept = {"generations", "sealing_keys", sandbox_states.name, fault_hits.name} if for_another_world else _KEPT_BY_WIPE
    for table in reversed(metadata.sorted_tables):
        if table.name not in kept:
            connection.execute(delete(table))


def rows(connection: Connection, table: Table) -> list[Row]:
    """Every row of a table, ordered by its key."""
    statement = select(table).order_by(*table.primary_key.columns)
    return [dict(row._mapping) for row in connection.execute(statement)]


def put_row(present: WorldRows, table_name: str, row: Row) -> None:
    """:meth:`WorldRows.put_row`."""
    present.put_row(table_name, row)


def row_problems(table_name: str, row: Any) -> list[str]:
    """Why a value is not a row of the table: not a mapping, unknown or missing columns, wrong types; or nothing."""
    if not isinstance(row, dict):
        return ["must be a mapping of columns to values"]
    columns = metadata.tables[table_name].columns
    problems = [f"{table_name} has no column {name}" for name in row if name not in columns]
    problems += [
        f"lacks {column.name}"
        for column in columns
        if column.name not in row and not column.nullable and column.default is None
    ]
    for name, value in row.items():
        column = columns.get(name)
        if column is None or (value is None and column.nullable):
            continue
        wanted = column.type.python_type
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            problems.append(f"{name} must be {_KINDS_OF_VALUES[wanted]}")
        elif wanted is int and abs(value) >> _BITS_OF_NUMBERS[type(column.type)]:
            problems.append(f"{name} is too large a number")
        elif wanted is str and "\0" in value:
            problems.append(f"{name} holds a character that is not allowed in text")
    return problems


def unique_columns(table_name: str) -> list[tuple[str, ...]]:
    """Groups of columns in which no two rows may have the same values. The key's columns come first."""
    table = metadata.tables[table_name]
    constraints: list[UniqueConstraint | Index] = [
        *(each for each in table.constraints if isinstance(each, UniqueConstraint)),
        *(each for each in table.indexes if each.unique),
    ]
    sets = [tuple(column.name for column in table.primary_key.columns)]
    return sets + sorted(tuple(column.name for column in each.columns) for each in constraints)


def references(table_name: str) -> dict[str, tuple[str, str]]:
    """The columns that refer to another table, each with that table and column."""
    return {
        column.name: (key.column.table.name, key.column.name)
        for column in metadata.tables[table_name].columns
        for key in column.foreign_keys
    }


def find(present: WorldRows, table: Table, key: Row) -> Row | None:
    """:meth:`WorldRows.find`."""
    return present.find(table, key)


def put(present: WorldRows, table: Table, key: Row, values: Row, new: Row) -> None:
    """:meth:`WorldRows.put`."""
    present.put(table, key, values, new)


def replace(present: WorldRows, table: Table, owner: Row, rows: Iterable[Row], ignored: frozenset[str]) -> None:
    """:meth:`WorldRows.replace`."""
    present.replace(table, owner, rows, ignored)


_STATES = PreparedSelect(select(sandbox_states.c.name, sandbox_states.c.value))


def state(connection: Connection, name: str) -> str | None:
    """The value that :func:`set_state` last stored under this name."""
    return states(connection).get(name)


def states(connection: Connection) -> dict[str, str]:
    """All stored values, by name."""
    return {name: value for name, value in _STATES.all(connection)}  # noqa: C416  the rows are not pairs by type


def set_state(connection: Connection, name: str, value: str) -> None:
    """Store a value. It raises the generation, unless the value was stored before."""
    present = state(connection, name)
    if present is None:
        connection.execute(insert(sandbox_states).values(name=name, value=value))
    elif present != value:
        connection.execute(update(sandbox_states).where(sandbox_states.c.name == name).values(value=value))

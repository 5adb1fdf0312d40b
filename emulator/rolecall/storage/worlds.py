"""Writes declared rows: a declared row is created or changed, and any other row stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Table, UniqueConstraint, and_, delete, insert, select, update

from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.problems import bad_rows
from rolecall.storage.tables import fault_hits, metadata, sandbox_states

Row = Mapping[str, Any]
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


def put_row(connection: Connection, table_name: str, row: Row) -> None:
    """Create the row, or change the row with the same key. Raises BadRowError.

    ``row`` comes from :func:`rows`, or has passed :func:`row_problems`.
    """
    table = metadata.tables[table_name]
    key = {column.name: row[column.name] for column in table.primary_key.columns}
    with bad_rows(f"a row of {table_name} cannot be stored"):
        put(connection, table, key, {name: value for name, value in row.items() if name not in key}, {})


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
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    sets = [tuple(column.name for column in table.primary_key.columns)]
    return sets + sorted(tuple(column.name for column in each.columns) for each in constraints)


def references(table_name: str) -> dict[str, tuple[str, str]]:
    """The columns that refer to another table, each with that table and column."""
    return {
        column.name: (key.column.table.name, key.column.name)
        for column in metadata.tables[table_name].columns
        for key in column.foreign_keys
    }


def find(connection: Connection, table: Table, key: Row) -> Row | None:
    """The row with these column values, or None."""
    row = connection.execute(select(table).where(_matches(table, key))).first()
    return None if row is None else dict(row._mapping)


def put(connection: Connection, table: Table, key: Row, values: Row, new: Row) -> None:
    """Give the row of ``key`` these ``values``. A new row also gets ``new``. Writes nothing if nothing changes."""
    present = find(connection, table, key)
    if present is None:
        connection.execute(insert(table).values(**key, **values, **new))
    elif any(present[name] != value for name, value in values.items()):
        connection.execute(update(table).where(_matches(table, key)).values(**values))


def replace(connection: Connection, table: Table, owner: Row, rows: Iterable[Row], ignored: frozenset[str]) -> None:
    """Make the rows of ``owner`` exactly these. Columns in ``ignored`` do not count when rows are compared."""
    wanted = [{**owner, **row} for row in rows]
    columns = [column.name for column in table.columns if column.name not in ignored]
    present = {
        tuple(row._mapping[name] for name in columns)
        for row in connection.execute(select(table).where(_matches(table, owner)))
    }
    if present == {tuple(row.get(name) for name in columns) for row in wanted}:
        return
    if present:
        connection.execute(delete(table).where(_matches(table, owner)))
    if wanted:
        connection.execute(insert(table), wanted)


def _matches(table: Table, key: Row) -> Any:
    return and_(*(table.c[name] == value for name, value in key.items()))


_STATES = PreparedSelect(select(sandbox_states.c.name, sandbox_states.c.value))


def state(connection: Connection, name: str) -> str | None:
    """The value that :func:`set_state` last stored under this name."""
    return states(connection).get(name)


def states(connection: Connection) -> dict[str, str]:
    """All stored values, by name."""
    return {name: value for name, value in _STATES.all(connection)}  # noqa: C416  the rows are not pairs by type


def set_state(connection: Connection, name: str, value: str) -> None:
    put(connection, sandbox_states, {"name": name}, {"value": value}, {})

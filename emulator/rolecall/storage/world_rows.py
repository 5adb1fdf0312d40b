"""The rows of a world while it is set up: read once, compared in memory, and written in batches.

A set-up asks for each row and then writes it. A statement for each question would take most of its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, select, update

from rolecall.storage.problems import bad_rows
from rolecall.storage.tables import metadata

Row = Mapping[str, Any]
# A table comes after the tables that it refers to.
_TABLES = tuple(metadata.sorted_tables)
_Index = dict[tuple[Any, ...], list[dict[str, Any]]]


class _Memory:
    """The rows of one table, by the columns that were asked for, and the rows that are not written yet."""

    __slots__ = ("changed", "defaults", "indexes", "pending", "rows")

    def __init__(self, table: Table, rows: Iterable[Row]) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        for row in rows:
            own = dict(row)
            self.rows[id(own)] = own
        self.pending: dict[int, dict[str, Any]] = {}
        # Written rows, each with the columns that got other values since.
        self.changed: dict[int, set[str]] = {}
        self.indexes: dict[tuple[str, ...], _Index] = {}
        self.defaults = {column.name: _default_of(column) for column in table.columns}

    def matching(self, key: Row) -> list[dict[str, Any]]:
        columns = tuple(key)
        index = self.indexes.get(columns)
        if index is None:
            index = self.indexes[columns] = {}
            for row in self.rows.values():
                index.setdefault(tuple(row[name] for name in columns), []).append(row)
        return index.get(tuple(key.values()), [])

    def add(self, row: Row, *, is_written: bool = False) -> None:
        own = {**self.defaults, **row}
        self.rows[id(own)] = own
        if not is_written:
            self.pending[id(own)] = own
        for columns, index in self.indexes.items():
            index.setdefault(tuple(own[name] for name in columns), []).append(own)

    def change(self, row: dict[str, Any], values: Row) -> None:
        row.update(values)
        if id(row) not in self.pending:
            self.changed.setdefault(id(row), set()).update(values)
        for columns in [columns for columns in self.indexes if not values.keys().isdisjoint(columns)]:
            del self.indexes[columns]

    def remove(self, row: dict[str, Any]) -> None:
        del self.rows[id(row)]
        self.pending.pop(id(row), None)
        self.changed.pop(id(row), None)
        for columns, index in self.indexes.items():
            place = tuple(row[name] for name in columns)
            index[place] = [each for each in index[place] if each is not row]


class WorldRows:
    """The rows that a transaction sees. Nothing else may write them until it ends, except what :meth:`noted` says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables: dict[str, _Memory] = {}
        self._put_as_rows: set[str] = set()

    def written(self) -> Connection:
        """The connection, after every row is written. For readers and writers that use the database itself."""
        self._flush()
        return self._connection

    def noted(self, table: Table, key: Row) -> None:
        """Another writer of this transaction may have added the row with this key."""
        memory = self._tables.get(table.name)
        if memory is not None and not memory.matching(key):
            for row in self._connection.execute(select(table).where(_matches(table, key))):
                memory.add(dict(row._mapping), is_written=True)

    def find(self, table: Table, key: Row) -> Row | None:
        """The row with these column values, or None."""
        return next(iter(self._memory(table).matching(key)), None)

    def put(self, table: Table, key: Row, values: Row, new: Row) -> None:
        """Give the row of ``key`` these ``values``. A new row also gets ``new``. Writes nothing if nothing changes."""
        memory = self._memory(table)
        present = next(iter(memory.matching(key)), None)
        if present is None:
            memory.add({**key, **values, **new})
        elif any(present[name] != value for name, value in values.items()):
            memory.change(present, values)

    def put_row(self, table_name: str, row: Row) -> None:
        """Create the row, or change the row with the same key. A row that cannot be stored raises BadRowError, at the
        latest when the rows are written.

        ``row`` comes from :func:`rolecall.storage.worlds.rows`, or has passed its check of rows.
        """
        table = metadata.tables[table_name]
        self._put_as_rows.add(table_name)
        key = {column.name: row[column.name] for column in table.primary_key.columns}
        with bad_rows(_problem(table_name)):
            self.put(table, key, {name: value for name, value in row.items() if name not in key}, {})

    def replace(self, table: Table, owner: Row, rows: Iterable[Row], ignored: frozenset[str]) -> None:
        """Make the rows of ``owner`` exactly these. Columns in ``ignored`` do not count when rows are compared."""
        wanted = [{**owner, **row} for row in rows]
        memory = self._memory(table)
        found = memory.matching(owner)
        if not found and not wanted:
            return
        columns = [column.name for column in table.columns if column.name not in ignored]
        present = {tuple(row[name] for name in columns) for row in found}
        if present == {tuple(row.get(name) for name in columns) for row in wanted}:
            return
        if any(id(row) not in memory.pending for row in found):
            self._flush()
            self._connection.execute(delete(table).where(_matches(table, owner)))
        for row in list(found):
            memory.remove(row)
        for new in wanted:
            memory.add(new)

    def _memory(self, table: Table) -> _Memory:
        memory = self._tables.get(table.name)
        if memory is None:
            rows = (dict(row._mapping) for row in self._connection.execute(select(table)))
            memory = self._tables[table.name] = _Memory(table, rows)
        return memory

    def _flush(self) -> None:
        """Write what is new, then what has changed: a row that others refer to comes before them."""
        waiting = [table for table in _TABLES if self._waits(table)]
        for write in (_insert, _update):
            for table in waiting:
                memory = self._tables[table.name]
                if table.name in self._put_as_rows:
                    with bad_rows(_problem(table.name)):
                        write(self._connection, table, memory)
                else:
                    write(self._connection, table, memory)

    def _waits(self, table: Table) -> bool:
        memory = self._tables.get(table.name)
        return memory is not None and bool(memory.pending or memory.changed)


def _insert(connection: Connection, table: Table, memory: _Memory) -> None:
    pending = list(memory.pending.values())
    memory.pending.clear()
    if pending:
        connection.execute(insert(table), pending)


def _update(connection: Connection, table: Table, memory: _Memory) -> None:
    """One statement for all rows in which the same columns have changed."""
    keys = [column.name for column in table.primary_key.columns]
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for place, names in memory.changed.items():
        row = memory.rows[place]
        values = {name: row[name] for name in sorted(names)}
        alike.setdefault(tuple(values), []).append({**values, **{f"key_{name}": row[name] for name in keys}})
    memory.changed.clear()
    for columns, rows in alike.items():
        matches = and_(*(table.c[name] == bindparam(f"key_{name}") for name in keys))
        statement = update(table).where(matches).values({name: bindparam(name) for name in columns})
        connection.execute(statement, rows)


def _default_of(column: Any) -> Any:
    return None if column.default is None else column.default.arg


def _problem(table_name: str) -> str:
    return f"a row of {table_name} cannot be stored"


def _matches(table: Table, key: Row) -> Any:
    return and_(*(table.c[name] == value for name, value in key.items()))

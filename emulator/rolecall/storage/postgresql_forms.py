"""Prepared selects and inserts in PostgreSQL's form. Values and columns travel as text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import pq
from sqlalchemy import Boolean, Connection, Delete, Integer, LargeBinary, Select, Table, Update, insert, literal_column
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.visitors import iterate

from rolecall.storage.changes import CHANGES_BOUND, CHANGES_NO_RIGHTS, note_write
from rolecall.storage.postgresql_link import STATE_COLUMNS_SQL, Link, link_of

_POSTGRESQL: Any = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_STATE_COLUMNS: Any = [literal_column(sql) for sql in STATE_COLUMNS_SQL]
_NUMBERS = itertools.count()
# More rows than these, or longer ones, are not kept.
_KEPT_ROWS, _KEPT_CHARACTERS = 32, 16_384


class PostgresqlSelect:
    """A select as a prepared statement of each connection. Values and columns travel as text."""

    __slots__ = ("_columns", "_first", "_name", "_places", "_sql")

    def __init__(self, statement: Select[Any], names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=_POSTGRESQL)
        self._name = f"rolecall_{next(_NUMBERS)}".encode()
        self._sql = str(compiled).encode()
        # Such rows change only with the generation, except when they were last used. So the same generation is the same
        # state, and needs no transaction. The number of uses says whether they are the same to the last column.
        self._first = b""
        tables = [each for each in iterate(statement) if isinstance(each, Table)]
        if all(each.info["bears_on_rights"] for each in tables):
            self._first = str(statement.add_columns(*_STATE_COLUMNS).compile(dialect=_POSTGRESQL)).encode()
        self._columns = tuple(_reader_of(column.type) for column in statement.selected_columns)
        # For each value that PostgreSQL takes: the position of the given value, or the statement's own value.
        order = compiled.positiontup or ()
        self._places = [
            (names.index(name), None) if name in names else (-1, as_text(compiled.params[name])) for name in order
        ]

    def first(self, connection: Connection, values: Sequence[Any]) -> Sequence[Any] | None:
        rows = self._rows(connection, values, 1)
        return rows[0] if rows else None

    def all(self, connection: Connection, values: Sequence[Any]) -> list[Sequence[Any]]:
        return list(self._rows(connection, values))

    def _rows(
        self, connection: Connection, values: Sequence[Any], wanted: int | None = None
    ) -> Sequence[Sequence[Any]]:
        """The rows; the first ones are enough if only so many are ``wanted``."""
        link = link_of(connection)
        key = (self._name, *values)
        if self._first:
            kept = link.kept(key)
            if kept is not None:
                return kept
        result = self._result(link, values)
        if result is None:
            return ()
        if not self._first or result.ntuples > _KEPT_ROWS:
            return [self._row(result, number) for number in range(result.ntuples)[:wanted]]
        rows = tuple(self._row(result, number) for number in range(result.ntuples))
        if sum(len(value) for part in (values, *rows) for value in part if isinstance(value, (str, bytes))) <= (
            _KEPT_CHARACTERS
        ):
            link.keep(key, rows)
        return rows

    def _result(self, link: Link, values: Sequence[Any]) -> pq.abc.PGresult | None:
        placed = [own if position < 0 else as_text(values[position]) for position, own in self._places]
        for value in placed:
            # PostgreSQL stores no NUL, so nothing equals such a text.
            if value is not None and b"\0" in value:
                return None
        if not self._first:
            return link.read(self._name, self._sql, placed, 2)
        first = link.read_first(self._name + b"_first", self._first, placed)
        return link.read(self._name, self._sql, placed, 1) if first is None else first

    def _row(self, result: pq.abc.PGresult, number: int) -> tuple[Any, ...]:
        row = []
        for column, read in enumerate(self._columns):
            value = result.get_value(number, column)
            row.append(None if value is None else read(value))
        return tuple(row)


def as_text(value: Any) -> bytes | None:
    """A value in PostgreSQL's text form."""
    if isinstance(value, str):
        # As with psycopg and SQLite's driver, text that UTF-8 cannot write is an error.
        return value.encode()
    if value is None:
        return None
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return b"t" if value is True else b"f" if value is False else str(value).encode()


def _decoded(value: bytes) -> str:
    return value.decode()


def _is_true(value: bytes) -> bool:
    return value == b"t"


def unescaped(value: bytes) -> bytes:
    return bytes.fromhex(value[2:].decode())


def _reader_of(column_type: Any) -> Callable[[bytes], Any]:
    if isinstance(column_type, Boolean):
        return _is_true
    if isinstance(column_type, Integer):
        return int
    return unescaped if isinstance(column_type, LargeBinary) else _decoded


class PostgresqlInsert:
    """An insert by SQLAlchemy, whose batches psycopg sends at once."""

    __slots__ = ("_columns", "_statement")

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._statement = insert(table)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        connection.execute(self._statement, [{name: row[name] for name in self._columns} for row in rows])


class PostgresqlUpdate:
    """An update or delete as a prepared statement of each connection. It notes what it changes, as the engine does."""

    __slots__ = ("_key_at", "_name", "_options", "_places", "_sql", "_table")

    def __init__(self, statement: Update | Delete, table: Table, names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=_POSTGRESQL)
        self._table = table
        self._options = statement.get_execution_options()
        if CHANGES_NO_RIGHTS in self._options:
            # Such a write must end the rows that are kept, which SQLAlchemy's events do.
            raise ValueError("a write that changes no rights is no prepared statement")
        self._key_at = names.index(self._options[CHANGES_BOUND]) if CHANGES_BOUND in self._options else None
        self._name = f"rolecall_{next(_NUMBERS)}".encode()
        self._sql = str(compiled).encode()
        self._places = tuple(names.index(name) for name in compiled.positiontup or ())

    def execute(self, connection: Connection, values: Sequence[Any]) -> int:
        note_write(connection, self._table, self._options, None if self._key_at is None else values[self._key_at])
        placed = [as_text(values[place]) for place in self._places]
        if any(value is not None and b"\0" in value for value in placed):
            # The protocol would cut the text off there. As psycopg says it:
            error = psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
            raise DBAPIError.instance(None, None, error, psycopg.Error)
        return link_of(connection).run_prepared(self._name, self._sql, placed).command_tuples or 0

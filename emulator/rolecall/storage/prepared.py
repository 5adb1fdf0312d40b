"""Statements for the hot path: written with SQLAlchemy, compiled once, and passed directly to SQLite's driver.

An insert or update notes that it changes rights, as the engine's listener does for every other write.

Running a statement through SQLAlchemy takes several times as long as SQLite needs to find a row by its key. This works
for columns that need no conversion: texts, whole numbers, booleans and bytes. Other databases go through SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Integer, LargeBinary, Select, String, Table, Update, insert
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

# What a connection's ``info`` says about its transaction: whether it wrote something that rights depend on.
AUTHORITY_WRITTEN = "authority_written"
_SQLITE = SQLiteDialect_pysqlite(paramstyle="qmark")
_CONVERTED_BY_DRIVER = (String, Integer, Boolean, LargeBinary)


class PreparedSelect:
    """A select by bound parameters. ``names`` gives the order in which ``first`` and ``all`` take their values.

    Values that the statement itself holds, such as the 1 of ``substr(path, 1, …)``, stay as they are.
    """

    __slots__ = ("_booleans", "_in_order", "_names", "_places", "_sql", "_statement")

    def __init__(self, statement: Select[Any], *names: str) -> None:
        compiled = statement.compile(dialect=_SQLITE)
        wanted = {name for name, value in compiled.params.items() if value is None}
        if wanted != set(names):
            raise ValueError(f"the statement binds {sorted(wanted)}, not {sorted(names)}")
        columns = list(statement.selected_columns)
        if not all(isinstance(column.type, _CONVERTED_BY_DRIVER) for column in columns):
            raise ValueError("a column has a type that the driver cannot convert")
        self._booleans = tuple(index for index, column in enumerate(columns) if isinstance(column.type, Boolean))
        self._statement = statement
        self._names = names
        self._sql = str(compiled)
        # For each question mark in SQLite's text: the position of its value, and the statement's own value.
        order = compiled.positiontup or ()
        self._places = [(names.index(name) if name in wanted else -1, compiled.params[name]) for name in order]
        self._in_order = tuple(order) == names

    def first(self, connection: Connection, *values: Any) -> Sequence[Any] | None:
        """The first row as a sequence of column values, or None."""
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            row: Sequence[Any] | None = driver.execute(self._sql, self._placed(values)).fetchone()
            return self._converted(row) if self._booleans and row is not None else row
        return connection.execute(self._statement, dict(zip(self._names, values, strict=True))).first()

    def all(self, connection: Connection, *values: Any) -> list[Sequence[Any]]:
        """Every row as a sequence of column values."""
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            rows: list[Sequence[Any]] = driver.execute(self._sql, self._placed(values)).fetchall()
            return [self._converted(row) for row in rows] if self._booleans else rows
        return list(connection.execute(self._statement, dict(zip(self._names, values, strict=True))))

    def _placed(self, values: Sequence[Any]) -> Sequence[Any]:
        """The values in the order of the question marks."""
        if len(values) != len(self._names):
            raise ValueError(f"the statement takes {len(self._names)} values, not {len(values)}")
        if self._in_order:
            return values
        return [own if position < 0 else values[position] for position, own in self._places]

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for index in self._booleans:
            values[index] = bool(values[index])
        return values


class PreparedInsert:
    """An insert of whole rows. Every column must have a value, because the driver knows no defaults.

    The database gives the key of a table with numbered rows.
    """

    __slots__ = ("_bears_on_rights", "_columns", "_sql", "_statement")

    def __init__(self, table: Table) -> None:
        is_numbered = table.dialect_options["sqlite"]["autoincrement"]
        columns = [column for column in table.columns if not (is_numbered and column.primary_key)]
        self._columns = tuple(column.name for column in columns)
        self._statement = insert(table)
        compiled = self._statement.compile(dialect=_SQLITE, column_keys=list(self._columns))
        if tuple(compiled.positiontup or ()) != self._columns:
            raise ValueError(f"{table.name}: the insert does not take its columns in their order")
        if not all(isinstance(column.type, _CONVERTED_BY_DRIVER) for column in columns):
            raise ValueError(f"{table.name}: a column has a type that the driver cannot convert")
        self._bears_on_rights = bool(table.info["bears_on_rights"])
        self._sql = str(compiled)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows. Each must have a value for every column. Raises KeyError, and the driver's errors."""
        if connection.dialect.name != "sqlite":
            connection.execute(self._statement, list(rows))
            return
        if self._bears_on_rights:
            connection.info[AUTHORITY_WRITTEN] = True
        driver: Any = connection.connection.driver_connection
        driver.executemany(self._sql, [[row[name] for name in self._columns] for row in rows])


class PreparedUpdate:
    """An update of a table by bound parameters. ``names`` gives the order in which ``execute`` takes their values."""

    __slots__ = ("_bears_on_rights", "_names", "_places", "_sql", "_statement")

    def __init__(self, statement: Update, table: Table, *names: str) -> None:
        compiled = statement.compile(dialect=_SQLITE)
        if set(compiled.params) != set(names):
            raise ValueError(f"the statement binds {sorted(compiled.params)}, not {sorted(names)}")
        self._statement = statement
        self._names = names
        self._bears_on_rights = bool(table.info["bears_on_rights"])
        self._sql = str(compiled)
        self._places = tuple(names.index(name) for name in compiled.positiontup or ())

    def execute(self, connection: Connection, *values: Any) -> None:
        """Change the rows. Raises the driver's errors."""
        if connection.dialect.name != "sqlite":
            connection.execute(self._statement, dict(zip(self._names, values, strict=True)))
            return
        if self._bears_on_rights:
            connection.info[AUTHORITY_WRITTEN] = True
        driver: Any = connection.connection.driver_connection
        driver.execute(self._sql, [values[place] for place in self._places])

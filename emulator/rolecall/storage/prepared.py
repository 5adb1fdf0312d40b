"""Statements for the hot path: written with SQLAlchemy, compiled once, and passed directly to SQLite's driver.

Running a statement through SQLAlchemy takes several times as long as SQLite needs to find a row by its key. This works
for columns that need no conversion: texts, whole numbers and booleans. Other databases go through SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Integer, Select, String
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class PreparedSelect:
    """A select by bound parameters. ``names`` gives the order in which ``first`` and ``all`` take their values.

    Values that the statement itself holds, such as the 1 of ``substr(path, 1, …)``, stay as they are.
    """

    __slots__ = ("_booleans", "_fixed", "_names", "_sql", "_statement")

    def __init__(self, statement: Select[Any], *names: str) -> None:
        compiled = statement.compile(dialect=SQLiteDialect_pysqlite(paramstyle="named"))
        wanted = {name for name, value in compiled.params.items() if value is None}
        if wanted != set(names):
            raise ValueError(f"the statement binds {sorted(wanted)}, not {sorted(names)}")
        columns = list(statement.selected_columns)
        if not all(isinstance(column.type, (String, Integer, Boolean)) for column in columns):
            raise ValueError("a column has a type that the driver cannot convert")
        self._booleans = tuple(index for index, column in enumerate(columns) if isinstance(column.type, Boolean))
        self._statement = statement
        self._names = names
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._sql = str(compiled)

    def first(self, connection: Connection, *values: Any) -> Sequence[Any] | None:
        """The first row as a sequence of column values, or None."""
        parameters = self._parameters(values)
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            row: Sequence[Any] | None = driver.execute(self._sql, parameters).fetchone()
            return None if row is None else self._converted(row)
        return connection.execute(self._statement, parameters).first()

    def all(self, connection: Connection, *values: Any) -> list[Sequence[Any]]:
        """Every row as a sequence of column values."""
        parameters = self._parameters(values)
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            if not self._booleans:
                rows: list[Sequence[Any]] = driver.execute(self._sql, parameters).fetchall()
                return rows
            return [self._converted(row) for row in driver.execute(self._sql, parameters)]
        return list(connection.execute(self._statement, parameters))

    def _parameters(self, values: Sequence[Any]) -> dict[str, Any]:
        return {**self._fixed, **dict(zip(self._names, values, strict=True))}

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        if not self._booleans:
            return row
        values = list(row)
        for index in self._booleans:
            values[index] = bool(values[index])
        return values

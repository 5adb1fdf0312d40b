"""Statements for the hot path: written with SQLAlchemy, compiled once, and passed directly to the database's driver.

An insert or update notes that it changes rights, as the engine's listener does for every other write.

Running a statement through SQLAlchemy takes several times as long as a database needs to find a row by its key. This
works for columns that need no conversion: texts, whole numbers, booleans and bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Delete, Integer, LargeBinary, Select, String, Table, Update

from rolecall.storage.dialects import FormInsert, FormSelect, FormUpdate, dialect_named

_CONVERTED_BY_DRIVER = (String, Integer, Boolean, LargeBinary)


class PreparedSelect:
    """A select by bound parameters. ``names`` gives the order in which ``first`` and ``all`` take their values.

    Values that the statement itself holds, such as the 1 of ``substr(path, 1, …)``, stay as they are.
    """

    __slots__ = ("_forms", "_names", "_statement")

    def __init__(self, statement: Select[Any], *names: str) -> None:
        wanted = {name for name, value in statement.compile().params.items() if value is None}
        if wanted != set(names):
            raise ValueError(f"the statement binds {sorted(wanted)}, not {sorted(names)}")
        if not all(isinstance(column.type, _CONVERTED_BY_DRIVER) for column in statement.selected_columns):
            raise ValueError("a column has a type that the driver cannot convert")
        self._statement = statement
        self._names = names
        # By the name of the database. A process uses one, so the others need not be compiled.
        self._forms: dict[str, FormSelect] = {}

    def first(self, connection: Connection, *values: Any) -> Sequence[Any] | None:
        """The first row as a sequence of column values, or None."""
        return self._form(connection, values).first(connection, values)

    def all(self, connection: Connection, *values: Any) -> list[Sequence[Any]]:
        """Every row as a sequence of column values."""
        return self._form(connection, values).all(connection, values)

    def _form(self, connection: Connection, values: Sequence[Any]) -> FormSelect:
        if len(values) != len(self._names):
            raise ValueError(f"the statement takes {len(self._names)} values, not {len(values)}")
        name = connection.dialect.name
        form = self._forms.get(name)
        if form is None:
            form = self._forms[name] = dialect_named(name).select(self._statement, self._names)
        return form


class PreparedInsert:
    """An insert of whole rows. Every column must have a value, because the driver knows no defaults.

    The database gives the key of a table with numbered rows.
    """

    __slots__ = ("_columns", "_forms", "_table")

    def __init__(self, table: Table) -> None:
        columns = [column for column in table.columns if not (table.info["numbered"] and column.primary_key)]
        if not all(isinstance(column.type, _CONVERTED_BY_DRIVER) for column in columns):
            raise ValueError(f"{table.name}: a column has a type that the driver cannot convert")
        self._table = table
        self._columns = tuple(column.name for column in columns)
        self._forms: dict[str, FormInsert] = {}

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows. Each must have a value for every column. Raises KeyError, and the driver's errors."""
        name = connection.dialect.name
        form = self._forms.get(name)
        if form is None:
            form = self._forms[name] = dialect_named(name).insert(self._table, self._columns)
        form.execute(connection, rows)


class PreparedUpdate:
    """An update or delete of a table by bound parameters. ``execute`` takes their values in the order of ``names``."""

    __slots__ = ("_forms", "_names", "_statement", "_table")

    def __init__(self, statement: Update | Delete, table: Table, *names: str) -> None:
        wanted = set(statement.compile().params)
        if wanted != set(names):
            raise ValueError(f"the statement binds {sorted(wanted)}, not {sorted(names)}")
        self._statement = statement
        self._table = table
        self._names = names
        self._forms: dict[str, FormUpdate] = {}

    def execute(self, connection: Connection, *values: Any) -> int:
        """Change the rows. Returns their number. Raises the driver's errors."""
        if len(values) != len(self._names):
            raise ValueError(f"the statement takes {len(self._names)} values, not {len(values)}")
        name = connection.dialect.name
        form = self._forms.get(name)
        if form is None:
            form = self._forms[name] = dialect_named(name).update(self._statement, self._table, self._names)
        return form.execute(connection, values)

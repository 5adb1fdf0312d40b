"""In-memory databases that start as copies of a template: a copy takes a hundredth of the time of a set-up."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Table

from rolecall.storage.engine import Database
from rolecall.storage.schema import AFTER_CREATION, IN_MEMBERS
from rolecall.storage.tables import metadata

# The columns of dates, with the number of their units in a second.
_DATE_SUFFIXES = {"_at_seconds": 1, "_at_micros": 1_000_000}
# The time at which a template is set up. A declared date is not before 1970, so a negative one is a template's.
UNDATED_SECONDS = -1
# A quote within a text of JSON has a backslash before it. So this always is a member.
_UNDATED_MEMBER = f'Timestamp":{UNDATED_SECONDS}'


class DatabaseTemplate:
    """The content of a database in memory, set up at UNDATED_SECONDS. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        # SQLite serialises a connection's calls. The lock keeps one copy from starting during another.
        self._turn = threading.Lock()
        self._source = _connection_in_memory(self)
        with database.snapshot() as connection:
            driver: Any = connection.connection.driver_connection
            driver.backup(self._source)
        self._dating = [each for each in datings() if self._source.execute(each.question).fetchone()]
        # The same content with the dates of the last copy. Most copies are made in the same second as the one before.
        self._dated = _connection_in_memory(self)
        self._dated_at_seconds: int | None = None

    def copy(self, now_seconds: int) -> Database:
        """A database in memory with the same content. Anything without a declared date is dated ``now_seconds``."""
        database = empty_database()
        with self._turn:
            if self._dated_at_seconds != now_seconds:
                self._date(now_seconds)
            database.fill(self._dated)
        return database

    def _date(self, now_seconds: int) -> None:
        self._dated_at_seconds = None
        self._source.backup(self._dated)
        with self._dated:
            for each in self._dating:
                self._dated.execute(each.statement, each.values(now_seconds))
        self._dated_at_seconds = now_seconds


def _connection_in_memory(owner: DatabaseTemplate) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    # Python warns of connections that were never closed, and a test run may count the warning as an error.
    weakref.finalize(owner, connection.close)
    return connection


@cache
def _first_database() -> Database:
    return Database("sqlite://")


def empty_database() -> Database:
    """A database in memory. Its statements are compiled once in this process."""
    return _first_database().sibling()


class _Dating(Struct, frozen=True):
    """One column of the template: whether it has something without a date, and the statement that dates it."""

    table: str
    column: str
    new_value: str
    undated: str
    values: Callable[[int], tuple[Any, ...]]

    @property
    def question(self) -> str:
        return f"SELECT 1 FROM {self.table} WHERE {self.undated} LIMIT 1"  # noqa: S608  names of our own tables

    @property
    def statement(self) -> str:
        return f"UPDATE {self.table} SET {self.column} = {self.new_value} WHERE {self.undated}"  # noqa: S608


@cache
def datings() -> list[_Dating]:
    """The columns of dates that are found by the creation of their row, then those that are found by themselves."""
    by_creation, by_value = [], []
    for table in metadata.sorted_tables:
        for column in table.columns:
            units = next((units for end, units in _DATE_SUFFIXES.items() if column.name.endswith(end)), 0)
            dates = {"dates": column.info.get("dates")}
            if dates == IN_MEMBERS:
                replaced = f"replace({column.name}, '{_UNDATED_MEMBER}', ?)"
                undated = f"{_created(table)} < 0"
                by_creation.append(_Dating(table.name, column.name, replaced, undated, _dated_member))
            elif dates == AFTER_CREATION:
                undated = f"{_created(table)} < 0 AND {column.name} IS NOT NULL"
                by_creation.append(_Dating(table.name, column.name, f"{column.name} + ?", undated, _shift(units)))
            elif units:
                new_value, undated = f"{column.name} + ?", f"{column.name} < 0"
                by_value.append(_Dating(table.name, column.name, new_value, undated, _shift(units)))
    return by_creation + by_value


def _created(table: Table) -> str:
    return next(f"created{end}" for end in _DATE_SUFFIXES if f"created{end}" in table.columns)


def _shift(units: int) -> Callable[[int], tuple[Any, ...]]:
    return lambda now_seconds: ((now_seconds - UNDATED_SECONDS) * units,)


def _dated_member(now_seconds: int) -> tuple[Any, ...]:
    return (_UNDATED_MEMBER.replace(str(UNDATED_SECONDS), str(now_seconds)),)

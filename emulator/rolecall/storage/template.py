"""In-memory databases that start as copies of a template: a copy takes a hundredth of the time of a set-up."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from functools import cache
from typing import Any

from rolecall.storage.engine import Database
from rolecall.storage.tables import metadata

_DATE_SUFFIX = "_at_seconds"
# The time at which a template is set up. No declared date can equal it.
UNDATED_SECONDS = -1


class DatabaseTemplate:
    """The content of a database in memory, set up at UNDATED_SECONDS. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        # SQLite serialises a connection's calls. The lock keeps one copy from starting during another.
        self._turn = threading.Lock()
        self._source = sqlite3.connect(":memory:", check_same_thread=False)
        with database.snapshot() as connection:
            driver: Any = connection.connection.driver_connection
            driver.backup(self._source)
        # Python warns of connections that were never closed, and a test run may count the warning as an error.
        weakref.finalize(self, self._source.close)
        self._dating = [
            f"UPDATE {table} SET {column} = ? WHERE {column} = {UNDATED_SECONDS}"  # noqa: S608  names of our own tables
            for table, column in _date_columns()
            if self._source.execute(f"SELECT 1 FROM {table} WHERE {column} = {UNDATED_SECONDS} LIMIT 1").fetchone()  # noqa: S608
        ]

    def copy(self, now_seconds: int) -> Database:
        """A database in memory with the same content. Anything without a declared date is dated ``now_seconds``."""
        database = empty_database()
        with self._turn:
            database.fill(self._source)
        with database.transaction() as connection:
            for statement in self._dating:
                connection.exec_driver_sql(statement, (now_seconds,))
        return database


@cache
def _first_database() -> Database:
    return Database("sqlite://")


def empty_database() -> Database:
    """A database in memory. Its statements are compiled once in this process."""
    return _first_database().sibling()


def _date_columns() -> list[tuple[str, str]]:
    return [
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith(_DATE_SUFFIX)
    ]

"""The decision log as a SQLite file, beside the database's own file or in memory."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from rolecall.printable import printable
from rolecall.storage.log_keepers import IN_MEMORY, SCHEMA_VERSION
from rolecall.storage.opened_files import OpenedFiles
from rolecall.storage.private_files import identity_of, keep_private
from rolecall.storage.write_ahead import write_ahead

log = logging.getLogger("rolecall.decisions")

_BUSY_TIMEOUT_SECONDS = 30
# SQLite's error codes for a file that is no database, or is damaged.
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
CORRUPT_ENDING = ".corrupt"
CORRUPT_MESSAGE = (
    "the decision log {path} is corrupt ({error}): Rolecall began a new one and added {ending} to the old one's name"
)
LOST_MESSAGE = (
    "a file of the decision log {path} was removed or replaced: Rolecall continues with the file that is there now"
)
OTHER_DATABASE_MESSAGE = "{path} is another database, not a decision log, so Rolecall leaves it alone"
_CACHE_KILOBYTES = 256
# SQLite writes the rows of one INSERT in one step, without the interpreter's lock.
_ROWS_PER_STATEMENT = 50


class SqliteLog:
    """See :class:`rolecall.storage.log_keepers.LogKeeper`."""

    shared = False
    position_in = "instr"
    entity_id = "json_extract(identity, '$.entity_id')"

    def __init__(self, path: str) -> None:
        self.shown_place = path
        self.in_memory = path == IN_MEMORY
        # A program may change its working directory while the log is open.
        self._path = path if self.in_memory else os.path.abspath(path)
        self._files = OpenedFiles("" if self.in_memory else self._path)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._turn = threading.Lock()

    def exists(self) -> bool:
        return self.in_memory or Path(self._path).is_file()

    @contextmanager
    def transaction(self, schema: Sequence[str]) -> Iterator[sqlite3.Connection]:
        with self._turn, self._corrupt_file_put_aside():
            driver = self._opened(schema)
            driver.execute("BEGIN IMMEDIATE")
            try:
                yield driver
                driver.execute("COMMIT")
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self, schema: Sequence[str]) -> Iterator[sqlite3.Connection]:
        with self._turn, self._corrupt_file_put_aside():
            yield self._opened(schema)

    def append(self, driver: sqlite3.Connection, calls: Sequence[Sequence[Any]], position: int) -> None:
        whole = len(calls) - len(calls) % _ROWS_PER_STATEMENT
        for start in range(0, whole, _ROWS_PER_STATEMENT):
            values: list[object] = []
            for offset in range(start, start + _ROWS_PER_STATEMENT):
                values.append(position + offset)
                values += calls[offset]
            driver.execute(_insert(len(calls[0]) + 1, _ROWS_PER_STATEMENT), values)
        for offset in range(whole, len(calls)):
            driver.execute(_insert(len(calls[0]) + 1, 1), (position + offset, *calls[offset]))

    def close(self) -> None:
        with self._turn:
            self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._files.forget()

    @contextmanager
    def _corrupt_file_put_aside(self) -> Iterator[None]:
        """When the file is corrupt, the current use fails and the next use gets a new file."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._put_aside(error)
            raise

    def _opened(self, schema: Sequence[str]) -> sqlite3.Connection:
        if self._files.lost():
            log.warning("%s", printable(LOST_MESSAGE.format(path=self._path)))
            self._let_go()
        if self._connection is None:
            try:
                self._connection = self._connected(schema)
            except sqlite3.DatabaseError as error:
                if not self._put_aside(error):
                    raise
                self._connection = self._connected(schema)
        return self._connection

    def _connected(self, schema: Sequence[str]) -> sqlite3.Connection:
        if not self.in_memory:
            try:
                keep_private(self._path)
            except OSError as error:
                raise sqlite3.OperationalError(f"unable to open database file: {error.strerror}") from error
            self._identity = identity_of(self._path)
        driver = sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(driver, schema, self.shown_place)
        except BaseException:
            driver.close()
            raise
        self._files.note()
        return driver

    def _put_aside(self, error: sqlite3.DatabaseError) -> bool:
        """Whether the file was corrupt and has been renamed, so that the next opening begins a new one."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _CORRUPT or self.in_memory:
            return False
        self._let_go()
        # Another process may already have begun a new file.
        if identity_of(self._path) == self._identity:
            try:
                os.replace(self._path, f"{self._path}{CORRUPT_ENDING}")
            except OSError:
                return False
            for ending in ("-wal", "-shm"):
                Path(f"{self._path}{ending}").unlink(missing_ok=True)
            log.warning("%s", printable(CORRUPT_MESSAGE.format(path=self._path, error=error, ending=CORRUPT_ENDING)))
        return True


keeper = SqliteLog


@cache
def _insert(columns: int, rows: int) -> str:
    places = "(" + ", ".join("?" * columns) + ")"
    return f"INSERT INTO calls VALUES {', '.join([places] * rows)}"  # noqa: S608  the places of values, and no values


def _prepare(driver: sqlite3.Connection, schema: Sequence[str], shown_place: str) -> None:
    tables = _tables(driver)
    # The logs of all versions have a number and this table.
    if tables and not (_version(driver) and "calls" in tables):
        raise sqlite3.OperationalError(OTHER_DATABASE_MESSAGE.format(path=shown_place))
    write_ahead(driver, _BUSY_TIMEOUT_SECONDS)
    # If the machine fails, the log may lose its last batch. If only the process fails, it loses nothing.
    driver.execute("PRAGMA synchronous=NORMAL")
    # The writer only appends, so it need not remember the 2 MB of pages that SQLite would keep.
    driver.execute(f"PRAGMA cache_size=-{_CACHE_KILOBYTES}")
    if _version(driver) == SCHEMA_VERSION:
        return
    driver.execute("BEGIN IMMEDIATE")
    if _version(driver) != SCHEMA_VERSION:
        for name in _tables(driver):
            quoted = name.replace('"', '""')
            driver.execute(f'DROP TABLE "{quoted}"')
        for statement in schema:
            driver.execute(statement)
        driver.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    driver.execute("COMMIT")


def _version(driver: sqlite3.Connection) -> int:
    return int(driver.execute("PRAGMA user_version").fetchone()[0])


def _tables(driver: sqlite3.Connection) -> set[str]:
    found = driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    # SQLite's own, such as the statistics of ANALYZE, begin like this.
    return {name for (name,) in found if not name.startswith("sqlite_")}

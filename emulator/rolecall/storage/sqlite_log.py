"""The decision log as a SQLite file, beside the database's own file or in memory."""

from __future__ import annotations

import itertools
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.json import encode as json_bytes

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
# A server that answers thousands of calls in a second must not spend a third of its time on a table that hardly anyone
# reads. So it writes many calls as one text. The next reader turns them into rows, or the log's thread when it is idle.
_PACKED_SCHEMA = "CREATE TABLE packed (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, calls TEXT NOT NULL)"
# How many texts are unpacked in a transaction. Writers wait meanwhile.
_UNPACKED_AT_ONCE = 8
# SQLite writes the rows of one INSERT in one step, without the interpreter's lock. Afterwards the thread waits for the
# lock, and the thread that holds it has to stop. So each statement costs more than a row.
_MOST_ROWS_PER_STATEMENT = 128


class SqliteLog:
    """See :class:`rolecall.storage.log_keepers.LogKeeper`."""

    shared = False
    packs = True
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
        # Whether this process has written a text since it last found none.
        self._has_packed = True

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
    def reading(self, schema: Sequence[str], *, calls: bool = True) -> Iterator[sqlite3.Connection]:
        if calls:
            self._unpack(schema)
        with self._turn, self._corrupt_file_put_aside():
            driver = self._opened(schema)
            driver.execute("BEGIN")
            try:
                if calls and driver.execute("SELECT 1 FROM packed LIMIT 1").fetchone() is not None:
                    # Written a moment ago. A reader must not see later calls without these.
                    driver.execute("COMMIT")
                    driver.execute("BEGIN IMMEDIATE")
                    self._unpack_texts(driver, None, -1)
                yield driver
            finally:
                if driver.in_transaction:
                    driver.execute("COMMIT")

    def append(self, driver: sqlite3.Connection, calls: Sequence[Sequence[Any]], position: int) -> None:
        start, rows = 0, _MOST_ROWS_PER_STATEMENT
        while start < len(calls):
            # Powers of two, so that there are few statements to prepare and to run.
            while rows > len(calls) - start:
                rows //= 2
            values: list[object] = []
            for offset in range(start, start + rows):
                values.append(position + offset)
                values += calls[offset]
            driver.execute(_insert("calls", len(calls[0]) + 1, rows), values)
            start += rows

    def packed(self, calls: Sequence[Sequence[Any]]) -> str:
        # Each different value once, and for each row the numbers of its values: the calls of a program are much alike.
        values = dict.fromkeys(itertools.chain.from_iterable(calls))
        numbers = dict(zip(values, itertools.count(), strict=False))
        rows = [[numbers[value] for value in call] for call in calls]
        # Raises ValueError for a text that is not valid Unicode, which SQLite stores no more than JSON does.
        return json_bytes([list(values), rows]).decode()

    def unpacked(self, text: str) -> list[list[Any]]:
        values, rows = json.loads(text)
        return [[values[number] for number in row] for row in rows]

    def append_packed(self, driver: sqlite3.Connection, texts: Sequence[tuple[str, int]], position: int) -> None:
        values: list[object] = []
        for text, count in texts:
            values += (position, position + count - 1, text)
            position += count
        # In one statement, for the same reason as the rows.
        driver.execute(_insert("packed", 3, len(texts)), values)
        self._has_packed = True

    def next_position(self, driver: sqlite3.Connection) -> int:
        last = "max(coalesce((SELECT max(position) FROM calls), 0), coalesce((SELECT max(last) FROM packed), 0))"
        return int(driver.execute(f"SELECT {last} + 1").fetchone()[0])

    def forget(self, driver: sqlite3.Connection, before: int) -> None:
        driver.execute("DELETE FROM calls WHERE position < ?", (before,))
        driver.execute("DELETE FROM packed WHERE last < ?", (before,))

    def unpack_some(self, schema: Sequence[str]) -> bool:
        if self._has_packed:
            self._has_packed = self._unpack_next(schema, 1)
        return self._has_packed

    def _unpack(self, schema: Sequence[str]) -> None:
        """Turn all texts that are there now into rows. Other threads and processes have their turns in between."""
        with self._turn, self._corrupt_file_put_aside():
            (newest,) = self._opened(schema).execute("SELECT max(first) FROM packed").fetchone()
        if newest is not None:
            while self._unpack_next(schema, _UNPACKED_AT_ONCE, newest):
                pass

    def _unpack_next(self, schema: Sequence[str], texts: int, newest: int | None = None) -> bool:
        """Turn the oldest texts into rows, up to the one at ``newest``. Returns whether there may be more."""
        with self.transaction(schema) as driver:
            return self._unpack_texts(driver, newest, texts) == texts

    def _unpack_texts(self, driver: sqlite3.Connection, newest: int | None, limit: int) -> int:
        """Turn the oldest texts into rows, up to the one at ``newest``. Returns how many. A limit of -1 is none."""
        query = "SELECT first, calls FROM packed WHERE first <= coalesce(?, first) ORDER BY first LIMIT ?"
        found = driver.execute(query, (newest, limit)).fetchall()
        for first, text in found:
            self.append(driver, self.unpacked(text), first)
            driver.execute("DELETE FROM packed WHERE first = ?", (first,))
        return len(found)

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
def _insert(table: str, columns: int, rows: int) -> str:
    places = "(" + ", ".join("?" * columns) + ")"
    return f"INSERT INTO {table} VALUES {', '.join([places] * rows)}"  # noqa: S608  the places of values, and no values


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
        for statement in (*schema, _PACKED_SCHEMA):
            driver.execute(statement)
        driver.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    driver.execute("COMMIT")


def _version(driver: sqlite3.Connection) -> int:
    return int(driver.execute("PRAGMA user_version").fetchone()[0])


def _tables(driver: sqlite3.Connection) -> set[str]:
    found = driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    # SQLite's own, such as the statistics of ANALYZE, begin like this.
    return {name for (name,) in found if not name.startswith("sqlite_")}

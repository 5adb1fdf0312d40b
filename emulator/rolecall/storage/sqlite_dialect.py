"""SQLite: WAL mode, foreign keys on, full synchronisation, and statements that go directly to its driver.

The driver needs microseconds for a BEGIN, a savepoint or a row by its key. SQLAlchemy needs several times as long.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Delete,
    Engine,
    MetaData,
    Select,
    Table,
    Update,
    create_engine,
    create_mock_engine,
    event,
    insert,
)
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from rolecall.storage.changes import CHANGES_BOUND, note_rows, note_write
from rolecall.storage.dialects import Readers
from rolecall.storage.kept_reads import KeptReads, View, view_of
from rolecall.storage.opened_files import OpenedFiles
from rolecall.storage.private_files import file_of, keep_private
from rolecall.storage.shared_writes import SharedWrites, Transaction
from rolecall.storage.write_ahead import write_ahead

BUSY_TIMEOUT_SECONDS = 30
# A server that gets the signal to stop has five seconds for everything.
_CHECKPOINT_PATIENCE_MILLISECONDS = 500
_GENERATION_SQL = "SELECT value FROM generations WHERE name = 'iam'"
# No row counts as generation 0.
_READS_SQL = "SELECT value FROM generations WHERE name = 'reads'"
_BOTH_SQL = f"SELECT value, ({_READS_SQL}) FROM generations WHERE name = 'iam'"  # noqa: S608  no value from outside
_RAISE_READS_SQL = (
    "INSERT INTO generations (name, value) VALUES ('reads', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 "
    "RETURNING value"
)
_RAISE_GENERATION_SQL = "UPDATE generations SET value = value + 1 WHERE name = 'iam' RETURNING value"
_SQLITE = SQLiteDialect_pysqlite(paramstyle="qmark")


class _Sqlite:
    """See :class:`rolecall.storage.dialects.Dialect`."""

    # SQLite reads the generation in a few microseconds.
    gains_together = False
    # SQLAlchemy's pool and its own transactions take longer than the database.
    holds_writers = True
    undoes_statements = True
    # A transaction that writes is alone.
    locks_rows = False

    def is_in_memory(self, url: URL) -> bool:
        return url.database in (None, "", ":memory:")

    def exists(self, url: URL) -> bool:
        path = url.database or ""
        in_a_file = path not in ("", ":memory:") and not path.startswith("file:")
        return not in_a_file or Path(path).is_file()

    def file(self, url: URL) -> str:
        return file_of(url.database or "")

    def engine(self, url: URL, files: OpenedFiles) -> Engine:
        arguments: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}}
        if self.is_in_memory(url):
            arguments["poolclass"] = StaticPool
        else:
            # Each thread that reads keeps a connection, so their number is bounded by the threads.
            arguments["max_overflow"] = -1
        engine = create_engine(url, **arguments)
        if files.path:
            # First, because a file that has disappeared must not be made again.
            event.listen(engine, "do_connect", lambda *_connecting: files.check())
            event.listen(engine, "do_connect", _keep_private)
        event.listen(engine, "connect", _prepare)
        if files.path:
            event.listen(engine, "connect", partial(_note, files))
        return engine

    def begin(self, connection: Connection) -> None:
        # Taking the write lock first makes concurrent writers wait for each other instead of failing later.
        driver = _driver_of(connection)
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            # As SQLAlchemy would raise it: callers tell a busy database from other problems.
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error

    @contextmanager
    def transaction(self, connection: Connection) -> Iterator[None]:
        self.begin(connection)
        driver = _driver_of(connection)
        try:
            yield
            driver.execute("COMMIT")
        except BaseException:
            # Already undone by SQLite after some errors, such as a full disk.
            driver.rollback()
            raise

    def be_impatient(self, connection: Connection) -> None:
        _driver_of(connection).execute("PRAGMA busy_timeout=0")

    def shared_writes(self, transaction: Callable[[], Transaction], at_once: Callable[[], Transaction]) -> SharedWrites:
        return SharedWrites(transaction, at_once, self.savepoint, _is_in_transaction, BUSY_TIMEOUT_SECONDS)

    def raise_generation(self, connection: Connection) -> int:
        return _raised(_driver_of(connection), _RAISE_GENERATION_SQL)

    def snapshot(self, readers: Readers, _purpose: str) -> AbstractContextManager[Connection]:
        return _Snapshot(*readers.held())

    def together(self, _readers: Readers) -> AbstractContextManager[None]:
        return nullcontext()

    def generation(self, connection: Connection) -> int:
        view = view_of(connection)
        if view is None or view.generation is not None:
            return int(_driver_of(connection).execute(_GENERATION_SQL).fetchone()[0])
        generation, reads = _driver_of(connection).execute(_BOTH_SQL).fetchone()
        view.begin(reads or 0)
        return int(generation)

    def view(self, connection: Connection, kept: KeptReads) -> View:
        return View(kept, partial(_generation_of_reads, _driver_of(connection)))

    def raise_reads(self, connection: Connection) -> int:
        return _raised(_driver_of(connection), _RAISE_READS_SQL)

    def savepoint(self, connection: Connection) -> AbstractContextManager[Any]:
        return _savepoint(_driver_of(connection))

    def select(self, statement: Select[Any], names: tuple[str, ...]) -> _FormSelect:
        return _FormSelect(statement, names)

    def insert(self, table: Table, columns: tuple[str, ...]) -> _FormInsert:
        return _FormInsert(table, columns)

    def update(self, statement: Update | Delete, table: Table, names: tuple[str, ...]) -> _FormUpdate:
        return _FormUpdate(statement, table, names)

    def may_retry(self, _error: Exception) -> bool:
        # A writer waits for the lock, and the time-out is the end of its patience.
        return False

    def connection_is_lost(self, _connection: Connection) -> bool:
        return False

    def checkpoint(self, connection: Connection) -> None:
        driver = _driver_of(connection)
        driver.execute(f"PRAGMA busy_timeout={_CHECKPOINT_PATIENCE_MILLISECONDS}")
        try:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}")

    def create_tables(self, connection: Connection, metadata: MetaData) -> None:
        driver = _driver_of(connection)
        for statement in creating_statements(metadata):
            driver.execute(statement)

    def after_upgrade(self, connection: Connection) -> None:
        """SQLite sorts text by its bytes, and needs nothing."""


DIALECT = _Sqlite()


@cache
def creating_statements(metadata: MetaData) -> tuple[str, ...]:
    """What makes all tables and indexes, in order. Writing it takes three times as long as SQLite needs for it."""
    statements: list[str] = []

    def write(statement: Any, *_values: Any) -> None:
        statements.append(str(statement.compile(dialect=_SQLITE)))

    metadata.create_all(create_mock_engine("sqlite://", write), checkfirst=False)
    return tuple(statements)


def _driver_of(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.driver_connection
    return driver  # type: ignore[no-any-return]


def _is_in_transaction(connection: Connection) -> bool:
    return _driver_of(connection).in_transaction


class _Snapshot:
    """A deferred transaction on an open connection. A class, because a generator costs more than the transaction."""

    __slots__ = ("_connection", "_driver", "_turn", "_view")

    def __init__(self, connection: Connection, driver: sqlite3.Connection, turn: threading.RLock) -> None:
        self._connection = connection
        self._driver = driver
        self._turn = turn
        self._view: View | None = None

    def __enter__(self) -> Connection:
        self._turn.acquire()
        try:
            # By the driver itself: this begins a deferred transaction in a microsecond.
            self._driver.execute("BEGIN")
        except sqlite3.Error:
            self._turn.release()
            raise
        # Only now: over the one connection of a database in memory, another thread may have written until now.
        view = self._view = view_of(self._connection)
        if view is not None:
            view.open()
        return self._connection

    def __exit__(self, *_exception: object) -> None:
        if self._view is not None:
            self._view.close()
        try:
            self._driver.execute("COMMIT")
        except sqlite3.Error:
            # Nothing was written, so nothing is lost. The connection must not stay inside a transaction.
            self._driver.rollback()
        finally:
            self._turn.release()


def _raised(driver: sqlite3.Connection, sql: str) -> int:
    # All rows, although there is one: a statement that is not at its end would stand in the way of the commit.
    [(value,)] = driver.execute(sql).fetchall()
    return int(value)


def _generation_of_reads(driver: sqlite3.Connection) -> int:
    row = driver.execute(_READS_SQL).fetchone()
    return 0 if row is None else int(row[0])


def _keep_private(_dialect: object, _record: object, arguments: list[Any], _named: object) -> None:
    try:
        keep_private(file_of(arguments[0]))
    except OSError as error:
        # In the driver's words, because every caller handles the driver's error.
        raise sqlite3.OperationalError(f"unable to open database file: {error.strerror}") from error


def _prepare(driver: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin too late for a snapshot, so this module begins them explicitly.
    driver.isolation_level = None
    write_ahead(driver, BUSY_TIMEOUT_SECONDS)
    # FULL: a committed change survives a failure of the machine, not only of the process.
    driver.execute("PRAGMA synchronous=FULL")
    driver.execute("PRAGMA foreign_keys=ON")


def _note(files: OpenedFiles, driver: sqlite3.Connection, _record: object) -> None:
    # SQLite opens the files of the log with the first read.
    driver.execute("SELECT count(*) FROM sqlite_master").fetchone()
    files.note()


@contextmanager
def _savepoint(driver: sqlite3.Connection) -> Iterator[None]:
    """By SQLite's driver, which takes microseconds. SQLAlchemy's own takes a tenth of a millisecond."""
    driver.execute("SAVEPOINT conflict")
    try:
        yield
    except BaseException:
        driver.execute("ROLLBACK TO conflict")
        driver.execute("RELEASE conflict")
        raise
    driver.execute("RELEASE conflict")


class _FormSelect:
    """A select for the driver. Booleans come as numbers, and are converted."""

    __slots__ = ("_booleans", "_in_order", "_names", "_places", "_sql")

    def __init__(self, statement: Select[Any], names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=_SQLITE)
        columns = list(statement.selected_columns)
        self._booleans = tuple(index for index, column in enumerate(columns) if isinstance(column.type, Boolean))
        self._names = names
        self._sql = str(compiled)
        # For each question mark in SQLite's text: the position of its value, and the statement's own value.
        order = compiled.positiontup or ()
        self._places = [(names.index(name) if name in names else -1, compiled.params[name]) for name in order]
        self._in_order = tuple(order) == names

    def first(self, connection: Connection, values: Sequence[Any]) -> Sequence[Any] | None:
        driver: Any = connection.connection.driver_connection
        row: Sequence[Any] | None = driver.execute(self._sql, self._placed(values)).fetchone()
        return self._converted(row) if self._booleans and row is not None else row

    def all(self, connection: Connection, values: Sequence[Any]) -> list[Sequence[Any]]:
        driver: Any = connection.connection.driver_connection
        rows: list[Sequence[Any]] = driver.execute(self._sql, self._placed(values)).fetchall()
        return [self._converted(row) for row in rows] if self._booleans else rows

    def _placed(self, values: Sequence[Any]) -> Sequence[Any]:
        """The values in the order of the question marks."""
        if self._in_order:
            return values
        return [own if position < 0 else values[position] for position, own in self._places]

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for index in self._booleans:
            values[index] = bool(values[index])
        return values


class _FormInsert:
    """An insert for the driver. It notes that it changes rights, as the engine's listener does for other writes."""

    __slots__ = ("_columns", "_sql", "_table")

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        self._columns = columns
        compiled = insert(table).compile(dialect=_SQLITE, column_keys=list(self._columns))
        if tuple(compiled.positiontup or ()) != self._columns:
            raise ValueError(f"{table.name}: the insert does not take its columns in their order")
        self._table = table
        self._sql = str(compiled)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        note_rows(connection, self._table, rows)
        driver: Any = connection.connection.driver_connection
        driver.executemany(self._sql, [[row[name] for name in self._columns] for row in rows])


class _FormUpdate:
    """An update or delete for the driver. As :class:`_FormInsert`."""

    __slots__ = ("_key_at", "_options", "_places", "_sql", "_table")

    def __init__(self, statement: Update | Delete, table: Table, names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=_SQLITE)
        self._table = table
        self._options = statement.get_execution_options()
        self._key_at = names.index(self._options[CHANGES_BOUND]) if CHANGES_BOUND in self._options else None
        self._sql = str(compiled)
        self._places = tuple(names.index(name) for name in compiled.positiontup or ())

    def execute(self, connection: Connection, values: Sequence[Any]) -> int:
        note_write(connection, self._table, self._options, None if self._key_at is None else values[self._key_at])
        driver: Any = connection.connection.driver_connection
        return int(driver.execute(self._sql, [values[place] for place in self._places]).rowcount)

"""Connections and transactions. A call reads everything from one snapshot and writes everything in one transaction.

SQLite runs in WAL mode with foreign keys on, and a writer waits while the database is busy. A transaction that writes a
table with ``bears_on_rights`` raises the generation. An event listener sees each statement and does this, so no caller
can forget it.
"""

from __future__ import annotations

import copy
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from rolecall.storage.prepared import AUTHORITY_WRITTEN
from rolecall.storage.private_files import file_of, identity_of, keep_private
from rolecall.storage.tables import generations
from rolecall.storage.write_ahead import write_ahead

# The errors that other rooms catch, so that they need not know SQLAlchemy. Some code uses SQLite's driver directly, and
# then the driver's own errors come.
DatabaseError = (SQLAlchemyError, sqlite3.Error)
DatabaseUnavailableError = (OperationalError, sqlite3.OperationalError)
BadDatabaseUrlError = ArgumentError

BUSY_TIMEOUT_SECONDS = 30
# A server that gets the signal to stop has two seconds for everything.
_CHECKPOINT_PATIENCE_MILLISECONDS = 500
FILE_LOST_MESSAGE = (
    "The database file {path} {became} since Rolecall opened it, so further changes are lost. Stop Rolecall, "
    "restore the file if you need it, and start Rolecall again."
)
_GENERATION = select(generations.c.value).where(generations.c.name == "iam")
_GENERATION_SQL = "SELECT value FROM generations WHERE name = 'iam'"
_RAISE_GENERATION = update(generations).where(generations.c.name == "iam").values(value=generations.c.value + 1)
_RAISE_GENERATION_SQL = "UPDATE generations SET value = value + 1 WHERE name = 'iam'"


def database_exists(url: str) -> bool:
    """Whether the database exists already: false for a SQLite file that is missing. Raises DatabaseError."""
    parsed = make_url(url)
    path = parsed.database or ""
    in_a_file = parsed.get_backend_name() == "sqlite" and path not in ("", ":memory:") and not path.startswith("file:")
    return not in_a_file or Path(path).is_file()


def is_in_memory(url: str) -> bool:
    """Whether the database of this URL disappears when it is closed."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")


def shown_url(url: str) -> str:
    """The URL for people, without its password."""
    return make_url(url).render_as_string(hide_password=True)


class Database:
    """A database by its SQLAlchemy URL. Safe to share between threads. After a fork, make a new one."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.url = url
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.in_memory = is_in_memory(url)
        self._file = file_of(parsed.database or "") if self.is_sqlite else ""
        self._file_identity: tuple[int, int] | None = None
        self._adopt(_create_engine(url, is_sqlite=self.is_sqlite, in_memory=self.in_memory))

    def _adopt(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writers = self._engine.execution_options()
        event.listen(self._writers, "before_execute", _note_authority_write)
        if self.is_sqlite:
            event.listen(self._writers, "begin", _begin_immediate)
        self._held = threading.local()
        # The connections of all threads. Closing the database closes them; so does the end of an object that was never
        # closed. Otherwise Python would warn of open connections.
        self._all_readers: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._let_go = weakref.finalize(self, _let_go, engine, self._all_readers)
        # All threads share the one connection of an in-memory database, so they take turns.
        self._turn: threading.RLock | None = threading.RLock() if self.in_memory else None

    def sibling(self) -> Database:
        """Another, empty database in memory. Both share compiled statements and nothing else."""
        if not self.in_memory:
            raise ValueError("only a database in memory has siblings")
        engine = copy.copy(self._engine)
        # An engine does the same when it is disposed of: a new pool of the same kind, without connections.
        engine.pool = self._engine.pool.recreate()
        database = copy.copy(self)
        database._adopt(engine)
        return database

    def fill(self, source: sqlite3.Connection) -> None:
        """Copy everything that ``source``, a connection of SQLite's driver, sees into this database in memory."""
        with self._readers.connect() as connection:
            driver: Any = connection.connection.driver_connection
            source.backup(driver)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """A connection for reading: everything read inside comes from the same state of the database."""
        if self.is_sqlite:
            return _SqliteSnapshot(*self._reader(), self._turn)
        return self._engine.connect()

    def _reader(self) -> tuple[Connection, sqlite3.Connection]:
        held: tuple[Connection, sqlite3.Connection] | None = getattr(self._held, "reader", None)
        if held is None:
            # Under the lock: preparing the only connection of an in-memory database ends other threads' transactions.
            with self._turn or nullcontext():
                connection = self._readers.connect()
            driver: Any = connection.connection.driver_connection
            held = self._held.reader = (connection, driver)
            self._all_readers.add(connection)
            if self._file and self._file_identity is None:
                self._file_identity = identity_of(self._file)
        return held

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection for writing. Committed when the block ends, rolled back when it raises."""
        if self._turn is None:
            with self._transaction() as connection:
                yield connection
        else:
            with self._turn, self._transaction() as connection:
                yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._writers.connect() as connection, connection.begin():
            connection.info[AUTHORITY_WRITTEN] = False
            yield connection
            if connection.info[AUTHORITY_WRITTEN]:
                if self.is_sqlite:
                    driver: Any = connection.connection.driver_connection
                    driver.execute(_RAISE_GENERATION_SQL)
                else:
                    connection.execute(_RAISE_GENERATION)

    @contextmanager
    def beside(self, snapshot: Connection) -> Iterator[Connection]:
        """A connection for a small write while ``snapshot`` is open. The write stays even if the call fails."""
        if self.in_memory:
            # This connection already has a transaction, which is committed when the snapshot ends.
            yield snapshot
        else:
            with self.transaction() as connection:
                yield connection

    def generation(self, connection: Connection) -> int:
        """A number that changes with any authorisation data. ``connection`` comes from :meth:`snapshot`."""
        if self.is_sqlite:
            row = self._reader()[1].execute(_GENERATION_SQL).fetchone()
            return int(row[0])
        return int(connection.execute(_GENERATION).scalar_one())

    def checkpoint(self) -> None:
        """Write everything into the database's own file, so that a copy of this file is complete. For a clean stop.

        Another process that still reads or writes may hold back a part. Nothing is lost then.
        """
        if not self.is_sqlite or self.in_memory:
            return
        with self._readers.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA busy_timeout={_CHECKPOINT_PATIENCE_MILLISECONDS}")
            try:
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}")

    def lost_file(self) -> str:
        """What happened to the database's file since it was opened, and what to do; empty if the file is in place."""
        path, opened = self._file, self._file_identity
        if not path or opened is None:
            return ""
        if identity_of(path) == opened:
            return ""
        became = "was replaced by another" if os.path.exists(path) else "has disappeared"
        return FILE_LOST_MESSAGE.format(path=path, became=became)

    def close(self) -> None:
        self._held = threading.local()
        _let_go(self._engine, self._all_readers)


def _let_go(engine: Engine, readers: Iterable[Connection]) -> None:
    """Close all connections, also of threads that have ended or do not use theirs any more."""
    for reader in list(readers):
        reader.close()
    engine.dispose()


class _SqliteSnapshot:
    """A deferred transaction on an open connection. A class, because a generator costs more than the transaction."""

    __slots__ = ("_connection", "_driver", "_turn")

    def __init__(self, connection: Connection, driver: sqlite3.Connection, turn: threading.RLock | None) -> None:
        self._connection = connection
        self._driver = driver
        self._turn = turn

    def __enter__(self) -> Connection:
        if self._turn is not None:
            self._turn.acquire()
        try:
            # By the driver itself: this begins a deferred transaction in a microsecond.
            self._driver.execute("BEGIN")
        except sqlite3.Error:
            self._end_turn()
            raise
        return self._connection

    def __exit__(self, *_exception: object) -> None:
        try:
            self._driver.execute("COMMIT")
        except sqlite3.Error:
            # Nothing was written, so nothing is lost. The connection must not stay inside a transaction.
            self._driver.rollback()
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.release()


def _create_engine(url: str, *, is_sqlite: bool, in_memory: bool) -> Engine:
    if not is_sqlite:
        return create_engine(url, pool_pre_ping=True)
    arguments: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}}
    if in_memory:
        arguments["poolclass"] = StaticPool
    engine = create_engine(url, **arguments)
    event.listen(engine, "do_connect", _keep_private)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _keep_private(_dialect: object, _record: object, arguments: list[Any], _named: object) -> None:
    path = file_of(arguments[0])
    if path:
        try:
            keep_private(path)
        except OSError as error:
            # In the driver's words, because every caller handles the driver's error.
            raise sqlite3.OperationalError(f"unable to open database file: {error.strerror}") from error


def _prepare_sqlite(driver: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin too late for a snapshot, so this module begins them explicitly.
    driver.isolation_level = None
    write_ahead(driver, BUSY_TIMEOUT_SECONDS)
    # FULL: a committed change survives a failure of the machine, not only of the process.
    driver.execute("PRAGMA synchronous=FULL")
    driver.execute("PRAGMA foreign_keys=ON")


def _begin_immediate(connection: Connection) -> None:
    # Taking the write lock first makes concurrent writers wait for each other instead of failing later.
    driver: Any = connection.connection.driver_connection
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        # As SQLAlchemy would raise it: callers tell a busy database from other problems.
        raise OperationalError("BEGIN IMMEDIATE", None, error) from error


def _note_authority_write(connection: Connection, statement: Any, *_ignored: object) -> None:
    # A table of a migration or of Alembic has no such fact, so it counts as one that bears on rights.
    if getattr(statement, "is_dml", False) and statement.table.info.get("bears_on_rights", True):
        # A statement may state that it changes no column that rights depend on.
        if statement.get_execution_options().get("changes_no_rights"):
            return
        connection.info[AUTHORITY_WRITTEN] = True

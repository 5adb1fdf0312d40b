"""Connections and transactions. A call reads everything from one snapshot and writes everything in one transaction.

A writer waits while another one is at work, in whichever process. A transaction that writes a table with
``bears_on_rights`` raises the generation. An event listener sees each statement and does this, so no caller can forget
it. How a database does all this is in its dialect (``dialects``).
"""

from __future__ import annotations

import copy
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from rolecall.storage.changes import note_rows, note_write
from rolecall.storage.dialects import dialect_named, parsed_url
from rolecall.storage.kept_reads import VIEW, KeptReads, View
from rolecall.storage.opened_files import LostFileError, OpenedFiles
from rolecall.storage.shared_writes import SharedWrites
from rolecall.storage.transactions import MadeChanges, Transaction

# The errors that other rooms catch, so that they need not know SQLAlchemy. Some code uses SQLite's driver directly, and
# then the driver's own errors come.
DatabaseError = (SQLAlchemyError, sqlite3.Error)
DatabaseUnavailableError = (OperationalError, sqlite3.OperationalError)
BadDatabaseUrlError = ArgumentError

# SQLite's codes for a file whose content is not, or no longer, a database.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# How often a transaction is run again after others at the same time made it fail.
WRITE_ATTEMPTS = 5
# A thread that still reads with its connection after this time keeps it.
_CLOSING_SECONDS = 5.0

_Result = TypeVar("_Result")


def database_failure(error: Exception) -> str:
    """What a log should say when the database made a call fail; empty for every other error."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, LostFileError):
        return str(cause)
    if isinstance(error, DatabaseUnavailableError):
        return f"the database did not answer: {cause}"
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return f"the database file is damaged: {cause}. Stop Rolecall, restore the file, and start Rolecall again."
    return ""


def database_exists(url: str) -> bool:
    """Whether the database exists already: false for a SQLite file that is missing. Raises DatabaseError."""
    parsed = parsed_url(url)
    return dialect_named(parsed.get_backend_name()).exists(parsed)


def is_in_memory(url: str) -> bool:
    """Whether the database of this URL disappears when it is closed."""
    parsed = parsed_url(url)
    return dialect_named(parsed.get_backend_name()).is_in_memory(parsed)


def _drop_idle(engine: Engine) -> None:
    """Close the connections that the pool holds: the server has ended them too.

    The pool stays. The connections in use return to it, and are closed with it.
    """
    engine.pool.dispose()


class _Readers:
    """The connections for reading, one for each thread. It stays open, because opening one costs more than a call."""

    def __init__(self, engine: Engine, turn: threading.RLock | None, view: Callable[[Connection], View | None]) -> None:
        self._engine = engine
        self._view = view
        self._turn = turn
        self._held = threading.local()
        # The connections of all threads. Closing the database closes them; so does the end of an object that was never
        # closed. Otherwise Python would warn of open connections. They outlive their threads: the end of a thread is no
        # place for statements, and those would reach into the transactions of others on the one connection in memory.
        self.all: dict[Connection, tuple[weakref.ref[threading.Thread], threading.RLock]] = {}

    def held(self) -> tuple[Connection, Any, threading.RLock]:
        held: tuple[Connection, Any, threading.RLock] | None = getattr(self._held, "reader", None)
        return held or self._open()

    def opened(self) -> Connection | None:
        held: tuple[Connection, Any, threading.RLock] | None = getattr(self._held, "reader", None)
        return None if held is None else held[0]

    def replaced(self) -> tuple[Connection, Any, threading.RLock]:
        connection = self.held()[0]
        # First, because no new one may be had now.
        self._held.reader = None
        self.all.pop(connection, None)
        with suppress(SQLAlchemyError):
            connection.invalidate()
            connection.close()
        _drop_idle(self._engine)
        return self._open()

    def forget(self) -> None:
        self._held = threading.local()

    def _open(self) -> tuple[Connection, Any, threading.RLock]:
        # Under the lock: preparing the only connection of an in-memory database ends other threads' transactions.
        with self._turn or nullcontext():
            self._close_ended()
            connection = self._engine.connect()
            if VIEW not in connection.info:
                connection.info[VIEW] = self._view(connection)
        turn = self._turn or threading.RLock()
        held = self._held.reader = (connection, connection.connection.driver_connection, turn)
        self.all[connection] = (weakref.ref(threading.current_thread()), turn)
        return held

    def _close_ended(self) -> None:
        """Close the connections of threads that have ended. The pool hands them out again."""
        for connection, (thread_ref, _) in list(self.all.items()):
            thread = thread_ref()
            # Another thread may close it now, too.
            if (thread is None or not thread.is_alive()) and self.all.pop(connection, None) is not None:
                with suppress(SQLAlchemyError):
                    connection.close()


class Database:
    """A database by its SQLAlchemy URL. Safe to share between threads. After a fork, make a new one."""

    def __init__(self, url: str) -> None:
        parsed = parsed_url(url)
        self.url = url
        self._dialect = dialect_named(parsed.get_backend_name())
        self.in_memory = self._dialect.is_in_memory(parsed)
        self._files = OpenedFiles(self._dialect.file(parsed))
        self._adopt(self._dialect.engine(parsed, self._files))

    def _adopt(self, engine: Engine) -> None:
        self._engine = engine
        self._writers = self._engine.execution_options()
        event.listen(self._writers, "before_execute", _note_write)
        # All threads share the one connection of an in-memory database, so they take turns.
        self._turn: threading.RLock | None = threading.RLock() if self.in_memory else None
        reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._kept = KeptReads()
        self._readers = _Readers(reading, self._turn, self._view)
        # A database in memory waits for no disk.
        self._shared = None if self.in_memory else self._dialect.shared_writes(self._writing, self._writing_at_once)
        # Connections for writing that no thread uses now, if this database keeps them open.
        self._idle_writers: list[Connection] = []
        self._impatient_writers: list[Connection] = []
        self._held_writers = self._writers.execution_options(isolation_level="AUTOCOMMIT")
        idle = (self._idle_writers, self._impatient_writers)
        self._let_go = weakref.finalize(self, _let_go, engine, self._readers.all, idle, self._turn)
        self._made = MadeChanges()

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
        source.backup(self._readers.held()[1])

    def snapshot(self, purpose: str = "") -> AbstractContextManager[Connection]:
        """A connection for reading: everything read inside comes from the same state of the database.

        ``purpose`` names what many calls do alike, such as an operation. A call that then reads more than the
        generation may get SnapshotMovedError and must start again. Without a purpose this does not happen.
        """
        return self._dialect.snapshot(self._readers, purpose)

    @property
    def gains_together(self) -> bool:
        """Whether :meth:`together` saves anything on this database."""
        return self._dialect.gains_together

    def together(self) -> AbstractContextManager[None]:
        """A block for calls that had all arrived before it began, one after the other in this thread.

        Their snapshots with a purpose may be of one generation, which is read once, inside the block. So each call
        still sees every change that was acknowledged before it arrived.
        """
        return self._dialect.together(self._readers)

    def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do the work in a transaction, and return its result. The work is done again if others made it fail.

        The work of other threads may be done in the same transaction, and the work may be done by another thread.
        Raises what the work raises.
        """
        if self._shared is not None:
            return self._shared.write(work)
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                with self._writing() as connection:
                    return work(connection)
            except SQLAlchemyError as error:
                if attempt == WRITE_ATTEMPTS or not self._dialect.may_retry(error):
                    raise
        raise AssertionError("the loop returns or raises")

    @property
    def shared(self) -> SharedWrites | None:
        """How writes of this process share transactions; None on a database that needs no such thing."""
        return self._shared

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection for writing. Committed when the block ends, rolled back when it raises."""
        return self._noting(self._pooled())

    def _writing(self) -> Transaction:
        """As :meth:`transaction`, faster. SQLAlchemy does not know of the transaction, so migrations cannot use it."""
        return self._noting(self._held(self._idle_writers) if self._dialect.holds_writers else self._pooled())

    def _writing_at_once(self) -> Transaction:
        """As :meth:`_writing`. Entering it raises DatabaseError, instead of waiting, while another process writes."""
        return self._noting(self._held(self._impatient_writers, is_patient=False))

    def _noting(self, begun: AbstractContextManager[Connection]) -> Transaction:
        return Transaction(begun, self._dialect, self._files, self._made, self._kept, self._turn)

    @contextmanager
    def _pooled(self) -> Iterator[Connection]:
        """A connection of the pool, in a transaction of SQLAlchemy."""
        with self._writer() as connection, connection.get_transaction() or nullcontext():
            yield connection

    @contextmanager
    def _held(self, idle: list[Connection], *, is_patient: bool = True) -> Iterator[Connection]:
        """A connection that stays open, in a transaction of the driver."""
        try:
            connection = idle.pop()
        except IndexError:
            connection = self._held_writers.connect()
            if not is_patient:
                self._dialect.be_impatient(connection)
        try:
            with self._dialect.transaction(connection):
                yield connection
        finally:
            idle.append(connection)

    def _view(self, connection: Connection) -> View | None:
        return self._dialect.view(connection, self._kept)

    def _writer(self) -> Connection:
        """A connection whose transaction has begun. A connection that the server has ended meanwhile is replaced."""
        for last in (False, True):
            connection = self._writers.connect()
            try:
                connection.begin()
                self._dialect.begin(connection)
            except BaseException as error:
                lost = isinstance(error, DBAPIError) and self._dialect.connection_is_lost(connection)
                if lost:
                    connection.invalidate()
                connection.close()
                if last or not lost:
                    raise
                _drop_idle(self._engine)
            else:
                return connection
        raise AssertionError("the loop returns or raises")

    def write_beside(self, snapshot: Connection, work: Callable[[Connection], _Result]) -> _Result:
        """As :meth:`write`, for a small write while ``snapshot`` is open. The write stays even if the call fails."""
        # The connection of a database in memory already has a transaction, which is committed when the snapshot ends.
        return work(snapshot) if self.in_memory else self.write(work)

    def generation(self, connection: Connection) -> int:
        """A number that changes with any authorisation data. ``connection`` comes from :meth:`snapshot`."""
        return self._dialect.generation(connection)

    def changed_between(self, before: int, after: int) -> frozenset[str] | None:
        """The entities whose rights changed after one generation and up to another; see ``changes.RIGHTS_CHANGED``.

        None when anyone's may have: another process has changed something, or a change was not about entities.
        """
        return self._made.between(before, after)

    def checkpoint(self) -> None:
        """Write everything into the database's own file, so that a copy of this file is complete. For a clean stop.

        Another process that still reads or writes may hold back a part. Nothing is lost then.
        """
        if self._files.path:
            self._dialect.checkpoint(self._readers.held()[0])

    def lost_file(self) -> str:
        """What happened to the database's files since they were opened, and what to do; empty if they are in place."""
        return self._files.lost()

    def close(self) -> None:
        self._readers.forget()
        _let_go(self._engine, self._readers.all, (self._idle_writers, self._impatient_writers), self._turn)
        self._files.forget()


def _let_go(
    engine: Engine,
    readers: dict[Connection, tuple[weakref.ref[threading.Thread], threading.RLock]],
    idle_writers: Sequence[list[Connection]],
    only: threading.RLock | None,
) -> None:
    """Close all connections, also of threads that have ended or do not use theirs any more.

    A connection that a thread is reading with is closed after that: the driver would crash. ``only`` is the lock of the
    one connection of a database in memory.
    """
    for reader, (_, turn) in list(readers.items()):
        if turn.acquire(timeout=_CLOSING_SECONDS):
            try:
                if readers.pop(reader, None) is not None:
                    reader.close()
            finally:
                turn.release()
    for idle in idle_writers:
        while idle:
            idle.pop().close()
    if only is None:
        engine.dispose()
    elif only.acquire(timeout=_CLOSING_SECONDS):
        try:
            engine.dispose()
        finally:
            only.release()


def _note_write(
    connection: Connection, statement: Any, rows: Sequence[Any], row: Mapping[str, Any], _options: object
) -> None:
    if getattr(statement, "is_dml", False):
        options = statement.get_execution_options()
        if statement.is_insert and statement.table.info.get("of_entity") and (rows or row) and not options:
            note_rows(connection, statement.table, rows or [row])
        else:
            note_write(connection, statement.table, options)

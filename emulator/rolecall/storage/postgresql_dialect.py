"""PostgreSQL, by psycopg 3: few round trips, one state of the database for each call, one writer at a time.

A call first reads the generation, in one round trip without a transaction. Calls that have arrived together share this
read. Many calls need nothing else, because rows that rights depend on are kept for as long as their state holds, or one
more select of such rows: it reads the generation as well. A call that reads more begins a
transaction that is REPEATABLE READ, and reads the generation in it again. If another process has raised it in between,
what the call knows is of an older state: SnapshotMovedError lets the call start again.
``docs/postgresql.md`` says why an advisory lock makes writers take turns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    MetaData,
    Select,
    Table,
    Update,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from rolecall.storage.dialects import Readers
from rolecall.storage.kept_reads import KeptReads
from rolecall.storage.opened_files import OpenedFiles
from rolecall.storage.postgresql_forms import PostgresqlInsert, PostgresqlSelect, PostgresqlUpdate
from rolecall.storage.postgresql_link import LINK, Link, Shared, link_of
from rolecall.storage.problems import UnsuitableDatabaseError
from rolecall.storage.shared_writes import Transaction

MINIMUM_SERVER_VERSION = 13
# The number of the lock that makes writers take turns. Any number does, if every Rolecall uses the same one.
WRITER_LOCK = 7_305_435_117
# How long a writer waits for the others, as on SQLite, and how long one that hangs may hold them up.
_SESSION = "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '120s'"
# A server that has disappeared without a word is noticed by these.
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 10,
    "application_name": "rolecall",
    "client_encoding": "utf8",
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_BEGIN_WRITING = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITER_LOCK})".encode()
_RAISE_USES = (
    b"INSERT INTO generations (name, value) VALUES ('uses', 1)"
    b" ON CONFLICT (name) DO UPDATE SET value = generations.value + 1"
)
# The key of a connection's record for the server that it was opened to, see Shared.
_SERVER = "rolecall_server"
# A serialization failure and a deadlock: https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
_TRY_AGAIN = ("40001", "40P01")
# Text columns whose collation is not that of bytes. The names and types come from the catalogue itself.
_OTHER_COLLATIONS = text(
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation l ON l.oid = a.attcollation"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
    " AND NOT a.attisdropped AND l.collname != 'C' ORDER BY 1, 2"
)


class _Postgresql:
    """See :class:`rolecall.storage.dialects.Dialect`."""

    # A read of the generation is a round trip.
    gains_together = True
    holds_writers = False
    undoes_statements = False
    locks_rows = True

    def __init__(self) -> None:
        # The purposes whose last snapshot needed a transaction. The next one begins it at once.
        self._reading_more: set[str] = set()

    def is_in_memory(self, _url: URL) -> bool:
        return False

    def exists(self, _url: URL) -> bool:
        return True

    def file(self, _url: URL) -> str:
        return ""

    def engine(self, url: URL, _files: OpenedFiles) -> Engine:
        arguments = {name: value for name, value in _CONNECTION.items() if name not in url.query}
        # A thread holds a connection, so the number of threads limits the number of connections.
        engine = create_engine(url, connect_args=arguments, max_overflow=-1)
        shared = Shared()
        event.listen(engine, "do_connect", partial(_note_server, shared))
        event.listen(engine, "connect", partial(_prepare, shared))
        event.listen(engine, "invalidate", _lose)
        event.listen(engine, "rollback", _settle)
        event.listen(engine, "reset", _settle_returned)
        event.listen(engine, "before_cursor_execute", _before_statement)
        return engine

    def begin(self, connection: Connection) -> None:
        link = link_of(connection)
        link.settle()
        link.end_reading()
        link.run(_BEGIN_WRITING)

    def transaction(self, connection: Connection) -> AbstractContextManager[Any]:
        # The pool replaces connections that the server has ended.
        raise NotImplementedError

    def be_impatient(self, connection: Connection) -> None:
        # Its writers wait for rows, and not for each other.
        raise NotImplementedError

    def shared_writes(self, _transaction: Callable[[], Transaction], _at_once: Callable[[], Transaction]) -> None:
        # Its server already writes the ends of several transactions to the disk at once.
        return None

    def raise_generation(self, connection: Connection) -> int:
        return link_of(connection).raise_generation()

    def snapshot(self, readers: Readers, purpose: str) -> AbstractContextManager[Connection]:
        return _Snapshot(readers, purpose, self._reading_more)

    def together(self, readers: Readers) -> AbstractContextManager[None]:
        return _together(readers)

    def generation(self, connection: Connection) -> int:
        return link_of(connection).generation

    def view(self, _connection: Connection, _kept: KeptReads) -> None:
        """None: a call that needs only what is kept would have to read a second generation."""

    def raise_reads(self, _connection: Connection) -> int:
        raise NotImplementedError("nothing is kept")

    def savepoint(self, connection: Connection) -> AbstractContextManager[Any]:
        return _savepoint(link_of(connection))

    def select(self, statement: Select[Any], names: tuple[str, ...]) -> PostgresqlSelect:
        return PostgresqlSelect(statement, names)

    def insert(self, table: Table, columns: tuple[str, ...]) -> PostgresqlInsert:
        return PostgresqlInsert(table, columns)

    def update(self, statement: Update | Delete, table: Table, names: tuple[str, ...]) -> PostgresqlUpdate:
        return PostgresqlUpdate(statement, table, names)

    def may_retry(self, error: Exception) -> bool:
        return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _TRY_AGAIN

    def connection_is_lost(self, connection: Connection) -> bool:
        return connection.invalidated or link_of(connection).lost

    def checkpoint(self, _connection: Connection) -> None:
        """The server does this by itself."""

    def create_tables(self, connection: Connection, metadata: MetaData) -> None:
        metadata.create_all(connection, checkfirst=False)

    def after_upgrade(self, connection: Connection) -> None:
        """Compare text by its bytes, as SQLite does, also in columns that a migration made."""
        for table, column, type_name in connection.execute(_OTHER_COLLATIONS).all():
            connection.execute(text(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE {type_name} COLLATE "C"'))


DIALECT = _Postgresql()


class _Snapshot:
    """See ``Database.snapshot``. A class, because a generator costs more."""

    __slots__ = ("_link", "_purpose", "_readers", "_reading_more", "_turn")

    def __init__(self, readers: Readers, purpose: str, reading_more: set[str]) -> None:
        self._readers = readers
        self._purpose = purpose
        self._reading_more = reading_more
        self._link: Link | None = None
        self._turn: threading.RLock | None = None

    def __enter__(self) -> Connection:
        connection, _, turn = self._readers.held()
        turn.acquire()
        self._turn = turn
        try:
            return self._opened(connection)
        except BaseException:
            self._turn.release()
            raise

    def _opened(self, connection: Connection) -> Connection:
        reads_more = not self._purpose or self._purpose in self._reading_more
        link = None if connection.invalidated else link_of(connection)
        if link is None or not link.is_current:
            connection, link = self._replaced()
        try:
            link.open_snapshot(reads_more=reads_more)
        except DBAPIError:
            if not link.lost:
                raise
            # The server was restarted since the last call. Nothing was read yet, so a new connection will do.
            connection, link = self._replaced()
            link.open_snapshot(reads_more=reads_more)
        self._link = link
        return connection

    def _replaced(self) -> tuple[Connection, Link]:
        connection, _, turn = self._readers.replaced()
        turn.acquire()
        before, self._turn = self._turn, turn
        if before is not None:
            before.release()
        return connection, link_of(connection)

    def __exit__(self, *_exception: object) -> None:
        link, turn = self._link, self._turn
        if link is not None and turn is not None:
            if self._purpose:
                if link.reads > 1:
                    self._reading_more.add(self._purpose)
                else:
                    self._reading_more.discard(self._purpose)
            link.close_snapshot()
            turn.release()


@contextmanager
def _together(readers: Readers) -> Iterator[None]:
    # The first call of a thread opens its connection, and handles the errors.
    connection = readers.opened()
    link = None if connection is None or connection.invalidated else link_of(connection)
    if link is None:
        yield
        return
    link.share(shares=True)
    try:
        yield
    finally:
        link.share(shares=False)


def _note_server(shared: Shared, _dialect: object, record: Any, *_arguments: object) -> None:
    # Before it is opened: if the server is lost meanwhile, it is not known to which one the connection leads.
    record.info[_SERVER] = shared.server


def _prepare(shared: Shared, driver: psycopg.Connection[Any], record: Any) -> None:
    version = driver.info.server_version // 10_000
    encoding = driver.info.parameter_status("server_encoding")
    if version < MINIMUM_SERVER_VERSION:
        raise UnsuitableDatabaseError(
            f"the server is PostgreSQL {version}, and Rolecall needs {MINIMUM_SERVER_VERSION} or newer"
        )
    if driver.info.parameter_status("crdb_version"):
        # It takes the call for an advisory lock, and locks nothing.
        raise UnsuitableDatabaseError("CockroachDB has no advisory locks, and Rolecall's writers need one")
    if encoding != "UTF8":
        raise UnsuitableDatabaseError(
            f"the database has the encoding {encoding}, and Rolecall needs UTF8: "
            "make one with createdb -E UTF8 -T template0"
        )
    # With each ROLLBACK psycopg would drop all prepared statements, also those that it did not make.
    driver.prepare_threshold = None
    link = record.info[LINK] = Link(driver, shared, record.info[_SERVER])
    link.run(_SESSION.encode())


def _lose(_driver: object, record: Any, _error: object) -> None:
    link = record.info.get(LINK)
    if link is not None:
        link.lose()


def _settle(connection: Connection) -> None:
    # Closing a connection rolls back, and psycopg must find no statement under way.
    link = None if connection.invalidated else connection.info.get(LINK)
    if link is not None:
        link.settle()


def _settle_returned(_driver: object, record: Any, _state: object) -> None:
    # The same for the connection of a thread that has ended.
    link = record.info.get(LINK)
    if link is not None:
        link.settle()


def _before_statement(connection: Connection, *statement: Any) -> None:
    link = connection.info.get(LINK)
    if link is not None:
        link.read_in_transaction()
        context = statement[3]
        if context is not None and context.execution_options.get("changes_no_rights"):
            # Such a write leaves the generation as it is, but rows that were kept do not hold any more.
            link.run(_RAISE_USES)


@contextmanager
def _savepoint(link: Link) -> Iterator[None]:
    link.run(b"SAVEPOINT conflict")
    try:
        yield
    except BaseException:
        if not link.lost:
            link.run(b"ROLLBACK TO conflict; RELEASE conflict")
        raise
    link.run(b"RELEASE conflict")

"""PostgreSQL, by psycopg 3: few round trips, one state of the database for each call, one writer at a time.

A call first reads the generation, in one round trip without a transaction. Many calls need nothing else, or one more
select of rows that rights depend on: such a select reads the generation as well. A call that reads more begins a
transaction that is REPEATABLE READ, and reads the generation in it again. If another process has raised it in between,
what the call knows is of an older state: SnapshotMovedError lets the call start again.
``docs/postgresql.md`` says why an advisory lock makes writers take turns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from sqlalchemy import (
    Boolean,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Select,
    Table,
    create_engine,
    event,
    insert,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.visitors import iterate

from rolecall.storage.dialects import Readers
from rolecall.storage.problems import SnapshotMovedError, UnsuitableDatabaseError

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
_GENERATION = b"rolecall_generation"
_GENERATION_SQL = b"SELECT value FROM generations WHERE name = 'iam'"
_GENERATION_COLUMN: Any = literal_column(f"({_GENERATION_SQL.decode()})")
_BEGIN_READING = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_READING_GENERATION = _BEGIN_READING + b"; EXECUTE " + _GENERATION
_BEGIN_WRITING = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITER_LOCK})".encode()
_RAISE_GENERATION = b"UPDATE generations SET value = value + 1 WHERE name = 'iam'"
# A serialization failure and a deadlock: https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
_TRY_AGAIN = ("40001", "40P01")
# The server shuts down, or became one that takes no writes.
_LOST = ("57P01", "57P02", "57P03", "25006")
LINK = "rolecall_link"
# psycopg prepares a statement when it runs for the fifth time.
_PREPARE_AFTER = 4
_POSTGRESQL: Any = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_OUTSIDE, _GENERATION_READ, _ROW_READ, _IN_TRANSACTION = range(4)
# Text columns whose collation is not that of bytes. The names and types come from the catalogue itself.
_OTHER_COLLATIONS = text(
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation l ON l.oid = a.attcollation"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
    " AND NOT a.attisdropped AND l.collname != 'C' ORDER BY 1, 2"
)


class _Postgresql:
    """See :class:`rolecall.storage.dialects.Dialect`."""

    def __init__(self) -> None:
        # The purposes whose last snapshot read more than the generation. The next one begins its transaction at once.
        self._reading_more: set[str] = set()

    def is_in_memory(self, _url: URL) -> bool:
        return False

    def exists(self, _url: URL) -> bool:
        return True

    def file(self, _url: URL) -> str:
        return ""

    def engine(self, url: URL) -> Engine:
        arguments = {name: value for name, value in _CONNECTION.items() if name not in url.query}
        # A thread holds a connection, so the number of threads limits the number of connections.
        engine = create_engine(url, connect_args=arguments, max_overflow=-1)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "rollback", _settle)
        event.listen(engine, "reset", _settle_returned)
        event.listen(engine, "before_cursor_execute", _read_in_transaction)
        return engine

    def begin(self, connection: Connection) -> None:
        link = link_of(connection)
        link.settle()
        link.end_reading()
        link.run(_BEGIN_WRITING)

    def raise_generation(self, connection: Connection) -> None:
        link_of(connection).run(_RAISE_GENERATION)

    def snapshot(self, readers: Readers, purpose: str) -> AbstractContextManager[Connection]:
        return _Snapshot(readers, purpose, self._reading_more)

    def generation(self, connection: Connection) -> int:
        return link_of(connection).generation

    def savepoint(self, connection: Connection) -> AbstractContextManager[Any]:
        return _savepoint(link_of(connection))

    def select(self, statement: Select[Any], names: tuple[str, ...]) -> _FormSelect:
        return _FormSelect(statement, names)

    def insert(self, table: Table, columns: tuple[str, ...]) -> _FormInsert:
        return _FormInsert(table, columns)

    def may_retry(self, error: Exception) -> bool:
        return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _TRY_AGAIN

    def connection_is_lost(self, connection: Connection) -> bool:
        return connection.invalidated or link_of(connection).lost

    def checkpoint(self, _connection: Connection) -> None:
        """The server does this by itself."""

    def after_upgrade(self, connection: Connection) -> None:
        """Compare text by its bytes, as SQLite does, also in columns that a migration made."""
        for table, column, type_name in connection.execute(_OTHER_COLLATIONS).all():
            connection.execute(text(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE {type_name} COLLATE "C"'))


DIALECT = _Postgresql()


class Link:
    """One connection to the server, below psycopg's cursors, which cost four times as much as a statement does."""

    __slots__ = ("_driver", "_in_flight", "_prepared", "_state", "_wire", "generation", "lost", "read_more")

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._driver = driver
        self._wire = driver.pgconn
        self._prepared: set[bytes] = set()
        self._state = _OUTSIDE
        self._in_flight = False
        self.generation = 0
        self.read_more = False
        self.lost = False

    def open_snapshot(self, *, reads_more: bool) -> None:
        self.settle()
        self.read_more = False
        if _GENERATION not in self._prepared:
            # A connection that only reads rolls nothing back, so psycopg may prepare SQLAlchemy's statements on it.
            self._driver.prepare_threshold = _PREPARE_AFTER
            self._prepare(_GENERATION, _GENERATION_SQL)
        if reads_more:
            self._begin_reading()
        else:
            self.generation = _number(self._checked(self._wire.exec_prepared, _GENERATION, ()))
            self._state = _GENERATION_READ

    def end_reading(self) -> None:
        """Prepare a connection for writing that a thread which has ended read with. Raises SQLAlchemy's errors."""
        if self._driver.prepare_threshold is not None:
            self._driver.prepare_threshold = None
            # psycopg drops all prepared statements with a ROLLBACK if it prepared any. So have this behind us.
            self.run(b"BEGIN")
            with suppress(psycopg.Error):
                self._driver.rollback()
            self.run(b"DEALLOCATE ALL")
            self._prepared.clear()

    def read_in_transaction(self) -> None:
        """Called before each read. Raises SnapshotMovedError when the state is newer than the generation read first."""
        if self._state != _OUTSIDE:
            self.read_more = True
            if self._state in (_GENERATION_READ, _ROW_READ):
                known = self.generation
                self._begin_reading()
                if self.generation != known:
                    raise SnapshotMovedError

    def _begin_reading(self) -> None:
        self._state = _IN_TRANSACTION
        self.generation = _number(self.run(_BEGIN_READING_GENERATION))

    def close_snapshot(self) -> None:
        """End the transaction, without waiting for the server's word about it."""
        if self._state == _IN_TRANSACTION and not self.lost:
            try:
                self._wire.send_query(b"COMMIT")
                self._wire.flush()
                self._in_flight = True
            except psycopg.Error:
                self.lost = True
        self._state = _OUTSIDE

    def settle(self) -> None:
        """Take the answer to the last COMMIT, which read only."""
        if self._in_flight:
            self._in_flight = False
            with suppress(psycopg.Error):
                while self._wire.get_result() is not None:
                    pass

    def run(self, sql: bytes) -> pq.abc.PGresult:
        """Run statements without values. Raises SQLAlchemy's errors."""
        return self._checked(self._wire.exec_, sql)

    def read_first(self, name: bytes, sql: bytes, values: Sequence[bytes | None]) -> pq.abc.PGresult | None:
        """The rows of a prepared select of the first rows that a snapshot reads, without a transaction.

        The last column is the generation. None when there must be a transaction: something was read before, or there
        are no rows, and so no generation. Raises SnapshotMovedError.
        """
        if self._state != _GENERATION_READ:
            return None
        self._state = _ROW_READ
        result = self.run_prepared(name, sql, values)
        if not result.ntuples:
            return None
        if int(result.get_value(0, result.nfields - 1) or 0) != self.generation:
            self.read_more = True
            raise SnapshotMovedError
        return result

    def read(self, name: bytes, sql: bytes, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        """The result of a prepared select, in the snapshot or in the transaction."""
        self.read_in_transaction()
        return self.run_prepared(name, sql, values)

    def ask(self, sql: bytes, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        """Run one statement with values that is not worth preparing."""
        return self._checked(self._wire.exec_params, sql, values)

    def copy(self, sql: bytes, lines: bytes) -> None:
        """Insert lines in the format of COPY."""
        try:
            if self._wire.exec_(sql).status == pq.ExecStatus.COPY_IN:
                self._wire.put_copy_data(lines)
                self._wire.put_copy_end()
        except psycopg.Error as error:
            self.lost = self._wire.status != pq.ConnStatus.OK
            raise DBAPIError.instance(None, None, error, psycopg.Error) from error
        self._checked(self._last_result)

    def _last_result(self) -> pq.abc.PGresult:
        result = self._wire.get_result()
        while (following := self._wire.get_result()) is not None:
            result = following
        if result is None:
            raise psycopg.OperationalError("the server gave no result")
        return result

    def run_prepared(self, name: bytes, sql: bytes, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        self._prepare(name, sql)
        return self._checked(self._wire.exec_prepared, name, values)

    def _prepare(self, name: bytes, sql: bytes) -> None:
        if name not in self._prepared:
            self._checked(self._wire.prepare, name, sql)
            self._prepared.add(name)

    def _checked(self, call: Callable[..., pq.abc.PGresult], *arguments: Any) -> pq.abc.PGresult:
        try:
            result = call(*arguments)
            if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                return result
            raise error_from_result(result, "utf-8")
        except psycopg.Error as error:
            self.lost = self._wire.status != pq.ConnStatus.OK or error.sqlstate in _LOST
            if self.lost and not isinstance(error, psycopg.OperationalError):
                error = psycopg.OperationalError(str(error))
            if self._state == _IN_TRANSACTION and not self.lost:
                # The block of the snapshot may catch this and read on, but PostgreSQL has ended its transaction.
                self._state = _OUTSIDE
                with suppress(psycopg.Error):
                    self._wire.exec_(b"ROLLBACK")
            # The statement stays out of the message: it may hold values.
            raise DBAPIError.instance(None, None, error, psycopg.Error) from error


class _Snapshot:
    """See ``Database.snapshot``. A class, because a generator costs more."""

    __slots__ = ("_link", "_purpose", "_readers", "_reading_more")

    def __init__(self, readers: Readers, purpose: str, reading_more: set[str]) -> None:
        self._readers = readers
        self._purpose = purpose
        self._reading_more = reading_more
        self._link: Link | None = None

    def __enter__(self) -> Connection:
        reads_more = not self._purpose or self._purpose in self._reading_more
        connection = self._readers.held()[0]
        if connection.invalidated:
            connection = self._readers.replaced()[0]
        link = link_of(connection)
        try:
            link.open_snapshot(reads_more=reads_more)
        except DBAPIError:
            if not link.lost:
                raise
            # The server was restarted since the last call. Nothing was read yet, so a new connection will do.
            connection = self._readers.replaced()[0]
            link = link_of(connection)
            link.open_snapshot(reads_more=reads_more)
        self._link = link
        return connection

    def __exit__(self, *_exception: object) -> None:
        link = self._link
        if link is not None:
            if self._purpose:
                if link.read_more:
                    self._reading_more.add(self._purpose)
                else:
                    self._reading_more.discard(self._purpose)
            link.close_snapshot()


def link_of(connection: Connection) -> Link:
    link: Link = connection.info[LINK]
    return link


def _prepare(driver: psycopg.Connection[Any], record: Any) -> None:
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
    link = record.info[LINK] = Link(driver)
    link.run(_SESSION.encode())


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


def _read_in_transaction(connection: Connection, *_statement: object) -> None:
    link = connection.info.get(LINK)
    if link is not None:
        link.read_in_transaction()


def _number(result: pq.abc.PGresult) -> int:
    value = result.get_value(0, 0)
    if value is None:
        raise UnsuitableDatabaseError("the database has lost the row of its generation")
    return int(value)


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


_NUMBERS = itertools.count()


class _FormSelect:
    """A select as a prepared statement of each connection. Values and columns travel as text."""

    __slots__ = ("_columns", "_first", "_name", "_places", "_sql")

    def __init__(self, statement: Select[Any], names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=_POSTGRESQL)
        self._name = f"rolecall_{next(_NUMBERS)}".encode()
        self._sql = str(compiled).encode()
        # Such rows change only with the generation, except when they were last used. So the same generation is the same
        # state, and needs no transaction.
        self._first = b""
        tables = [each for each in iterate(statement) if isinstance(each, Table)]
        if all(each.info["bears_on_rights"] for each in tables):
            self._first = str(statement.add_columns(_GENERATION_COLUMN).compile(dialect=_POSTGRESQL)).encode()
        self._columns = tuple(_reader_of(column.type) for column in statement.selected_columns)
        # For each value that PostgreSQL takes: the position of the given value, or the statement's own value.
        order = compiled.positiontup or ()
        self._places = [
            (names.index(name), None) if name in names else (-1, as_text(compiled.params[name])) for name in order
        ]

    def first(self, connection: Connection, values: Sequence[Any]) -> Sequence[Any] | None:
        result = self._result(connection, values)
        return None if result is None or not result.ntuples else self._row(result, 0)

    def all(self, connection: Connection, values: Sequence[Any]) -> list[Sequence[Any]]:
        result = self._result(connection, values)
        return [] if result is None else [self._row(result, number) for number in range(result.ntuples)]

    def _result(self, connection: Connection, values: Sequence[Any]) -> pq.abc.PGresult | None:
        link = link_of(connection)
        placed = [own if position < 0 else as_text(values[position]) for position, own in self._places]
        for value in placed:
            # PostgreSQL stores no NUL, so nothing equals such a text.
            if value is not None and b"\0" in value:
                return None
        first = link.read_first(self._name + b"_first", self._first, placed) if self._first else None
        return link.read(self._name, self._sql, placed) if first is None else first

    def _row(self, result: pq.abc.PGresult, number: int) -> Sequence[Any]:
        row = []
        for column, read in enumerate(self._columns):
            value = result.get_value(number, column)
            row.append(None if value is None else read(value))
        return row


def as_text(value: Any) -> bytes | None:
    """A value in PostgreSQL's text form."""
    if isinstance(value, str):
        # As with psycopg and SQLite's driver, text that UTF-8 cannot write is an error.
        return value.encode()
    if value is None:
        return None
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return b"t" if value is True else b"f" if value is False else str(value).encode()


def _decoded(value: bytes) -> str:
    return value.decode()


def _is_true(value: bytes) -> bool:
    return value == b"t"


def unescaped(value: bytes) -> bytes:
    return bytes.fromhex(value[2:].decode())


def _reader_of(column_type: Any) -> Callable[[bytes], Any]:
    if isinstance(column_type, Boolean):
        return _is_true
    if isinstance(column_type, Integer):
        return int
    return unescaped if isinstance(column_type, LargeBinary) else _decoded


class _FormInsert:
    """An insert by SQLAlchemy, whose batches psycopg sends at once."""

    __slots__ = ("_columns", "_statement")

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._statement = insert(table)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        connection.execute(self._statement, [{name: row[name] for name in self._columns} for row in rows])

"""The decision log as tables in PostgreSQL, in a schema of its own, so that every server finds every call.

Its writers take turns by a lock of their own, so they never wait for a writer of the other tables. A server that fails
may lose its last batches of the log (``synchronous_commit = off``), and nothing else.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import psycopg
from psycopg import pq
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from rolecall.storage.dialects import dialect_named, parsed_url, shown_url
from rolecall.storage.log_keepers import SCHEMA_VERSION
from rolecall.storage.opened_files import OpenedFiles
from rolecall.storage.postgresql_forms import as_text, unescaped
from rolecall.storage.postgresql_link import LINK, Link

LOG_SCHEMA = "rolecall_log"
# Writers of the database's other tables lock another number.
LOG_LOCK = 7_305_435_118
_TYPES = {
    "TEXT": 'TEXT COLLATE "C"',
    "REAL": "DOUBLE PRECISION",
    "INTEGER": "BIGINT",
    "BLOB": "BYTEA",
    " WITHOUT ROWID": "",
}
_BEGIN_WRITING = f"BEGIN; SELECT pg_advisory_xact_lock({LOG_LOCK})".encode()
_NAMES = itertools.count()
# By PostgreSQL's numbers of its types: whole numbers, floating-point numbers, bytes.
_READERS: dict[int, Callable[[bytes], Any]] = {20: int, 23: int, 700: float, 701: float, 17: unescaped}
_TYPE = re.compile(r"\b(TEXT|REAL|INTEGER|BLOB)\b| WITHOUT ROWID")


# The format of COPY: https://www.postgresql.org/docs/current/sql-copy.html. PostgreSQL stores no NUL, and the log shows
# what a client sent.
_IN_A_COPY = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\ufffd"})
_SPECIAL = re.compile(r"[\\\n\r\0]")


class PostgresqlLog:
    """See :class:`rolecall.storage.log_keepers.LogKeeper`."""

    in_memory = False
    shared = True
    # COPY takes a row in a few microseconds, and other servers read it a moment later.
    packs = False
    position_in = "strpos"
    entity_id = "identity::json ->> 'entity_id'"

    def __init__(self, url: str) -> None:
        self._url = url
        self.shown_place = shown_url(url)
        self._engine: Engine | None = None
        self._connection: Any = None
        self._turn = threading.Lock()

    def exists(self) -> bool:
        return True

    @contextmanager
    def transaction(self, schema: Sequence[str]) -> Iterator[_Driver]:
        with self._turn, self._begun(schema, _BEGIN_WRITING) as link:
            yield _Driver(link, prepares=True)

    @contextmanager
    def reading(self, schema: Sequence[str], *, calls: bool = True) -> Iterator[_Driver]:
        with self._turn, self._begun(schema, b"BEGIN") as link:
            yield _Driver(link, prepares=False)

    def append(self, driver: _Driver, calls: Sequence[Sequence[Any]], position: int) -> None:
        driver.copy("calls", [(position + offset, *call) for offset, call in enumerate(calls)])

    def packed(self, calls: Sequence[Sequence[Any]]) -> str:
        raise NotImplementedError

    def unpacked(self, text: str) -> list[list[Any]]:
        raise NotImplementedError

    def append_packed(self, driver: _Driver, texts: Sequence[tuple[str, int]], position: int) -> None:
        raise NotImplementedError

    def next_position(self, driver: _Driver) -> int:
        found = driver.execute("SELECT coalesce(max(position), 0) + 1 FROM calls").fetchone()
        return 1 if found is None else int(found[0])

    def forget(self, driver: _Driver, before: int) -> None:
        driver.execute("DELETE FROM calls WHERE position < ?", (before,))

    def unpack_some(self, _schema: Sequence[str]) -> bool:
        return False

    def close(self) -> None:
        with self._turn:
            self._let_go()

    @contextmanager
    def _begun(self, schema: Sequence[str], begin: bytes) -> Iterator[Link]:
        """A connection with a transaction. A connection that the server has ended meanwhile is replaced."""
        link = self._opened(schema)
        try:
            link.run(begin)
        except DBAPIError:
            if not link.lost:
                raise
            self._let_go()
            link = self._opened(schema)
            link.run(begin)
        try:
            yield link
            link.run(b"COMMIT")
        except BaseException:
            if not link.lost:
                link.run(b"ROLLBACK")
            raise

    def _opened(self, schema: Sequence[str]) -> Link:
        if self._connection is None:
            self._engine = dialect_named("postgresql").engine(parsed_url(self._url), OpenedFiles(""))
            with _as_sqlalchemy():
                self._connection = self._engine.raw_connection()
                try:
                    driver = self._driver()
                    driver.autocommit = True
                    driver.execute("SET synchronous_commit = off")
                    driver.execute(f"SET search_path = {LOG_SCHEMA}")
                    with driver.transaction():
                        _prepare(driver, schema)
                except BaseException:
                    self._let_go()
                    raise
        link: Link = self._connection.info[LINK]
        return link

    def _driver(self) -> psycopg.Connection[Any]:
        driver: psycopg.Connection[Any] = self._connection.driver_connection
        return driver

    def _let_go(self) -> None:
        if self._connection is not None:
            # Not back into the pool: it has another path than the connections there.
            self._connection.invalidate()
            self._connection = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


keeper = PostgresqlLog


class _Driver:
    """Runs statements that were written for SQLite's driver. ``prepares`` is for statements that come again and again.

    It goes below psycopg's cursors: a batch takes a dozen statements, and a server that is not busy writes small ones.
    """

    def __init__(self, link: Link, *, prepares: bool) -> None:
        self._link = link
        self._prepares = prepares

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> _Rows:
        text = _numbered(sql)
        values = [as_text(_storable(value)) for value in parameters]
        if self._prepares:
            return _Rows(self._link.run_prepared(_name_of(sql), text, values))
        return _Rows(self._link.ask(text, values))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        for row in parameters:
            self.execute(sql, row)

    def copy(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of numbers and texts by COPY, which takes a fifth of the time of INSERT."""
        if rows:
            self._link.copy(f"COPY {table} FROM STDIN".encode(), ("\n".join(map(_copied, rows)) + "\n").encode())


class _Rows:
    """A result as SQLite's driver gives it."""

    def __init__(self, result: pq.abc.PGresult) -> None:
        self._result = result
        self._readers = [_READERS.get(result.ftype(column), bytes.decode) for column in range(result.nfields)]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return map(self._row, range(self._result.ntuples))

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._row(0) if self._result.ntuples else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self)

    def _row(self, number: int) -> tuple[Any, ...]:
        values = [self._result.get_value(number, column) for column in range(len(self._readers))]
        return tuple(None if value is None else read(value) for read, value in zip(self._readers, values, strict=True))


@lru_cache(256)
def _numbered(sql: str) -> bytes:
    """The statement with PostgreSQL's places for values."""
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql).encode()


@cache
def _name_of(sql: str) -> bytes:
    """The name of a prepared statement. A log writes with a dozen of them."""
    return f"rolecall_log_{next(_NAMES)}".encode()


def _copied(row: Sequence[Any]) -> str:
    line = "\t".join(map(str, row))
    if _SPECIAL.search(line) is None and line.count("\t") == len(row) - 1:
        return line
    return "\t".join([str(value).translate(_IN_A_COPY) for value in row])


def _storable(value: Any) -> Any:
    # PostgreSQL stores no NUL, and the log shows what a client sent.
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def _prepare(driver: psycopg.Connection[Any], schema: Sequence[str]) -> None:
    _take_turn(driver)
    driver.execute(f"CREATE SCHEMA IF NOT EXISTS {LOG_SCHEMA}")
    driver.execute("CREATE TABLE IF NOT EXISTS log_version (version BIGINT NOT NULL)")
    row = driver.execute("SELECT version FROM log_version").fetchone()
    if row is not None and row[0] == SCHEMA_VERSION:
        return
    present = driver.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (LOG_SCHEMA,)).fetchall()
    for (name,) in present:
        if name != "log_version":
            driver.execute(psycopg.sql.SQL("DROP TABLE {}").format(psycopg.sql.Identifier(name)))
    for statement in schema:
        driver.execute(_TYPE.sub(lambda found: _TYPES[found[0]], statement))
    # A row is written once and rarely read, so compressing it would only cost.
    driver.execute("ALTER TABLE calls SET (toast_tuple_target = 8160)")
    driver.execute("DELETE FROM log_version")
    driver.execute("INSERT INTO log_version VALUES (%s)", (SCHEMA_VERSION,))


def _take_turn(driver: psycopg.Connection[Any]) -> None:
    driver.execute("SELECT pg_advisory_xact_lock(%s)", (LOG_LOCK,))


@contextmanager
def _as_sqlalchemy() -> Iterator[None]:
    """Raise psycopg's errors as SQLAlchemy's, as everything in this room does."""
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(None, None, error, psycopg.Error) from error

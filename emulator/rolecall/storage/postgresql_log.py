"""The decision log as tables in PostgreSQL, in a schema of its own, so that every server finds every call.

Its writers take turns by a lock of their own, so they never wait for a writer of the other tables. A server that fails
may lose its last batches of the log (``synchronous_commit = off``), and nothing else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from rolecall.storage.dialects import dialect_named, parsed_url, shown_url
from rolecall.storage.log_keepers import SCHEMA_VERSION

LOG_SCHEMA = "rolecall_log"
# Another number than that of the lock of the database's writers.
LOG_LOCK = 7_305_435_118
_TYPES = {
    "TEXT": 'TEXT COLLATE "C"',
    "REAL": "DOUBLE PRECISION",
    "INTEGER": "BIGINT",
    "BLOB": "BYTEA",
    " WITHOUT ROWID": "",
}
_TYPE = re.compile(r"\b(TEXT|REAL|INTEGER|BLOB)\b| WITHOUT ROWID")


class PostgresqlLog:
    """See :class:`rolecall.storage.log_keepers.LogKeeper`."""

    in_memory = False
    shared = True
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
        with self._turn, _as_sqlalchemy():
            connection = self._alive(schema)
            with connection.transaction():
                _take_turn(connection)
                yield _Driver(connection)

    @contextmanager
    def reading(self, schema: Sequence[str]) -> Iterator[_Driver]:
        with self._turn, _as_sqlalchemy():
            connection = self._alive(schema)
            with connection.transaction():
                yield _Driver(connection)

    def close(self) -> None:
        with self._turn:
            self._let_go()

    def _alive(self, schema: Sequence[str]) -> psycopg.Connection[Any]:
        """The connection. The log is rarely asked, so a look whether it is alive costs nothing that counts."""
        if self._connection is not None:
            try:
                self._driver().execute("SELECT 1")
            except psycopg.OperationalError:
                self._let_go()
        if self._connection is None:
            self._engine = dialect_named("postgresql").engine(parsed_url(self._url))
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
        return self._driver()

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
    """Runs statements that were written for SQLite's driver."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        return self._connection.execute(sql.replace("?", "%s"), [_storable(value) for value in parameters])

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        # In one order in every process.
        rows = sorted(tuple(map(_storable, row)) for row in parameters)
        with self._connection.cursor() as cursor:
            cursor.executemany(sql.replace("?", "%s"), rows)


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

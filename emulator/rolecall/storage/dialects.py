"""What differs between the databases that Rolecall runs on. SQLite and PostgreSQL each have one implementation.

Everything else in ``storage`` is written once, with SQLAlchemy. A module that needs the database's own way asks
:func:`dialect_of` for it, and never compares names of databases.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Protocol, cast

from sqlalchemy import Connection, Delete, Engine, MetaData, Select, Table, Update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from rolecall.storage.kept_reads import KeptReads, View
from rolecall.storage.opened_files import OpenedFiles
from rolecall.storage.shared_writes import SharedWrites, Transaction

# One module for each database, by the name that SQLAlchemy gives it.
_MODULES = {"sqlite": "rolecall.storage.sqlite_dialect", "postgresql": "rolecall.storage.postgresql_dialect"}
_SECRET_QUERY_KEYS = ("password", "sslpassword")


class FormSelect(Protocol):
    """A select in the form of one database."""

    def first(self, connection: Connection, values: Sequence[Any]) -> Sequence[Any] | None:
        """The first row, or None."""

    def all(self, connection: Connection, values: Sequence[Any]) -> list[Sequence[Any]]:
        """Every row."""


class FormInsert(Protocol):
    """An insert of whole rows in the form of one database."""

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows."""


class FormUpdate(Protocol):
    """An update or delete in the form of one database."""

    def execute(self, connection: Connection, values: Sequence[Any]) -> int:
        """Change the rows, and return their number."""


class Readers(Protocol):
    """The connections for reading: each thread holds one."""

    def held(self) -> tuple[Connection, Any, threading.RLock]:
        """This thread's connection, the driver's, and the lock to hold while using them.

        Another thread may close the database meanwhile. All threads share the connection of a database in memory.
        """

    def opened(self) -> Connection | None:
        """This thread's connection, if it has one."""

    def replaced(self) -> tuple[Connection, Any, threading.RLock]:
        """A new connection in place of this thread's one, which is dead."""


class Dialect(Protocol):
    """The parts of a database that SQLAlchemy does not even out."""

    # Whether :meth:`together` saves anything.
    gains_together: bool
    # Whether connections for writing stay open, with the transactions of :meth:`transaction`.
    holds_writers: bool
    # Whether a transaction must lock the rows that it counts, because others write at the same time.
    locks_rows: bool
    # Whether a statement that a constraint refuses is undone alone, and the transaction goes on.
    undoes_statements: bool

    def is_in_memory(self, url: URL) -> bool:
        """Whether the database disappears when it is closed."""

    def exists(self, url: URL) -> bool:
        """Whether the database is there already, as far as the URL shows."""

    def file(self, url: URL) -> str:
        """The path of the database's file; empty if it has none."""

    def engine(self, url: URL, files: OpenedFiles) -> Engine:
        """An engine whose connections are prepared for :class:`~rolecall.storage.engine.Database`.

        The first connection notes ``files``, if the database has any. Later ones check them.
        """

    def begin(self, connection: Connection) -> None:
        """Begin a transaction for writing, and wait until no other writer is at work. Raises DatabaseError."""

    def transaction(self, connection: Connection) -> AbstractContextManager[Any]:
        """A transaction for writing as :meth:`begin` begins it: committed, or undone when the block raises."""

    def be_impatient(self, connection: Connection) -> None:
        """Let :meth:`begin` raise DatabaseError, instead of waiting, while another writer is at work."""

    def shared_writes(
        self, transaction: Callable[[], Transaction], at_once: Callable[[], Transaction]
    ) -> SharedWrites | None:
        """How threads write in transactions of :meth:`Database.transaction` together; None if each has its own.

        ``at_once`` gives a transaction on an impatient connection.
        """

    def raise_generation(self, connection: Connection) -> int:
        """Raise the generation, in the connection's transaction. Returns the new one."""

    def snapshot(self, readers: Readers, purpose: str) -> AbstractContextManager[Connection]:
        """A connection that reads one state of the database. See ``Database.snapshot``."""

    def together(self, readers: Readers) -> AbstractContextManager[None]:
        """A block whose snapshots of this thread may share one read of the generation. See ``Database.together``."""

    def generation(self, connection: Connection) -> int:
        """The generation of the connection's snapshot."""

    def view(self, connection: Connection, kept: KeptReads) -> View | None:
        """A view of the kept values for this connection; None when this database keeps no reads."""

    def raise_reads(self, connection: Connection) -> int:
        """Raise the generation of reads, in the connection's transaction. Returns the new one."""

    def savepoint(self, connection: Connection) -> AbstractContextManager[Any]:
        """A savepoint around the block. An error inside undoes the block and leaves the transaction usable."""

    def select(self, statement: Select[Any], names: tuple[str, ...]) -> FormSelect:
        """The select, compiled once. Raises ValueError when a column has a type that it cannot convert."""

    def insert(self, table: Table, columns: tuple[str, ...]) -> FormInsert:
        """An insert of rows with all these columns, compiled once. Raises ValueError as :meth:`select`."""

    def update(self, statement: Update | Delete, table: Table, names: tuple[str, ...]) -> FormUpdate:
        """The update or delete of a table, compiled once."""

    def may_retry(self, error: Exception) -> bool:
        """Whether the transaction failed only because of others at the same time, so that it may be run again."""

    def connection_is_lost(self, connection: Connection) -> bool:
        """Whether the server has ended the connection."""

    def checkpoint(self, connection: Connection) -> None:
        """Write everything into the database's own file, if it has one."""

    def create_tables(self, connection: Connection, metadata: MetaData) -> None:
        """Make all tables in an empty database, in the caller's transaction."""

    def after_upgrade(self, connection: Connection) -> None:
        """Bring what migrations leave to the database to its right form."""


@cache
def dialect_named(name: str) -> Dialect:
    """The dialect of SQLAlchemy's name for a database. Raises ArgumentError for any other database."""
    module = _MODULES.get(name)
    if module is None:
        raise ArgumentError(f"Rolecall runs on SQLite and PostgreSQL, not on {name}")
    return cast(Dialect, importlib.import_module(module).DIALECT)


def dialect_of(connection: Connection) -> Dialect:
    return dialect_named(connection.dialect.name)


def parsed_url(url: str) -> URL:
    """The URL with the driver that Rolecall uses. Raises ArgumentError for another database or driver."""
    parsed = make_url(url)
    name = parsed.get_backend_name()
    dialect_named(name)
    if name == "postgresql":
        if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
            raise ArgumentError("Rolecall reaches PostgreSQL by psycopg: begin the URL with postgresql+psycopg://")
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def shown_url(url: str) -> str:
    """The URL for people, without its passwords."""
    parsed = make_url(url)
    secret = {name: "***" for name in _SECRET_QUERY_KEYS if name in parsed.query}
    return parsed.update_query_dict(secret).render_as_string(hide_password=True)

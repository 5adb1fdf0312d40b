"""The schema's refusals as Rolecall's own errors. Other rooms need not know the database library's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from rolecall.storage.dialects import dialect_of


class StorageProblem(Exception):  # noqa: N818 - the row is the problem, nothing failed
    """A write that would have broken an invariant."""


class AlreadyThere(StorageProblem):
    """Another row has the same unique name."""


class StillReferenced(StorageProblem):
    """Other rows still refer to the one that was to be deleted."""


class BadRowError(StorageProblem):
    """A row that does not fit the other rows: it refers to a missing row, or its key is taken."""


class NewerDatabaseError(Exception):
    """A newer Rolecall than this one made the database."""


class UnsuitableDatabaseError(Exception):
    """A database that Rolecall cannot use as it is, such as one of a server that is too old."""


class SnapshotMovedError(Exception):
    """Rights have changed since the call read the generation, so what it knows is too old: it must start again."""


@contextmanager
def bad_rows(message: str) -> Iterator[None]:
    """Raise BadRowError when the database refuses rows inside the block. The caller then abandons the transaction."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        # PostgreSQL adds lines with details.
        raise BadRowError(f"{message}: {str(error.orig).splitlines()[0]}") from error
    except (sqlite3.IntegrityError, sqlite3.DataError) as error:
        raise BadRowError(f"{message}: {error}") from error


@contextmanager
def problem_in_block(connection: Connection, problem: StorageProblem) -> Iterator[None]:
    """Raise ``problem`` when a constraint refuses a write inside the block. The transaction continues without it.

    The block is a savepoint, so nothing of it stays, however many statements it runs.
    """
    try:
        with dialect_of(connection).savepoint(connection):
            yield
    except (IntegrityError, sqlite3.IntegrityError) as error:
        raise problem from error


class problem_for_conflict:  # noqa: N801 - used as a function
    """As :func:`problem_in_block`, for a block that runs one statement, with one row, and nothing else that writes.

    SQLite undoes a statement that a constraint refuses, and the transaction continues (https://sqlite.org/lang_conflict.html,
    ABORT). PostgreSQL needs a savepoint, because there an error makes the whole transaction fail.
    """

    __slots__ = ("_problem", "_savepoint")

    def __init__(self, connection: Connection, problem: StorageProblem) -> None:
        dialect = dialect_of(connection)
        self._problem = problem
        self._savepoint = None if dialect.undoes_statements else dialect.savepoint(connection)

    def __enter__(self) -> None:
        if self._savepoint is not None:
            self._savepoint.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._savepoint is not None:
            self._savepoint.__exit__(kind, error, traceback)
        if isinstance(error, IntegrityError | sqlite3.IntegrityError):
            raise self._problem from error

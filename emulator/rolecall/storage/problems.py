"""The schema's refusals as Rolecall's own errors. Other rooms need not know the database library's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError


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


@contextmanager
def bad_rows(message: str) -> Iterator[None]:
    """Raise BadRowError when the database refuses rows inside the block. The caller then abandons the transaction."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise BadRowError(f"{message}: {error.orig}") from error
    except (sqlite3.IntegrityError, sqlite3.DataError) as error:
        raise BadRowError(f"{message}: {error}") from error


@contextmanager
def problem_for_conflict(connection: Connection, problem: StorageProblem) -> Iterator[None]:
    """Raise ``problem`` when a constraint refuses a write inside the block. The transaction continues without it.

    The block is a savepoint, so nothing of it stays. PostgreSQL needs one in any case, because there an error otherwise
    makes the whole transaction fail.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    try:
        with _driver_savepoint(connection) if is_sqlite else connection.begin_nested():
            yield
    except (IntegrityError, sqlite3.IntegrityError) as error:
        raise problem from error


@contextmanager
def _driver_savepoint(connection: Connection) -> Iterator[None]:
    """A savepoint by SQLite's driver, which takes microseconds. SQLAlchemy's own takes a tenth of a millisecond."""
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT conflict")
    try:
        yield
    except BaseException:
        driver.execute("ROLLBACK TO conflict")
        driver.execute("RELEASE conflict")
        raise
    driver.execute("RELEASE conflict")

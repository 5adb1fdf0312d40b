"""What a constraint of the schema refused, so that no other room needs to know the database library's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError


class StorageProblem(Exception):  # noqa: N818 - the row is the problem, nothing failed
    """A write that would have broken an invariant."""


class AlreadyThere(StorageProblem):
    """Another row has the same unique name."""


class StillReferenced(StorageProblem):
    """Other rows still refer to the one that was to be deleted."""


class BadRowError(StorageProblem):
    """A row that cannot stand beside what there is: it refers to something absent, or its key is taken."""


class NewerDatabaseError(Exception):
    """The database was made by a newer Rolecall than this one."""


@contextmanager
def bad_rows(message: str) -> Iterator[None]:
    """Raise BadRowError for what the database refuses of rows inside the block; the transaction is to be given up."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise BadRowError(f"{message}: {error.orig}") from error


@contextmanager
def problem_for_conflict(connection: Connection, problem: StorageProblem) -> Iterator[None]:
    """Raise ``problem`` for what a constraint refuses inside the block; the transaction goes on as if it was not tried.

    The savepoint is for PostgreSQL, where an error otherwise spoils all that is left of the transaction.
    """
    try:
        with connection.begin_nested():
            yield
    except IntegrityError as error:
        raise problem from error

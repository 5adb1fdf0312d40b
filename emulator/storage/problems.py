"""What a constraint of the schema refused, so that no other room needs to know the database library's errors."""

from __future__ import annotations


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

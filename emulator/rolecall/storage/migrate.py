"""Brings a database to the present schema: an empty one at once, an older one migration by migration."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select, text

from rolecall.storage.dialects import dialect_of
from rolecall.storage.engine import Database
from rolecall.storage.problems import UnsuitableDatabaseError
from rolecall.storage.tables import generations, metadata

# The newest file of migrations/versions. A test compares it with Alembic's own answer.
HEAD_REVISION = "0020"


def current_revision(connection: Connection) -> str:
    """The schema revision of the database; empty when it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


Step = Callable[[int, int], None]


def upgrade(database: Database, step: Step | None = None) -> str:
    """Bring the schema up to date. Returns the revision it had before; empty for a new database.

    ``step`` is called with the number of migrations done and of all to do, before the first one and after each.

    Raises NewerDatabaseError for a revision that this version does not know, and UnsuitableDatabaseError for a database
    of something else.
    """
    return database.write(lambda connection: upgrade_schema(connection, step))


def check_writable(connection: Connection) -> None:
    """Raise the driver's error for a database on which only reading works. ``connection`` is in a transaction.

    SQLite makes BEGIN IMMEDIATE on a read-only file a transaction for reading, so only a write shows it.
    """
    connection.exec_driver_sql("UPDATE generations SET value = value WHERE name = 'iam'")


def upgrade_schema(connection: Connection, step: Step | None = None) -> str:
    """As :func:`upgrade`, in the caller's transaction.

    Several processes may start at once: a transaction takes the write lock before it reads anything.
    """
    before = current_revision(connection)
    if before == HEAD_REVISION:
        return before
    if before == "":
        _create(connection)
        return before
    # Importing Alembic takes a tenth of a second. A start without a migration need not wait for it.
    importlib.import_module("rolecall.storage.upgrade").run(connection, before, step)
    dialect_of(connection).after_upgrade(connection)
    return before


def _create(connection: Connection) -> None:
    """The whole schema in one step. A test checks that it equals the result of the migrations."""
    present = inspect(connection).get_table_names()
    foreign = sorted(set(present) - set(metadata.tables))
    if foreign:
        raise UnsuitableDatabaseError(
            f"the database is not Rolecall's: it has the table {foreign[0]!r}. Use an empty database"
        )
    if present:
        metadata.create_all(connection)
    else:
        # An empty database has none of the tables. Asking for each one took a third of the time.
        dialect_of(connection).create_tables(connection, metadata)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD_REVISION})
    if connection.execute(select(generations.c.name)).first() is None:
        connection.execute(insert(generations).values(name="iam", value=1))

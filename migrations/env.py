"""Alembic's entry: runs the migrations on the connection that it gets, or on ROLECALL_DATABASE."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import create_engine

from rolecall.storage.tables import metadata


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    url = os.environ.get("ROLECALL_DATABASE")
    if not url:
        raise SystemExit("Set ROLECALL_DATABASE to the database URL, for example sqlite:///rolecall.db")
    with create_engine(url).begin() as own:
        migrate(own)


def migrate(connection: object) -> None:
    # Batch mode: SQLite cannot alter a column in place.
    context.configure(
        connection=connection,  # type: ignore[arg-type]
        target_metadata=metadata,
        render_as_batch=True,
        on_version_apply=context.config.attributes.get("on_version_apply"),
    )
    with context.begin_transaction():
        context.run_migrations()


run()

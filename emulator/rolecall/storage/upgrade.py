"""Runs Alembic's migrations. Imported only when a database is older than the code."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from rolecall.folders import folder
from rolecall.storage.problems import NewerDatabaseError


def configuration(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def run(connection: Connection, current: str) -> None:
    """Upgrade to the newest revision inside the caller's transaction."""
    config = configuration(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current not in known:
        raise NewerDatabaseError(
            f"The database has schema revision {current}, which this version of Rolecall does not know. "
            "Use the version that made it, or another database."
        )
    command.upgrade(config, "head")

"""Runs Alembic's migrations. Imported only when a database is older than the code."""

from __future__ import annotations

import itertools
from collections.abc import Callable

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


def run(connection: Connection, current: str, step: Callable[[int, int], None] | None = None) -> None:
    """Upgrade to the newest revision inside the caller's transaction. ``step`` gets migrations done and all to do."""
    config = configuration(connection)
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    if current not in known:
        raise NewerDatabaseError(
            f"The database has schema revision {current}, which this version of Rolecall does not know. "
            "Use the version that made it, or another database."
        )
    if step is not None:
        config.attributes["on_version_apply"] = _counted(step, len(list(scripts.iterate_revisions("head", current))))
    command.upgrade(config, "head")


def _counted(step: Callable[[int, int], None], total: int) -> Callable[..., None]:
    """What Alembic calls after each migration."""
    step(0, total)
    done = itertools.count(1)
    return lambda **_facts: step(next(done), total)

"""``rolecall db``"""

from __future__ import annotations

from contextlib import closing

import click

from rolecall.commands.common import (
    DATABASE_PROBLEMS,
    MIGRATING,
    UnusableError,
    config_of_database_option,
    database_option,
    database_problem,
    tell,
    with_folder,
)
from rolecall.commands.terminal import shown_when_slow
from rolecall.storage.engine import Database
from rolecall.storage.migrate import HEAD_REVISION, upgrade


@click.group("db")
def command() -> None:
    """Upgrade the database."""


@command.command("upgrade")
@config_of_database_option
@database_option
def upgrade_command(database: str) -> None:
    """Bring the schema of a database up to date.

    The command makes the database when there is none. It refuses a database that a newer Rolecall made. `rolecall
    serve` does the same when it starts.

    \b
    Example:
      rolecall db upgrade --database sqlite:///rolecall.db
    """
    try:
        with closing(Database(with_folder(database))) as opened, shown_when_slow(MIGRATING) as work:
            before = upgrade(opened, work.step)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    tell(f"schema {HEAD_REVISION}" + (", as before" if before == HEAD_REVISION else f", was {before or 'empty'}"))

"""``rolecall db``"""

from __future__ import annotations

from contextlib import closing

import click

from rolecall.commands.common import (
    DATABASE_PROBLEMS,
    UnusableError,
    config_of_database_option,
    database_option,
    database_problem,
    tell,
    with_folder,
)
from rolecall.storage.engine import Database
from rolecall.storage.migrate import HEAD_REVISION, upgrade


@click.group("db")
def command() -> None:
    """Look after the database."""


@command.command("upgrade")
@config_of_database_option
@database_option
def upgrade_command(database: str) -> None:
    """Bring the schema up to date; serve does it too.

    Makes the database when there is none. One that a newer Rolecall made is refused.

    \b
    Example:
      rolecall db upgrade --database sqlite:///rolecall.db
    """
    try:
        with closing(Database(with_folder(database))) as opened:
            before = upgrade(opened)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    tell(f"schema {HEAD_REVISION}" + (", as before" if before == HEAD_REVISION else f", was {before or 'empty'}"))

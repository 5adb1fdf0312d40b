"""``rolecall snapshot save`` and ``rolecall snapshot load``"""

from __future__ import annotations

import os
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import click

from rolecall.clock import Clock
from rolecall.commands.common import (
    DATABASE_PROBLEMS,
    STANDARD_STREAM,
    UnusableError,
    config_of_database_option,
    database_option,
    database_problem,
    opened_database,
    read_text,
)
from rolecall.commands.private_output import write_private
from rolecall.commands.running import ask_for, ask_text, server_instead, server_option, unusable
from rolecall.commands.terminal import shown_when_slow
from rolecall.ids import Identifiers
from rolecall.settings import SandboxSettings
from rolecall.storage.clock_states import load_clock
from rolecall.storage.engine import Database, database_exists
from rolecall.worlds.declare import InvalidWorldError
from rolecall.worlds.snapshots import UnsavableError, load_database, save_database

SLOW_SAVING = "saving the sandbox"
SLOW_LOADING = "loading the sandbox into its database"


@click.group("snapshot")
def command() -> None:
    """Save the whole sandbox to a readable file, or load such a file.

    \b
    Examples:
      rolecall snapshot save before.yaml
      rolecall snapshot load before.yaml
    """


@command.command("save")
@click.argument("file", metavar="FILE")
@click.option(
    "--last-used/--no-last-used",
    default=True,
    help="Whether the file has the times of the last use of keys and roles, which any call changes.",
)
@server_option
@config_of_database_option
@database_option
def save(file: str, last_used: bool, endpoint: str | None, database: str) -> None:
    """Write the sandbox in a database to FILE, in the format of a sandbox file; - is standard output.

    The command works while the server runs and after it has stopped. The file holds secrets, so only its owner can read
    it.

    \b
    Examples:
      rolecall snapshot save before.yaml
      rolecall snapshot save - --database sqlite:///team.db
    """
    server = server_instead(endpoint)
    if server:
        write_private(file, ask_text(server, "GET", f"snapshot?last_used={str(last_used).lower()}"))
    else:
        write_private(file, saved(database, last_used=last_used))


def saved(database: str, *, last_used: bool = True) -> str:
    """The sandbox in a database as a sandbox file. Raises UnusableError."""
    if not _exists(database):
        raise UnusableError("there is no such database (see --database)")
    opened = _opened(database)
    try:
        with shown_when_slow(SLOW_SAVING):
            return save_database(opened, SandboxSettings(), last_used=last_used)
    except UnsavableError as error:
        raise UnusableError(str(error)) from error
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()


@command.command("load")
@click.argument("file", metavar="FILE")
@server_option
@config_of_database_option
@database_option
def load(file: str, endpoint: str | None, database: str) -> None:
    """Replace the sandbox in a database with FILE, a snapshot or any sandbox file; - is standard input.

    The command loads all of the file or nothing. A running server uses the new content from its next call on. The
    server applies its own sandbox file again only when that file changes.

    \b
    Examples:
      rolecall snapshot load before.yaml
      rolecall snapshot load - --database sqlite:///team.db < before.yaml
    """
    text = read_text(file)
    server = server_instead(endpoint)
    if server:
        _load_at_server(server, file, text)
        return
    opened = _opened(database)
    folder = os.curdir if file == STANDARD_STREAM else str(Path(file).parent)
    clock = Clock()
    try:
        with opened.snapshot() as connection:
            clock.follow(load_clock(connection))
        with shown_when_slow(SLOW_LOADING):
            load_database(opened, text, clock.now_seconds(), Identifiers(), folder)
    except InvalidWorldError as error:
        raise _unloadable(file, [(problem.line, problem.message) for problem in error.problems]) from error
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()


def _load_at_server(server: str, file: str, text: str) -> None:
    """Raises UnusableError. The server cannot read files that the text names."""
    status, answer = ask_for(server, "PUT", "snapshot", text)
    if isinstance(answer, dict) and isinstance(answer.get("problems"), list):
        raise _unloadable(file, [(problem["line"], problem["message"]) for problem in answer["problems"]])
    if status != HTTPStatus.OK:
        raise unusable(answer)


def _unloadable(file: str, problems: Sequence[tuple[int, str]]) -> UnusableError:
    return UnusableError(f"{file} cannot be loaded:", [f"{file}:{line}: {message}" for line, message in problems])


def _exists(database: str) -> bool:
    try:
        return database_exists(database)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error


def _opened(database: str) -> Database:
    opened = opened_database(database)
    if opened.in_memory:
        opened.close()
        raise UnusableError(
            "only the server itself can use a database in memory: ask the server at /_rolecall/snapshot, "
            "or start serve with a database in a file"
        )
    return opened

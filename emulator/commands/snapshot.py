"""``rolecall snapshot save`` and ``rolecall snapshot load``"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from emulator.clock import Clock
from emulator.commands.common import (
    DATABASE_PROBLEMS,
    UnusableError,
    database_option,
    database_problem,
    opened_database,
)
from emulator.ids import Identifiers
from emulator.sandbox.declare import InvalidWorldError
from emulator.sandbox.snapshots import UnsavableError, load_database, save_database
from emulator.settings import SandboxSettings
from emulator.storage.engine import Database, database_exists

STANDARD_STREAM = "-"
# The file holds secret access keys.
_OWNER_ONLY = 0o600


@click.group("snapshot")
def command() -> None:
    """Save the whole world as one readable file, or load one.

    \b
    Examples:
      rolecall snapshot save before.yaml
      rolecall snapshot load before.yaml
    """


@command.command("save")
@click.argument("file", metavar="FILE")
@database_option
def save(file: str, database: str) -> None:
    """Write the world of a database to FILE, in the format of the sandbox file; - is standard output.

    While the server runs, or after it has stopped. The file holds secrets: whoever else is on this machine cannot read
    it.

    \b
    Examples:
      rolecall snapshot save before.yaml
      rolecall snapshot save - --database sqlite:///team.db
    """
    if not _exists(database):
        raise UnusableError("there is no such database (see --database)")
    opened = _opened(database)
    try:
        text = save_database(opened, SandboxSettings())
    except UnsavableError as error:
        raise UnusableError(str(error)) from error
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()
    if file == STANDARD_STREAM:
        click.echo(text, nl=False)
        return
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "w", encoding="utf-8") as written:
            written.write(text)
    except OSError as error:
        raise UnusableError(f"cannot write {file}: {error.strerror or error}") from error


@command.command("load")
@click.argument("file", metavar="FILE")
@database_option
def load(file: str, database: str) -> None:
    """Replace the world of a database by that of FILE, a snapshot or any sandbox file; - is standard input.

    All or nothing, and a running server notices with the next call. The server's own sandbox file is not applied over
    it, until that file changes.

    \b
    Examples:
      rolecall snapshot load before.yaml
      rolecall snapshot load - --database sqlite:///team.db < before.yaml
    """
    text = _text_of(file)
    opened = _opened(database)
    try:
        load_database(opened, text, Clock().now_seconds(), Identifiers())
    except InvalidWorldError as error:
        lines = "\n".join(f"{file}:{problem.line}: {problem.message}" for problem in error.problems)
        raise UnusableError(f"{file} cannot be loaded:\n{lines}") from error
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()


def _text_of(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_STREAM else Path(file).read_bytes()
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableError(f"cannot read {file}: not UTF-8 text") from error
    except OSError as error:
        raise UnusableError(f"cannot read {file}: {error.strerror or error}") from error


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
            "a database in memory belongs to its server: ask the server, at /_rolecall/snapshot, "
            "or give serve a database in a file"
        )
    return opened

"""What several subcommands share: options, the sandbox file, the database, the lines for a shell."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rolecall.clock import Clock
from rolecall.sandbox.builtin import builtin_world_path
from rolecall.sandbox.declare import InvalidWorldError, read_world_file
from rolecall.sandbox.world import DeclaredKey, World
from rolecall.settings import DEFAULT_HOST, DEFAULT_PORT, DEFAULT_REGION, Address, default_database_url
from rolecall.storage.clock_states import load_clock
from rolecall.storage.decision_log import DecisionStore, LogUnavailableError, decision_log_path
from rolecall.storage.engine import BadDatabaseUrlError, Database, DatabaseError
from rolecall.storage.migrate import upgrade
from rolecall.storage.problems import BadRowError, NewerDatabaseError

DATABASE_PROBLEMS = (NewerDatabaseError, BadRowError, *DatabaseError, ImportError, OSError)


class UnusableError(click.ClickException):
    """Something the user has to put right: one clear message, exit status 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        click.echo(f"rolecall: {self.message}", err=True)


def default_database() -> str:
    return default_database_url(os.environ, sys.platform, str(Path.home()))


def data_folder() -> Path:
    """Where what belongs to this user and to no sandbox is kept: beside the default database."""
    return Path(default_database().removeprefix("sqlite:///")).parent


SINCE_HELP = "2030-01-01T00:00:00Z, seconds since the epoch, or how long ago: 15m, 1h30m, 7d."
PORTS = click.IntRange(1, 65535)
config_option = click.option(
    "--config",
    "config",
    envvar="ROLECALL_CONFIG",
    metavar="FILE",
    default=None,
    show_envvar=True,
    help="Sandbox file (YAML or JSON).",
)
host_option = click.option(
    "--host", envvar="ROLECALL_HOST", default=DEFAULT_HOST, show_envvar=True, help="Address the server listens on."
)
port_option = click.option(
    "--port", envvar="ROLECALL_PORT", default=DEFAULT_PORT, type=PORTS, show_envvar=True, help="Port it listens on."
)
database_option = click.option(
    "--database",
    "database",
    envvar="ROLECALL_DATABASE",
    metavar="URL",
    default=default_database,
    show_default="a SQLite file in your data folder",
    show_envvar=True,
    help="SQLAlchemy URL of the database; sqlite:// keeps everything in memory.",
)


def read_config(config: str | None) -> World:
    """The declared world, the built-in one without a file. Raises UnusableError with every problem."""
    path = config or str(builtin_world_path())
    try:
        return read_world_file(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    except InvalidWorldError as error:
        lines = "\n".join(f"{path}:{problem.line}: {problem.message}" for problem in error.problems)
        raise UnusableError(f"{path} cannot be used:\n{lines}") from error


def opened_database(url: str) -> Database:
    """The database with the present schema. Raises UnusableError."""
    try:
        database = Database(with_folder(url))
        upgrade(database)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    return database


@contextmanager
def opened_log(database: str, endpoint: str) -> Iterator[DecisionStore]:
    """The decision log beside a database, for reading. Raises UnusableError.

    ``endpoint`` is where a running server tells the same, for databases whose log is in its memory.
    """
    try:
        store = DecisionStore(decision_log_path(database))
    except BadDatabaseUrlError as error:
        raise UnusableError(database_problem(error)) from error
    if store.in_memory:
        raise UnusableError(
            "the log of this database is in the server's memory: "
            f"ask the server, at {endpoint}, or give serve a database in a file"
        )
    if not store.exists():
        raise UnusableError(f"there is no decision log {store.path} (see --database)")
    try:
        yield store
    except LogUnavailableError as error:
        raise UnusableError(f"cannot read the decision log {store.path}: {error}") from error
    finally:
        store.close()


def sandbox_seconds(database: str) -> float:
    """The time of the sandbox in a database that has a log. Raises UnusableError."""
    # A database that is not there would be made.
    with opened_log(database, "/_rolecall/clock"):
        opened = opened_database(database)
    try:
        with opened.snapshot() as connection:
            state = load_clock(connection)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()
    clock = Clock()
    clock.follow(state)
    return clock.now_seconds()


def with_folder(url: str) -> str:
    """The same URL, after making the folder of the default database file."""
    if url == default_database():
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return url


def database_problem(error: Exception) -> str:
    """One line for a person; never the URL, which may hold a password."""
    if isinstance(error, NewerDatabaseError):
        return str(error)
    if isinstance(error, BadDatabaseUrlError):
        return "the database URL cannot be understood: write it as sqlite:///file.db"
    return f"cannot open the database: {getattr(error, 'orig', None) or error} (see --database)"


def key_of(world: World, user_name: str | None) -> DeclaredKey:
    """The first key of a user of the default account; without a name, of its first user that has one, or of root."""
    account = world.accounts[0]
    if user_name is not None:
        for user in account.users:
            if user.name == user_name and user.access_keys:
                return user.access_keys[0]
        raise UnusableError(f"account {account.account_id} declares no user {user_name!r} with an access key")
    keys = [key for user in account.users for key in user.access_keys] + list(account.root_access_keys)
    if not keys:
        raise UnusableError(f"account {account.account_id} declares no access key")
    return keys[0]


def export_lines(address: Address, key: DeclaredKey, authority_path: str = "") -> list[str]:
    """Lines for a POSIX shell that point every AWS SDK at the server, whose certificate the authority has signed."""
    values = {
        "AWS_ENDPOINT_URL": address.url,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_REGION": DEFAULT_REGION,
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
    }
    if authority_path:
        values["AWS_CA_BUNDLE"] = authority_path
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]

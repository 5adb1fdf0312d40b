"""Code that several subcommands share: options, the sandbox file, the database, the lines for a shell."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from rolecall.clock import Clock
from rolecall.commands.problems import UnusableError as UnusableError
from rolecall.commands.terminal import shown_when_slow
from rolecall.commands.terminal import tell as tell
from rolecall.printable import printable_lines
from rolecall.service_records import DEFAULT_REGION
from rolecall.settings import DEFAULT_HOST, DEFAULT_PORT, Address, client_lines, data_folder, default_database_url
from rolecall.storage.clock_states import load_clock
from rolecall.storage.decision_log import DecisionStore, LogUnavailableError, decision_log_path
from rolecall.storage.engine import BadDatabaseUrlError, Database, DatabaseError
from rolecall.storage.migrate import upgrade
from rolecall.storage.private_files import make_private_folder
from rolecall.storage.problems import BadRowError, NewerDatabaseError, UnsuitableDatabaseError
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import InvalidWorldError, read_world_file
from rolecall.worlds.files import MAXIMUM_FILE_BYTES, read_bounded, read_named
from rolecall.worlds.world import DeclaredKey, World

DATABASE_PROBLEMS = (NewerDatabaseError, UnsuitableDatabaseError, BadRowError, *DatabaseError, ImportError, OSError)
# Of the profile and the sso-session that commands make.
DEFAULT_PROFILE_NAME = "rolecall"
# In place of a file: standard input or output.
STANDARD_STREAM = "-"


def tell_lines(text: str, *, err: bool = False) -> None:
    """Print several lines, with control characters escaped except line feeds.

    The caller makes sure that no text of a client, a file or a server can add a line.
    """
    click.echo(printable_lines(text), err=err)


def tell_exactly(text: str, *, newline: bool = True) -> None:
    """Print a text for a program, without escapes, because they would change it."""
    click.echo(text, nl=newline)


def user_data_folder() -> Path:
    """Where everything of this user is kept that has no other place."""
    return Path(data_folder(os.environ, sys.platform, str(Path.home())))


def _chosen_config(context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    """The sandbox file of a command: the given one, or the one in the working directory."""
    chosen = given or (SANDBOX_FILE_NAME if Path(SANDBOX_FILE_NAME).is_file() else None)
    context.meta[_CONFIG_KEY] = chosen
    return chosen


def _chosen_database(context: click.Context, _parameter: click.Parameter, given: str | None) -> str:
    """The URL of the database: the given one, or the default one of the sandbox file."""
    if given is not None:
        return "sqlite://" if given == "memory" else given
    config = context.meta.get(_CONFIG_KEY)
    return default_database_url(user_data_folder(), str(Path(config).resolve()) if config else "")


_Command = TypeVar("_Command", bound=Callable[..., object])
SANDBOX_FILE_NAME = "rolecall.yaml"
_CONFIG_KEY = "rolecall.config"
CONFIG_DEFAULT = f"{SANDBOX_FILE_NAME} in this folder, else the built-in sandbox"
SINCE_HELP = "Only calls from this time on: 2030-01-01T00:00:00Z, seconds since the epoch, or how long ago (15m, 7d)."
MIGRATING = "bringing the schema of the database up to date"
SCHEMA_HINT = "rolecall schema {kind} lets an editor check the file while you write it"
_AWS_FORM = re.compile(r"AKIA[A-Z2-7]{16}")
PORTS = click.IntRange(1, 65535)


def _config_option(help_text: str, *, expose_value: bool = True) -> Callable[[_Command], _Command]:
    return click.option(
        "--config",
        "config",
        envvar="ROLECALL_CONFIG",
        metavar="FILE",
        default=None,
        # Click must read this option first, because the default database depends on it.
        is_eager=True,
        expose_value=expose_value,
        callback=_chosen_config,
        show_default=CONFIG_DEFAULT,
        show_envvar=True,
        help=help_text,
    )


config_option = _config_option("Sandbox file (YAML or JSON).")
# For commands that need the sandbox file only to find the database.
config_of_database_option = _config_option("Sandbox file whose database to use.", expose_value=False)
host_option = click.option(
    "--host", envvar="ROLECALL_HOST", default=DEFAULT_HOST, show_envvar=True, help="Address that the server listens on."
)
port_option = click.option(
    "--port",
    envvar="ROLECALL_PORT",
    default=DEFAULT_PORT,
    type=PORTS,
    show_envvar=True,
    help="Port that the server listens on.",
)
database_option = click.option(
    "--database",
    "database",
    envvar="ROLECALL_DATABASE",
    metavar="URL",
    default=None,
    callback=_chosen_database,
    show_default="a SQLite file in your data folder, one for each sandbox file",
    show_envvar=True,
    help="SQLAlchemy URL of the database, or memory to keep nothing.",
)


def checked_name(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    """The name of a profile or an sso-session, for an option's callback."""
    if not given or not set(given) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"):
        raise click.BadParameter("a name consists of letters, digits, dots, - and _")
    return given


def read_text(file: str, maximum_bytes: int = MAXIMUM_FILE_BYTES) -> str:
    """The text of a file that the user named. Raises UnusableError."""
    try:
        if file == STANDARD_STREAM:
            return read_bounded(sys.stdin.buffer, maximum_bytes)
        return read_named(file, maximum_bytes)
    except UnicodeDecodeError as error:
        raise UnusableError(f"cannot read {file}: not UTF-8 text: save it as UTF-8") from error
    except ValueError as error:
        raise unreadable(file, error) from error
    except OSError as error:
        raise unreadable(file, error) from error


def unreadable(file: str, error: Exception) -> UnusableError:
    """The error for a file that cannot be read. It says where a relative path begins."""
    where = "" if Path(file).is_absolute() or file == STANDARD_STREAM else f" (in {Path.cwd()})"
    return UnusableError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}{where}")


def read_config(config: str | None) -> World:
    """The world that a sandbox file declares; without a file, the built-in one.

    Raises UnusableError with every problem of the file.
    """
    path = config or str(builtin_world_path())
    try:
        return read_world_file(path)
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    except InvalidWorldError as error:
        lines = [f"{path}:{problem.line}: {problem.message}" for problem in error.problems]
        raise UnusableError(f"{path} cannot be used:", lines, hint=SCHEMA_HINT.format(kind="sandbox")) from error


def opened_database(url: str) -> Database:
    """The database, with its schema up to date. Raises UnusableError."""
    try:
        database = Database(with_folder(url))
        try:
            with shown_when_slow(MIGRATING) as work:
                upgrade(database, work.step)
        except BaseException:
            database.close()
            raise
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    return database


@contextmanager
def opened_log(database: str, endpoint: str) -> Iterator[DecisionStore]:
    """The decision log beside a database, for reading. Raises UnusableError.

    ``endpoint`` is the control endpoint with the same content. The message names it when the log is in the memory of a
    server.
    """
    try:
        store = DecisionStore(decision_log_path(database))
    except BadDatabaseUrlError as error:
        raise UnusableError(database_problem(error)) from error
    if store.in_memory:
        raise UnusableError(
            "the log of this database is in the server's memory: "
            f"ask the server at {endpoint}, or start serve with a database in a file"
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
    """The sandbox's time, from a database that has a log. Raises UnusableError."""
    # Opening a database makes a missing one, so look for its log first.
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
    """The same URL. Makes the data folder when the URL names a file in it."""
    folder = user_data_folder()
    if url.startswith(f"sqlite:///{folder.as_posix()}/"):
        make_private_folder(folder)
    return url


def database_problem(error: Exception) -> str:
    """One line for the user. It leaves out the URL, because that may hold a password."""
    if isinstance(error, NewerDatabaseError):
        return str(error)
    if isinstance(error, BadDatabaseUrlError):
        return "the database URL is not valid: write it as sqlite:///file.db or postgresql+psycopg://user@host/database"
    if isinstance(error, ImportError) and error.name == "psycopg":
        return "PostgreSQL needs another package: pip install 'rolecall[postgresql]'"
    # A driver may use several lines, one for each address that it tried.
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    return f"cannot open the database: {said} (see --database)"


def key_of(world: World, user_name: str | None) -> DeclaredKey:
    """The first access key of a user of the default account.

    Without a name it is the key of the first user that has one, or else of the root user. Raises UnusableError.
    """
    account = world.accounts[0]
    if user_name is not None:
        for user in account.users:
            if user.name == user_name and user.access_keys:
                return user.access_keys[0]
        known = ", ".join(user.name for user in account.users if user.access_keys) or "none"
        raise UnusableError(
            f"account {account.account_id} declares no user {user_name!r} with an access key",
            hint=f"the users with a key are: {known}",
        )
    keys = [key for user in account.users for key in user.access_keys] + list(account.root_access_keys)
    if not keys:
        raise UnusableError(
            f"account {account.account_id} declares no access key",
            hint="give a user access_keys in the sandbox file, or make a key with rolecall credentials",
        )
    return keys[0]


def other_key_lines(world: World, key: DeclaredKey) -> list[str]:
    """A comment line with another key of the same user whose id AWS could have made. Empty if there is no such key.

    It comes last: an unquoted ``eval $(rolecall env)`` joins all lines, and a comment hides what follows it.
    """
    if _AWS_FORM.fullmatch(key.access_key_id):
        return []
    owners = [user.access_keys for user in world.accounts[0].users] + [world.accounts[0].root_access_keys]
    others = next((keys for keys in owners if key in keys), ())
    for other in others:
        if _AWS_FORM.fullmatch(other.access_key_id) and other.status in (None, "Active"):
            pair = (
                f"AWS_ACCESS_KEY_ID={other.access_key_id} AWS_SECRET_ACCESS_KEY={shlex.quote(other.secret_access_key)}"
            )
            return [f"# Some tools accept only key ids that AWS could have made. For them: export {pair}"]
    return []


def export_lines(
    address: Address, key: DeclaredKey, authority_path: str = "", *, services: Iterable[str] = ()
) -> list[str]:
    """Lines for a POSIX shell that point AWS SDKs at the server, whose certificate the authority has signed.

    With services, only calls of those go to it.
    """
    return client_lines(
        address.url, key.access_key_id, key.secret_access_key, DEFAULT_REGION, authority_path, services=services
    )

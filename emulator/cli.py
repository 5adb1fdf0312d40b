"""The command ``rolecall``."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from emulator.app import add_sealing_key, list_sealing_keys, open_database, worker_application
from emulator.clock import Clock, iso8601
from emulator.demo import run_demo
from emulator.inspection import describe_operations, examine
from emulator.sandbox.builtin import builtin_world_path
from emulator.sandbox.declare import InvalidWorldError, read_world_file
from emulator.sandbox.world import DeclaredKey, World
from emulator.server import Address, PortInUseError, check_port, serve
from emulator.settings import DEFAULT_HOST, DEFAULT_PORT, ServerSettings, default_database_url
from emulator.storage.engine import BadDatabaseUrlError, Database, DatabaseError
from emulator.storage.migrate import HEAD_REVISION, NewerDatabaseError, upgrade
from emulator.version import __version__

DEFAULT_REGION = "us-east-1"
_PORTS = click.IntRange(1, 65535)
CONTEXT = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ROLECALL", "show_default": True}


class Unusable(click.ClickException):
    """Something the user has to put right: one clear line, exit status 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        click.echo(f"rolecall: {self.message}", err=True)


def _default_database() -> str:
    return default_database_url(os.environ, sys.platform, str(Path.home()))


_config_option = click.option(
    "--config", "config", metavar="FILE", default=None, show_envvar=True, help="Sandbox file (YAML or JSON)."
)
_database_option = click.option(
    "--database",
    "database",
    metavar="URL",
    default=_default_database,
    show_default="a SQLite file in your data folder",
    show_envvar=True,
    help="SQLAlchemy URL of the database; sqlite:// keeps everything in memory.",
)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="rolecall")
def main() -> None:
    """A local stand-in for AWS STS, IAM and Amazon Chime.

    Every call is authenticated and authorised as AWS would do it. Start it with `rolecall serve`, then point boto3 or
    any AWS SDK at it with AWS_ENDPOINT_URL.
    """


@main.command("serve")
@click.option("--host", default=DEFAULT_HOST, show_envvar=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, type=_PORTS, show_envvar=True, help="Port to listen on.")
@_database_option
@_config_option
@click.option("--workers", default=1, type=click.IntRange(1, 64), show_envvar=True, help="Worker processes.")
@click.option("--threads", default=1, type=click.IntRange(1, 64), show_envvar=True, help="Threads in each worker.")
@click.option("--verbose", is_flag=True, show_envvar=True, help="Log every refusal with its reason.")
def serve_command(
    host: str, port: int, database: str, config: str | None, workers: int, threads: int, verbose: bool
) -> None:
    """Serve STS, IAM and Chime until interrupted."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    world = _read_config(config)
    settings = ServerSettings(
        database_url=database, config_path=config or "", host=host, port=port, workers=workers, threads=threads
    )
    in_memory = _prepare(settings, world)
    if in_memory and workers > 1:
        raise Unusable("a database in memory cannot be shared by several workers: use --workers 1 or a database file")
    try:
        check_port(host, port)
    except PortInUseError as error:
        raise Unusable(f"{error}. Choose another with --port.") from error
    serve(settings, partial(worker_application, settings, world), partial(_announce, Address(host, port), world))


@main.command("demo")
def demo_command() -> None:
    """The main job in one process: roles, federation, and Chime calls allowed and refused, each explained."""
    world = _read_config(None)
    for line in run_demo(world):
        click.echo(line)


@main.command("env")
@_config_option
@click.option("--as", "user", metavar="USER", default=None, help="User of the default account, instead of its first.")
@click.option("--host", default=DEFAULT_HOST, show_envvar=True, help="Address the server listens on.")
@click.option("--port", default=DEFAULT_PORT, type=_PORTS, show_envvar=True, help="Its port.")
def env_command(config: str | None, user: str | None, host: str, port: int) -> None:
    """Print export lines for a shell: eval "$(rolecall env)"."""
    for line in _export_lines(Address(host, port), _key_of(_read_config(config), user)):
        click.echo(line)


@main.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def check_command(files: Sequence[str]) -> None:
    """Validate sandbox files and policy documents; says every problem with its line. Exit status 1 if there is one."""
    found = 0
    for file in files:
        try:
            problems, kind = examine(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
        for problem in problems:
            click.echo(f"{file}:{problem.line}: {problem.message}")
        if not problems:
            click.echo(f"{file}: a valid {kind}")
        found += len(problems)
    sys.exit(1 if found else 0)


@main.command("operations")
@click.argument("service", required=False, metavar="[SERVICE]")
def operations_command(service: str | None) -> None:
    """List every operation, emulated or not, with the file that implements it."""
    try:
        lines = describe_operations(service)
    except KeyError as error:
        raise Unusable(str(error.args[0])) from error
    for line in lines:
        click.echo(line)


@main.group("keys")
def keys_group() -> None:
    """The key ring behind session tokens."""


@keys_group.command("list")
@_database_option
def keys_list_command(database: str) -> None:
    """List the sealing keys, the one in use last."""
    for key_id, created_at_seconds in list_sealing_keys(_opened(database)):
        click.echo(f"{key_id}  created {iso8601(created_at_seconds)}")


@keys_group.command("rotate")
@_database_option
def keys_rotate_command(database: str) -> None:
    """Add a sealing key and use it from now on; sessions sealed with older keys stay valid."""
    click.echo(f"{add_sealing_key(_opened(database), Clock())}  is the newest key")


@main.group("db")
def db_group() -> None:
    """The database."""


@db_group.command("upgrade")
@_database_option
def db_upgrade_command(database: str) -> None:
    """Bring the schema up to date (serve does it too)."""
    try:
        before = upgrade(Database(_with_folder(database)))
    except (NewerDatabaseError, DatabaseError, OSError) as error:
        raise Unusable(_database_problem(database, error)) from error
    click.echo(f"schema {HEAD_REVISION}" + (", as before" if before == HEAD_REVISION else f", was {before or 'empty'}"))


def _read_config(config: str | None) -> World:
    path = config or str(builtin_world_path())
    try:
        return read_world_file(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    except InvalidWorldError as error:
        lines = "\n".join(f"{path}:{problem.line}: {problem.message}" for problem in error.problems)
        raise Unusable(f"{path} cannot be used:\n{lines}") from error


def _prepare(settings: ServerSettings, world: World) -> bool:
    """Migrate and set up the database before any worker starts; True when it lives in a worker's memory instead."""
    try:
        if Database(settings.database_url).in_memory:
            return True
        open_database(_with_folder(settings.database_url), world, Clock()).close()
    except (NewerDatabaseError, DatabaseError, ImportError, OSError) as error:
        raise Unusable(_database_problem(settings.database_url, error)) from error
    return False


def _opened(url: str) -> Database:
    try:
        database = Database(_with_folder(url))
        upgrade(database)
    except (NewerDatabaseError, DatabaseError, ImportError, OSError) as error:
        raise Unusable(_database_problem(url, error)) from error
    return database


def _with_folder(url: str) -> str:
    """The same URL, after making the folder of the default database file."""
    if url == _default_database():
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return url


def _database_problem(url: str, error: Exception) -> str:
    if isinstance(error, NewerDatabaseError):
        return str(error)
    if isinstance(error, BadDatabaseUrlError):
        return "the database URL cannot be understood: write it as sqlite:///file.db"
    cause = getattr(error, "orig", None) or error
    return f"cannot open the database: {cause} (see --database)"


def _key_of(world: World, user_name: str | None) -> DeclaredKey:
    """The first key of a user of the default account; without a name, of its first user that has one, or of root."""
    account = world.accounts[0]
    if user_name is not None:
        for user in account.users:
            if user.name == user_name and user.access_keys:
                return user.access_keys[0]
        raise Unusable(f"account {account.account_id} declares no user {user_name!r} with an access key")
    keys = [key for user in account.users for key in user.access_keys] + list(account.root_access_keys)
    if not keys:
        raise Unusable(f"account {account.account_id} declares no access key")
    return keys[0]


def _export_lines(address: Address, key: DeclaredKey) -> list[str]:
    values = {
        "AWS_ENDPOINT_URL": address.url,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_REGION": DEFAULT_REGION,
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
    }
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def _announce(address: Address, world: World) -> None:
    click.echo(f"Rolecall is ready at {address.url}")
    try:
        for line in _export_lines(address, _key_of(world, None)):
            click.echo(line)
    except Unusable as nobody:
        click.echo(f"# {nobody.message}")
    if not world.settings.strict:
        click.echo("# Not strict: unknown access keys act as the administrator, and their signatures are not checked.")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

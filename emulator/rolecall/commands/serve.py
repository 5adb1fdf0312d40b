"""``rolecall serve``"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from functools import partial

import click

from rolecall.app import open_database, worker_application
from rolecall.clock import Clock
from rolecall.commands.common import (
    DATABASE_PROBLEMS,
    UnusableError,
    config_option,
    database_option,
    database_problem,
    export_lines,
    host_option,
    key_of,
    port_option,
    read_config,
    with_folder,
)
from rolecall.sandbox.world import World
from rolecall.server import PortInUseError, check_port, serve
from rolecall.settings import DEFAULT_THREADS, Address, ServerSettings
from rolecall.storage.engine import Database
from rolecall.web.application import RolecallApplication


@click.command("serve")
@host_option
@port_option
@database_option
@config_option
@click.option(
    "--workers",
    envvar="ROLECALL_WORKERS",
    default=1,
    type=click.IntRange(1, 64),
    show_envvar=True,
    help="Worker processes.",
)
@click.option(
    "--threads",
    envvar="ROLECALL_THREADS",
    default=DEFAULT_THREADS,
    type=click.IntRange(1, 64),
    show_envvar=True,
    help="Threads in each worker for calls that write or compute for long.",
)
@click.option(
    "--verbose", envvar="ROLECALL_VERBOSE", is_flag=True, show_envvar=True, help="Log every refusal with its reason."
)
def command(host: str, port: int, database: str, config: str | None, workers: int, threads: int, verbose: bool) -> None:
    """Serve STS, IAM and Chime until interrupted.

    Says when it is ready, with the lines that point a shell at it. What was made is kept in the database: start it
    again and it is there. SIGINT (Ctrl-C) and SIGTERM end it.

    \b
    Examples:
      rolecall serve
      rolecall serve --config config/federation.yaml --database sqlite://
      rolecall serve --port 4581 --workers 2 --verbose
    """
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    world = read_config(config)
    settings = ServerSettings(
        database_url=database, config_path=config or "", host=host, port=port, workers=workers, threads=threads
    )
    try:
        check_port(host, port)
    except PortInUseError as error:
        raise UnusableError(f"{error}. Choose another with --port.") from error
    try:
        load, finish = _loader(settings, world)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    ended_well = serve(settings, load, partial(_announce, Address(host, port), world))
    finish()
    # Threads of the server may still compute or wait; nobody waits for what comes of it.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if ended_well else 1)


def _loader(settings: ServerSettings, world: World) -> tuple[Callable[[], RolecallApplication], Callable[[], None]]:
    """What gives a worker its application, and what to do when the server has ended.

    The database is opened and set up here, where its problems can be told. Worker processes finish by themselves.
    """
    with_folder(settings.database_url)
    if settings.workers == 1:
        application = worker_application(settings, world)
        return lambda: application, application.finish
    if Database(settings.database_url).in_memory:
        raise UnusableError("a database in memory cannot be shared by several workers: use --workers 1 or a file")
    open_database(settings.database_url, world, Clock()).close()
    return partial(worker_application, settings, world), lambda: None


def _announce(address: Address, world: World) -> None:
    lines = [f"Rolecall is ready at {address.url}"]
    try:
        lines += export_lines(address, key_of(world, None))
    except UnusableError as nobody:
        lines.append(f"# {nobody.message}")
    if not world.settings.strict:
        lines.append("# Not strict: unknown access keys act as the administrator, their signatures unchecked.")
    # Whoever started it may have read the first line and gone.
    with contextlib.suppress(BrokenPipeError):
        click.echo("\n".join(lines))
        sys.stdout.flush()

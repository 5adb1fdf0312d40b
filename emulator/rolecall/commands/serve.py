"""``rolecall serve``"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from rolecall.app import BUILT_IN, checkpoint_database, open_database, worker_application
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
    other_key_lines,
    port_option,
    tell_lines,
    user_data_folder,
    with_folder,
)
from rolecall.commands.kept import kept_in, kept_line, read_unless_known
from rolecall.commands.log_lines import LOG_FORMATTERS
from rolecall.commands.running import console_url
from rolecall.commands.terminal import shown_when_slow
from rolecall.server import BadCertificateError, PortInUseError, check_port, own_certificate, serve, tls_context
from rolecall.settings import (
    CONTROL_TOKEN_VARIABLE,
    DEFAULT_RECEIVE_SECONDS,
    DEFAULT_THREADS,
    Address,
    ServerSettings,
    TlsFiles,
)
from rolecall.storage.engine import Database
from rolecall.web.application import RolecallApplication
from rolecall.web.control_access import control_access
from rolecall.web.origins import admission_of
from rolecall.worlds.known_worlds import AnyWorld, front

# For large sandbox files: what the command does when it has not answered after a second.
SLOW_READING = "reading {path}; a large sandbox file takes some seconds"
SLOW_SETTING_UP = "setting up the sandbox in its database; a large one takes some seconds"


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
    "--receive-timeout",
    "receive_seconds",
    envvar="ROLECALL_RECEIVE_TIMEOUT",
    metavar="SECONDS",
    default=DEFAULT_RECEIVE_SECONDS,
    type=click.FloatRange(0.1, 3600),
    show_default=True,
    show_envvar=True,
    help="How long the head of a request may take to arrive, and after it the body.",
)
@click.option(
    "--tls-cert",
    envvar="ROLECALL_TLS_CERT",
    metavar="FILE",
    show_envvar=True,
    help="Serve HTTPS with this certificate (PEM, with the chain).",
)
@click.option(
    "--tls-key", envvar="ROLECALL_TLS_KEY", metavar="FILE", show_envvar=True, help="The private key of --tls-cert."
)
@click.option(
    "--tls",
    envvar="ROLECALL_TLS",
    type=click.Choice(["self-signed"]),
    show_envvar=True,
    help="Make a certificate and serve HTTPS with it. Prints the file that clients need to trust it.",
)
@click.option(
    "--no-log",
    envvar="ROLECALL_NO_LOG",
    is_flag=True,
    show_envvar=True,
    help="Keep no decision log. Then calls cannot be listed or explained afterwards.",
)
@click.option(
    "--verbose", envvar="ROLECALL_VERBOSE", is_flag=True, show_envvar=True, help="Log every refusal with its reason."
)
@click.option(
    "--access-log",
    envvar="ROLECALL_ACCESS_LOG",
    is_flag=True,
    show_envvar=True,
    help="Write a line to stderr for each AWS call.",
)
@click.option(
    "--log-format",
    envvar="ROLECALL_LOG_FORMAT",
    type=click.Choice(list(LOG_FORMATTERS)),
    default="text",
    show_default=True,
    show_envvar=True,
    help="Format of the lines on stderr: text, or json with one object a line.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    envvar="ROLECALL_ALLOW_HOST",
    metavar="NAME",
    multiple=True,
    show_envvar=True,
    help="Another name of this server, such as rolecall.example.com or *.example.com. "
    "Private names and AWS's names are always allowed.",
)
@click.option(
    "--allow-origin",
    "allowed_origins",
    envvar="ROLECALL_ALLOW_ORIGIN",
    metavar="ORIGIN",
    multiple=True,
    show_envvar=True,
    help="An origin whose web pages may make AWS calls, such as http://localhost:3000.",
)
@click.option(
    "--control-token",
    envvar=CONTROL_TOKEN_VARIABLE,
    metavar="TOKEN",
    show_envvar=True,
    help="Let other machines use the control endpoints and the console with this token. Other users of the machine can "
    "read a command line, so set the variable instead.",
)
@click.option(
    "--control-host",
    "control_hosts",
    envvar="ROLECALL_CONTROL_HOST",
    metavar="ADDRESS",
    multiple=True,
    show_envvar=True,
    help="Only these other machines, with the token: an address such as 10.1.2.3, or a network such as 10.0.0.0/8.",
)
def command(
    host: str,
    port: int,
    database: str,
    config: str | None,
    workers: int,
    threads: int,
    receive_seconds: float,
    tls_cert: str | None,
    tls_key: str | None,
    tls: str | None,
    no_log: bool,
    verbose: bool,
    access_log: bool,
    log_format: str,
    allowed_hosts: tuple[str, ...],
    allowed_origins: tuple[str, ...],
    control_token: str | None,
    control_hosts: tuple[str, ...],
) -> None:
    """Serve STS, IAM and Chime until interrupted.

    When it is ready, it prints lines that point a shell at it. The database keeps everything, so it is still there
    after a restart. SIGINT (Ctrl-C) and SIGTERM end the server.

    \b
    Examples:
      rolecall serve
      rolecall serve --config config/federation.yaml --database sqlite://
      rolecall serve --port 4581 --workers 2 --verbose
      rolecall serve --allow-origin http://localhost:3000
      rolecall serve --tls self-signed
    """
    _log_to_stderr(verbose, LOG_FORMATTERS[log_format])
    with shown_when_slow(SLOW_READING.format(path=config or "the built-in sandbox")):
        world = read_unless_known(config, database)
    settings = ServerSettings(
        database_url=database,
        config_path=config or "",
        host=host,
        port=port,
        workers=workers,
        threads=threads,
        allowed_hosts=allowed_hosts,
        allowed_origins=allowed_origins,
        receive_seconds=receive_seconds,
        tls=_tls_files(tls_cert, tls_key, tls, host),
        keeps_log=not no_log,
        access_log=access_log,
        control_token=control_token or "",
        control_hosts=control_hosts,
    )
    _check(settings)
    try:
        kept = kept_in(database)
        load, finish = _loader(settings, world)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    sandbox = Path(config).resolve() if config else BUILT_IN
    about = [f"# Sandbox: {sandbox}", kept_line(database, kept)]
    try:
        ended_well = serve(settings, load, partial(_announce, settings, world, about))
    except PortInUseError as error:
        raise UnusableError(f"{error}. Choose another port with --port.") from error
    finish()
    # Threads of the server may still compute or wait. Their results are not needed.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if ended_well else 1)


def _check(settings: ServerSettings) -> None:
    """Raises UsageError and UnusableError."""
    try:
        admission_of(settings.allowed_hosts, settings.allowed_origins)
        control_access(settings.control_token, settings.control_hosts)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        check_port(settings.host, settings.port)
    except PortInUseError as error:
        raise UnusableError(f"{error}. Choose another port with --port.") from error


def _log_to_stderr(verbose: bool, formatter: Callable[[], logging.Formatter]) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


@shown_when_slow(SLOW_SETTING_UP)
def _loader(settings: ServerSettings, world: AnyWorld) -> tuple[Callable[[], RolecallApplication], Callable[[], None]]:
    """Two functions: one gives a worker its application, the other runs when the server has ended.

    The database is opened and set up here, where its problems can be reported. Worker processes finish by themselves.
    """
    with_folder(settings.database_url)
    if settings.workers == 1:
        application = worker_application(settings, world)
        return lambda: application, application.finish
    if Database(settings.database_url).in_memory:
        raise UnusableError("several workers cannot share a database in memory: use --workers 1 or a file")
    open_database(settings.database_url, world, Clock()).close()
    return partial(worker_application, settings, world), partial(checkpoint_database, settings.database_url)


def _tls_files(certificate: str | None, key: str | None, own: str | None, host: str) -> TlsFiles | None:
    """The checked files to serve HTTPS with; None for HTTP. Raises UnusableError."""
    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if certificate is not None and own is not None:
        raise click.UsageError("--tls makes its own certificate, so it cannot be used with --tls-cert and --tls-key")
    try:
        if certificate is not None and key is not None:
            files = TlsFiles(certificate, key)
        elif own is not None:
            files = own_certificate(user_data_folder() / "tls", host)
        else:
            return None
        tls_context(files)
    except BadCertificateError as error:
        raise UnusableError(str(error)) from error
    except OSError as error:
        raise UnusableError(f"cannot make a certificate: {error}") from error
    return files


def _announce(settings: ServerSettings, declared: AnyWorld, about: Sequence[str]) -> None:
    """Print that the server is ready. After the first line, text for people is a comment, so that a shell skips it."""
    world = front(declared)
    tls = settings.tls
    address = Address(settings.host, settings.port, "http" if tls is None else "https")
    lines = [f"Rolecall is ready at {address.url}", f"# Console: {console_url(address.url)}", *about]
    try:
        key = key_of(world, None)
        lines += export_lines(address, key, "" if tls is None else tls.authority_path) + other_key_lines(world, key)
    except UnusableError as no_key:
        lines.append(f"# {no_key.message}")
    if not world.settings.strict:
        lines.append("# Not strict: unknown access keys act as the administrator. Their signatures are not checked.")
    # The reader of the output may have read the first line and closed the pipe.
    with contextlib.suppress(BrokenPipeError):
        tell_lines("\n".join(lines))
        sys.stdout.flush()

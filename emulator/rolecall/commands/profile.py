"""``rolecall profile``"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from rolecall.commands.common import UnusableError, config_option, key_of, read_config, tell_lines
from rolecall.commands.running import endpoint_of, server_options
from rolecall.service_records import DEFAULT_REGION, SERVICE_RECORDS


def _checked_name(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    if not given or not set(given) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"):
        raise click.BadParameter("a name consists of letters, digits, dots, - and _")
    return given


@click.command("profile")
@click.option(
    "--name", default="rolecall", callback=_checked_name, metavar="NAME", help="Name of the profile, for AWS_PROFILE."
)
@click.option("--role", metavar="NAME|ARN", default=None, help="A role to assume; without it the user's own key.")
@click.option("--as", "user", metavar="USER", default=None, help="User of the default account; the first by default.")
@click.option("--mfa", metavar="NAME|ARN", help="The user's MFA device; the running server gives its code.")
@click.option("--all", "every_service", is_flag=True, help="Send the calls of every service to Rolecall.")
@config_option
@server_options
def command(
    name: str,
    role: str | None,
    user: str | None,
    mfa: str | None,
    every_service: bool,
    config: str | None,
    endpoint: str | None,
    host: str,
    port: int,
) -> None:
    """Print a section for ~/.aws/config that points a profile at Rolecall.

    With --role, the profile gets its credentials from `rolecall credentials`, and renews them by itself. Only the calls
    of the services that Rolecall serves go to it; with --all, the calls of every service.

    \b
    Examples:
      rolecall profile >> ~/.aws/config
      rolecall profile --name reader --role chime-reader --as developer >> ~/.aws/config
    """
    if mfa is not None and role is None:
        raise click.UsageError("--mfa needs --role.")
    address, key = endpoint_of(endpoint, host, port), key_of(read_config(config), user)
    lines = [f"[profile {name}]", f"region = {DEFAULT_REGION}"]
    if role is None:
        lines += [f"aws_access_key_id = {key.access_key_id}", f"aws_secret_access_key = {key.secret_access_key}"]
    else:
        lines.append(f"credential_process = {_process(address, role, user, mfa, config)}")
    if every_service:
        lines.append(f"endpoint_url = {address}")
    else:
        lines += [f"services = {name}", "", f"[services {name}]"]
        for service in SERVICE_RECORDS:
            lines += [f"{service.replace('-', '_')} =", f"  endpoint_url = {address}"]
    tell_lines("\n".join(lines))


def _process(address: str, role: str, user: str | None, mfa: str | None, config: str | None) -> str:
    """The command line of ``rolecall credentials``. SDKs run it in another folder, so its paths are whole."""
    found = shutil.which("rolecall")
    parts = [str(Path(found).resolve())] if found else [sys.executable, "-m", "rolecall"]
    parts += ["credentials", "--role", role, "--endpoint", address]
    for option, value in (
        ("--as", user),
        ("--mfa", mfa),
        ("--config", str(Path(config).resolve()) if config else None),
    ):
        if value is not None:
            parts += [option, value]
    if not all(part.isprintable() for part in parts):
        # A line end would end the value, and the next line could be another setting.
        raise UnusableError("a role, a user, a device or a path has a character that a profile cannot hold")
    return shlex.join(parts)

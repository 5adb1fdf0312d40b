"""``rolecall profile``"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from rolecall.commands.common import (
    DEFAULT_PROFILE_NAME,
    UnusableError,
    checked_name,
    config_option,
    key_of,
    read_config,
    tell_lines,
)
from rolecall.commands.running import endpoint_of, server_options
from rolecall.service_records import DEFAULT_REGION, SERVICE_RECORDS
from rolecall.worlds.world import World


@click.command("profile")
@click.option(
    "--name",
    default=DEFAULT_PROFILE_NAME,
    callback=checked_name,
    metavar="NAME",
    help="Name of the profile, for AWS_PROFILE.",
)
@click.option("--role", metavar="NAME|ARN", default=None, help="A role to assume; without it the user's own key.")
@click.option("--as", "user", metavar="USER", default=None, help="User of the default account; the first by default.")
@click.option("--mfa", metavar="NAME|ARN", help="The user's MFA device; the running server gives its code.")
@click.option("--permission-set", metavar="NAME", help="A permission set of IAM Identity Center, for `rolecall login`.")
@click.option("--account", metavar="ID", help="Account of the permission set; the first one assigned by default.")
@click.option(
    "--session",
    default=DEFAULT_PROFILE_NAME,
    callback=checked_name,
    metavar="NAME",
    help="Name of the sso-session of a profile with --permission-set.",
)
@click.option("--all", "every_service", is_flag=True, help="Send the calls of every service to Rolecall.")
@config_option
@server_options
def command(
    name: str,
    role: str | None,
    user: str | None,
    mfa: str | None,
    permission_set: str | None,
    account: str | None,
    session: str,
    every_service: bool,
    config: str | None,
    endpoint: str | None,
    host: str,
    port: int,
) -> None:
    """Print a section for ~/.aws/config that points a profile at Rolecall.

    With --role, the profile gets its credentials from `rolecall credentials`, and renews them by itself. With
    --permission-set it gets them from IAM Identity Center, after `rolecall login`. Only the calls of the services that
    Rolecall serves go to it; with --all, the calls of every service.

    \b
    Examples:
      rolecall profile >> ~/.aws/config
      rolecall profile --name reader --role chime-reader --as developer >> ~/.aws/config
      rolecall profile --name sso --permission-set Developer >> ~/.aws/config
    """
    if mfa is not None and role is None:
        raise click.UsageError("--mfa needs --role.")
    if account is not None and permission_set is None:
        raise click.UsageError("--account needs --permission-set.")
    if permission_set is not None and (role is not None or user is not None):
        raise click.UsageError("--permission-set goes without --role and --as: rolecall login chooses the user.")
    address, world = endpoint_of(endpoint, host, port), read_config(config)
    lines = [f"[profile {name}]", f"region = {DEFAULT_REGION}"]
    more: list[str] = []
    if permission_set is not None:
        sso_lines, more = _of_identity_center(world, permission_set, account, session)
        lines += sso_lines
    elif role is None:
        key = key_of(world, user)
        lines += [f"aws_access_key_id = {key.access_key_id}", f"aws_secret_access_key = {key.secret_access_key}"]
    else:
        lines.append(f"credential_process = {_process(address, role, user, mfa, config)}")
    if every_service:
        lines.append(f"endpoint_url = {address}")
    else:
        lines += [f"services = {name}", "", f"[services {name}]"]
        for service in SERVICE_RECORDS:
            lines += [f"{service.replace('-', '_')} =", f"  endpoint_url = {address}"]
    tell_lines("\n".join([*lines, *more]))


def _of_identity_center(
    world: World, permission_set: str, account: str | None, session: str
) -> tuple[list[str], list[str]]:
    """The lines of the profile, and the section of its sso-session. Raises UnusableError."""
    center, sets = world.identity_center, {each.name: each for each in world.permission_sets}
    if center is None or permission_set not in sets:
        raise UnusableError(
            f"the sandbox file declares no permission set {permission_set!r}",
            hint=f"its permission sets are: {', '.join(sets) or 'none'}",
        )
    assigned = sets[permission_set].account_ids
    if not assigned or (account is not None and account not in assigned):
        raise UnusableError(
            f"the permission set {permission_set} is not assigned in account {account or 'any'}",
            hint=f"it is assigned in: {', '.join(assigned) or 'none'}",
        )
    profile = [
        f"sso_session = {session}",
        f"sso_account_id = {account or assigned[0]}",
        f"sso_role_name = {permission_set}",
    ]
    section = [
        "",
        f"[sso-session {session}]",
        f"sso_start_url = {center.portal_url}",
        f"sso_region = {center.region}",
        "sso_registration_scopes = sso:account:access",
    ]
    return profile, section


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

"""``rolecall credentials``"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click

from rolecall.arns import iam_arn
from rolecall.commands.common import UnusableError, config_option, key_of, read_config, read_text, tell_lines
from rolecall.commands.running import ask, endpoint_of, server_options
from rolecall.remote import Keys, RefusedError, UnknownOperationError, UnusableCallError, call
from rolecall.worlds.world import World

DEFAULT_SESSION_NAME = "rolecall"
# Many times what STS takes.
MAXIMUM_POLICY_BYTES = 1_000_000
# What a credential consists of. Anything else comes from a server that is not Rolecall, and could add commands to a
# shell.
_CREDENTIAL = re.compile(r"[A-Za-z0-9+/=_.:-]+")


def _lines_of(form: str) -> Callable[[Mapping[str, str]], str]:
    return lambda values: "\n".join(form.format(name=name, value=value) for name, value in values.items())


def _for_process(values: Mapping[str, str]) -> str:
    """The answer of a credential process. AWS SDKs and Tools Reference Guide, "Process credential provider"."""
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": values["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": values["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": values["AWS_SESSION_TOKEN"],
            "Expiration": values["AWS_CREDENTIAL_EXPIRATION"],
        },
        indent=2,
    )


def _for_posix(values: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


# The characters of a credential need no escape between the quotes of any of these languages.
FORMATS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "process": _for_process,
    "env": _for_posix,
    "powershell": _lines_of("$Env:{name}='{value}'"),
    "fish": _lines_of("set -gx {name} '{value}'"),
    "dotenv": _lines_of("{name}='{value}'"),
    # Docker takes everything after the first = as the value, also quotes.
    "docker": _lines_of("{name}={value}"),
}


@click.command("credentials")
@click.option("--role", required=True, metavar="NAME|ARN", help="The role to assume.")
@click.option("--as", "user", metavar="USER", default=None, help="User of the default account; the first by default.")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="process", help="How to print them.")
@click.option("--session-name", default=DEFAULT_SESSION_NAME, metavar="NAME", help="Name of the role session.")
@click.option("--duration-seconds", type=int, metavar="SECONDS", help="Seconds until they expire; 3600 by default.")
@click.option("--external-id", metavar="TEXT", help="The external id, if the trust policy asks for one.")
@click.option("--mfa", metavar="NAME|ARN", help="The user's MFA device; the running server gives its code.")
@click.option("--mfa-code", metavar="CODE", help="Code of the MFA device, instead of the one that the server gives.")
@click.option("--scope", metavar="FILE", help="Policy in JSON; the credentials are narrowed to what it allows.")
@config_option
@server_options
def command(
    role: str,
    user: str | None,
    form: str,
    session_name: str,
    duration_seconds: int | None,
    external_id: str | None,
    mfa: str | None,
    mfa_code: str | None,
    scope: str | None,
    config: str | None,
    endpoint: str | None,
    host: str,
    port: int,
) -> None:
    """Print temporary credentials of a role, for a shell or for credential_process.

    The command calls AssumeRole on a running server, with the user's key from the sandbox file.

    \b
    Examples:
      eval "$(rolecall credentials --role chime-reader --format env)"
      rolecall credentials --role chime-reader --as developer --duration-seconds 900
      rolecall credentials --role app --scope read-only.json --format dotenv > .env
    """
    if mfa_code is not None and mfa is None:
        raise click.UsageError("--mfa-code needs --mfa.")
    # STS checks the grammar.
    policy = None if scope is None else read_text(scope, MAXIMUM_POLICY_BYTES)
    world, address = read_config(config), endpoint_of(endpoint, host, port)
    key = key_of(world, user)
    asked: dict[str, Any] = {"RoleArn": _role_arn(world, role), "RoleSessionName": session_name}
    if duration_seconds is not None:
        asked["DurationSeconds"] = duration_seconds
    if external_id is not None:
        asked["ExternalId"] = external_id
    if mfa is not None:
        serial_number = _serial_number(world, mfa)
        path = f"mfa-codes?device={quote(serial_number, safe='')}"
        code = ask(address, "GET", path)["code"] if mfa_code is None else mfa_code
        asked |= {"SerialNumber": serial_number, "TokenCode": code}
    given = _asked(address, Keys(key.access_key_id, key.secret_access_key), "AssumeRole", asked)
    if policy is not None:
        keys = Keys(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], given["AWS_SESSION_TOKEN"])
        given = _asked(address, keys, "GetScopedCredentials", {"Policy": policy})
    tell_lines(FORMATS[form](given))


def _role_arn(world: World, role: str) -> str:
    """The ARN of a role. A name is looked up in the sandbox file, because the role's path is part of the ARN."""
    if role.startswith("arn:"):
        return role
    for account in world.accounts:
        for declared in account.roles:
            if declared.name == role:
                return iam_arn(account.account_id, "role", declared.path, role)
    return iam_arn(world.accounts[0].account_id, "role", "/", role)


def _serial_number(world: World, device: str) -> str:
    return device if device.startswith("arn:") else iam_arn(world.accounts[0].account_id, "mfa", "/", device)


def _asked(address: str, keys: Keys, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, str]:
    """The credentials that an operation of STS answers, as environment variables. Raises UnusableError."""
    try:
        answer = call(address, keys, "sts", operation, parameters)
    except UnknownOperationError as error:
        raise UnusableError(f"the installed botocore does not know {operation}: install 1.44.7 or newer") from error
    except UnusableCallError as error:
        raise UnusableError(f"cannot call {operation} at {address}: {error}") from error
    except RefusedError as error:
        explained = [f"rolecall explain {error.request_id} says why"] if error.request_id else []
        raise UnusableError(f"{operation} was refused: {error}", explained) from error
    given = answer.get("Credentials", {})
    expires_at = given.get("Expiration")
    # The names are those of ``aws configure export-credentials``.
    values = {
        "AWS_ACCESS_KEY_ID": given.get("AccessKeyId", ""),
        "AWS_SECRET_ACCESS_KEY": given.get("SecretAccessKey", ""),
        "AWS_SESSION_TOKEN": given.get("SessionToken", ""),
        "AWS_CREDENTIAL_EXPIRATION": (
            expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(expires_at, datetime) else ""
        ),
    }
    if not all(_CREDENTIAL.fullmatch(value) for value in values.values()):
        raise UnusableError(f"the server at {address} did not answer with credentials")
    return values

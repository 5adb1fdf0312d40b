"""``rolecall login``"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from rolecall.commands.common import (
    DEFAULT_PROFILE_NAME,
    UnusableError,
    checked_name,
    config_option,
    read_config,
    tell,
)
from rolecall.commands.private_output import write_private
from rolecall.commands.running import ask, endpoint_of, server_options
from rolecall.remote import Keys, RefusedError, UnknownOperationError, UnusableCallError, call
from rolecall.worlds.world import World

_SCOPE = "sso:account:access"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# The calls are not signed.
_NO_KEYS = Keys("none", "none")


@click.command("login")
@click.option(
    "--as", "user", metavar="USER", default=None, help="User of IAM Identity Center; the first one by default."
)
@click.option(
    "--session",
    default=DEFAULT_PROFILE_NAME,
    callback=checked_name,
    metavar="NAME",
    help="Name of the sso-session in ~/.aws/config.",
)
@config_option
@server_options
def command(user: str | None, session: str, config: str | None, endpoint: str | None, host: str, port: int) -> None:
    """Sign in at IAM Identity Center, as aws sso login does, without a browser.

    The command approves its own request as the user, and puts the token into ~/.aws/sso/cache, where SDKs look for it.
    Profiles with that sso-session then work, such as those of `rolecall profile --permission-set`.

    \b
    Examples:
      rolecall login --as ana
      rolecall profile --name developer --permission-set Developer >> ~/.aws/config
    """
    world, address = read_config(config), endpoint_of(endpoint, host, port)
    center = world.identity_center
    if center is None or not center.users:
        raise UnusableError("the sandbox file declares no user of IAM Identity Center (identity_center)")
    name = center.users[0].name if user is None else _known(world, user)
    client = _call(
        address, "RegisterClient", {"clientName": "rolecall login", "clientType": "public", "scopes": [_SCOPE]}
    )
    proof = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
    device = _call(address, "StartDeviceAuthorization", {**proof, "startUrl": center.portal_url})
    ask(address, "POST", "sso/approve", {"user_code": device["userCode"], "user": name})
    token = _call(address, "CreateToken", {**proof, "grantType": _DEVICE_GRANT, "deviceCode": device["deviceCode"]})
    # By the clock of this machine, as SDKs compare it. The sandbox's may be another one.
    now, registered_seconds = datetime.now(UTC), client["clientSecretExpiresAt"] - client["clientIdIssuedAt"]
    expires_at = now + timedelta(seconds=token["expiresIn"])
    cached = {
        "startUrl": center.portal_url,
        "region": center.region,
        "accessToken": token["accessToken"],
        "expiresAt": _written(expires_at),
        **proof,
        "registrationExpiresAt": _written(now + timedelta(seconds=registered_seconds)),
        "refreshToken": token["refreshToken"],
    }
    file = _cache_file(session)
    write_private(str(file), json.dumps(cached, indent=2) + "\n")
    tell(f"{name} is signed in until {_written(expires_at)}, and longer by refreshing: {file}")


def _known(world: World, user: str) -> str:
    names = [] if world.identity_center is None else [each.name for each in world.identity_center.users]
    for name in names:
        if name.lower() == user.lower():
            return name
    raise UnusableError(
        f"IAM Identity Center has no user {user!r} in the sandbox file", hint=f"its users are: {', '.join(names)}"
    )


def _call(address: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of an operation of the OIDC service. Raises UnusableError."""
    try:
        return call(address, _NO_KEYS, "sso-oidc", operation, parameters)
    except (RefusedError, UnknownOperationError, UnusableCallError) as error:
        raise UnusableError(f"cannot sign in at {address}: {operation}: {error}") from error


def _cache_file(session: str) -> Path:
    """AWS SDKs and Tools Reference Guide: the file has the name of the sso-session, as SHA-1. Raises UnusableError."""
    folder = Path.home() / ".aws" / "sso" / "cache"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableError(f"cannot make {folder}: {error.strerror or error}") from error
    return folder / f"{hashlib.sha1(session.encode(), usedforsecurity=False).hexdigest()}.json"


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

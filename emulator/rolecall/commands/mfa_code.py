"""``rolecall mfa-code``"""

from __future__ import annotations

from urllib.parse import quote

import click

from rolecall.commands.common import tell
from rolecall.commands.running import ask, endpoint_of, server_options


@click.command("mfa-code")
@click.argument("device")
@click.option("--pair", is_flag=True, help="Print two consecutive codes, as EnableMFADevice needs them.")
@server_options
def command(device: str, pair: bool, endpoint: str | None, host: str, port: int) -> None:
    """Print a code of a virtual MFA device of a running sandbox.

    DEVICE is its name or its serial number. The code is valid by the sandbox's clock, and was not used before.

    \b
    Examples:
      rolecall mfa-code phone
      rolecall mfa-code --pair arn:aws:iam::111122223333:mfa/phone
    """
    shown = ask(endpoint_of(endpoint, host, port), "GET", f"mfa-codes?device={quote(device, safe='')}")
    tell(" ".join(shown["pair"]) if pair else shown["code"])

"""``rolecall mfa-code``"""

from __future__ import annotations

from urllib.parse import quote

import click

from rolecall.commands.common import tell
from rolecall.commands.running import ask, endpoint_of, server_options


@click.command("mfa-code")
@click.argument("device")
@click.option("--pair", is_flag=True, help="Two codes in a row, as EnableMFADevice takes them.")
@server_options
def command(device: str, pair: bool, endpoint: str | None, host: str, port: int) -> None:
    """Print the code that a virtual MFA device of a running sandbox shows.

    DEVICE is its name or its serial number. The code goes by the sandbox's clock, and is one that was not used yet.

    \b
    Examples:
      rolecall mfa-code phone
      rolecall mfa-code --pair arn:aws:iam::111122223333:mfa/phone
    """
    shown = ask(endpoint_of(endpoint, host, port), "GET", f"mfa-codes?device={quote(device, safe='')}")
    tell(" ".join(shown["pair"]) if pair else shown["code"])

"""``rolecall export``"""

from __future__ import annotations

import json

import click

from rolecall.commands.common import UnusableError, config_of_database_option, database_option, tell
from rolecall.commands.private_output import output_option, write_private
from rolecall.commands.running import ask_text
from rolecall.commands.snapshot import saved
from rolecall.importing.exported import account_details
from rolecall.worlds.declare import InvalidWorldError, read_world


@click.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["account-details", "sandbox"]),
    required=True,
    help="account-details is the JSON of aws iam get-account-authorization-details; sandbox is a snapshot.",
)
@click.option("--account", metavar="ID", default=None, help="Account for account-details; the first by default.")
@click.option("--from", "server", metavar="URL", default=None, help="Take the sandbox of this running server.")
@output_option("Write to FILE, which only you can read.")
@config_of_database_option
@database_option
def command(form: str, account: str | None, server: str | None, output: str, database: str) -> None:
    """Write a sandbox, or an account of it as AWS tells about it.

    The sandbox is in a database, or in a running server. `rolecall import` takes the JSON of account-details again.

    \b
    Examples:
      rolecall export --format account-details -o account.json
      rolecall export --format account-details --account 444455556666 --from http://127.0.0.1:4580
      rolecall export --format sandbox -o before.yaml
    """
    text = saved(database) if server is None else ask_text(server, "GET", "snapshot")
    write_private(output, text if form == "sandbox" else _details(text, account))


def _details(snapshot: str, account_id: str | None) -> str:
    try:
        world = read_world(snapshot)
    except InvalidWorldError as error:
        raise UnusableError(f"the sandbox cannot be read: {error}") from error
    chosen = next((each for each in world.accounts if account_id in (None, each.account_id)), None)
    if chosen is None:
        raise UnusableError(f"the sandbox has no account {account_id}")
    others = [each.account_id for each in world.accounts if each is not chosen]
    if others and account_id is None:
        tell(
            f"rolecall: this is account {chosen.account_id}; choose another with --account: {', '.join(others)}",
            err=True,
        )
    return json.dumps(account_details(world, chosen), indent=4) + "\n"

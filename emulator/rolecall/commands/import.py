"""``rolecall import``"""  # noqa: N999 - a subcommand's module has its name

from __future__ import annotations

from collections.abc import Sequence

import click

from rolecall.commands.common import UnusableError, tell, unreadable
from rolecall.commands.private_output import output_option, write_private
from rolecall.commands.running import ask_text
from rolecall.commands.terminal import shown_when_slow
from rolecall.ids import Identifiers
from rolecall.importing.reading import imported
from rolecall.importing.written import UnimportableError


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@output_option("Write the sandbox file to FILE, which only you can read.")
@click.option("--account", metavar="ID", default=None, help="Account of templates and plans that do not name it.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Value that a template does not tell.")
@click.option(
    "--into",
    "--endpoint",
    "into",
    metavar="URL",
    default=None,
    help="Load it into the sandbox of this running server instead.",
)
def command(files: Sequence[str], output: str, account: str | None, given: Sequence[str], into: str | None) -> None:
    """Make a sandbox file from files about real accounts.

    A FILE is the JSON of `aws iam get-account-authorization-details`, for one account each, of `aws organizations`, or
    of `terraform show -json`. It may also be a template of CloudFormation, SAM or CDK. Several files make one sandbox.
    Either all of them are imported or nothing is. - is standard input.

    Every user gets an access key that Rolecall makes up, and so does the root user of an account without users. The
    keys and everything that the sandbox will not have are printed to stderr.

    \b
    Examples:
      aws iam get-account-authorization-details > account.json
      rolecall import account.json -o rolecall.yaml
      rolecall import account.json --into http://127.0.0.1:4580
    """
    unequal = [each for each in given if "=" not in each]
    if unequal:
        raise click.UsageError(f"Write --set as NAME=VALUE, not {unequal[0]!r}.")
    values = dict(each.split("=", 1) for each in given)
    try:
        with shown_when_slow("importing the files") as work:
            made = imported(files, Identifiers(), account or "", values, work.step)
    except OSError as error:
        raise unreadable(str(error.filename), error) from error
    except UnimportableError as error:
        raise UnusableError("nothing is imported:", error.problems) from error
    if into is None:
        write_private(output, made.text)
    else:
        with shown_when_slow("loading the sandbox into the server"):
            ask_text(into, "PUT", "snapshot", made.text)
    for note in made.notes:
        tell(note, err=True)
    for key in made.keys:
        owner = f"user {key.user}" if key.user else "root user"
        tell(f"account {key.account_id}, {owner}: {key.access_key_id} {key.secret_access_key}", err=True)

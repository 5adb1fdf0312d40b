"""``rolecall operations``"""

from __future__ import annotations

import click

from rolecall.commands.common import UnusableError, tell
from rolecall.inspection import describe_operations


@click.command("operations")
@click.argument("service", required=False, metavar="[SERVICE]")
def command(service: str | None) -> None:
    """List every operation, emulated or not.

    An emulated one is shown with the file and line that implement it. The others check the caller's permissions and
    then answer 501 NotImplemented.

    \b
    Examples:
      rolecall operations
      rolecall operations sts
    """
    try:
        lines = describe_operations(service)
    except KeyError as error:
        raise UnusableError(str(error.args[0])) from error
    for line in lines:
        tell(line)

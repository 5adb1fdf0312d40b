"""``rolecall operations``"""

from __future__ import annotations

import re
import sys

import click

from rolecall.commands.common import UnusableError
from rolecall.commands.terminal import columns_of, show, show_table
from rolecall.inspection import describe_operations


@click.command("operations")
@click.argument("service", required=False, metavar="[SERVICE]")
def command(service: str | None) -> None:
    """List every operation, emulated or not.

    The list shows the file and line that implement an emulated operation. For the others Rolecall checks the caller's
    permissions and then answers 501 NotImplemented.

    \b
    Examples:
      rolecall operations
      rolecall operations sts
    """
    try:
        lines = describe_operations(service)
    except KeyError as error:
        raise UnusableError(str(error.args[0])) from error
    if columns_of(sys.stdout) is None:
        show(lines)
        return
    show_table(("SERVICE", "OPERATION", "IMPLEMENTED IN"), (re.split(r" {2,}", line) for line in lines))

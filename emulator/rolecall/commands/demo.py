"""``rolecall demo``"""

from __future__ import annotations

import click

from rolecall.commands.common import read_config
from rolecall.commands.terminal import show
from rolecall.demo import run_demo

# Narrow enough for a page of documentation.
MAXIMUM_COLUMNS = 99


@click.command("demo")
def command() -> None:
    """Show roles, federation, and allowed and refused Chime calls in one process, and explain each.

    The command starts no server and keeps nothing: it uses the built-in sandbox in memory.

    \b
    Example:
      rolecall demo
    """
    show(run_demo(read_config(None)), columns=MAXIMUM_COLUMNS)

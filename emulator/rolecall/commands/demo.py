"""``rolecall demo``"""

from __future__ import annotations

import click

from rolecall.commands.common import read_config, tell
from rolecall.demo import run_demo


@click.command("demo")
def command() -> None:
    """Show roles, federation, and allowed and refused Chime calls in one process, and explain each.

    The command starts no server and keeps nothing: it uses the built-in sandbox in memory.

    \b
    Example:
      rolecall demo
    """
    for line in run_demo(read_config(None)):
        tell(line)

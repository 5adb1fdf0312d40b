"""``rolecall demo``"""

from __future__ import annotations

import click

from rolecall.commands.common import read_config, tell
from rolecall.demo import run_demo


@click.command("demo")
def command() -> None:
    """Show the main job in one process: roles, federation, Chime calls allowed and refused, each explained.

    Starts no server and leaves no trace: the built-in sandbox lives in memory until the command ends.

    \b
    Example:
      rolecall demo
    """
    for line in run_demo(read_config(None)):
        tell(line)

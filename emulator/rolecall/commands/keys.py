"""``rolecall keys``"""

from __future__ import annotations

from contextlib import closing

import click

from rolecall.app import add_sealing_key, list_sealing_keys
from rolecall.clock import Clock, iso8601
from rolecall.commands.common import config_of_database_option, database_option, opened_database, tell


@click.group("keys")
def command() -> None:
    """List or rotate the keys that seal session tokens.

    Rolecall seals the tokens of temporary credentials with the newest key, and opens them with any of the keys.
    """


@command.command("list")
@config_of_database_option
@database_option
def list_command(database: str) -> None:
    """List the sealing keys, oldest first. The last one is in use.

    \b
    Example:
      rolecall keys list
    """
    with closing(opened_database(database)) as opened:
        found = list_sealing_keys(opened)
    if not found:
        tell("There is no sealing key yet; serve makes the first one.", err=True)
    for key_id, created_at_seconds in found:
        tell(f"{key_id}  created {iso8601(created_at_seconds)}")


@command.command("rotate")
@config_of_database_option
@database_option
def rotate_command(database: str) -> None:
    """Add a sealing key and use it from now on.

    A running server uses it from its next call on. Sessions sealed with older keys stay valid until they expire.

    \b
    Example:
      rolecall keys rotate
    """
    with closing(opened_database(database)) as opened:
        tell(f"{add_sealing_key(opened, Clock())}  is the newest key")

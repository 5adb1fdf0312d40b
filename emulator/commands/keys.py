"""``rolecall keys``"""

from __future__ import annotations

import click

from emulator.app import add_sealing_key, list_sealing_keys
from emulator.clock import Clock, iso8601
from emulator.commands.common import database_option, opened_database


@click.group("keys")
def command() -> None:
    """List or rotate the key ring behind session tokens."""


@command.command("list")
@database_option
def list_command(database: str) -> None:
    """List the sealing keys, the one in use last."""
    for key_id, created_at_seconds in list_sealing_keys(opened_database(database)):
        click.echo(f"{key_id}  created {iso8601(created_at_seconds)}")


@command.command("rotate")
@database_option
def rotate_command(database: str) -> None:
    """Add a sealing key and use it from now on; sessions sealed with older keys stay valid."""
    click.echo(f"{add_sealing_key(opened_database(database), Clock())}  is the newest key")

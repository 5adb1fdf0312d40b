"""``rolecall env``"""

from __future__ import annotations

import click

from rolecall.commands.common import (
    config_option,
    export_lines,
    host_option,
    key_of,
    other_key_lines,
    port_option,
    read_config,
    tell_exactly,
)
from rolecall.settings import Address


@click.command("env")
@config_option
@click.option("--as", "user", metavar="USER", default=None, help="User of the default account; the first by default.")
@host_option
@port_option
def command(config: str | None, user: str | None, host: str, port: int) -> None:
    """Print export lines for a shell: eval "$(rolecall env)".

    The command reads the keys from the sandbox file and needs no running server. Give it the options that you gave to
    `rolecall serve`.

    \b
    Examples:
      eval "$(rolecall env)"
      rolecall env --as developer
      rolecall env --config config/federation.yaml --port 4581
    """
    world = read_config(config)
    key = key_of(world, user)
    for line in export_lines(Address(host, port), key) + other_key_lines(world, key):
        tell_exactly(line)

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
from rolecall.service_records import SERVICE_RECORDS
from rolecall.settings import Address

WHY_LINE = (
    "# Only calls of the services that Rolecall serves go to it. rolecall env --all sets AWS_ENDPOINT_URL, for every "
    "service: Rolecall then refuses the calls of the others."
)


@click.command("env")
@config_option
@click.option("--as", "user", metavar="USER", default=None, help="User of the default account; the first by default.")
@click.option("--all", "every_service", is_flag=True, help="Send the calls of every service to Rolecall.")
@host_option
@port_option
def command(config: str | None, user: str | None, every_service: bool, host: str, port: int) -> None:
    """Print export lines for a shell: eval "$(rolecall env)".

    The command reads the keys from the sandbox file and needs no running server. Give it the options that you gave to
    `rolecall serve`. It sends to Rolecall only the calls of the services that Rolecall serves, so that other calls,
    such as those of S3, go where they went before. With --all it sets AWS_ENDPOINT_URL, which is for every service.

    \b
    Examples:
      eval "$(rolecall env)"
      rolecall env --as developer --all
      rolecall env --config config/federation.yaml --port 4581
    """
    world = read_config(config)
    key = key_of(world, user)
    lines = export_lines(Address(host, port), key, services=() if every_service else SERVICE_RECORDS)
    # The comments come last: an unquoted eval joins all lines, and a comment hides what follows it.
    for line in lines + other_key_lines(world, key) + ([] if every_service else [WHY_LINE]):
        tell_exactly(line)

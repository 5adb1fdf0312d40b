"""``rolecall clock``"""

from __future__ import annotations

from typing import Any

import click

from rolecall.clock import STEP, BadTimeError, written_change
from rolecall.commands.common import UnusableError, tell
from rolecall.commands.running import ask, endpoint_of, server_options


class _ClockCommand(click.Command):
    """Reads ``-15m`` as a step of the clock. Click alone would read it as an option."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        steps = [argument for argument in arguments if STEP.fullmatch(argument)]
        others = [argument for argument in arguments if argument not in steps]
        return super().parse_args(context, [*others, "--", *steps] if steps else others)


@click.command("clock", cls=_ClockCommand)
@click.argument("change", required=False, metavar="[CHANGE]")
@server_options
def command(change: str | None, endpoint: str | None, host: str, port: int) -> None:
    """Show or move the clock of a running sandbox.

    CHANGE is a step (+1h, -15m, +1h30m, +7d), a time in UTC, freeze, unfreeze or reset. The clock decides when sessions
    expire, when tokens are issued, and which MFA codes are valid. Signatures always go by the real time.

    \b
    Examples:
      rolecall clock
      rolecall clock +1h
      rolecall clock 2030-01-01T00:00:00Z
      rolecall clock freeze
      rolecall clock reset
    """
    where = endpoint_of(endpoint, host, port)
    shown = ask(where, "GET", "clock") if change is None else ask(where, "POST", "clock", asked_change(change))
    tell(clock_line(shown))


def asked_change(change: str) -> dict[str, Any]:
    """The body of the request to the control endpoint for a CHANGE. Raises UnusableError."""
    try:
        return written_change(change)
    except BadTimeError as error:
        raise UnusableError(str(error)) from error


def clock_line(shown: dict[str, Any]) -> str:
    """``2030-01-01T00:00:00Z, 3600 s ahead of the real time, frozen``"""
    offset_seconds = shown["offset_seconds"]
    direction = "ahead of" if offset_seconds > 0 else "behind"
    difference = f"{abs(offset_seconds)} s {direction} the real time" if offset_seconds else "the real time"
    return ", ".join([shown["now"], difference, *(["frozen"] if shown["frozen"] else [])])

"""``rolecall faults``"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import click

from rolecall.commands.common import UnusableError, tell_lines, unreadable
from rolecall.commands.running import ask, endpoint_of, server_options
from rolecall.worlds.files import read_named


@click.group("faults")
def command() -> None:
    """Show or change the fault rules of a running sandbox."""


@command.command("show")
@server_options
def show_command(endpoint: str | None, host: str, port: int) -> None:
    """Show the rules as JSON, each with the number of its matching calls and of its hits.

    \b
    Example:
      rolecall faults show
    """
    _print(ask(endpoint_of(endpoint, host, port), "GET", "faults"))


@command.command("set")
@click.argument("rules", metavar="RULES")
@server_options
def set_command(rules: str, endpoint: str | None, host: str, port: int) -> None:
    """Replace all rules. RULES is a JSON file, or the JSON itself.

    \b
    Examples:
      rolecall faults set '{"service": "sts", "operation": "AssumeRole", "error": "Throttling", "times": 2}'
      rolecall faults set faults.json
    """
    _print(ask(endpoint_of(endpoint, host, port), "PUT", "faults", read_rules(rules)))


@command.command("add")
@click.argument("rule", metavar="RULE")
@server_options
def add_command(rule: str, endpoint: str | None, host: str, port: int) -> None:
    """Add a rule after the others. RULE is a JSON file, or the JSON itself. The counts of the other rules go on.

    \b
    Example:
      rolecall faults add '{"service": "chime", "kind": "delay", "delay_seconds": 2}'
    """
    _print(ask(endpoint_of(endpoint, host, port), "POST", "faults", read_rules(rule)))


@command.command("remove")
@click.argument("rule_id", metavar="ID")
@server_options
def remove_command(rule_id: str, endpoint: str | None, host: str, port: int) -> None:
    """Remove the rule with this id, as faults show prints it. The counts of the other rules go on.

    \b
    Example:
      rolecall faults remove 9f3c1c46-5d0e-4f7a-8d8c-0a1b2c3d4e5f
    """
    _print(ask(endpoint_of(endpoint, host, port), "DELETE", f"faults/{quote(rule_id, safe='')}"))


@command.command("clear")
@server_options
def clear_command(endpoint: str | None, host: str, port: int) -> None:
    """Remove every rule.

    \b
    Example:
      rolecall faults clear
    """
    _print(ask(endpoint_of(endpoint, host, port), "DELETE", "faults"))


def read_rules(given: str) -> Any:
    """The value of a JSON text, or of the JSON file that the argument names. Raises UnusableError."""
    where, text = "the argument", given
    if not given.lstrip().startswith(("{", "[")):
        where = given
        try:
            text = read_named(given)
        except (OSError, ValueError) as error:
            raise unreadable(given, error) from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"{where} is not JSON: {error}") from error


def _print(shown: dict[str, Any]) -> None:
    tell_lines("\n".join(json.dumps(rule) for rule in shown["rules"]) or "There are no fault rules.")

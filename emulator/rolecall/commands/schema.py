"""``rolecall schema``"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from rolecall.commands.common import tell_exactly
from rolecall.expectations.files import expectations_schema
from rolecall.worlds.declare import world_schema

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {"sandbox": world_schema, "expectations": expectations_schema}


@click.command("schema")
@click.argument("kind", type=click.Choice(list(SCHEMAS)), metavar="sandbox|expectations")
def command(kind: str) -> None:
    """Print the JSON schema of the sandbox file or of the expectations file, for an editor.

    With it an editor completes the keys of such a file and marks mistakes while you write. `rolecall check` and
    `rolecall verify` find more: what a name refers to, and what AWS accepts as a policy.

    \b
    Examples:
      rolecall schema sandbox > rolecall.schema.json
      rolecall schema expectations > expectations.schema.json
    """
    tell_exactly(json.dumps(SCHEMAS[kind](), indent=2))

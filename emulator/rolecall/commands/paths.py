"""``rolecall paths``"""

from __future__ import annotations

import json

import click

from rolecall.commands.asked import answer_of, running_option
from rolecall.commands.common import config_option, tell_exactly
from rolecall.commands.terminal import show
from rolecall.expectations.chains import DEFAULT_CHAINS, MAXIMUM_CHAINS, chains_between
from rolecall.expectations.report import chain_lines


@click.command("paths")
@click.argument("start", metavar="FROM")
@click.argument("goal", metavar="TO")
@config_option
@running_option
@click.option(
    "--limit", type=click.IntRange(1, MAXIMUM_CHAINS), default=DEFAULT_CHAINS, help="The highest number of chains."
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def command(start: str, goal: str, config: str | None, endpoint: str | None, limit: int, as_json: bool) -> None:
    """List the chains of roles that lead from one principal to another.

    FROM is a user, a role or root, TO is a role. The shortest chains come first. The conditions that its calls
    have to meet stand below a chain.

    \b
    Examples:
      rolecall paths user/developer role/chime-manager
      rolecall paths user/developer 444455556666:role/chime-partner --json
    """
    parameters = {"from": start, "to": goal, "limit": str(limit)}
    answer = answer_of(
        endpoint, config, "paths", parameters, lambda sandbox: chains_between(sandbox, start, goal, limit).as_json()
    )
    if as_json:
        tell_exactly(json.dumps(answer, indent=2))
        return
    show(chain_lines(answer))

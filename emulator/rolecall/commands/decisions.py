"""``rolecall decisions``"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial

import click

from rolecall.call_log.cloudtrail import cloudtrail_records
from rolecall.call_log.filter import BadFilterError, read_filter
from rolecall.call_log.shown import call_as_json, call_line
from rolecall.call_log.writer import SETTLE_SECONDS
from rolecall.commands.common import (
    SINCE_HELP,
    UnusableError,
    config_of_database_option,
    database_option,
    opened_log,
    sandbox_seconds,
    tell_lines,
)
from rolecall.storage.decision_log import KEPT_CALLS, LoggedCall

DEFAULT_LIMIT = 100
FORMATS: dict[str, Callable[[LoggedCall], str]] = {
    "text": call_line,
    "json": lambda call: json.dumps(call_as_json(call)),
    "cloudtrail": lambda call: "\n".join(map(json.dumps, cloudtrail_records(call))),
}


@click.command("decisions")
@click.option("--principal", metavar="ARN", default=None, help="Only calls of this user, role or session.")
@click.option("--action", metavar="ACTION", default=None, help="Only calls with this action, such as chime:List*.")
@click.option(
    "--outcome",
    metavar="OUTCOME",
    default=None,
    help="Only this outcome: Allowed, ExplicitDeny, ImplicitDeny, an error code, or Refused (all but Allowed).",
)
@click.option("--since", metavar="TIME", default=None, help=SINCE_HELP)
@click.option("--limit", default=DEFAULT_LIMIT, type=click.IntRange(1, KEPT_CALLS), help="Maximum number of calls.")
@click.option("--format", "shape", default="text", type=click.Choice(list(FORMATS)), help="Format of each call's line.")
@config_of_database_option
@database_option
def command(
    principal: str | None,
    action: str | None,
    outcome: str | None,
    since: str | None,
    limit: int,
    shape: str,
    database: str,
) -> None:
    """List the calls in the decision log, newest first.

    The command reads the log beside the database, while the server runs or after it has stopped. The format cloudtrail
    gives the records of AWS CloudTrail.

    \b
    Examples:
      rolecall decisions --outcome Refused
      rolecall decisions --principal arn:aws:iam::111122223333:role/chime-reader --format json
      rolecall decisions --limit 50000 --format cloudtrail > trail.jsonl
    """
    given = {"principal": principal, "action": action, "outcome": outcome, "since": since, "limit": str(limit)}
    try:
        wanted = read_filter(
            {name: value or "" for name, value in given.items()},
            partial(sandbox_seconds, database),
            default_limit=DEFAULT_LIMIT,
            maximum_limit=KEPT_CALLS,
        )
    except BadFilterError as error:
        raise UnusableError(f"{error}".removesuffix(".")) from error
    with opened_log(database, "/_rolecall/decisions") as store:
        # A running server writes its last calls to the log a moment later.
        time.sleep(SETTLE_SECONDS)
        for call in store.calls(wanted):
            tell_lines(FORMATS[shape](call))

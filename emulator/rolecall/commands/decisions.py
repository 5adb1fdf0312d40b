"""``rolecall decisions``"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile

import click

from rolecall.call_log.cloudtrail import cloudtrail_records
from rolecall.call_log.filter import BadFilterError, read_filter
from rolecall.call_log.shown import CALL_TITLES, call_as_json, call_cells, call_line, call_lines
from rolecall.call_log.writer import SETTLE_SECONDS
from rolecall.commands.common import (
    SINCE_HELP,
    UnusableError,
    config_of_database_option,
    database_option,
    opened_log,
    sandbox_seconds,
    tell_exactly,
)
from rolecall.commands.terminal import LEAST_TABLE_COLUMNS, columns_of, show, show_table
from rolecall.storage.decision_log import KEPT_CALLS, CallFilter, DecisionStore, LoggedCall

DEFAULT_LIMIT = 100
# How long --follow waits until it looks for further calls.
FOLLOW_SECONDS = 0.3
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
@click.option("--follow", "-f", is_flag=True, help="Oldest first, and print each further call until Ctrl-C.")
@click.option("--format", "shape", default="text", type=click.Choice(list(FORMATS)), help="Format of each call's line.")
@config_of_database_option
@database_option
def command(
    principal: str | None,
    action: str | None,
    outcome: str | None,
    since: str | None,
    limit: int,
    follow: bool,
    shape: str,
    database: str,
) -> None:
    """List the calls in the decision log, newest first.

    The command reads the log beside the database, while the server runs or after it has stopped. The format cloudtrail
    gives the records of AWS CloudTrail. A terminal shows a table, or some lines for each call if it is narrow. A pipe
    gets one line for each call.

    \b
    Examples:
      rolecall decisions --outcome Refused
      rolecall decisions --principal arn:aws:iam::111122223333:role/chime-reader --format json
      rolecall decisions --follow --outcome Refused
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
        show_calls = partial(_show_calls, shape, as_table=not follow)
        if not follow:
            show_calls(store.calls(wanted))
            return
        # Ctrl-C is how a user ends it.
        with contextlib.suppress(KeyboardInterrupt):
            for calls in followed(store, wanted, time.sleep):
                show_calls(calls)
                sys.stdout.flush()


def followed(
    store: DecisionStore, wanted: CallFilter, wait: Callable[[float], object]
) -> Iterator[Sequence[LoggedCall]]:
    """The matching calls, oldest first, and then again and again the further ones. It never ends.

    ``wait`` takes the seconds until it looks again. After a reset of the sandbox, everything in the log is new.
    """
    seen: set[str] = set()
    while True:
        further = _unseen(store.calls(wanted, as_written=True), seen)
        if len(further) == wanted.limit and seen:
            # More calls came than one look shows.
            further = _unseen(store.calls(replace(wanted, limit=KEPT_CALLS), as_written=True), seen)
        if further:
            seen = {call.request_id for call in further}
            yield further[::-1]
        wait(FOLLOW_SECONDS)


def _unseen(calls: Sequence[LoggedCall], seen: Collection[str]) -> list[LoggedCall]:
    """The first calls of a list, up to one that was seen."""
    return list(takewhile(lambda call: call.request_id not in seen, calls))


def _show_calls(shape: str, calls: Sequence[LoggedCall], *, as_table: bool) -> None:
    """Print calls in the chosen format. Text for people fits their terminal."""
    columns = columns_of(sys.stdout)
    if shape != "text":
        for call in calls:
            # Nothing in JSON is obeyed by a terminal, and a line end within it would break it.
            tell_exactly(FORMATS[shape](call))
    elif columns is None:
        show(map(call_line, calls))
    elif as_table and columns >= LEAST_TABLE_COLUMNS:
        show_table(CALL_TITLES, map(call_cells, calls), whole=("TIME", "REQUEST ID"))
    else:
        show(line for call in calls for line in call_lines(call))

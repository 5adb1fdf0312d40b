"""``rolecall decisions``"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, TypeVar
from urllib.parse import urlencode

import click
from msgspec.structs import replace

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
from rolecall.commands.running import ask, ask_text, server_instead, server_option
from rolecall.commands.terminal import LEAST_TABLE_COLUMNS, columns_of, show, show_table
from rolecall.storage.decision_log import KEPT_CALLS, LoggedCall

DEFAULT_LIMIT = 100
# How long --follow waits until it looks for further calls.
FOLLOW_SECONDS = 0.3
# As many calls as a server lists at once.
SERVER_LIMIT = 1000
FORMATS = ("text", "json", "cloudtrail")
_Call = TypeVar("_Call")
# The result of call_as_json.
Shown = dict[str, Any]


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
@click.option("--format", "shape", default="text", type=click.Choice(FORMATS), help="Format of each call's line.")
@server_option
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
    endpoint: str | None,
    database: str,
) -> None:
    """List the calls in the decision log, newest first.

    The command reads the log beside the database, while the server runs or after it has stopped, or asks a server with
    --endpoint. The format cloudtrail gives the records of AWS CloudTrail. A terminal shows a table, or some lines for
    each call if it is narrow. A pipe gets one line for each call.

    \b
    Examples:
      rolecall decisions --outcome Refused
      rolecall decisions --principal arn:aws:iam::111122223333:role/chime-reader --format json
      rolecall decisions --follow --outcome Refused
      rolecall decisions --limit 50000 --format cloudtrail > trail.jsonl
    """
    given = {"principal": principal, "action": action, "outcome": outcome, "since": since, "limit": str(limit)}
    server = server_instead(endpoint)
    if server:
        _list_of_server(server, {name: value for name, value in given.items() if value}, shape, follow=follow)
        return
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
        if not follow:
            _show_logged(shape, store.calls(wanted))
            return

        def look(limit: int) -> Sequence[LoggedCall]:
            return store.calls(replace(wanted, limit=limit), as_written=True)

        batches = followed(look, lambda call: call.request_id, limit, KEPT_CALLS, time.sleep)
        _show_batches(batches, partial(_show_logged, shape, as_table=False))


def _list_of_server(server: str, given: dict[str, str], shape: str, *, follow: bool) -> None:
    """The calls in the log of a running server. Raises UnusableError, UsageError."""
    if shape == "cloudtrail":
        if follow:
            raise click.UsageError("With --endpoint, --follow shows the formats text and json.")
        tell_exactly(ask_text(server, "GET", f"decisions?{urlencode({**given, 'format': shape})}"), newline=False)
        return

    def look(limit: int) -> Sequence[Shown]:
        listed: Sequence[Shown] = ask(server, "GET", f"decisions?{urlencode({**given, 'limit': limit})}")["decisions"]
        return listed

    limit = int(given["limit"])
    if follow:
        batches = followed(look, lambda call: call["request_id"], limit, SERVER_LIMIT, time.sleep)
        _show_batches(batches, partial(_show, shape, as_table=False))
    else:
        _show(shape, look(limit))


def followed(
    look: Callable[[int], Sequence[_Call]],
    id_of: Callable[[_Call], str],
    limit: int,
    most: int,
    wait: Callable[[float], object],
) -> Iterator[Sequence[_Call]]:
    """The matching calls, oldest first, and then again and again the further ones. It never ends.

    ``look`` lists so many calls, newest first: ``limit`` of them, or ``most`` when more came than that. ``wait`` takes
    the seconds until it looks again. After a reset of the sandbox, everything in the log is new.
    """
    seen: set[str] = set()
    while True:
        further = _unseen(look(limit), id_of, seen)
        if len(further) == limit and seen:
            # More calls came than one look shows.
            further = _unseen(look(most), id_of, seen)
        if further:
            seen = set(map(id_of, further))
            yield further[::-1]
        wait(FOLLOW_SECONDS)


def _unseen(calls: Sequence[_Call], id_of: Callable[[_Call], str], seen: Collection[str]) -> list[_Call]:
    """The first calls of a list, up to one that was seen."""
    return list(takewhile(lambda call: id_of(call) not in seen, calls))


def _show_batches(batches: Iterator[Sequence[_Call]], show_calls: Callable[[Sequence[_Call]], None]) -> None:
    # Ctrl-C is how a user ends it.
    with contextlib.suppress(KeyboardInterrupt):
        for calls in batches:
            show_calls(calls)
            sys.stdout.flush()


def _show_logged(shape: str, calls: Sequence[LoggedCall], *, as_table: bool = True) -> None:
    if shape == "cloudtrail":
        for call in calls:
            tell_exactly("\n".join(map(json.dumps, cloudtrail_records(call))))
    else:
        _show(shape, list(map(call_as_json, calls)), as_table=as_table)


def _show(shape: str, calls: Sequence[Shown], *, as_table: bool = True) -> None:
    """Print calls as text or JSON. Text for people fits their terminal."""
    columns = columns_of(sys.stdout)
    if shape == "json":
        for call in calls:
            # Nothing in JSON is obeyed by a terminal, and a line end within it would break it.
            tell_exactly(json.dumps(call))
    elif columns is None:
        show(map(call_line, calls))
    elif as_table and columns >= LEAST_TABLE_COLUMNS:
        show_table(CALL_TITLES, map(call_cells, calls), whole=("TIME", "REQUEST ID"))
    else:
        show(line for call in calls for line in call_lines(call))

"""``rolecall explain``"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import click

from rolecall.call_log.shown import explained_as_json, explained_lines
from rolecall.call_log.writer import SETTLE_SECONDS
from rolecall.commands.common import (
    UnusableError,
    config_of_database_option,
    database_option,
    host_option,
    opened_log,
    port_option,
    tell_exactly,
)
from rolecall.commands.running import (
    ask,
    ask_for,
    console_url,
    endpoint_of,
    knows_call,
    server_instead,
    server_option,
    unusable,
)
from rolecall.commands.terminal import show
from rolecall.ids import request_of_authorization
from rolecall.storage.decision_log import CallFilter, DecisionStore, LoggedCall


@click.command("explain")
@click.argument("request_id", required=False, metavar="[REQUEST_ID]")
@click.option("--last", is_flag=True, help="Explain the newest refused call.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole explanation as JSON.")
@click.option("--verbose", is_flag=True, help="Also print the encoded message of a refusal.")
@server_option
@host_option
@port_option
@config_of_database_option
@database_option
def command(
    request_id: str | None,
    last: bool,
    as_json: bool,
    verbose: bool,
    endpoint: str | None,
    host: str,
    port: int,
    database: str,
) -> None:
    """Explain why a call was allowed or refused.

    REQUEST_ID is in every answer, as the header x-amzn-RequestId. The authorization id of a refusal works too. The
    command reads the log beside the database, while the server runs or after it has stopped, or asks a server with
    --endpoint. While the server runs, the last line is the address of the call's page in the console.

    \b
    Examples:
      rolecall explain 5f0c1f0e-6ad5-4e35-b8c3-0c0f3f5d6c9a
      rolecall explain --last
      rolecall explain --last --json
    """
    if (request_id is None) != last:
        raise click.UsageError("Give a request id, or --last.")
    server = server_instead(endpoint)
    shown = _of_server(server, request_id) if server else _of_database(database, request_id)
    if as_json:
        tell_exactly(json.dumps(shown, indent=2))
        return
    encoded = shown.get("encoded_message", "") if verbose else ""
    show(explained_lines({**shown, "encoded_message": encoded}))
    address = endpoint_of(endpoint, host, port)
    if server or knows_call(address, shown["request_id"]):
        show([f"console           {console_url(address, shown['request_id'])}"])


def _of_server(server: str, request_id: str | None) -> dict[str, Any]:
    """The explanation of a call, or without an id of the newest refusal. Raises UnusableError."""
    if request_id is None:
        refused = ask(server, "GET", "decisions?outcome=Refused&limit=1")["decisions"]
        if not refused:
            raise UnusableError(
                f"the decision log of {server} has no refused call",
                hint="rolecall decisions lists the calls in the log",
            )
        request_id = refused[0]["request_id"]
    status, answer = ask_for(server, "GET", f"decisions/{quote(request_id, safe='')}", None)
    behind = request_of_authorization(request_id)
    if status == HTTPStatus.NOT_FOUND and behind is not None:
        status, answer = ask_for(server, "GET", f"decisions/{quote(behind, safe='')}", None)
    if status != HTTPStatus.OK:
        raise unusable(answer)
    found: dict[str, Any] = answer
    return found


def _of_database(database: str, request_id: str | None) -> dict[str, Any]:
    with opened_log(database, "/_rolecall/decisions/REQUEST_ID") as store:
        found = _waited(lambda: _newest_refusal(store) if request_id is None else _asked(store, request_id))
        if found is None:
            what = "no refused call" if request_id is None else f"no call {request_id}"
            raise UnusableError(
                f"the decision log {store.path} has {what}", hint="rolecall decisions lists the calls in the log"
            )
        return explained_as_json(found, store.details(found.request_id))


def _asked(store: DecisionStore, request_id: str) -> LoggedCall | None:
    found = store.call(request_id)
    refused = request_of_authorization(request_id)
    return store.call(refused) if found is None and refused is not None else found


def _newest_refusal(store: DecisionStore) -> LoggedCall | None:
    return next(iter(store.calls(CallFilter(outcome="Refused", limit=1))), None)


def _waited(find: Callable[[], LoggedCall | None]) -> LoggedCall | None:
    """What ``find`` finds. Tries again once, because a running server writes its last calls a moment later."""
    found = find()
    if found is None:
        time.sleep(SETTLE_SECONDS)
        found = find()
    return found

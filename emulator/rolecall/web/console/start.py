"""The console's first page: what runs, who can call, and the last refusals."""

from __future__ import annotations

from flask import Request, Response

from rolecall.call_log.shown import call_as_json
from rolecall.call_log.written import WrittenCalls
from rolecall.clock import iso8601
from rolecall.sandbox import Sandbox
from rolecall.service_records import DEFAULT_REGION
from rolecall.settings import client_lines, profile_lines
from rolecall.storage.access_keys import active_key, keys_in_use
from rolecall.storage.decision_log import CallFilter, LogUnavailableError
from rolecall.storage.dialects import shown_url
from rolecall.storage.gather import account_names
from rolecall.version import __version__
from rolecall.web.console.pages import ConsoleError, Page, Values, shown

NO_KEY_MESSAGE = "There is no active access key with this id."
_REFUSALS_SHOWN = 8
_KEYS_SHOWN = 20


def _start(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    with sandbox.database.snapshot() as connection:
        accounts = account_names(connection)
        keys = keys_in_use(connection, _KEYS_SHOWN + 1)
    return shown(
        "start.html",
        version=__version__,
        world_file=sandbox.world_file,
        database=shown_url(sandbox.database.url),
        endpoint=request.host_url.rstrip("/"),
        now=iso8601(sandbox.clock.now_seconds()),
        frozen=sandbox.clock.frozen,
        offset_seconds=sandbox.clock.offset_seconds,
        faults=len(sandbox.faults.rules),
        accounts=accounts,
        keys=keys[:_KEYS_SHOWN],
        more_keys=len(keys) > _KEYS_SHOWN,
        refusals=_last_refusals(sandbox),
    )


def _key(sandbox: Sandbox, request: Request, values: Values) -> Response:
    """The lines with the secret of one key. They are in no page before somebody asks for them."""
    with sandbox.database.snapshot() as connection:
        key = active_key(connection, values["access_key_id"])
    if key is None:
        raise ConsoleError(NO_KEY_MESSAGE, 404)
    endpoint = request.host_url.rstrip("/")
    lines = client_lines(endpoint, key.access_key_id, key.secret_access_key, DEFAULT_REGION)
    profile = profile_lines(
        f"rolecall-{key.user_name or 'root'}", endpoint, key.access_key_id, key.secret_access_key, DEFAULT_REGION
    )
    return shown("key.html", key=key, lines="\n".join(lines), profile="\n".join(profile))


def _last_refusals(sandbox: Sandbox) -> list[dict[str, object]] | None:
    """The last calls that a policy refused; None without a log."""
    if sandbox.decisions is None:
        return None
    wanted = CallFilter("", "", "Refused", None, _REFUSALS_SHOWN)
    try:
        return [call_as_json(call) for call in WrittenCalls(sandbox.decisions).calls(wanted)]
    except LogUnavailableError:
        return None


PAGES = (Page("/", _start, "Start"), Page("/keys/<access_key_id>", None, act=_key))

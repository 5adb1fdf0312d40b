"""The decision log in a browser: the list of calls, and one call with its explanation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Request, Response

from rolecall.call_log.filter import BadFilterError, read_filter
from rolecall.call_log.layers import LAYER_EFFECTS, LAYER_TITLES, picture_of
from rolecall.call_log.shown import call_as_json, explained_as_json
from rolecall.call_log.written import WrittenCalls
from rolecall.sandbox import Sandbox
from rolecall.storage.decision_log import CallFilter, LoggedCall, LogPlace, LogUnavailableError
from rolecall.web.console.editor_links import editor_query
from rolecall.web.console.pages import ConsoleError, Page, Values, shown
from rolecall.web.console_door import CONSOLE_PATH
from rolecall.web.decision_endpoints import (
    DEFAULT_LIMIT,
    MAXIMUM_LIMIT,
    NO_LOG_MESSAGE,
    NOT_FOUND_MESSAGE,
    UNAVAILABLE_MESSAGE,
)

TWO_SERVICES_MESSAGE = "The action belongs to another service than the one in the filter."
FILTERS = ("principal", "action", "outcome", "service")
_OF_THE_PRINCIPAL, _SESSION_TAG = "aws:principal", "aws:principaltag/"
_OF_A_SESSION = ("session", "scope-down")

Json = dict[str, Any]
Read = TypeVar("Read")


def read_log(sandbox: Sandbox, read: Callable[[WrittenCalls], Read]) -> Read:
    """What ``read`` finds in the log. Raises ConsoleError when there is none, or for a filter that is none."""
    if sandbox.decisions is None:
        raise ConsoleError(NO_LOG_MESSAGE, 404)
    try:
        return read(WrittenCalls(sandbox.decisions))
    except BadFilterError as error:
        raise ConsoleError(str(error)) from error
    except LogUnavailableError as error:
        raise ConsoleError(UNAVAILABLE_MESSAGE, 503) from error


def filter_of(given: Mapping[str, str], now_seconds: Callable[[], float]) -> CallFilter:
    """The filter in a form of the list. ``service`` is an action's prefix. Raises BadFilterError."""
    service, action = given.get("service", "").strip(), given.get("action", "").strip()
    if service and action and action.partition(":")[0].lower() != service.lower():
        raise BadFilterError(TWO_SERVICES_MESSAGE)
    values = {name: given.get(name, "").strip() for name in ("principal", "outcome", "limit")}
    values["action"] = action or (f"{service}:*" if service else "")
    return read_filter(values, now_seconds, default_limit=DEFAULT_LIMIT, maximum_limit=MAXIMUM_LIMIT)


def _list(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    def read(log: WrittenCalls) -> tuple[CallFilter, LogPlace, list[LoggedCall]]:
        wanted = filter_of(request.args, log.now_seconds)
        log.flush()
        # The place comes first: a call that is written meanwhile is listed, and comes once more with the stream.
        return wanted, log.newest_place(), log.calls(wanted)

    wanted, place, calls = read_log(sandbox, read)
    given = {name: request.args.get(name, "") for name in FILTERS}
    asked = {**{name: text for name, text in given.items() if text}, "limit": str(wanted.limit)}
    return shown(
        "decisions.html",
        calls=[call_as_json(call) for call in calls],
        given=given,
        limit=wanted.limit,
        stream=f"{CONSOLE_PATH}/decisions/stream?{urlencode(asked)}",
        place=place_text(place),
    )


def place_text(place: LogPlace) -> str:
    """A place in the log, as browsers send it back."""
    return f"{place.position}@{place.cleared_at_seconds!r}"


def _one(sandbox: Sandbox, _request: Request, values: Values) -> Response:
    def read(log: WrittenCalls) -> Json:
        call = log.call(values["request_id"])
        if call is None:
            raise ConsoleError(NOT_FOUND_MESSAGE, 404)
        return explained_as_json(call, log.details(call.request_id))

    call = read_log(sandbox, read)
    with sandbox.database.snapshot() as connection:
        policies = [{**each, "edit": editor_query(connection, each)} for each in call.get("policies", ())]
    evaluations = [_with_picture(call, evaluation, policies) for evaluation in call.get("evaluations", ())]
    return shown(
        "decision.html", call=call, evaluations=evaluations, titles=LAYER_TITLES, effects=LAYER_EFFECTS, as_text=as_text
    )


def _with_picture(call: Json, evaluation: Json, policies: list[Json]) -> Json:
    context = {**call["context"], **evaluation["context"]}
    marked = evaluation["nearest"] or _denying(evaluation)
    documents = [{**policy, "parts": _parts(policy, marked)} for policy in policies]
    evaluation = {**evaluation, "layers": picture_of(evaluation), "context": context}
    return {
        **evaluation,
        "documents": documents,
        "changes": [(change, _edit_of(change, policies)) for change in evaluation["changes"]],
        "asked_context": _as_lines(context),
        "has_session_policies": any(layer["layer"] in _OF_A_SESSION for layer in evaluation["layers"]),
    }


def _denying(evaluation: Json) -> Json | None:
    """The first statement that denies, in the layer that decided."""
    statements = (
        each for layer in evaluation["layers"] if layer["layer"] == evaluation["layer"] for each in layer["matched"]
    )
    return next((each for each in statements if each["effect"] == "Deny"), None)


def _edit_of(change: Json, policies: list[Json]) -> str:
    """The parameters of the editor's page for the policy that a change is about; empty when it is about none."""
    return next((each["edit"] for each in policies if change["statement"] is None and _holds(each, change)), "")


def _as_lines(context: Json) -> str:
    """The condition keys of a call as the simulator's form takes them, without those that follow from the principal.

    A value with an end of line cannot be given there.
    """
    listed = [
        f"{key} = {value}"
        for key, values in sorted(context.items())
        if not key.lower().startswith(_OF_THE_PRINCIPAL) or key.lower().startswith(_SESSION_TAG)
        for value in ([values] if isinstance(values, str) else values)
    ]
    return "\n".join(line for line in listed if len(line.splitlines()) == 1)


def _parts(policy: Json, marked: Json | None) -> list[tuple[str, bool]]:
    """The document as text in parts. The part that is the nearest or the denying statement is marked with True."""
    document = policy["document"]
    if marked is None or not _holds(policy, marked) or not isinstance(document, dict):
        return [(as_text(document), False)]
    statements = document.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    if not 0 <= marked["index"] < len(listed):
        return [(as_text(document), False)]
    head = {name: value for name, value in document.items() if name != "Statement"}
    parts = [(as_text(head), False)] if head else []
    return [*parts, *((as_text(statement), at == marked["index"]) for at, statement in enumerate(listed))]


def _holds(policy: Json, statement: Json) -> bool:
    if policy["kind"] != statement["layer"]:
        return False
    arn = statement["policy_arn"]
    return arn in (policy.get("arn"), policy["uri"]) if arn else policy["name"] == statement["policy_name"]


def as_text(value: Any) -> str:
    """A value of a request or of a policy as people read it."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


PAGES = (Page("/decisions", _list, "Decisions"), Page("/decisions/<request_id>", _one))

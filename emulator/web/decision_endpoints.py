"""The decision log over HTTP: ``GET /_rolecall/decisions`` and one decision by its request id."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from emulator.sandbox.decision_text import call_as_json, explained_as_json
from emulator.sandbox.decisions import DecisionLog
from emulator.storage.decision_log import CallFilter, LogUnavailableError

DEFAULT_LIMIT = 100
MAXIMUM_LIMIT = 1000
NO_LOG_MESSAGE = "This sandbox keeps no decision log."
UNAVAILABLE_MESSAGE = "The decision log cannot be read."
NOT_FOUND_MESSAGE = "The decision log has no call with this request id."
_PARAMETERS = ("principal", "action", "outcome", "since", "limit")
_ACTION = re.compile(r"[A-Za-z0-9-]{1,64}:[A-Za-z0-9]{0,128}\*?")
_OUTCOME = re.compile(r"[A-Za-z]{1,128}")
_MAXIMUM_PRINCIPAL_CHARACTERS = 2048

Answered = tuple[Response, int]


class BadParameterError(ValueError):
    """A parameter that cannot be understood; the message is for whoever asked."""


def register_decisions(control: Blueprint, decisions: DecisionLog | None) -> None:
    """Add the endpoints. Without a log they answer 404."""

    @control.get("/decisions")
    def list_decisions() -> Answered:
        return _answered(decisions, lambda log: _listed(log, read_filter(request.args.to_dict(flat=False))))

    @control.get("/decisions/<request_id>")
    def show_decision(request_id: str) -> Answered:
        return _answered(decisions, lambda log: _shown(log, request_id))


def _answered(decisions: DecisionLog | None, answer: Callable[[DecisionLog], Answered]) -> Answered:
    if decisions is None:
        return jsonify(message=NO_LOG_MESSAGE), 404
    try:
        return answer(decisions)
    except BadParameterError as error:
        return jsonify(message=str(error)), 400
    except LogUnavailableError:
        return jsonify(message=UNAVAILABLE_MESSAGE), 503


def _listed(decisions: DecisionLog, wanted: CallFilter) -> Answered:
    calls = [call_as_json(call) for call in decisions.calls(wanted)]
    return jsonify(decisions=calls, dropped=decisions.dropped()), 200


def _shown(decisions: DecisionLog, request_id: str) -> Answered:
    call = decisions.call(request_id)
    if call is None:
        return jsonify(message=NOT_FOUND_MESSAGE), 404
    return jsonify(explained_as_json(call, decisions.details(request_id))), 200


def read_filter(given: Mapping[str, Sequence[str]]) -> CallFilter:
    """The filter that parameters of a URL ask for. Raises BadParameterError."""
    values: dict[str, Any] = {}
    for name, texts in given.items():
        if name not in _PARAMETERS:
            raise BadParameterError(f"There is no parameter {name}: known are {', '.join(_PARAMETERS)}.")
        if len(texts) != 1:
            raise BadParameterError(f"The parameter {name} is given more than once.")
        if texts[0]:
            values[name] = texts[0]
    if not _ACTION.fullmatch(values.get("action", "a:a")):
        raise BadParameterError("action is a service prefix and a name, such as chime:CreateUser or chime:List*.")
    if not _OUTCOME.fullmatch(values.get("outcome", "Allowed")):
        raise BadParameterError("outcome is Allowed, ExplicitDeny, ImplicitDeny, Refused or an error code.")
    if len(values.get("principal", "")) > _MAXIMUM_PRINCIPAL_CHARACTERS:
        raise BadParameterError("principal is the ARN of a user, a role or a session.")
    since = values.pop("since", None)
    limit = values.pop("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAXIMUM_LIMIT:
        raise BadParameterError(f"limit is a number from 1 to {MAXIMUM_LIMIT}.")
    return CallFilter(**values, since_seconds=None if since is None else _epoch_seconds(since), limit=int(limit))


def _epoch_seconds(text: str) -> float:
    problem = BadParameterError("since is a time such as 2030-01-01T00:00:00Z, or seconds since the epoch.")
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise problem from error
    if not math.isfinite(seconds):
        raise problem
    return seconds

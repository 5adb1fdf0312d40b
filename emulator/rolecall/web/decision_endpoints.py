"""The decision log over HTTP: ``GET /_rolecall/decisions``, one decision by its request id, and the counts of calls."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.call_log.filter import BadFilterError, read_filter
from rolecall.call_log.writer import DecisionLog
from rolecall.sandbox import Sandbox
from rolecall.storage.decision_log import CallFilter, LogUnavailableError

DEFAULT_LIMIT = 100
MAXIMUM_LIMIT = 1000
NO_LOG_MESSAGE = "This sandbox keeps no decision log."
UNAVAILABLE_MESSAGE = "The decision log cannot be read."
NOT_FOUND_MESSAGE = "The decision log has no call with this request id."
FORMAT_MESSAGE = "format must be json or cloudtrail."
JSON_LINES = "application/x-ndjson"
_PARAMETERS = ("principal", "action", "outcome", "since", "limit", "format")

Answered = tuple[Response, int]


def register_decisions(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoints. Without a log they answer 404."""
    decisions = sandbox.decisions

    @control.get("/decisions")
    def list_decisions() -> Answered:
        given = request.args.to_dict(flat=False)
        return _answered(decisions, lambda log: _listed(log, filter_of(given, log), request.args.get("format", "json")))

    @control.get("/metrics")
    def show_metrics() -> Answered:
        return _answered(decisions, lambda log: _counted(log, sandbox))

    @control.get("/decisions/<request_id>")
    def show_decision(request_id: str) -> Answered:
        return _answered(decisions, lambda log: _shown(log, request_id))


def _answered(decisions: DecisionLog | None, answer: Callable[[DecisionLog], Answered]) -> Answered:
    if decisions is None:
        return jsonify(message=NO_LOG_MESSAGE), 404
    try:
        return answer(decisions)
    except BadFilterError as error:
        return jsonify(message=str(error)), 400
    except LogUnavailableError:
        return jsonify(message=UNAVAILABLE_MESSAGE), 503


def _shown_calls() -> Any:
    # Loaded now, like metrics and CloudTrail records below: most servers are never asked for their calls.
    return importlib.import_module("rolecall.call_log.shown")


def _counted(decisions: DecisionLog, sandbox: Sandbox) -> Answered:
    metrics: Any = importlib.import_module("rolecall.call_log.metrics")
    # Before the counts, because those write what waits.
    lag_seconds, before = decisions.lag_seconds(), time.perf_counter()
    sandbox.catch_up()
    read_seconds = time.perf_counter() - before
    text = metrics.metrics_text(decisions.counts(), database_read_seconds=read_seconds, log_lag_seconds=lag_seconds)
    return Response(text, content_type=metrics.CONTENT_TYPE), 200


def _listed(decisions: DecisionLog, wanted: CallFilter, shape: str) -> Answered:
    if shape == "cloudtrail":
        records_of = importlib.import_module("rolecall.call_log.cloudtrail").cloudtrail_records
        lines = [json.dumps(record) + "\n" for call in decisions.calls(wanted) for record in records_of(call)]
        return Response("".join(lines), content_type=JSON_LINES), 200
    if shape != "json":
        raise BadFilterError(FORMAT_MESSAGE)
    shown = _shown_calls()
    calls = [shown.call_as_json(call) for call in decisions.calls(wanted)]
    return jsonify(decisions=calls, dropped=decisions.dropped()), 200


def _shown(decisions: DecisionLog, request_id: str) -> Answered:
    call = decisions.call(request_id)
    if call is None:
        return jsonify(message=NOT_FOUND_MESSAGE), 404
    return jsonify(_shown_calls().explained_as_json(call, decisions.details(request_id))), 200


def filter_of(given: Mapping[str, Sequence[str]], log: DecisionLog) -> CallFilter:
    """The filter in the parameters of a URL. Raises BadFilterError."""
    values = single_values(given, _PARAMETERS)
    return read_filter(values, log.now_seconds, default_limit=DEFAULT_LIMIT, maximum_limit=MAXIMUM_LIMIT)


def single_values(given: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, str]:
    """Parameters of a URL, each known and without repetition. Raises BadFilterError."""
    for name, texts in given.items():
        if name not in known:
            raise BadFilterError(f"There is no parameter {name}: known are {', '.join(known)}.")
        if len(texts) != 1:
            raise BadFilterError(f"The parameter {name} is given more than once.")
    return {name: texts[0] for name, texts in given.items()}

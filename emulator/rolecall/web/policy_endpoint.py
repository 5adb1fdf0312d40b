"""``GET /_rolecall/policy``: the smallest policy for a principal's calls, and the grants that it never used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.call_log.filter import BadFilterError, since_seconds
from rolecall.call_log.writer import DecisionLog
from rolecall.least_privilege import (
    BadPrincipalError,
    NoGrantsError,
    least_privilege,
    observed,
    unused_grants,
)
from rolecall.storage.decision_log import LogUnavailableError
from rolecall.storage.engine import Database
from rolecall.web.decision_endpoints import NO_LOG_MESSAGE, UNAVAILABLE_MESSAGE, single_values

_PARAMETERS = ("principal", "since", "include_refused", "unused")
_FLAGS = {"": False, "false": False, "true": True}

Answered = tuple[Response, int]


def register_policy(control: Blueprint, database: Database, decisions: DecisionLog | None) -> None:
    """Add the endpoint. Without a log it answers 404."""

    @control.get("/policy")
    def show_policy() -> Answered:
        if decisions is None:
            return jsonify(message=NO_LOG_MESSAGE), 404
        try:
            return jsonify(_answer(database, decisions, request.args.to_dict(flat=False))), 200
        except (BadFilterError, BadPrincipalError) as error:
            return jsonify(message=str(error)), 400
        except LogUnavailableError:
            return jsonify(message=UNAVAILABLE_MESSAGE), 503


def _answer(database: Database, decisions: DecisionLog, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    values = single_values(given, _PARAMETERS)
    principal, since = values.get("principal", ""), values.get("since", "")
    include_refused, with_unused = _flag(values, "include_refused"), _flag(values, "unused")
    traffic = observed(decisions, principal, since_seconds(since, decisions.now_seconds))
    found = least_privilege(traffic, include_refused=include_refused)
    answer: dict[str, Any] = {
        "principal": principal,
        "calls": found.calls,
        "policy": found.policy,
        "notes": list(found.notes),
    }
    if with_unused:
        answer["unused"] = None
        try:
            with database.snapshot() as connection:
                answer["unused"] = unused_grants(connection, traffic).as_json()
        except NoGrantsError as error:
            answer["notes"].append(f"unused is null: {error}.")
    return answer


def _flag(values: Mapping[str, str], name: str) -> bool:
    text = values.get(name, "")
    if text not in _FLAGS:
        raise BadFilterError(f"{name} must be true or false.")
    return _FLAGS[text]

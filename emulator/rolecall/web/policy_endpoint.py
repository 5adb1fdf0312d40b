"""``GET /_rolecall/policy``: the smallest policy for a principal's calls, and the grants that it never used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.call_log.filter import BadFilterError, since_seconds
from rolecall.call_log.writer import DecisionLog
from rolecall.sandbox import Sandbox
from rolecall.storage.decision_log import LogUnavailableError
from rolecall.storage.engine import Database
from rolecall.web.decision_endpoints import NO_LOG_MESSAGE, UNAVAILABLE_MESSAGE, single_values

_PARAMETERS = ("principal", "since", "include_refused", "unused")
_FLAGS = {"": False, "false": False, "true": True}

Answered = tuple[Response, int]


def register_policy(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoint. Without a log it answers 404."""
    database, decisions = sandbox.database, sandbox.decisions

    @control.get("/policy")
    def show_policy() -> Answered:
        if decisions is None:
            return jsonify(message=NO_LOG_MESSAGE), 404
        # Loaded now: most servers are never asked for a policy.
        room: Any = importlib.import_module("rolecall.least_privilege")
        try:
            return jsonify(_answer(room, database, decisions, request.args.to_dict(flat=False))), 200
        except (BadFilterError, room.BadPrincipalError) as error:
            return jsonify(message=str(error)), 400
        except LogUnavailableError:
            return jsonify(message=UNAVAILABLE_MESSAGE), 503


def _answer(
    room: Any, database: Database, decisions: DecisionLog, given: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    values = single_values(given, _PARAMETERS)
    principal, since = values.get("principal", ""), values.get("since", "")
    include_refused, with_unused = _flag(values, "include_refused"), _flag(values, "unused")
    traffic = room.observed(decisions, principal, since_seconds(since, decisions.now_seconds))
    found = room.least_privilege(traffic, include_refused=include_refused)
    notes = list(found.notes)
    if found.policy is None:
        callers = [] if traffic.kinds else decisions.store.callers()
        notes.insert(0, f"{room.why_no_policy(traffic, found, callers)}{' since then' if since else ''}.")
    answer: dict[str, Any] = {
        "principal": principal,
        "calls": found.calls,
        "policy": found.policy,
        "notes": notes,
    }
    if with_unused:
        answer["unused"], answer["unused_notes"] = None, room.unused_notes(traffic)
        try:
            with database.snapshot() as connection:
                answer["unused"] = room.unused_grants(connection, traffic).as_json()
        except room.NoGrantsError as error:
            answer["unused_notes"] = [f"unused is null: {error}."]
    return answer


def _flag(values: Mapping[str, str], name: str) -> bool:
    text = values.get(name, "")
    if text not in _FLAGS:
        raise BadFilterError(f"{name} must be true or false.")
    return _FLAGS[text]

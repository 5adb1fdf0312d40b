"""Fault rules over HTTP: ``GET``, ``POST``, ``PUT`` and ``DELETE /_rolecall/faults``, and ``DELETE`` of one rule."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request

from rolecall.faults.active import InvalidFaultError, NoSuchRuleError
from rolecall.sandbox import Sandbox
from rolecall.storage.engine import DatabaseError
from rolecall.web.bodies import BadBodyError, read_json

UNAVAILABLE_MESSAGE = "The fault rules are kept in the database, and the database does not answer."

Answered = tuple[Response, int]


def register_faults(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoints. Each answers with the resulting rules."""
    faults = sandbox.faults

    def answered(change: Callable[[], object] | None = None) -> Answered:
        try:
            if change is not None:
                change()
            return jsonify(rules=faults.rules), 200
        except (BadBodyError, InvalidFaultError) as error:
            return jsonify(message=str(error)), 400
        except NoSuchRuleError as error:
            return jsonify(message=str(error)), 404
        except (*DatabaseError, OSError):
            return jsonify(message=UNAVAILABLE_MESSAGE), 503

    @control.get("/faults")
    def show_faults() -> Answered:
        return answered()

    @control.put("/faults")
    def replace_faults() -> Answered:
        return answered(lambda: faults.replace(read_json(request)))

    @control.post("/faults")
    def add_fault() -> Answered:
        return answered(lambda: faults.add_rule(read_json(request)))

    @control.delete("/faults/<rule_id>")
    def remove_fault(rule_id: str) -> Answered:
        return answered(lambda: faults.remove(rule_id))

    @control.delete("/faults")
    def clear_faults() -> Answered:
        return answered(faults.clear)

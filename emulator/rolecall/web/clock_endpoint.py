"""The sandbox's clock over HTTP: ``GET`` and ``POST /_rolecall/clock``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.clock import BadTimeError, Clock, ClockState, iso8601
from rolecall.sandbox import Sandbox
from rolecall.storage.clock_states import load_clock
from rolecall.storage.engine import DatabaseError
from rolecall.web.bodies import BadBodyError, read_json

CHANGES_MESSAGE = (
    'Send one change: {"advance_seconds": 3600}, {"set": "2030-01-01T00:00:00Z"}, {"freeze": true}, '
    '{"freeze": false} to run on, or {"reset": true}.'
)
UNAVAILABLE_MESSAGE = "The clock is kept in the database, and the database does not answer."

Answered = tuple[Response, int]


def register_clock(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoint. The clock shares its state through the database."""
    clock = sandbox.clock

    def shown(state: ClockState) -> Answered:
        return jsonify(clock_as_json(state, clock.wall_seconds())), 200

    def answered(answer: Callable[[], Answered]) -> Answered:
        try:
            return answer()
        except (BadBodyError, BadTimeError) as error:
            return jsonify(message=str(error)), 400
        except (*DatabaseError, OSError):
            return jsonify(message=UNAVAILABLE_MESSAGE), 503

    @control.get("/clock")
    def show_clock() -> Answered:
        def read() -> Answered:
            # Read from the database, because another process may have moved the clock.
            with sandbox.database.snapshot() as connection:
                return shown(load_clock(connection))

        return answered(read)

    @control.post("/clock")
    def change_clock() -> Answered:
        def change() -> Answered:
            apply_change(clock, read_json(request))
            return shown(clock.state)

        return answered(change)


def apply_change(clock: Clock, body: Any) -> None:
    """Make the change in a body. Raises BadBodyError or BadTimeError."""
    match body:
        case {"advance_seconds": int() | float() as seconds} if len(body) == 1 and not isinstance(seconds, bool):
            clock.advance(seconds)
        case {"set": str() as moment} if len(body) == 1:
            clock.set(moment)
        case {"freeze": True} if len(body) == 1:
            clock.freeze()
        case {"freeze": False} if len(body) == 1:
            clock.unfreeze()
        case {"reset": True} if len(body) == 1:
            clock.reset()
        case _:
            raise BadBodyError(CHANGES_MESSAGE)


def clock_as_json(state: ClockState, wall_seconds: float) -> dict[str, Any]:
    now_seconds = state.now_seconds(wall_seconds)
    difference = state.offset_seconds if state.frozen_at_seconds is None else now_seconds - wall_seconds
    offset_seconds = round(float(difference), 3)
    return {
        "now": iso8601(now_seconds),
        "offset_seconds": int(offset_seconds) if offset_seconds.is_integer() else offset_seconds,
        "frozen": state.frozen_at_seconds is not None,
    }

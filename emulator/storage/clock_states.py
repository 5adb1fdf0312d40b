"""The state of the sandbox's clock, which every process over a database shares.

Kept among the states of the sandbox, so that a change raises the generation and each call finds out on its way.
"""

from __future__ import annotations

import json
from functools import partial

from sqlalchemy import Connection

from emulator.clock import Change, Clock, ClockState
from emulator.storage.engine import Database
from emulator.storage.worlds import set_state, state

STATE_NAME = "clock"


def read_clock(text: str | None) -> ClockState:
    """The state in a kept text; the machine's own time when nothing is kept."""
    return ClockState() if text is None else ClockState(**json.loads(text))


def load_clock(connection: Connection) -> ClockState:
    return read_clock(state(connection, STATE_NAME))


def take_over_clock(connection: Connection, clock: Clock) -> None:
    """Show what the database keeps; where it keeps nothing, a clock that was moved beforehand is kept."""
    kept = state(connection, STATE_NAME)
    if kept is not None:
        clock.follow(read_clock(kept))
    elif clock.state != ClockState():
        _save(connection, clock.state)


def share_clock(database: Database, clock: Clock) -> None:
    """Make every change of the clock one of the database's state."""
    clock.share(partial(change_clock, database))


def change_clock(database: Database, change: Change) -> ClockState:
    """Apply a change to the kept state, so that of two at once neither is lost; returns the new state."""
    with database.transaction() as connection:
        changed = change(load_clock(connection))
        _save(connection, changed)
    return changed


def _save(connection: Connection, changed: ClockState) -> None:
    kept = {"offset_seconds": changed.offset_seconds, "frozen_at_seconds": changed.frozen_at_seconds}
    set_state(connection, STATE_NAME, json.dumps(kept))

"""The state of the sandbox's clock, which every process over a database shares.

The state is stored with the other states of the sandbox. So a change raises the generation, and each process sees it on
its next call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from sqlalchemy import Connection

from rolecall.clock import Change, Clock, ClockState
from rolecall.storage import worlds
from rolecall.storage.engine import Database

STATE_NAME = "clock"


def kept_clock(states: Mapping[str, str]) -> ClockState:
    """The clock among the stored states of a sandbox; the machine's own time when no clock is stored."""
    text = states.get(STATE_NAME)
    return ClockState() if text is None else ClockState(**json.loads(text))


def load_clock(connection: Connection) -> ClockState:
    return kept_clock(worlds.states(connection))


def take_over_clock(connection: Connection, clock: Clock) -> None:
    """Set ``clock`` to the stored state. When the database has none and ``clock`` was moved before, store that."""
    states = worlds.states(connection)
    if STATE_NAME in states:
        clock.follow(kept_clock(states))
    elif clock.state != ClockState():
        _save(connection, clock.state)


def share_clock(database: Database, clock: Clock) -> None:
    """Store every change of ``clock`` in the database."""
    clock.share(partial(change_clock, database))


def change_clock(database: Database, change: Change) -> ClockState:
    """Apply a change to the stored state, so that two changes at once both count. Returns the new state."""

    def work(connection: Connection) -> ClockState:
        changed = change(load_clock(connection))
        _save(connection, changed)
        return changed

    return database.write(work)


def _save(connection: Connection, changed: ClockState) -> None:
    kept = {"offset_seconds": changed.offset_seconds, "frozen_at_seconds": changed.frozen_at_seconds}
    worlds.set_state(connection, STATE_NAME, json.dumps(kept))

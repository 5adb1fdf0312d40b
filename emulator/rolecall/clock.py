"""Time. No other module reads the machine's clock.

There are two times. ``wall_seconds`` is the machine's; signatures are checked by it, because the client signs with its
own clock. ``now_seconds`` is the sandbox's, which a test may advance, set or freeze. Everything else depends on it:
session expiry, token issue time, MFA age, stored dates.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

# 1970-01-01 and 9999-01-01: an answer can show every date between them, with room for the longest session.
EARLIEST_SECONDS = 0
LATEST_SECONDS = 253_370_764_800
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,6})?[smhd])+")
_DURATION_PART = re.compile(r"([0-9.]+)([smhd])")
# A step of the clock, as people write one: +1h, -15m.
STEP = re.compile(r"([+-])([0-9.]+[smhd][0-9.smhd]*)")
_WRITTEN_CHANGES: dict[str, dict[str, bool]] = {
    "freeze": {"freeze": True},
    "unfreeze": {"freeze": False},
    "reset": {"reset": True},
}
CHANGE_MESSAGE = (
    "{change!r} is not a change of the clock: "
    "write a step such as +1h or -15m, a time such as 2030-01-01T00:00:00Z, freeze, unfreeze or reset"
)
OUT_OF_RANGE_MESSAGE = "The sandbox's clock goes from 1970-01-01T00:00:00Z to 9999-01-01T00:00:00Z."


class BadTimeError(ValueError):
    """A time that cannot be understood, or that the clock cannot show. The user sees the message."""


class ClockState(Struct, frozen=True):
    """How the sandbox's time differs from the machine's."""

    offset_seconds: float = 0.0
    frozen_at_seconds: float | None = None

    def now_seconds(self, wall_seconds: float) -> float:
        """The sandbox's time when the machine's time is ``wall_seconds``."""
        return wall_seconds + self.offset_seconds if self.frozen_at_seconds is None else self.frozen_at_seconds

    def moved_to(self, now_seconds: float, wall_seconds: float) -> ClockState:
        """The clock that shows ``now_seconds``, running or frozen as before. Raises BadTimeError."""
        # In this form the comparison also refuses NaN.
        if not EARLIEST_SECONDS <= now_seconds <= LATEST_SECONDS:
            raise BadTimeError(OUT_OF_RANGE_MESSAGE)
        if self.frozen_at_seconds is not None:
            return ClockState(frozen_at_seconds=now_seconds)
        return ClockState(offset_seconds=now_seconds - wall_seconds)


Change = Callable[[ClockState], ClockState]
# Applies a change to the state that all processes of a sandbox share. Returns the new state.
SharedChange = Callable[[Change], ClockState]


class Clock:
    """The sandbox's clock. All values are seconds since the epoch, as floats.

    At first a change affects only this object. After :meth:`share`, several clocks show one shared state, for example
    in worker processes: a change of one changes the state, and the others :meth:`follow`.
    """

    def __init__(self) -> None:
        self.state = ClockState()
        self._shared_change: SharedChange | None = None

    def wall_seconds(self) -> float:
        return time.time()

    def now_seconds(self) -> float:
        return self.state.now_seconds(self.wall_seconds())

    def advance(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Move the clock forward, or back by negative values. Raises BadTimeError, as :meth:`set` does."""
        try:
            seconds = float(seconds + 60 * minutes + 3600 * hours + 86400 * days)
        except OverflowError as error:
            raise BadTimeError(OUT_OF_RANGE_MESSAGE) from error
        wall_seconds = self.wall_seconds()
        self._change(lambda state: state.moved_to(state.now_seconds(wall_seconds) + seconds, wall_seconds))

    def set(self, moment: float | datetime | str) -> None:
        """Set seconds since the epoch, a datetime or ``2030-01-01T00:00:00Z``. A time without an offset is in UTC."""
        now_seconds, wall_seconds = epoch_seconds(moment), self.wall_seconds()
        self._change(lambda state: state.moved_to(now_seconds, wall_seconds))

    def freeze(self) -> None:
        """Stop the clock. :meth:`advance` and :meth:`set` still move it."""
        wall_seconds = self.wall_seconds()
        self._change(lambda state: ClockState(frozen_at_seconds=state.now_seconds(wall_seconds)))

    def unfreeze(self) -> None:
        """Let the clock run on from the time that it shows."""
        wall_seconds = self.wall_seconds()
        self._change(lambda state: ClockState(state.now_seconds(wall_seconds) - wall_seconds))

    def reset(self) -> None:
        """Return to the machine's time."""
        self._change(lambda _state: ClockState())

    @property
    def offset_seconds(self) -> float:
        return self.now_seconds() - self.wall_seconds() if self.frozen else self.state.offset_seconds

    @property
    def frozen(self) -> bool:
        return self.state.frozen_at_seconds is not None

    def share(self, change: SharedChange) -> None:
        """From now on, every change goes through ``change`` into the shared state."""
        self._shared_change = change

    def follow(self, state: ClockState) -> None:
        """Show the new shared state."""
        self.state = state

    def pause(self, seconds: float) -> None:
        """Wait, by the machine's time."""
        time.sleep(seconds)

    def _change(self, change: Change) -> None:
        self.state = change(self.state) if self._shared_change is None else self._shared_change(change)


def epoch_seconds(moment: float | datetime | str) -> float:
    """Seconds since the epoch. A date without an offset is in UTC. Raises BadTimeError."""
    if isinstance(moment, int | float):
        return moment
    try:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadTimeError("Write a time as 2030-01-01T00:00:00Z.") from error


def duration_seconds(text: str) -> float | None:
    """The seconds in ``90s``, ``15m``, ``1h30m`` or ``7d``; None for a text that is not a duration."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def written_change(change: str) -> dict[str, Any]:
    """The body for the control endpoint from a change as people write it, such as ``+1h``. Raises BadTimeError."""
    if change in _WRITTEN_CHANGES:
        return dict(_WRITTEN_CHANGES[change])
    step = STEP.fullmatch(change)
    seconds = None if step is None else duration_seconds(step[2])
    if step is not None and seconds is not None:
        return {"advance_seconds": -seconds if step[1] == "-" else seconds}
    if change[:1].isdigit():
        return {"set": change}
    raise BadTimeError(CHANGE_MESSAGE.format(change=change))


def monotonic_seconds() -> float:
    """For measuring durations, never for dates."""
    return time.perf_counter()


def iso8601(epoch_seconds: float) -> str:
    """``2026-11-23T10:00:00Z``: UTC in whole seconds, in AWS's form."""
    return datetime.fromtimestamp(int(epoch_seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Time. The only place that asks the machine what time it is.

Two times are kept apart: ``wall_seconds`` judges the freshness of signatures, because
the client signs with its own clock; ``now_seconds`` is the sandbox's time, which a test may advance, set or freeze,
and judges everything else: session expiry, token issue time, MFA age, stored dates.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

# 1970-01-01 and 9999-01-01: what every date of an answer can still say, with room for the longest session.
EARLIEST_SECONDS = 0
LATEST_SECONDS = 253_370_764_800
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,6})?[smhd])+")
_DURATION_PART = re.compile(r"([0-9.]+)([smhd])")
OUT_OF_RANGE_MESSAGE = "The sandbox's clock goes from 1970-01-01T00:00:00Z to 9999-01-01T00:00:00Z."


class BadTimeError(ValueError):
    """A time that cannot be understood, or that the clock cannot show; the message is for whoever asked."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """How the sandbox's time differs from the machine's."""

    offset_seconds: float = 0.0
    frozen_at_seconds: float | None = None

    def now_seconds(self, wall_seconds: float) -> float:
        """The sandbox's time when the machine's is ``wall_seconds``."""
        return wall_seconds + self.offset_seconds if self.frozen_at_seconds is None else self.frozen_at_seconds

    def moved_to(self, now_seconds: float, wall_seconds: float) -> ClockState:
        """The clock that shows ``now_seconds``, running or frozen as before. Raises BadTimeError."""
        # Written so that it refuses what is not a number too.
        if not EARLIEST_SECONDS <= now_seconds <= LATEST_SECONDS:
            raise BadTimeError(OUT_OF_RANGE_MESSAGE)
        if self.frozen_at_seconds is not None:
            return ClockState(frozen_at_seconds=now_seconds)
        return ClockState(offset_seconds=now_seconds - wall_seconds)


Change = Callable[[ClockState], ClockState]
# Applies a change to the state that all processes of a sandbox share, and answers the new one.
SharedChange = Callable[[Change], ClockState]


class Clock:
    """The sandbox's clock. All values are seconds since the epoch, as floats.

    Of itself it is moved in this object alone. :meth:`share` makes it one of several over the same state, such as the
    clocks of worker processes: whoever moves one moves the state, and the others :meth:`follow`.
    """

    def __init__(self) -> None:
        self.state = ClockState()
        self._shared_change: SharedChange | None = None

    def wall_seconds(self) -> float:
        return time.time()

    def now_seconds(self) -> float:
        return self.state.now_seconds(self.wall_seconds())

    def advance(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Move the clock on, or back by negative values. Raises BadTimeError, as :meth:`set` does."""
        try:
            seconds = float(seconds + 60 * minutes + 3600 * hours + 86400 * days)
        except OverflowError as error:
            raise BadTimeError(OUT_OF_RANGE_MESSAGE) from error
        wall_seconds = self.wall_seconds()
        self._change(lambda state: state.moved_to(state.now_seconds(wall_seconds) + seconds, wall_seconds))

    def set(self, moment: float | datetime | str) -> None:
        """To seconds since the epoch, a datetime or ``2030-01-01T00:00:00Z``; UTC where no offset is said."""
        now_seconds, wall_seconds = epoch_seconds(moment), self.wall_seconds()
        self._change(lambda state: state.moved_to(now_seconds, wall_seconds))

    def freeze(self) -> None:
        """Stand still from now on; :meth:`advance` and :meth:`set` still move it."""
        wall_seconds = self.wall_seconds()
        self._change(lambda state: ClockState(frozen_at_seconds=state.now_seconds(wall_seconds)))

    def unfreeze(self) -> None:
        """Run on from the moment at which it stands."""
        wall_seconds = self.wall_seconds()
        self._change(lambda state: ClockState(state.now_seconds(wall_seconds) - wall_seconds))

    def reset(self) -> None:
        """Back to the machine's time."""
        self._change(lambda _state: ClockState())

    @property
    def offset_seconds(self) -> float:
        return self.now_seconds() - self.wall_seconds() if self.frozen else self.state.offset_seconds

    @property
    def frozen(self) -> bool:
        return self.state.frozen_at_seconds is not None

    def share(self, change: SharedChange) -> None:
        """From now on every change is made by ``change``, in the state that others see too."""
        self._shared_change = change

    def follow(self, state: ClockState) -> None:
        """Show what the shared state has become."""
        self.state = state

    def pause(self, seconds: float) -> None:
        """Wait, by the machine's time."""
        time.sleep(seconds)

    def _change(self, change: Change) -> None:
        self.state = change(self.state) if self._shared_change is None else self._shared_change(change)


def epoch_seconds(moment: float | datetime | str) -> float:
    """Seconds since the epoch; a date without an offset is in UTC. Raises BadTimeError."""
    if isinstance(moment, int | float):
        return moment
    try:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadTimeError("A time is written as 2030-01-01T00:00:00Z.") from error


def duration_seconds(text: str) -> float | None:
    """What ``90s``, ``15m``, ``1h30m`` or ``7d`` lasts; None for a text that is no duration."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def monotonic_seconds() -> float:
    """For measuring how long something took; never for dates."""
    return time.perf_counter()


def iso8601(epoch_seconds: float) -> str:
    """``2026-11-23T10:00:00Z``: UTC in whole seconds, the form AWS writes."""
    return datetime.fromtimestamp(int(epoch_seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The sandbox's clock, for tests that move it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from rolecall.clock import Clock

DURATION_MESSAGE = "a duration must be a timedelta, or seconds, or named as in advance(hours=2)"
MOMENT_MESSAGE = "a moment must be a datetime, a text such as 2030-01-01T00:00:00Z, or seconds since the epoch"


class SandboxClock:
    """Sandbox time: session expiry, issue times, MFA age, dates. Signatures are checked by the machine's clock."""

    def __init__(self, clock: Clock, watchers: Sequence[Callable[[], None]] = ()) -> None:
        """``watchers`` are called after each move."""
        self._clock = clock
        self._watchers = watchers

    def _moved(self) -> datetime:
        for watcher in list(self._watchers):
            watcher()
        return self.now

    @property
    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return datetime.fromtimestamp(self._clock.now_seconds(), UTC)

    @property
    def frozen(self) -> bool:
        return self._clock.frozen

    def advance(
        self,
        duration: timedelta | float = 0,
        *,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
    ) -> datetime:
        """Move the clock by a duration (a timedelta, or seconds); negative ones move it back. Returns the new time."""
        if not isinstance(duration, timedelta | int | float):
            raise TypeError(f"{DURATION_MESSAGE}, not {type(duration).__name__}")
        given = duration.total_seconds() if isinstance(duration, timedelta) else duration
        self._clock.advance(given + seconds, minutes=minutes, hours=hours, days=days)
        return self._moved()

    def set(self, moment: datetime | str | float) -> datetime:
        """Set to a datetime, a text such as ``2030-01-01T00:00:00Z``, or seconds since the epoch; UTC by default."""
        if not isinstance(moment, datetime | str | int | float):
            raise TypeError(f"{MOMENT_MESSAGE}, not {type(moment).__name__}")
        self._clock.set(moment)
        return self._moved()

    def freeze(self, moment: datetime | str | float | None = None) -> datetime:
        """Stop the clock, at a moment or now. ``advance`` and ``set`` still move it."""
        self._clock.freeze()
        return self.now if moment is None else self.set(moment)

    def unfreeze(self) -> datetime:
        """Let the clock run on from its present time."""
        self._clock.unfreeze()
        return self.now

    def reset(self) -> datetime:
        """Return to the machine's time, running."""
        self._clock.reset()
        return self._moved()

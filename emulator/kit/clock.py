"""The sandbox's clock as tests move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from emulator.clock import Clock


class SandboxClock:
    """Sandbox time: session expiry, issue times, MFA age, dates. Signatures are judged by the machine's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

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
        """Move on by a duration (a timedelta, or seconds); negative ones move back. The new time is answered."""
        given = duration.total_seconds() if isinstance(duration, timedelta) else duration
        named = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        self._clock.advance(given + named)
        return self.now

    def set(self, moment: datetime | str | float) -> datetime:
        """Move to a datetime, a text such as ``2030-01-01T00:00:00Z``, or seconds since the epoch; UTC unless said."""
        self._clock.set(_epoch_seconds(moment))
        return self.now

    def freeze(self, moment: datetime | str | float | None = None) -> datetime:
        """Stand still, at a moment or now. ``advance`` and ``set`` still move it."""
        self._clock.freeze()
        return self.now if moment is None else self.set(moment)

    def unfreeze(self) -> datetime:
        """Run on from where it stands."""
        self._clock.unfreeze()
        return self.now

    def reset(self) -> datetime:
        """Back to the machine's time, running."""
        self._clock.reset()
        return self.now


def _epoch_seconds(moment: datetime | str | float) -> float:
    if isinstance(moment, int | float):
        return moment
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()

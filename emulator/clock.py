"""Time. The only place that asks the machine what time it is.

Two times are kept apart: ``wall_seconds`` judges the freshness of signatures, because
the client signs with its own clock; ``now_seconds`` is the sandbox's time, which a test may advance, set or freeze,
and judges everything else: session expiry, token issue time, MFA age, stored dates.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The sandbox's clock. All values are seconds since the epoch, as floats."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0
        self._frozen_at_seconds: float | None = None

    def wall_seconds(self) -> float:
        return time.time()

    def now_seconds(self) -> float:
        if self._frozen_at_seconds is not None:
            return self._frozen_at_seconds
        return time.time() + self._offset_seconds

    def advance(self, seconds: float) -> None:
        if self._frozen_at_seconds is not None:
            self._frozen_at_seconds += seconds
        else:
            self._offset_seconds += seconds

    def set(self, epoch_seconds: float) -> None:
        if self._frozen_at_seconds is not None:
            self._frozen_at_seconds = epoch_seconds
        else:
            self._offset_seconds = epoch_seconds - time.time()

    def freeze(self) -> None:
        self._frozen_at_seconds = self.now_seconds()

    def reset(self) -> None:
        self._offset_seconds = 0.0
        self._frozen_at_seconds = None

    @property
    def offset_seconds(self) -> float:
        return self.now_seconds() - time.time() if self.frozen else self._offset_seconds

    @property
    def frozen(self) -> bool:
        return self._frozen_at_seconds is not None


def monotonic_seconds() -> float:
    """For measuring how long something took; never for dates."""
    return time.perf_counter()


def iso8601(epoch_seconds: float) -> str:
    """``2026-11-23T10:00:00Z``: UTC in whole seconds, the form AWS writes."""
    return datetime.fromtimestamp(int(epoch_seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The thread that writes what calls leave behind: the decision log, and the last uses of keys and roles."""

from __future__ import annotations

import threading
from typing import Protocol

# When much waited, more is coming. A shorter wait keeps less of it in memory: a call takes about a kilobyte.
_BUSY_INTERVAL_SECONDS = 0.1


class Waiting(Protocol):
    """Something that calls leave in memory, and that is written later."""

    @property
    def interval_seconds(self) -> float:
        """How often the thread should look at it."""

    def write_waiting(self) -> bool:
        """Write what waits, in a way that disturbs no call. Never raises.

        Returns whether so much waited that the thread should look again soon.
        """

    def close(self) -> None:
        """Write the rest. Nothing is written after that."""


class BackgroundWriter:
    """Writes what waits, every few moments and once more at the end, in the given order."""

    def __init__(self, *waiting: Waiting) -> None:
        self._waiting = waiting
        self._interval_seconds = min(each.interval_seconds for each in waiting)
        self._closed = False

    def start(self) -> None:
        """Start the thread. Call it in the process that serves, because threads do not survive a fork."""
        # The interpreter waits for a thread that is no daemon, so a clean stop loses nothing.
        threading.Thread(target=self._run, name="rolecall-writer", daemon=False).start()

    def _run(self) -> None:
        main = threading.main_thread()
        busy = False
        while not self._closed and main.is_alive():
            main.join(_BUSY_INTERVAL_SECONDS if busy else self._interval_seconds)
            # A sum, because each one has its turn.
            busy = sum(each.write_waiting() for each in self._waiting) > 0
        if not self._closed:
            self.close()

    def close(self) -> None:
        """Write the rest and end the thread, which needs up to one interval more."""
        self._closed = True
        for each in self._waiting:
            each.close()

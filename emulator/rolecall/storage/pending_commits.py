"""Commits that this process is making now.

SQLite shows a commit to readers before the writing thread can note what it changed. A reader that comes in between
waits for the note, which takes microseconds. Otherwise it would have to read everything again.
"""

from __future__ import annotations

import threading

# The note needs no disk. A thread that is held up for longer costs its readers a second reading and nothing else.
_PATIENCE_SECONDS = 0.05


class PendingCommit:
    """One commit, by the generation that it makes. Its end opens ``gate``."""

    __slots__ = ("gate", "generation")

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.gate = threading.Lock()
        self.gate.acquire()


class PendingCommits:
    """The last commit that has begun. The database has one writer at a time, so the others are over."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: PendingCommit | None = None

    def begin(self, generation: int) -> PendingCommit:
        self._last = begun = PendingCommit(generation)
        return begun

    def end(self, commit: PendingCommit) -> None:
        """What it changed is noted, or it has failed."""
        if self._last is commit:
            self._last = None
        commit.gate.release()

    def settled(self, generation: int) -> bool:
        """Whether this process was committing the generation and is not any more. Waits for it if need be."""
        pending = self._last
        if pending is None or pending.generation != generation:
            return False
        if not pending.gate.acquire(timeout=_PATIENCE_SECONDS):
            return False
        pending.gate.release()
        return True

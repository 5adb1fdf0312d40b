"""The calls of one process that wait to be written to the decision log, in the order in which they came.

Under load the calls themselves pack their rows, so that the thread that writes them has hardly anything left to do with
the interpreter. Two threads that both want the interpreter slow each other down: calls took a third longer while the
thread made the same texts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from rolecall.call_log.outcomes import Outcome
from rolecall.storage.call_counts import PackedCalls
from rolecall.storage.decision_log import LoggedCall

# How many calls may wait. Enough for bursts; the calls of one second of full load would cost too much memory. A row
# takes about half a kilobyte.
ALLOWED_LIMIT = 4_000
REFUSED_LIMIT = 4_000
# So many allowed calls in a row become one text. The last of them pays for it: 0.2 ms.
_PACKED_TOGETHER = 32
# The work of writing a text, in rows.
_WORK_OF_A_TEXT = 4

Waiting = LoggedCall | Outcome | PackedCalls
Pack = Callable[[Sequence[LoggedCall]], PackedCalls]


class WaitingCalls:
    """Safe to share between threads. ``pack`` is None when packing saves nothing.

    When calls come faster than they can be written, calls are left out, allowed ones first, and counted.
    """

    def __init__(self, pack: Pack | None) -> None:
        self._pack = pack
        self._calls: deque[Waiting] = deque()
        # The rows of the allowed calls since the last text or refused call. They come after everything in the queue.
        self._run: list[LoggedCall] = []
        self._allowed = self._refused = 0
        self._dropped = {"allowed": 0, "refused": 0}
        self._turn = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._calls or self._run or self._dropped["allowed"] or self._dropped["refused"])

    def has_room(self, *, allowed: bool) -> bool:
        """Whether another call may wait. A call that may not is counted."""
        if (self._allowed < ALLOWED_LIMIT) if allowed else (self._refused < REFUSED_LIMIT):
            return True
        with self._turn:
            self._dropped["allowed" if allowed else "refused"] += 1
        return False

    def add(self, call: LoggedCall | Outcome, *, allowed: bool) -> None:
        """Add a call. ``allowed``: without any error."""
        with self._turn:
            if allowed:
                self._allowed += 1
            else:
                self._refused += 1
            if not allowed or isinstance(call, Outcome):
                self._end_run()
                self._calls.append(call)
                return
            self._run.append(call)
            if len(self._run) == _PACKED_TOGETHER and self._pack is not None:
                self._end_run()

    def take(self, limit: int) -> tuple[list[Waiting], Mapping[str, int]]:
        """The oldest calls, and how many were left out. They wait no longer.

        ``limit`` is how many rows may be written: a text of many calls counts as a few.
        """
        taken: list[Waiting] = []
        count = 0
        with self._turn:
            self._end_run()
            while self._calls and count < limit:
                taken.append(self._calls.popleft())
                count += _WORK_OF_A_TEXT if isinstance(taken[-1], PackedCalls) else 1
            self._forget(taken)
            dropped, self._dropped = self._dropped, {"allowed": 0, "refused": 0}
        return taken, dropped

    def give_back(self, taken: Sequence[Waiting], dropped: Mapping[str, int]) -> None:
        """Let calls that could not be written wait again."""
        with self._turn:
            self._calls.extendleft(reversed(taken))
            self._forget(taken, -1)
            for kind, count in dropped.items():
                self._dropped[kind] += count

    def oldest_at_seconds(self) -> float | None:
        """When the oldest of the calls came, by the machine's clock."""
        with self._turn:
            oldest = self._calls[0] if self._calls else self._run[0] if self._run else None
        if oldest is None:
            return None
        return oldest.first_at_seconds if isinstance(oldest, PackedCalls) else oldest.received_at_seconds

    def clear(self) -> None:
        with self._turn:
            self._calls.clear()
            self._run.clear()
            self._allowed = self._refused = 0

    def _end_run(self) -> None:
        """Put the rows into the queue: as one text, if they are enough for one."""
        rows, self._run = self._run, []
        if len(rows) >= _PACKED_TOGETHER and self._pack is not None:
            try:
                self._calls.append(self._pack(rows))
            except ValueError:
                # One of them cannot be stored. The writer finds out which.
                pass
            else:
                return
        self._calls.extend(rows)

    def _forget(self, taken: Sequence[Waiting], sign: int = 1) -> None:
        for each in taken:
            if _is_allowed(each):
                self._allowed -= sign * count_of(each)
            else:
                self._refused -= sign


def count_of(waiting: Waiting) -> int:
    """How many calls these are."""
    return waiting.calls if isinstance(waiting, PackedCalls) else 1


def _is_allowed(waiting: Waiting) -> bool:
    if isinstance(waiting, PackedCalls):
        return True
    return not waiting.error_code if isinstance(waiting, LoggedCall) else waiting.error is None

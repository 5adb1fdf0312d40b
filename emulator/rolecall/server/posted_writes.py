"""The writes of calls that run on the event loop.

The loop does the work of a transaction, for all calls that have come by then. A thread waits for the disk meanwhile.
Were the work done by threads, each statement would hand the interpreter from one thread to another, which costs more
than the statement.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from rolecall.waits import SharedWriter

_Outcome = Callable[[], Any]
_GoOn = Callable[[_Outcome], None]


class PostedWrites:
    """Made in the thread of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._loop_thread = threading.get_ident()
        # Of its own: all threads of calls may wait for the transaction that this one must commit.
        self._commits = ThreadPoolExecutor(1, "rolecall-commit")
        # The transactions that the loop must make, and the writes that are over.
        self._turns: deque[SharedWriter] = deque()
        self._ended: deque[tuple[_GoOn, _Outcome]] = deque()
        self._is_woken = False
        self._is_stopped = False
        self._stopping = threading.Lock()

    def add(self, shared: SharedWriter, work: Callable[[Any], Any], go_on: _GoOn) -> None:
        """Do the work in the next transaction. When that is over, ``go_on`` gets what gives or raises its outcome."""
        shared.post(work, partial(self._take_turn, shared), partial(self._end, go_on))

    def stop(self) -> None:
        """Make the transactions that the loop would still have to make. Other threads wait for them."""
        with self._stopping:
            self._is_stopped = True
        while self._turns:
            _make(self._turns.popleft())
        self._commits.shutdown(wait=False)

    def _take_turn(self, shared: SharedWriter) -> None:
        """Run by any thread."""
        with self._stopping:
            if not self._is_stopped:
                self._turns.append(shared)
                if threading.get_ident() == self._loop_thread:
                    # In the next turn of the loop, which first reads from all clients that have sent something.
                    self._loop.call_soon(self._write)
                else:
                    self._loop.call_soon_threadsafe(self._write)
                return
        threading.Thread(target=_make, args=(shared,)).start()

    def _write(self) -> None:
        if not self._turns:
            return
        together = self._turns.popleft().begin()
        if together is None:
            return
        if together.open_at_once():
            together.work()
            self._commits.submit(together.end)
        else:
            self._commits.submit(together.write)

    def _end(self, go_on: _GoOn, outcome: _Outcome) -> None:
        """Run by any thread."""
        self._ended.append((go_on, outcome))
        if self._is_woken:
            return
        self._is_woken = True
        try:
            self._loop.call_soon_threadsafe(self._go_on)
        except RuntimeError:
            # The loop is closed, and with it every connection.
            return

    def _go_on(self) -> None:
        # First: a write that ends from now on wakes the loop again.
        self._is_woken = False
        while self._ended:
            go_on, outcome = self._ended.popleft()
            go_on(outcome)


def _make(shared: SharedWriter) -> None:
    together = shared.begin()
    if together is not None:
        together.write()

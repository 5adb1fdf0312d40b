"""What a call has to wait for, as values.

The road of a call is a generator: it yields what it must wait for, and its result is the answer. The code that runs
the generator decides where to wait. :func:`wait_here` waits in its own thread; the server waits for many calls at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from msgspec import Struct

Result = TypeVar("Result")


class Pause(Struct, frozen=True):
    """Go on after so many seconds of the machine's time."""

    seconds: float


class Fetch(Struct, frozen=True):
    """Go on when ``work`` is done, which asks another party. Calls with the same ``source`` share one run of it."""

    source: str
    work: Callable[[], None]


class LongWork(Struct, frozen=True):
    """Go on in another thread: the next step may wait for the database or compute for long."""


LONG_WORK = LongWork()
Wait = Pause | Fetch | LongWork
Steps = Generator[Wait, None, Result]


def wait_here(steps: Steps[Result], pause: Callable[[float], None]) -> Result:
    """The result of the steps, with every wait in this thread. ``pause`` waits for a number of seconds."""
    while True:
        try:
            wait = next(steps)
        except StopIteration as ended:
            result: Result = ended.value
            return result
        if isinstance(wait, Pause):
            pause(wait.seconds)
        elif isinstance(wait, Fetch):
            wait.work()

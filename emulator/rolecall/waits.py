"""What a call has to wait for, as values.

The road of a call is a generator: it yields what it must wait for, and its result is the answer. The code that runs
the generator decides where to wait. :func:`wait_here` waits in its own thread; the server waits for many calls at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

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


class Together(Protocol):
    """A transaction for the writes of several calls: opened, the work of each, and the end, which waits for the disk.

    :meth:`write` does all of this, and waits for other processes, too.
    """

    def open_at_once(self) -> bool:
        """Whether it is open. It is not while another process writes."""

    def work(self) -> None: ...

    def end(self) -> None: ...

    def write(self) -> None: ...


class SharedWriter(Protocol):
    """How the calls of a process share transactions."""

    def post(
        self,
        work: Callable[[Any], Any],
        take_turn: Callable[[], None],
        ended: Callable[[Callable[[], Any]], None],
    ) -> None:
        """Do the work in the next transaction, without waiting.

        ``take_turn`` is called when a transaction must be made, with :meth:`begin`. ``ended`` gets what gives or raises
        the outcome of the work. Both are called in any thread.
        """

    def begin(self) -> Together | None:
        """The transaction that must be made. None when a thread that waits for it has made it meanwhile."""


class Writer(Protocol):
    """A database. ``shared`` is None where a write waits for no other write of the process."""

    in_memory: bool

    @property
    def shared(self) -> SharedWriter | None: ...

    def write(self, work: Callable[[Any], Result]) -> Result:
        """Do the work in a transaction, and return its result. Raises what the work raises."""


class Write(Generic[Result]):
    """Go on when a transaction of ``database`` is over that does ``work``, which gets its connection.

    Where nobody has set ``outcome``, :meth:`result` does the work and waits for it.
    """

    __slots__ = ("database", "outcome", "work")

    def __init__(self, database: Writer, work: Callable[[Any], Result]) -> None:
        self.database = database
        self.work = work
        self.outcome: Callable[[], Result] | None = None

    def result(self) -> Result:
        """What the work returned. Raises what it raised, and the database's errors."""
        return self.database.write(self.work) if self.outcome is None else self.outcome()


LONG_WORK = LongWork()
Wait = Pause | Fetch | LongWork | Write[Any]
Steps = Generator[Wait, None, Result]


def written(database: Writer, work: Callable[[Any], Result]) -> Steps[Result]:
    """The result of work in a transaction. Raises what the work raises, and the database's errors."""
    write = Write(database, work)
    yield write
    return write.result()


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

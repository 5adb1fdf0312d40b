"""What was read of resources, kept for as long as nothing changes it. For databases that can tell this cheaply.

A number, the *generation of reads*, grows with each transaction that writes a table with ``kept_by``. A value that was
read in one generation holds in a later one if none in between has changed a *part* that the value was read from. This
process knows the parts that its own transactions have changed. After a transaction of another process, everything is
read again.

A part is the rows of one table that belong to one resource. ``NEW`` is the part of everything that is not there yet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from rolecall.caches import BoundedCache
from rolecall.storage.pending_commits import PendingCommits

_Value = TypeVar("_Value")
# The key of a connection's ``info`` for its View, and for the parts that its transaction has changed.
VIEW, PARTS_CHANGED = "kept_reads", "parts_changed"
# The attribute with that ``info``, which takes long to find, and which every read needs.
_INFO = "rolecall_info"
NEW = ""
# In place of a part: anything may have changed.
ANYTHING = "*"
MISSING: Final = object()
_LIMIT = 2048
# A page of fifty messages takes some fifty kilobytes.
_PAGES_LIMIT = 64
_TOUCHED_LIMIT = 4096


def _always(_value: object) -> bool:
    return True


class KeptReads:
    """The values of one database, shared by all threads of a process."""

    def __init__(self) -> None:
        self._values: BoundedCache[Any, tuple[Any, int, tuple[str, ...]]] = BoundedCache(_LIMIT)
        self._pages: BoundedCache[Any, tuple[Any, int, tuple[str, ...]]] = BoundedCache(_PAGES_LIMIT)
        # The last generation in which each part changed. Nothing that was read before ``_floor`` holds. Every change up
        # to ``_reached`` is in one of them.
        self._touched: dict[str, int] = {}
        self._floor = self._reached = -1
        self._turn = threading.Lock()
        self.pending = PendingCommits()

    def get(self, key: Any, generation: int, *, page: bool) -> tuple[Any, int, tuple[str, ...]] | None:
        """The value, as a snapshot of this generation has it, when it was read, and its parts. None without it."""
        if generation > self._reached:
            self._reach(generation)
        found = (self._pages if page else self._values).get(key)
        if found is None:
            return None
        _, read_at, parts = found
        # Read first: when it is replaced by an empty one, the floor has risen before.
        touched = self._touched
        if not self._floor <= read_at <= generation:
            return None
        for part in parts:
            if touched.get(part, -1) > read_at:
                return None
        return found

    def put(self, key: Any, value: Any, generation: int, parts: tuple[str, ...], *, page: bool) -> None:
        """Keep what a snapshot of this generation has. ``parts`` are all that it was read from."""
        (self._pages if page else self._values).put(key, (value, generation, parts))

    def changed(self, generation: int, parts: Collection[str]) -> None:
        """A transaction of this process has made this generation. It changed these parts and nothing else."""
        with self._turn:
            if ANYTHING in parts or generation != self._reached + 1 or len(self._touched) > _TOUCHED_LIMIT:
                self._forget(max(generation, self._reached))
                return
            # Before the generation counts as reached: other threads do not wait for the lock.
            self._touched.update(dict.fromkeys(parts, generation))
            self._reached = generation

    def _reach(self, generation: int) -> None:
        self.pending.settled(generation)
        with self._turn:
            if generation > self._reached:
                self._forget(generation)

    def _forget(self, generation: int) -> None:
        self._floor = generation
        self._reached = generation
        self._touched = {}


class View:
    """The kept values as one snapshot or transaction may use them. It asks for its generation when it is first used."""

    __slots__ = ("_ask", "_kept", "_lasts", "_open", "_parts_read", "generation")

    def __init__(self, kept: KeptReads, ask: Callable[[], int]) -> None:
        self._kept = kept
        self._ask = ask
        self._open = False
        # The parts that the value was made from that :meth:`derived` is making.
        self._parts_read: set[str] | None = None
        # Whether everything that it was made from stays the same as long as no part changes.
        self._lasts = True
        self.generation: int | None = None

    def open(self) -> None:
        self._open = True
        self.generation = None

    def begin(self, generation: int) -> None:
        """The snapshot is of this generation, which was read with something else."""
        if self._open:
            self.generation = generation

    def close(self) -> None:
        """From now on nothing is kept: the snapshot ends, or the transaction has written."""
        self._open = False
        self.generation = None

    def get(self, key: Any, *, page: bool = False) -> Any:
        """The value under this key, or MISSING."""
        generation = self.generation
        if generation is None:
            if not self._open:
                return MISSING
            generation = self.generation = self._ask()
        found = self._kept.get(key, generation, page=page)
        if found is None:
            return MISSING
        if self._parts_read is not None:
            self._parts_read.update(found[2])
        return found[0]

    def put(self, key: Any, value: Any, *parts: str, page: bool = False) -> None:
        """Keep a value that was read after :meth:`get` did not find it. The value is shared and never changed."""
        if self._parts_read is not None:
            self._parts_read.update(parts)
        if self.generation is not None:
            self._kept.put(key, value, self.generation, parts, page=page)

    def derived(self, key: Any, make: Callable[[], _Value], lasts: Callable[[_Value], bool] = _always) -> _Value:
        """What ``make`` gives, kept until a part changes that it was made from.

        ``make`` reads nothing but values that this view keeps. A result that time alone may change is one that does not
        ``lasts``, and it is not kept.
        """
        known: Any = self.get(key)
        if known is not MISSING:
            found: _Value = known
            return found
        outer, self._parts_read = self._parts_read, set()
        outer_lasts, self._lasts = self._lasts, True
        try:
            made = make()
            parts, is_kept = self._parts_read, self._lasts and lasts(made)
        finally:
            self._parts_read, self._lasts = outer, outer_lasts
        if is_kept:
            self.put(key, made, *parts)
        else:
            # What is made from it does not last either.
            self._lasts = False
        return made


def part_of(table_name: str, key: str) -> str:
    """The rows of a table that belong to the resource with this key."""
    return f"{table_name} {key}"


def view_of(connection: Connection) -> View | None:
    """The view of the connection's snapshot or transaction. None on a database that keeps no reads."""
    attributes = connection.__dict__
    info = attributes.get(_INFO)
    if info is None:
        info = attributes[_INFO] = connection.info
    view: View | None = info.get(VIEW)
    return view

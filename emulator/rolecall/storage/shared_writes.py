"""Writes of several callers in one transaction, so that they wait for the disk once and not one after the other.

SQLite has one writer at a time, and each transaction ends when the disk has its changes. A write that comes while
another transaction is under way waits for the next one, and so do all others that come meanwhile. One of them makes
that transaction for all, each write inside a savepoint. Every write is acknowledged after the commit, as before.

A caller either waits in its thread (:meth:`SharedWrites.write`), or posts its write and does other things meanwhile
(:meth:`SharedWrites.post`), as an event loop does.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

_Result = TypeVar("_Result")
# The writes of one transaction. Each of them waits until the last one is done.
_MOST_TOGETHER = 32


class Transaction(Protocol):
    """A transaction for writing: committed at the end of the block, undone when the block raises."""

    def __enter__(self) -> Connection: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def prepare(self) -> None:
        """Do all that the commit needs. After that, the end of the block may come in another thread."""


class _Write(Generic[_Result]):
    """One write of one thread, which waits at ``gate`` until the write is done or until it is the thread's turn."""

    __slots__ = ("error", "gate", "is_done", "result", "work")

    result: _Result

    def __init__(self, work: Callable[[Connection], _Result]) -> None:
        self.work = work
        self.error: BaseException | None = None
        self.is_done = False
        self.gate = threading.Lock()
        self.gate.acquire()

    def outcome(self) -> _Result:
        if self.error is not None:
            raise self.error
        return self.result

    def take_turn(self) -> None:
        self.gate.release()

    def end(self) -> None:
        self.is_done = True
        self.gate.release()


class _PostedWrite(_Write[_Result]):
    """A write whose caller does not wait."""

    __slots__ = ("_ended", "_take_turn")

    def __init__(
        self,
        work: Callable[[Connection], _Result],
        take_turn: Callable[[], None],
        ended: Callable[[Callable[[], _Result]], None],
    ) -> None:
        self.work = work
        self.error: BaseException | None = None
        self.is_done = False
        self._take_turn = take_turn
        self._ended = ended

    def take_turn(self) -> None:
        self._take_turn()

    def end(self) -> None:
        self.is_done = True
        self._ended(self.outcome)


class SharedWrites:
    """The writes of one process to one database.

    ``transaction`` opens a transaction, and ``at_once`` one that does not wait for another process. ``savepoint``
    undoes what its block did when that raises. ``is_open`` tells whether a connection's transaction is still there
    after an error.
    """

    def __init__(
        self,
        transaction: Callable[[], Transaction],
        at_once: Callable[[], Transaction],
        savepoint: Callable[[Connection], AbstractContextManager[Any]],
        is_open: Callable[[Connection], bool],
        patience_seconds: float,
    ) -> None:
        self._transaction = transaction
        self._at_once = at_once
        self.savepoint = savepoint
        self.is_open = is_open
        self._patience_seconds = patience_seconds
        self._turn = threading.Lock()
        self._waiting: list[_Write[Any]] = []
        # Whether somebody makes a transaction now, or has been asked to.
        self._writes = False
        # Whether a posted write has its turn, and nobody has begun the transaction yet.
        self._is_offered = False

    def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do the work in a transaction, perhaps together with the work of others, and return its result.

        Raises what the work raises, and the database's errors. Raises OperationalError when it was not its turn for too
        long.
        """
        mine = _Write(work)
        with self._turn:
            # A turn that is only offered is taken over: perhaps this is the very thread that should begin it.
            leads, self._writes = self._is_offered or not self._writes, True
            if leads:
                self._is_offered = False
            self._waiting.insert(0 if leads else len(self._waiting), mine)
        if not leads:
            self._wait(mine)
        if not mine.is_done:
            self._lead()
        return mine.outcome()

    def post(
        self,
        work: Callable[[Connection], _Result],
        take_turn: Callable[[], None],
        ended: Callable[[Callable[[], _Result]], None],
    ) -> None:
        """Do the work in a transaction, perhaps together with the work of others. Nothing waits here.

        ``take_turn`` is called when it is this write's turn to make a transaction: then somebody must call
        :meth:`begin` and bring the transaction to its end. ``ended`` gets a function that returns or raises the outcome
        of the work. Any thread may call both, with a lock held, so they must not wait.
        """
        posted = _PostedWrite(work, take_turn, ended)
        with self._turn:
            self._waiting.append(posted)
            leads = not self._writes
            if leads:
                self._writes = self._is_offered = True
        if leads:
            posted.take_turn()

    def begin(self) -> Together | None:
        """The transaction of a posted write that has its turn. None: a thread that waits has made it meanwhile."""
        with self._turn:
            if not self._is_offered:
                return None
            self._is_offered = False
            return self._taken()

    def opened(self, *, at_once: bool) -> Transaction:
        return self._at_once() if at_once else self._transaction()

    def pass_turn(self) -> None:
        """The transaction is over. A thread that waits makes the next, or else the one who takes turns of posts.

        The thread may be the event loop, which otherwise could not take the turn of what was posted before.
        """
        with self._turn:
            waiting = self._waiting
            self._writes = bool(waiting)
            if not waiting:
                return
            position = next((at for at, each in enumerate(waiting) if not isinstance(each, _PostedWrite)), 0)
            waiting.insert(0, waiting.pop(position))
            self._is_offered = isinstance(waiting[0], _PostedWrite)
            waiting[0].take_turn()

    def _lead(self) -> None:
        """Make a transaction for the first write that waits, and for others. It is the turn of this thread."""
        with self._turn:
            together = self._taken()
        together.write()

    def _taken(self) -> Together:
        together, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
        return Together(self, together)

    def _wait(self, mine: _Write[Any]) -> None:
        if mine.gate.acquire(timeout=self._patience_seconds):
            return
        with self._turn:
            if mine.gate.acquire(blocking=False):
                # Its turn has come since. No other thread would take it.
                return
            if mine in self._waiting:
                self._waiting.remove(mine)
                raise sqlite3.OperationalError("database is locked")
        # Its transaction has begun.
        mine.gate.acquire()


class Together:
    """The writes of one transaction, and its steps: open it, do the work of each, commit."""

    def __init__(self, shared: SharedWrites, writes: Sequence[_Write[Any]]) -> None:
        self.writes = writes
        self._shared = shared
        self._transaction: Transaction
        self._connection: Connection
        self._error: BaseException | None = None

    def write(self) -> None:
        """All steps. Waits for other processes and for the disk."""
        try:
            self._open(at_once=False)
        except BaseException as error:
            self._error = error
        self.work()
        self.end()

    def open_at_once(self) -> bool:
        """Open the transaction. False while another process writes: then take all steps where waiting harms nobody."""
        try:
            self._open(at_once=True)
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            self._error = error
        except BaseException as error:
            self._error = error
        return True

    def work(self) -> None:
        """Do the work of each write, and all that the commit needs."""
        if self._error is not None:
            return
        try:
            if len(self.writes) == 1:
                # The end of the transaction undoes what a failed work did.
                self.writes[0].result = self.writes[0].work(self._connection)
            else:
                for each in self.writes:
                    self._write_one(each)
            self._transaction.prepare()
        except BaseException as error:
            self._undo(error)

    def end(self) -> None:
        """Commit, which waits for the disk. Acknowledge each write, and let the next transaction begin."""
        if self._error is None:
            try:
                self._transaction.__exit__(None, None, None)
            except BaseException as error:
                self._error = error
        if self._error is not None:
            # Nothing was committed, whatever the work returned.
            for each in self.writes:
                each.error = self._error
        self._shared.pass_turn()
        for each in self.writes:
            each.end()

    def _open(self, *, at_once: bool) -> None:
        self._transaction = self._shared.opened(at_once=at_once)
        self._connection = self._transaction.__enter__()

    def _write_one(self, each: _Write[Any]) -> None:
        try:
            with self._shared.savepoint(self._connection):
                each.result = each.work(self._connection)
        except BaseException as error:
            # SQLite may have undone the whole transaction, for example because the disk is full.
            if not self._shared.is_open(self._connection) or not isinstance(error, Exception):
                raise
            each.error = error

    def _undo(self, error: BaseException) -> None:
        self._error = error
        try:
            self._transaction.__exit__(type(error), error, error.__traceback__)
        except BaseException as worse:
            self._error = worse

"""Writes of several threads in one transaction, so that they wait for the disk once and not one after the other.

SQLite has one writer at a time, and each transaction ends when the disk has its changes. A thread whose write comes
while another transaction is under way waits for the next one, and so do all others that come meanwhile. One of them
makes that transaction for all, each write inside a savepoint. Every write is acknowledged after the commit, as before.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

_Result = TypeVar("_Result")
# The writes of one transaction. Each of them waits until the last one is done.
_MOST_TOGETHER = 32


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


class SharedWrites:
    """The writes of one process to one database.

    ``transaction`` opens a transaction, and commits it when its block ends. ``savepoint`` undoes what its block did
    when that raises. ``is_open`` tells whether a connection's transaction is still there after an error.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        savepoint: Callable[[Connection], AbstractContextManager[Any]],
        is_open: Callable[[Connection], bool],
        patience_seconds: float,
    ) -> None:
        self._transaction = transaction
        self._savepoint = savepoint
        self._is_open = is_open
        self._patience_seconds = patience_seconds
        self._turn = threading.Lock()
        self._waiting: list[_Write[Any]] = []
        # Whether a thread makes a transaction now.
        self._writes = False

    def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do the work in a transaction, perhaps together with the work of others, and return its result.

        Raises what the work raises, and the database's errors. Raises OperationalError when it was not its turn for too
        long.
        """
        mine = _Write(work)
        with self._turn:
            self._waiting.append(mine)
            leads, self._writes = not self._writes, True
        if not leads:
            self._wait(mine)
        if not mine.is_done:
            self._lead(mine)
        return mine.outcome()

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

    def _lead(self, mine: _Write[Any]) -> None:
        """Make a transaction for this write and for others that wait. Then let the next thread do the same."""
        with self._turn:
            together, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
        try:
            self._write_together(together)
        finally:
            with self._turn:
                self._writes = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].gate.release()
            for each in together:
                each.is_done = True
                if each is not mine:
                    each.gate.release()

    def _write_together(self, together: list[_Write[Any]]) -> None:
        try:
            with self._transaction() as connection:
                if len(together) == 1:
                    # The end of the transaction undoes what a failed work did.
                    together[0].result = together[0].work(connection)
                    return
                for each in together:
                    self._write_one(connection, each)
        except BaseException as error:
            # Nothing was committed, whatever the work returned.
            for each in together:
                each.error = error

    def _write_one(self, connection: Connection, each: _Write[Any]) -> None:
        try:
            with self._savepoint(connection):
                each.result = each.work(connection)
        except BaseException as error:
            # SQLite may have undone the whole transaction, for example because the disk is full.
            if not self._is_open(connection) or not isinstance(error, Exception):
                raise
            each.error = error

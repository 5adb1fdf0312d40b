"""A transaction for writing: what it changes, and who learns of that when it is committed."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType

from sqlalchemy import Connection

from rolecall.caches import BoundedCache
from rolecall.storage.changes import EVERYONE, RIGHTS_CHANGED
from rolecall.storage.dialects import Dialect
from rolecall.storage.kept_reads import PARTS_CHANGED, VIEW, KeptReads
from rolecall.storage.opened_files import OpenedFiles
from rolecall.storage.pending_commits import PendingCommits

# So many changes of rights by this process are remembered one by one.
_REMEMBERED_CHANGES = 64


class MadeChanges:
    """The changes of rights that this process has made, by generation. Safe to share between threads."""

    def __init__(self) -> None:
        self._changes: BoundedCache[int, frozenset[str]] = BoundedCache(_REMEMBERED_CHANGES)
        self.pending = PendingCommits()

    def put(self, generation: int, entities: frozenset[str]) -> None:
        """A committed transaction of this process made the generation. It changed these entities and no others."""
        self._changes.put(generation, entities)

    def between(self, before: int, after: int) -> frozenset[str] | None:
        """See ``Database.changed_between``."""
        if not before <= after <= before + _REMEMBERED_CHANGES:
            return None
        changed: set[str] = set()
        for generation in range(before + 1, after + 1):
            known = self._changes.get(generation)
            if known is None and self.pending.settled(generation):
                known = self._changes.get(generation)
            if known is None:
                return None
            changed |= known
        return frozenset(changed)


class Transaction:
    """A transaction for writing on a connection that ``begun`` gives. As a block: committed unless the block raises.

    It may use what was kept until it writes. ``turn`` is the lock of a database in memory, whose only connection all
    threads share.
    """

    def __init__(
        self,
        begun: AbstractContextManager[Connection],
        dialect: Dialect,
        files: OpenedFiles,
        made: MadeChanges,
        kept: KeptReads,
        turn: threading.RLock | None,
    ) -> None:
        self._begun = begun
        self._dialect = dialect
        self._files = files
        self._made = made
        self._kept = kept
        self._turn = turn
        self._is_prepared = False
        # The generations that it makes; 0 for one that stays the same.
        self._generation = self._reads = 0

    def __enter__(self) -> Connection:
        if self._turn is not None:
            self._turn.acquire()
        try:
            connection = self._connection = self._begun.__enter__()
        except BaseException:
            if self._turn is not None:
                self._turn.release()
            raise
        # Kept, because a connection that was lost has none.
        info = self._info = connection.info
        self._changed = info[RIGHTS_CHANGED] = set[str]()
        self._parts = info[PARTS_CHANGED] = set[str]()
        # A database in memory reads and writes over one connection.
        self._view_before, own = info.get(VIEW), self._dialect.view(connection, self._kept)
        if own is not None:
            info[VIEW] = own
            own.open()
        return connection

    def prepare(self) -> None:
        """Do all that the commit needs. The commit itself, which waits for the disk, may be left to another thread."""
        if self._is_prepared:
            return
        self._is_prepared = True
        connection = self._connection
        if self._changed:
            self._generation = self._dialect.raise_generation(connection)
        if self._parts and self._info.get(VIEW) is not None:
            self._reads = self._dialect.raise_reads(connection)
        # A change is acknowledged only when it is in the file that the next process will find.
        self._files.check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                try:
                    self.prepare()
                except BaseException as failed:
                    self._end(failed)
                    raise
            self._end(error)
        finally:
            if self._turn is not None:
                self._turn.release()

    def _end(self, error: BaseException | None) -> None:
        info = self._info
        if self._view_before is not None:
            info[VIEW] = self._view_before
        else:
            info.pop(VIEW, None)
        if error is not None:
            self._begun.__exit__(type(error), error, error.__traceback__)
            return
        rights = self._made.pending.begin(self._generation) if self._generation else None
        reads = self._kept.pending.begin(self._reads) if self._reads else None
        try:
            self._begun.__exit__(None, None, None)
            # Committed, so these generations differ from those before by these changes and no others.
            if rights is not None and EVERYONE not in self._changed:
                self._made.put(self._generation, frozenset(self._changed))
            if reads is not None:
                self._kept.changed(self._reads, self._parts)
        finally:
            if rights is not None:
                self._made.pending.end(rights)
            if reads is not None:
                self._kept.pending.end(reads)

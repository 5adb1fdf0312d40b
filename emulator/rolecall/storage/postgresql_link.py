"""One connection to PostgreSQL, below psycopg's cursors: prepared statements, snapshots, and whether it still lives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from rolecall.caches import BoundedCache
from rolecall.storage.problems import SnapshotMovedError, UnsuitableDatabaseError

_GENERATION = b"rolecall_generation"
# The generation, and the number of the last write to tables of rights that changed no rights. Without a condition,
# because the table has few rows, and so the server needs no index.
_GENERATION_SQL = b"SELECT name, value FROM generations"
_RAISE_GENERATION = b"UPDATE generations SET value = value + 1 WHERE name = 'iam' RETURNING value"
_RIGHTS, _USES = b"iam", b"uses"
# The same as two columns of another select.
STATE_COLUMNS_SQL = (
    "(SELECT value FROM generations WHERE name = 'iam')",
    "(SELECT value FROM generations WHERE name = 'uses')",
)
_BEGIN_READING = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_READING_GENERATION = _BEGIN_READING + b"; EXECUTE " + _GENERATION
# The server shuts down, or became one that takes no writes.
_LOST = ("57P01", "57P02", "57P03", "25006")
LINK = "rolecall_link"
# psycopg prepares a statement when it runs for the fifth time.
PREPARE_AFTER = 4
_OUTSIDE, _GENERATION_READ, _ROW_READ, _IN_TRANSACTION = range(4)
# The two numbers above. Rows of tables of rights are the same wherever both are the same.
State = tuple[int, int]
_Rows = Sequence[Sequence[Any]]
# Kept rows: a statement with its values each.
_KEPT_LIMIT = 1024
# The server's numbers have 63 bits.
_SERVER_BITS = 64


class Shared:
    """What the connections to one database share."""

    def __init__(self) -> None:
        # Rows that were read, with their state. The key is a statement and its values.
        self.kept: BoundedCache[tuple[Any, ...], tuple[State, _Rows]] = BoundedCache(_KEPT_LIMIT)
        # How often the server was lost. Each time another one may have taken over, which need not have got the last
        # changes of the one before, and then gives other changes the same numbers. So this is part of a generation.
        self.server = 0
        self._turn = threading.Lock()

    def lose(self, server: int) -> None:
        """A connection to this server was lost."""
        with self._turn:
            if server == self.server:
                self.server += 1
                self.kept.clear()


class Link:
    """One connection to the server, below psycopg's cursors, which cost four times as much as a statement does.

    ``server`` is the number in ``shared`` from before it was opened.
    """

    __slots__ = (
        "_driver",
        "_in_flight",
        "_known",
        "_prepared",
        "_server",
        "_shared",
        "_shares",
        "_state",
        "_together",
        "_wire",
        "lost",
        "reads",
    )

    def __init__(self, driver: psycopg.Connection[Any], shared: Shared, server: int) -> None:
        self._driver = driver
        self._wire = driver.pgconn
        self._shared = shared
        self._server = server
        self._prepared: set[bytes] = set()
        self._state = _OUTSIDE
        self._in_flight = False
        self._known: State = (0, 0)
        # Whether snapshots share one read of the state now, and what it found.
        self._shares = False
        self._together: State | None = None
        # In this snapshot. Two or more, also for one that needs a transaction.
        self.reads = 0
        self.lost = False

    def open_snapshot(self, *, reads_more: bool) -> None:
        self.settle()
        self.reads = 0
        if _GENERATION not in self._prepared:
            # A connection that only reads rolls nothing back, so psycopg may prepare SQLAlchemy's statements on it.
            self._driver.prepare_threshold = PREPARE_AFTER
            self._prepare(_GENERATION, _GENERATION_SQL)
        if reads_more:
            self._begin_reading()
        elif self._together is not None and not self.lost:
            self._known = self._together
            self._state = _GENERATION_READ
        else:
            self._known = self._state_in(self._checked(self._wire.exec_prepared, _GENERATION, ()))
            self._state = _GENERATION_READ
            if self._shares:
                self._together = self._known

    def share(self, *, shares: bool) -> None:
        """From now on snapshots share the first read of the state, or no longer do so."""
        self._shares = shares
        self._together = None

    @property
    def generation(self) -> int:
        """Of the snapshot."""
        return self._known[0]

    def kept(self, key: tuple[Any, ...]) -> _Rows | None:
        """Rows of tables of rights that a snapshot of the same state has read; None where there are none."""
        found = self._shared.kept.get(key)
        return found[1] if found is not None and self._state != _OUTSIDE and found[0] == self._known else None

    @property
    def is_current(self) -> bool:
        """Whether it leads to the server that this process uses now, as far as is known."""
        return self._server == self._shared.server and not self.lost

    def lose(self) -> None:
        """Every connection to the same server counts as lost from now on."""
        self._shared.lose(self._server)

    def keep(self, key: tuple[Any, ...], rows: _Rows) -> None:
        """Keep what this snapshot has read of tables of rights. The rows are shared and never changed."""
        if self._state != _OUTSIDE:
            self._shared.kept.put(key, (self._known, rows))

    def end_reading(self) -> None:
        """Prepare a connection for writing that a thread which has ended read with. Raises SQLAlchemy's errors."""
        if self._driver.prepare_threshold is not None:
            self._driver.prepare_threshold = None
            # psycopg drops all prepared statements with a ROLLBACK if it prepared any. So have this behind us.
            self.run(b"BEGIN")
            with suppress(psycopg.Error):
                self._driver.rollback()
            self.run(b"DEALLOCATE ALL")
            self._prepared.clear()

    def read_in_transaction(self, reads: int = 2) -> None:
        """Called before each read. Raises SnapshotMovedError when the state is newer than the generation read first."""
        if self._state != _OUTSIDE:
            self.reads += reads
            if self._state in (_GENERATION_READ, _ROW_READ):
                known = self.generation
                self._begin_reading()
                if self.generation != known:
                    self._together = None
                    raise SnapshotMovedError

    def _begin_reading(self) -> None:
        self._state = _IN_TRANSACTION
        self._known = self._state_in(self.run(_BEGIN_READING_GENERATION))

    def close_snapshot(self) -> None:
        """End the transaction, without waiting for the server's word about it."""
        if self._state == _IN_TRANSACTION and not self.lost:
            try:
                self._wire.send_query(b"COMMIT")
                self._wire.flush()
                self._in_flight = True
            except psycopg.Error:
                self.lost = True
        self._state = _OUTSIDE

    def settle(self) -> None:
        """Take the answer to the last COMMIT, which read only."""
        if self._in_flight:
            self._in_flight = False
            with suppress(psycopg.Error):
                while self._wire.get_result() is not None:
                    pass

    def raise_generation(self) -> int:
        """Raise the generation in a transaction for writing. Returns the new one."""
        return self._generation_of(self.run(_RAISE_GENERATION).get_value(0, 0))

    def _state_in(self, result: pq.abc.PGresult) -> State:
        numbers = {result.get_value(row, 0): result.get_value(row, 1) for row in range(result.ntuples)}
        return self._generation_of(numbers.get(_RIGHTS)), int(numbers.get(_USES) or 0)

    def _generation_of(self, number: bytes | int | None) -> int:
        if number is None:
            raise UnsuitableDatabaseError("the database has lost the row of its generation")
        return (self._server << _SERVER_BITS) + int(number)

    def run(self, sql: bytes) -> pq.abc.PGresult:
        """Run statements without values. Raises SQLAlchemy's errors."""
        return self._checked(self._wire.exec_, sql)

    def read_first(self, name: bytes, sql: bytes, values: Sequence[bytes | None]) -> pq.abc.PGresult | None:
        """The rows of a prepared select of the first rows that a snapshot reads, without a transaction.

        The last columns are STATE_COLUMNS_SQL. None when there must be a transaction: something was read before, or
        there are no rows, and so no generation. Raises SnapshotMovedError.
        """
        if self._state != _GENERATION_READ:
            return None
        self._state = _ROW_READ
        self.reads = 1
        result = self.run_prepared(name, sql, values)
        if not result.ntuples:
            return None
        number, uses = (int(result.get_value(0, result.nfields - back) or 0) for back in (2, 1))
        generation = self._generation_of(number)
        if generation != self.generation:
            self._together = None
            raise SnapshotMovedError
        # These rows are of this state, and rows that were read before differ at most in when they were last used.
        self._known = (generation, uses)
        return result

    def read(self, name: bytes, sql: bytes, values: Sequence[bytes | None], reads: int) -> pq.abc.PGresult:
        """The result of a prepared select, in the snapshot or in the transaction."""
        self.read_in_transaction(reads)
        return self.run_prepared(name, sql, values)

    def ask(self, sql: bytes, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        """Run one statement with values that is not worth preparing."""
        return self._checked(self._wire.exec_params, sql, values)

    def copy(self, sql: bytes, lines: bytes) -> None:
        """Insert lines in the format of COPY."""
        try:
            if self._wire.exec_(sql).status == pq.ExecStatus.COPY_IN:
                self._wire.put_copy_data(lines)
                self._wire.put_copy_end()
        except psycopg.Error as error:
            self.lost = self._wire.status != pq.ConnStatus.OK
            raise DBAPIError.instance(None, None, error, psycopg.Error) from error
        self._checked(self._last_result)

    def _last_result(self) -> pq.abc.PGresult:
        result = self._wire.get_result()
        while (following := self._wire.get_result()) is not None:
            result = following
        if result is None:
            raise psycopg.OperationalError("the server gave no result")
        return result

    def run_prepared(self, name: bytes, sql: bytes, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        self._prepare(name, sql)
        return self._checked(self._wire.exec_prepared, name, values)

    def _prepare(self, name: bytes, sql: bytes) -> None:
        if name not in self._prepared:
            self._checked(self._wire.prepare, name, sql)
            self._prepared.add(name)

    def _checked(self, call: Callable[..., pq.abc.PGresult], *arguments: Any) -> pq.abc.PGresult:
        try:
            result = call(*arguments)
            if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                return result
            raise error_from_result(result, "utf-8")
        except psycopg.Error as error:
            self.lost = self._wire.status != pq.ConnStatus.OK or error.sqlstate in _LOST
            if self.lost and not isinstance(error, psycopg.OperationalError):
                error = psycopg.OperationalError(str(error))
            if self._state == _IN_TRANSACTION and not self.lost:
                # The block of the snapshot may catch this and read on, but PostgreSQL has ended its transaction.
                self._state = _OUTSIDE
                with suppress(psycopg.Error):
                    self._wire.exec_(b"ROLLBACK")
            # The statement stays out of the message: it may hold values.
            raise DBAPIError.instance(None, None, error, psycopg.Error) from error


def link_of(connection: Connection) -> Link:
    link: Link = connection.info[LINK]
    return link

"""The decision log: the row of each call is put into a queue, and a thread writes it a moment later (``background``).

The call makes its own row, which takes three microseconds while everything about it is at hand. The thread would take
several times as long, because each of its turns costs two changes of threads. A log that cannot be written causes one
warning and never disturbs a call.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence

from rolecall.call_log.log_rows import ActionOf, LogRows
from rolecall.call_log.outcomes import Outcome
from rolecall.call_log.waiting_calls import ALLOWED_LIMIT, REFUSED_LIMIT, WaitingCalls, count_of
from rolecall.clock import Clock
from rolecall.storage.call_counts import CallCounts, PackedCalls
from rolecall.storage.decision_log import (
    Access,
    CallFilter,
    CallKind,
    DecisionStore,
    LoggedCall,
    LogPlace,
    LogUnavailableError,
    RefusalDetails,
)

log = logging.getLogger("rolecall.decisions")

INTERVAL_SECONDS = 0.2
# Longer than other processes take until they have written their calls. Readers wait this long.
SETTLE_SECONDS = 0.3
# A batch is written in one transaction, in a dozen statements. Before and after each statement the thread takes turns
# with the calls, which costs more than ten rows.
_BATCH_CALLS = 500
# When so many calls waited, more are coming.
_BUSY_CALLS = 500
# The pause between two batches, and after so many entries that the thread makes itself, such as explained refusals.
_PAUSE_SECONDS = 0.002
_MADE_AT_ONCE = 10
# A larger request takes long to write down. The thread does it.
_ROW_AT_ONCE_BYTES = 4096
# How much of the work of the next reader the thread does in one turn without calls.
_UNPACKED_WHEN_IDLE = 16
_BATCHES_OF_A_FULL_QUEUE = (ALLOWED_LIMIT + REFUSED_LIMIT) // _BATCH_CALLS


class DecisionLog:
    """The log of one process.

    ``action_of`` gives the action of a service's operation, for calls that no policy decided. ``shared``: other
    processes write to the same store.
    """

    interval_seconds = INTERVAL_SECONDS

    def __init__(self, store: DecisionStore, clock: Clock, action_of: ActionOf, *, shared: bool = False) -> None:
        self.store = store
        self.shared = shared
        self._clock = clock
        self._rows = LogRows(action_of)
        self._waiting = WaitingCalls(store.pack if store.packs else None)
        self._turn = threading.Lock()
        self._warned = False

    def record(self, outcome: Outcome) -> None:
        """Queue a call. Takes a few microseconds, and never raises."""
        waiting, allowed = self._waiting, outcome.error is None
        if not waiting.has_room(allowed=allowed):
            return
        made: LoggedCall | Outcome = outcome
        recorded = outcome.recorded
        if not _is_explained(outcome) and (recorded is None or recorded.body_bytes <= _ROW_AT_ONCE_BYTES):
            try:
                made = self._rows.call(outcome)
            except Exception as error:
                self._warn(error)
                return
        waiting.add(made, allowed=allowed)

    def write_waiting(self) -> bool:
        """Write everything queued so far, with pauses, so that calls are answered meanwhile.

        Returns whether so much waited that the thread should look again soon.
        """
        written = self.flush(gently=True)
        if not written:
            self._unpack()
        return written > _BUSY_CALLS

    def _unpack(self) -> None:
        """Do what the next reader would have to wait for, while no calls come."""
        try:
            for _ in range(_UNPACKED_WHEN_IDLE):
                if self._waiting or not self.store.unpack_some():
                    return
                time.sleep(_PAUSE_SECONDS)
        except LogUnavailableError as error:
            self._warn(error)

    def flush(self, *, gently: bool = False) -> int:
        """Write everything queued so far. ``gently``: with pauses, so that calls are answered meanwhile.

        Returns how many calls that were.
        """
        written = 0
        with self._turn:
            # Bounded, because under load the queue never becomes empty.
            for _ in range(_BATCHES_OF_A_FULL_QUEUE):
                count = self._write_batch(gently) if self._waiting else None
                if count is None:
                    break
                written += count
                if gently:
                    time.sleep(_PAUSE_SECONDS)
        return written

    def _write_batch(self, gently: bool) -> int | None:
        """Write the next calls. Returns how many, or None when they cannot be written and wait again."""
        taken, dropped = self._waiting.take(_BATCH_CALLS)
        entries: list[_Entry] = []
        made_count = 0
        for waiting in taken:
            if not isinstance(waiting, Outcome):
                entries.append((waiting, None))
                continue
            entries += self._entry(waiting)
            made_count += 1
            if gently and made_count % _MADE_AT_ONCE == 0:
                # Sleeping releases the interpreter's lock.
                time.sleep(_PAUSE_SECONDS)
        try:
            self._write(entries, dropped)
        except LogUnavailableError as error:
            self._waiting.give_back(taken, dropped)
            self._warn(error)
            return None
        return sum(map(count_of, taken))

    def _entry(self, outcome: Outcome) -> list[_Entry]:
        """The row of a call and the details of its refusal. Nothing when they cannot be made: other calls go on."""
        try:
            return [(self._rows.call(outcome), _explained(outcome) if _is_explained(outcome) else None)]
        except Exception as error:
            self._warn(error)
            return []

    def _write(self, entries: Sequence[_Entry], dropped: Mapping[str, int]) -> None:
        """Write the rows. Raises LogUnavailableError, and then nothing was written."""
        details = {
            call.request_id: found for call, found in entries if found is not None and isinstance(call, LoggedCall)
        }
        now_seconds = self._clock.now_seconds()
        try:
            self.store.write([call for call, _ in entries], details, dropped, now_seconds)
        except LogUnavailableError:
            raise
        except Exception as error:
            # One bad row must not lose the others, so each is written by itself.
            self._warn(error)
            if len(entries) > 1:
                for entry in entries:
                    self._write([entry], {})

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            log.warning("the decision log cannot be written: %s (%s)", error, self.store.path)

    def settle(self) -> None:
        """Flush. When other processes write too, wait until they have flushed as well."""
        self.flush()
        if self.shared:
            time.sleep(SETTLE_SECONDS)

    def calls(self, wanted: CallFilter) -> list[LoggedCall]:
        """The calls that match, newest first. Raises LogUnavailableError."""
        self.settle()
        return self.store.calls(wanted, as_written=not self.shared)

    def newest_place(self) -> LogPlace:
        """The place behind the last call that is written. Raises LogUnavailableError."""
        return self.store.newest_place()

    def calls_after(self, place: LogPlace, wanted: CallFilter) -> tuple[LogPlace, list[LoggedCall]]:
        """What was written after ``place``, without waiting for anything. Raises LogUnavailableError."""
        return self.store.calls_after(place, wanted)

    def kinds(self, wanted: CallFilter) -> list[CallKind]:
        """The kinds of all calls that match. Raises LogUnavailableError."""
        self.settle()
        return self.store.kinds(wanted)

    def places(self, positions: Sequence[int]) -> dict[int, tuple[float, str]]:
        """The time and the request id of calls by their positions. Raises LogUnavailableError."""
        return self.store.places(positions)

    def call(self, request_id: str) -> LoggedCall | None:
        """The call of this request id. Raises LogUnavailableError."""
        self.flush()
        found = self.store.call(request_id)
        if found is None and self.shared:
            self.settle()
            found = self.store.call(request_id)
        return found

    def details(self, request_id: str) -> RefusalDetails | None:
        """What explains a refusal; kept for a day by the sandbox's clock. Raises LogUnavailableError."""
        self.flush()
        return self.store.details(request_id, self._clock.now_seconds())

    def accesses(self, account_ids: Sequence[str], since_seconds: float) -> list[Access]:
        """The last accesses of the accounts' callers. Raises LogUnavailableError."""
        self.settle()
        return self.store.accesses(account_ids, since_seconds)

    def now_seconds(self) -> float:
        """The sandbox's time, by which calls are dated."""
        return self._clock.now_seconds()

    def dropped(self) -> Mapping[str, int]:
        """How many allowed and refused calls were left out. Raises LogUnavailableError."""
        return self.store.dropped()

    def forgotten(self) -> int:
        """How many calls were removed because the log is limited. Raises LogUnavailableError."""
        return self.store.forgotten()

    def counts(self) -> CallCounts:
        """How many calls of each kind there were since the last reset. Raises LogUnavailableError."""
        self.settle()
        return self.store.counts()

    def lag_seconds(self) -> float:
        """The age of the oldest call that waits in this process to be written; 0 when none does."""
        oldest_seconds = self._waiting.oldest_at_seconds()
        return 0.0 if oldest_seconds is None else max(0.0, self._clock.wall_seconds() - oldest_seconds)

    def clear(self) -> None:
        """Forget every call."""
        with self._turn:
            self._waiting.clear()
            try:
                self.store.clear(self._clock.wall_seconds())
            except LogUnavailableError as error:
                self._warn(error)

    def close(self) -> None:
        """Write the rest and close the file."""
        self.flush()
        self.store.close()


_Entry = tuple[LoggedCall | PackedCalls, RefusalDetails | None]


def _is_explained(outcome: Outcome) -> bool:
    return bool(outcome.decisions) and not outcome.decisions[-1].allowed


def _explained(outcome: Outcome) -> RefusalDetails:
    # Loaded with the first refusal, by the log's thread: nothing waits for what explains one.
    details: RefusalDetails = importlib.import_module("rolecall.call_log.refusals").refusal_details(outcome)
    return details

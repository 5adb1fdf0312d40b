"""Records which calls the sandboxes of this process refused during a test, and why, even after a sandbox has ended."""

from __future__ import annotations

from collections import deque

from rolecall.call_log.outcomes import Outcome
from rolecall.call_log.writer import DecisionLog
from rolecall.kit.decisions import DecisionRecord, records_of

_MAXIMUM_CALLS = 1000
# Each kept log is a database in memory.
_MAXIMUM_ENDED_LOGS = 20


class RefusedCalls:
    """Records refused calls until :meth:`end`. A log with recorded calls stays readable until then."""

    def __init__(self) -> None:
        self._noted: deque[tuple[DecisionLog, str]] = deque(maxlen=_MAXIMUM_CALLS)
        self._logs: set[DecisionLog] = set()
        self._ended: deque[DecisionLog] = deque()
        _open.append(self)

    def take(self) -> list[DecisionRecord]:
        """The calls recorded since the last time, newest first."""
        noted, self._noted = self._noted, deque(maxlen=_MAXIMUM_CALLS)
        return [record for log, request_id in reversed(noted) for record in records_of(log, [request_id])]

    def note(self, log: DecisionLog, request_id: str) -> None:
        self._noted.append((log, request_id))
        self._logs.add(log)

    def knows(self, log: DecisionLog) -> bool:
        return log in self._logs

    def keep(self, log: DecisionLog) -> None:
        """Keep the log of an ended sandbox and close it later."""
        self._ended.append(log)
        if len(self._ended) > _MAXIMUM_ENDED_LOGS:
            oldest = self._ended.popleft()
            self._noted = deque((call for call in self._noted if call[0] is not oldest), maxlen=_MAXIMUM_CALLS)
            self._logs.discard(oldest)
            oldest.store.close()

    def end(self) -> None:
        _open.remove(self)
        for log in self._ended:
            log.store.close()


# The active recorders. There are several when a test runs tests.
_open: list[RefusedCalls] = []


def note(log: DecisionLog, outcome: Outcome) -> None:
    """Called for every call of every sandbox. It costs nothing unless a recorder is active and the call is refused."""
    if _open and _is_refused(outcome):
        _open[-1].note(log, outcome.request_id)


def drop_unwritten(log: DecisionLog) -> None:
    """The sandbox has ended. Its unwritten entries are dropped, unless a recorder may still read them."""
    keeper = next((notes for notes in _open if notes.knows(log)), None)
    if keeper is None:
        log.store.close()
    else:
        keeper.keep(log)


def _is_refused(outcome: Outcome) -> bool:
    return not outcome.decisions[-1].allowed if outcome.decisions else outcome.error is not None

"""The decision log as it is written now, for pages that a person looks at.

Other processes write their newest calls a moment later. A page that waited for them would take half a second, and it
gets them with the stream of new calls, or when it is loaded again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rolecall.call_log.writer import DecisionLog
from rolecall.storage.decision_log import CallFilter, CallKind, LoggedCall, LogPlace, RefusalDetails


class WrittenCalls:
    """Reads the log of this process without waiting for other processes. Its methods raise LogUnavailableError."""

    def __init__(self, log: DecisionLog) -> None:
        self._log = log

    def flush(self) -> None:
        """Write the calls of this process that wait."""
        self._log.flush()

    def calls(self, wanted: CallFilter) -> list[LoggedCall]:
        """The calls that match, newest first."""
        self._log.flush()
        return self._log.store.calls(wanted, as_written=not self._log.shared)

    def kinds(self, wanted: CallFilter) -> list[CallKind]:
        """The kinds of all calls that match."""
        self._log.flush()
        return self._log.store.kinds(wanted)

    def call(self, request_id: str) -> LoggedCall | None:
        """The call of this request id. Waits only for one that is not there, because another process may have it."""
        return self._log.call(request_id)

    def details(self, request_id: str) -> RefusalDetails | None:
        """What explains a refusal; kept for a day by the sandbox's clock."""
        return self._log.details(request_id)

    def newest_place(self) -> LogPlace:
        """The place behind the last call that is written."""
        return self._log.newest_place()

    def calls_after(self, place: LogPlace, wanted: CallFilter) -> tuple[LogPlace, list[LoggedCall]]:
        """What was written after ``place``."""
        return self._log.calls_after(place, wanted)

    def places(self, positions: Sequence[int]) -> dict[int, tuple[float, str]]:
        """The time and the request id of calls by their positions."""
        return self._log.places(positions)

    def dropped(self) -> Mapping[str, int]:
        """How many allowed and refused calls were left out."""
        return self._log.dropped()

    def forgotten(self) -> int:
        """How many calls were removed because the log is limited."""
        return self._log.forgotten()

    def now_seconds(self) -> float:
        """The sandbox's time, by which calls are dated."""
        return self._log.now_seconds()

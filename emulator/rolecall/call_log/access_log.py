"""The access log: one line on stderr for each AWS call, for people and for collectors of logs.

A call is put into a queue, and the thread that writes the decision log writes the line a moment later. So no call waits
for a reader of stderr that has stopped reading.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from rolecall.call_log.outcomes import Outcome, result_of
from rolecall.printable import printable

log = logging.getLogger("rolecall.access")

# More calls than come in an interval under full load.
QUEUE_LIMIT = 10_000
_TEXT_LIMIT_CHARACTERS = 512


class AccessLog:
    """The access log of one process. A collector of logs reads the attribute ``members`` of its records."""

    interval_seconds = 0.2

    def __init__(self) -> None:
        log.setLevel(logging.INFO)
        self._waiting: deque[Outcome] = deque()
        self._dropped = 0

    def record(self, outcome: Outcome) -> None:
        """Queue a call. Never raises and never waits."""
        if len(self._waiting) < QUEUE_LIMIT:
            self._waiting.append(outcome)
        else:
            self._dropped += 1

    def write_waiting(self) -> bool:
        """Write everything queued so far. Never asks to be called again soon."""
        # Bounded, because under load the queue never becomes empty.
        for _ in range(len(self._waiting)):
            outcome = self._waiting.popleft()
            log.info("%s", _line(outcome), extra={"members": _members(outcome)})
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            log.warning("%d calls are not in the access log, because too many came at once", dropped)
        return False

    def close(self) -> None:
        """Write the rest."""
        self.write_waiting()


def _members(outcome: Outcome) -> dict[str, Any]:
    """What a program reads. Neither messages nor parameters, which may repeat what a client sent."""
    principal = None if outcome.caller is None else outcome.caller.principal
    return {
        "request_id": outcome.request_id,
        "service": outcome.service,
        "operation": outcome.operation,
        "region": _bounded(outcome.region),
        "account_id": "" if principal is None else principal.account_id,
        "caller": "" if principal is None else principal.arn,
        "access_key_id": _bounded(outcome.access_key_id),
        "outcome": result_of(outcome),
        "error_code": "" if outcome.error is None else outcome.error_code or outcome.error.code,
        "status": outcome.status,
        "latency_seconds": round(outcome.latency_seconds, 6),
        "source_ip": outcome.source_ip,
        "user_agent": _bounded(outcome.user_agent),
    }


def _line(outcome: Outcome) -> str:
    caller = "-" if outcome.caller is None else outcome.caller.principal.arn
    asked = f"{outcome.service}:{outcome.operation or '-'}"
    took = f"{outcome.latency_seconds * 1000:.1f} ms"
    return printable(
        f"{outcome.request_id} {caller} {asked} {result_of(outcome)} {outcome.status} {took} {outcome.source_ip or '-'}"
    )


def _bounded(text: str) -> str:
    return text[:_TEXT_LIMIT_CHARACTERS]

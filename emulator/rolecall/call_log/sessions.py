"""The sessions that are open now, as far as the log knows: STS keeps no list of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from rolecall.storage.decision_log import CallFilter, LoggedCall

# GetSessionToken gives the longest sessions, of 36 hours.
_LONGEST_SECONDS = 36 * 3600
_MAXIMUM_CALLS = 5000
# As CloudTrail writes a time: "Nov 29, 2026 9:45:55 AM".
_TIME_FORMAT = "%b %d, %Y %I:%M:%S %p"


class Log(Protocol):
    def calls(self, wanted: CallFilter) -> list[LoggedCall]: ...


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session: the ARN of its principal, its key, who obtained it and when it ends."""

    arn: str
    access_key_id: str
    obtained_by: str
    operation: str
    ends_at_seconds: float


def open_sessions(log: Log, now_seconds: float) -> list[OpenSession]:
    """The sessions that logged calls obtained and that have not ended, newest first. Raises LogUnavailableError."""
    wanted = CallFilter("", "sts:*", "Allowed", now_seconds - _LONGEST_SECONDS, _MAXIMUM_CALLS)
    return [
        session for call in log.calls(wanted) for session in _session(call) if session.ends_at_seconds > now_seconds
    ]


def _session(call: LoggedCall) -> Iterator[OpenSession]:
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        answer: dict[str, Any] = json.loads(call.answer) if call.answer else {}
        credentials = answer["credentials"]
        ends = datetime.strptime(credentials["expiration"], _TIME_FORMAT).replace(tzinfo=UTC).timestamp()
        named = answer.get("assumedRoleUser") or answer.get("federatedUser") or {"arn": call.principal}
        yield OpenSession(named["arn"], credentials["accessKeyId"], call.principal, call.operation, ends)

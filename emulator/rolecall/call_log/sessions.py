"""The sessions that are open now, as far as the log knows: STS keeps no list of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from rolecall.storage.decision_log import CallFilter, LoggedCall

# GetSessionToken gives the longest sessions, of 36 hours.
_LONGEST_SECONDS = 36 * 3600
# Reading a session takes some time, and nobody reads more of them.
MAXIMUM_SESSIONS = 200
# As CloudTrail writes a time: "Nov 29, 2026 9:45:55 AM".
_TIME_FORMAT = "%b %d, %Y %I:%M:%S %p"


class Log(Protocol):
    def calls(self, wanted: CallFilter) -> list[LoggedCall]: ...


class OpenSession(Struct, frozen=True):
    """A session: the ARN of its principal, its key, who obtained it and when it ends."""

    arn: str
    access_key_id: str
    obtained_by: str
    operation: str
    ends_at_seconds: float


def sessions_of_user(log: Log, now_seconds: float, arn: str) -> list[OpenSession]:
    """The open sessions that a user obtained, newest first: its own, and those of federated users.

    Raises LogUnavailableError.
    """
    found = _open_sessions(log, now_seconds, CallFilter(principal=arn))
    federated = "GetFederationToken"
    return [each for each in found if each.arn == arn or (each.obtained_by, each.operation) == (arn, federated)]


def sessions_of_role(log: Log, now_seconds: float, account_id: str, name: str) -> list[OpenSession]:
    """The open sessions of a role, newest first, at most 200. Raises LogUnavailableError."""
    arns = f"arn:aws:sts::{account_id}:assumed-role/{name}/"
    return [each for each in _open_sessions(log, now_seconds, CallFilter(about=arns)) if each.arn.startswith(arns)]


def _open_sessions(log: Log, now_seconds: float, of: CallFilter) -> list[OpenSession]:
    since_seconds = now_seconds - _LONGEST_SECONDS
    wanted = replace(of, action="sts:*", outcome="Allowed", since_seconds=since_seconds, limit=MAXIMUM_SESSIONS)
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

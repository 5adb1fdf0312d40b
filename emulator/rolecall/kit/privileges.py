"""The least privilege of a principal, for tests that compare a policy with what a program does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rolecall.call_log.filter import since_seconds
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import epoch_seconds
from rolecall.least_privilege import NoGrantsError, Unused, least_privilege, observed, unused_grants
from rolecall.storage.engine import Database

Since = datetime | timedelta | str | float | None


@dataclass(frozen=True, slots=True)
class LeastPrivilege:
    """``policy`` is the smallest policy for the calls; None when no call needed a permission.

    ``calls`` counts the calls that did. ``notes`` name what the policy cannot express. ``unused`` lists what present
    policies grant and no call used; None for a principal without policies of its own.
    """

    principal: str
    policy: dict[str, Any] | None
    calls: int
    notes: Sequence[str]
    unused: Unused | None


def privileges_of(
    log: DecisionLog, database: Database, principal: str, since: Since, *, include_refused: bool
) -> LeastPrivilege:
    """The use that a principal made of its rights. Raises ValueError."""
    traffic = observed(log, principal, _from_seconds(since, log))
    found = least_privilege(traffic, include_refused=include_refused)
    unused, notes = None, found.notes
    try:
        with database.snapshot() as connection:
            unused = unused_grants(connection, traffic)
    except NoGrantsError as error:
        notes = (*notes, f"unused is None: {error}.")
    return LeastPrivilege(principal, found.policy, found.calls, notes, unused)


def _from_seconds(since: Since, log: DecisionLog) -> float | None:
    if isinstance(since, timedelta):
        return log.now_seconds() - since.total_seconds()
    if since is None or isinstance(since, str):
        return since_seconds(since or "", log.now_seconds)
    return epoch_seconds(since)

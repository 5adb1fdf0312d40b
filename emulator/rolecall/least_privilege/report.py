"""What every front door tells of one principal: the command, the endpoint and the test kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection

from rolecall.least_privilege.grants import Unused, authority_of, unused
from rolecall.least_privilege.traffic import (
    Gaps,
    gap_notes,
    policy_notes,
    smallest_policy,
    used_permissions,
    wanted_calls,
)
from rolecall.storage.decision_log import CallFilter, LoggedCall

Json = dict[str, Any]


class Log(Protocol):
    """The decision log of this process, or its file."""

    def calls(self, wanted: CallFilter) -> list[LoggedCall]: ...

    def dropped(self) -> Mapping[str, int]: ...

    def forgotten(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """The logged calls of a principal, and what the log cannot tell."""

    principal: str
    calls: Sequence[LoggedCall]
    gaps: Gaps


@dataclass(frozen=True, slots=True)
class LeastPrivilege:
    """The smallest policy, None when no call needed a permission: AWS takes no policy without a statement.

    ``calls`` counts those that needed one, ``refused`` those that policies refused and that were not to be included.
    ``notes`` is what whoever takes the policy should know.
    """

    principal: str
    policy: Json | None
    calls: int
    refused: int
    notes: Sequence[str]


def observed(log: Log, principal: str, since_seconds: float | None = None) -> Traffic:
    """What the log has of a principal. Raises BadPrincipalError."""
    calls = log.calls(wanted_calls(principal, since_seconds))
    dropped = log.dropped()
    return Traffic(principal, calls, Gaps(dropped["allowed"], dropped["refused"], log.forgotten()))


def least_privilege(traffic: Traffic, *, include_refused: bool = False) -> LeastPrivilege:
    """The smallest policy that allows what a principal did, and if wanted what it was refused."""
    used = used_permissions(traffic.calls, include_refused=include_refused)
    policy = smallest_policy(used)
    notes = (*policy_notes(policy, used), *gap_notes(traffic.gaps, with_refused=include_refused))
    return LeastPrivilege(
        traffic.principal, policy if policy["Statement"] else None, used.calls, used.refused_left_out, notes
    )


def unused_grants(connection: Connection, traffic: Traffic) -> Unused:
    """What the principal's present policies grant and none of its calls used. Raises NoGrantsError."""
    return unused(authority_of(connection, traffic.principal), used_permissions(traffic.calls))


def unused_notes(traffic: Traffic) -> list[str]:
    """What whoever takes a grant for unused should know."""
    return list(gap_notes(traffic.gaps))

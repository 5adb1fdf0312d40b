"""The report on one principal, for the command, the endpoint and the test kit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct
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
from rolecall.storage.decision_log import CallFilter, CallKind

Json = dict[str, Any]


class Log(Protocol):
    """The decision log of this process, or its file."""

    def kinds(self, wanted: CallFilter) -> list[CallKind]: ...

    def dropped(self) -> Mapping[str, int]: ...

    def forgotten(self) -> int: ...


class Traffic(Struct, frozen=True):
    """The kinds of a principal's logged calls, the newest first, and the calls that the log lacks."""

    principal: str
    kinds: Sequence[CallKind]
    gaps: Gaps


class LeastPrivilege(Struct, frozen=True):
    """The smallest policy; None when no call needed a permission, because AWS takes no policy without a statement.

    ``calls`` counts the calls that needed a permission. ``refused`` counts the calls that policies refused and that the
    policy leaves out. ``notes`` are for the user of the policy.
    """

    principal: str
    policy: Json | None
    calls: int
    refused: int
    notes: Sequence[str]


def observed(log: Log, principal: str, since_seconds: float | None = None) -> Traffic:
    """The logged calls of a principal. Raises BadPrincipalError."""
    kinds = log.kinds(wanted_calls(principal, since_seconds))
    dropped = log.dropped()
    return Traffic(principal, kinds, Gaps(dropped["allowed"], dropped["refused"], log.forgotten()))


def least_privilege(traffic: Traffic, *, include_refused: bool = False) -> LeastPrivilege:
    """The smallest policy that allows a principal's calls, on request also the refused ones."""
    used = used_permissions(traffic.kinds, include_refused=include_refused)
    policy = smallest_policy(used)
    notes = (*policy_notes(policy, used), *gap_notes(traffic.gaps, with_refused=include_refused))
    return LeastPrivilege(
        traffic.principal, policy if policy["Statement"] else None, used.calls, used.refused_left_out, notes
    )


def why_no_policy(traffic: Traffic, found: LeastPrivilege, callers: Sequence[str]) -> str:
    """Why the policy is None. ``callers`` are all callers in the log, wanted only when the principal has no call."""
    if not traffic.kinds:
        namesakes = [arn for arn in callers if _are_namesakes(arn, traffic.principal)]
        others = f"; it has calls of {', '.join(namesakes)}" if namesakes else ""
        return f"the decision log has no call of {traffic.principal}{others}"
    if found.refused:
        return f"policies refused every call of {traffic.principal} that needed a permission: try --include-refused"
    return f"no call of {traffic.principal} needed a permission"


def _are_namesakes(first: str, second: str) -> bool:
    """Whether two ARNs of users or roles differ only in their paths. The ARN of a session does not show the path."""
    parts = [re.fullmatch(r"(arn:.*?:(?:user|role)/)(?:.*/)?([^/]+)", arn) for arn in (first, second)]
    return first != second and None not in parts and len({part.groups() for part in parts if part}) == 1


def unused_grants(connection: Connection, traffic: Traffic) -> Unused:
    """The grants of the principal's present policies that none of its calls used. Raises NoGrantsError."""
    return unused(authority_of(connection, traffic.principal), used_permissions(traffic.kinds))


def unused_notes(traffic: Traffic) -> list[str]:
    """Notes on calls that the log lacks, and that may have used a grant."""
    return list(gap_notes(traffic.gaps))

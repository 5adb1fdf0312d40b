"""Every call of a test run, for its report: which test made it, how it was answered and why, and what was needed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from rolecall.call_log.shown import explained_as_json, explained_lines
from rolecall.call_log.writer import DecisionLog
from rolecall.least_privilege import LeastPrivilege, least_privilege
from rolecall.least_privilege.report import Traffic
from rolecall.least_privilege.traffic import Gaps
from rolecall.storage.decision_log import LoggedCall, kinds_of

MAXIMUM_CALLS = 50_000


class RunCall(NamedTuple):
    """A call and the test that made it. ``reasons`` is the whole explanation of a refused call, else empty."""

    test: str
    call: LoggedCall
    reasons: str


class RunCalls:
    """The calls of a run. ``test`` is the id of the present test. ``left_out`` counts the calls beyond the limit."""

    def __init__(self) -> None:
        self.test = ""
        self.calls: list[RunCall] = []
        self.left_out = 0
        self._noted: dict[DecisionLog, list[tuple[str, str]]] = defaultdict(list)
        _open.append(self)

    def note(self, log: DecisionLog, request_id: str) -> None:
        self._noted[log].append((self.test, request_id))

    def gather(self, log: DecisionLog | None = None) -> None:
        """Read the noted calls of a sandbox, or of all, from their logs."""
        for each in [*self._noted] if log is None else [log]:
            for test, request_id in self._noted.pop(each, ()):
                found = each.call(request_id) if len(self.calls) < MAXIMUM_CALLS else None
                if found is None:
                    self.left_out += 1
                    continue
                refused = found.outcome != "Allowed"
                self.calls.append(RunCall(test, found, _reasons(each, found) if refused else ""))

    def end(self) -> None:
        _open.remove(self)

    def as_text(self) -> str:
        """The calls for another process."""
        return json.dumps([self.left_out, [[test, list(call), reasons] for test, call, reasons in self.calls]])

    def add(self, text: str) -> None:
        """Add the calls of another process."""
        left_out, calls = json.loads(text)
        room = MAXIMUM_CALLS - len(self.calls)
        self.calls += [RunCall(test, LoggedCall(*call), reasons) for test, call, reasons in calls[:room]]
        self.left_out += left_out + max(0, len(calls) - room)


def needed_by(calls: Sequence[RunCall]) -> list[LeastPrivilege]:
    """The smallest policy for the calls of each user and role, over all sandboxes of the run."""
    by_principal: dict[str, list[LoggedCall]] = defaultdict(list)
    for each in calls:
        if each.call.principal_arn or each.call.principal:
            by_principal[each.call.principal_arn or each.call.principal].append(each.call)
    return [least_privilege(Traffic(arn, kinds_of(found), Gaps())) for arn, found in sorted(by_principal.items())]


def _reasons(log: DecisionLog, call: LoggedCall) -> str:
    shown: dict[str, Any] = explained_as_json(call, log.details(call.request_id))
    return "\n".join(explained_lines({**shown, "encoded_message": ""}))


# The active recorders. There are several when a test runs tests.
_open: list[RunCalls] = []


def note(log: DecisionLog, request_id: str) -> None:
    """Called for every call of every sandbox. It costs nothing without a report."""
    if _open:
        _open[-1].note(log, request_id)


def gather_before_end(log: DecisionLog) -> None:
    """A sandbox ends: its log is read while it is there."""
    for each in _open:
        each.gather(log)

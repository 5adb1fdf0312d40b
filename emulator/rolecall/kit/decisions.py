"""The calls of a sandbox and the reasons for their results, for readers of failing tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rolecall.call_log.shown import explained_as_json, explained_lines
from rolecall.call_log.writer import DecisionLog
from rolecall.policy import PolicyKind
from rolecall.printable import printable
from rolecall.storage.decision_log import CallFilter, LoggedCall

# The names that AWS uses in its refusals, which a test may use too.
LAYER_NAMES = {
    PolicyKind.IDENTITY: "identity-based policy",
    PolicyKind.SESSION: "session policy",
    PolicyKind.BOUNDARY: "permissions boundary",
    PolicyKind.SCP: "service control policy",
    PolicyKind.RCP: "resource control policy",
    PolicyKind.RESOURCE: "resource-based policy",
    PolicyKind.TRUST: "role trust policy",
}
DENIED_OUTCOMES = ("ExplicitDeny", "ImplicitDeny")


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One call. ``outcome`` is Allowed, ExplicitDeny, ImplicitDeny, or the code of an error that came before policies.

    ``actions`` and ``resources`` are those that policies were evaluated for, in order, the refused one last. ``layer``
    is the kind of policy that decided, in AWS's words, and empty when none did. ``principal`` is the caller's ARN,
    empty for a call without a proven caller. ``error_code`` and ``error_message`` are empty when the call succeeded.
    They also hold errors that have nothing to do with permissions. ``reasons`` is the whole explanation as text.
    """

    request_id: str
    time: datetime
    service: str
    operation: str
    region: str
    principal: str
    access_key_id: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    outcome: str
    layer: str
    status: int
    error_code: str
    error_message: str
    reasons: str

    @property
    def action(self) -> str:
        """The action that decided: the refused one, or the last that was allowed."""
        return self.actions[-1] if self.actions else ""

    @property
    def resource(self) -> str:
        return self.resources[-1] if self.resources else ""

    @property
    def allowed(self) -> bool:
        return self.outcome == "Allowed"

    @property
    def denied(self) -> bool:
        """Whether a policy refused, or no policy allowed."""
        return self.outcome in DENIED_OUTCOMES

    def __str__(self) -> str:
        asked = self.action or ":".join(filter(None, (self.service, self.operation))) or "a call"
        by = f" by {self.layer}" if self.layer and not self.allowed else ""
        ended = f", answered {self.status} {self.error_code}" if self.error_code and not self.denied else ""
        who = self.principal or "nobody known"
        return printable(f"{self.outcome}{by}: {asked} as {who}{ended} [{self.request_id}]")


def records(log: DecisionLog, wanted: CallFilter) -> list[DecisionRecord]:
    """The matching calls, newest first."""
    return [_record(log, call) for call in log.calls(wanted)]


def records_of(log: DecisionLog, request_ids: Iterable[str]) -> list[DecisionRecord]:
    """The calls of these requests, in this order."""
    found = [log.call(request_id) for request_id in request_ids]
    return [_record(log, call) for call in found if call is not None]


def layer_called(name: str) -> str:
    """The layer that a test names, in AWS's words. Raises ValueError."""
    wanted = name.strip().lower() if isinstance(name, str) else ""
    for kind, words in LAYER_NAMES.items():
        if wanted in (kind.value, words, words.removeprefix("role ")):
            return words
    raise ValueError(f"there is no kind of policy {name!r}; the kinds are {', '.join(LAYER_NAMES.values())}")


def _record(log: DecisionLog, call: LoggedCall) -> DecisionRecord:
    shown: dict[str, Any] = explained_as_json(call, log.details(call.request_id))
    error = shown["error"] or {"code": "", "message": ""}
    layer = shown["layer"]
    return DecisionRecord(
        request_id=shown["request_id"],
        time=datetime.fromisoformat(shown["time"]),
        service=shown["service"],
        operation=shown["operation"],
        region=shown["region"],
        principal=shown["principal"],
        access_key_id=shown["access_key_id"],
        actions=tuple(shown["actions"]),
        resources=tuple(shown["resources"]),
        outcome=shown["outcome"],
        layer=LAYER_NAMES[PolicyKind(layer)] if layer else "",
        status=shown["status"],
        error_code=error["code"],
        error_message=error["message"],
        # An encoded message is a page of text that only STS can decode.
        reasons="\n".join(explained_lines({**shown, "encoded_message": ""})),
    )

"""The calls of a sandbox and the reasons for their results, for readers of failing tests."""

from __future__ import annotations

import re
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
    PolicyKind.SCOPE_DOWN: "scope-down policy",
    PolicyKind.BOUNDARY: "permissions boundary",
    PolicyKind.SCP: "service control policy",
    PolicyKind.RCP: "resource control policy",
    PolicyKind.RESOURCE: "resource-based policy",
    PolicyKind.TRUST: "role trust policy",
}
_ONE_SCOPE_DOWN_POLICY = re.compile(r"scope-down policy [1-3] of [1-3]").fullmatch
DENIED_OUTCOMES = ("ExplicitDeny", "ImplicitDeny")


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One call. ``outcome`` is Allowed, ExplicitDeny, ImplicitDeny, or the code of an error that came before policies.

    ``actions`` and ``resources`` are those that policies were evaluated for, in order, the refused one last. ``layer``
    is the kind of policy that decided, in AWS's words, and empty when none did. Scope-down policies are numbered:
    ``scope-down policy 2 of 3``. ``principal`` is the caller's ARN,
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
    if _ONE_SCOPE_DOWN_POLICY(wanted):
        return wanted
    raise ValueError(f"there is no kind of policy {name!r}; the kinds are {', '.join(LAYER_NAMES.values())}")


def is_layer(wanted: str, layer: str) -> bool:
    """Whether a decision's layer is the wanted one, a result of :func:`layer_called`: any or one scope-down policy."""
    return layer == wanted or (wanted == LAYER_NAMES[PolicyKind.SCOPE_DOWN] and layer.startswith(f"{wanted} "))


def layer_of(kind: PolicyKind | None, name: str) -> str:
    """The layer that decided, in AWS's words. ``name`` is the decision's own name for it."""
    if kind is None:
        return ""
    return name if kind is PolicyKind.SCOPE_DOWN else LAYER_NAMES[kind]


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
        layer=layer_of(PolicyKind(layer) if layer else None, shown["layer_name"]),
        status=shown["status"],
        error_code=error["code"],
        error_message=error["message"],
        # An encoded message is a page of text that only STS can decode.
        reasons="\n".join(explained_lines({**shown, "encoded_message": ""})),
    )

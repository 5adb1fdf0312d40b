"""Why the calls of a sandbox were answered as they were, and what its policies say without a call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from rolecall.call_log.outcomes import Outcome
from rolecall.call_log.writer import DecisionLog
from rolecall.expectations.verifying import Result
from rolecall.kit import run_calls
from rolecall.kit.clients import Clients
from rolecall.kit.decisions import DecisionRecord, records, records_of
from rolecall.kit.expectations import decide_for, is_about_assuming, known_action, require_arn
from rolecall.kit.identity import Credentials, Identities
from rolecall.kit.privileges import LeastPrivilege, Since, privileges_of
from rolecall.kit.refused_calls import note
from rolecall.kit.verified import verified
from rolecall.policy import Decision
from rolecall.sandbox import Sandbox
from rolecall.storage.decision_log import KEPT_CALLS, CallFilter

# The log's queue holds two thousand allowed calls. Without a reader, only this empties it.
_CALLS_BEFORE_WRITING = 1000


class Recording:
    """Sees every call of a sandbox, for those who watch, and has the log written in time."""

    def __init__(self, decisions: DecisionLog) -> None:
        self._decisions = decisions
        self._watchers: list[list[str]] = []
        self._calls = 0

    def observe(self, outcome: Outcome) -> None:
        for watcher in self._watchers:
            watcher.append(outcome.request_id)
        note(self._decisions, outcome)
        run_calls.note(self._decisions, outcome.request_id)
        self._calls += 1
        if self._calls % _CALLS_BEFORE_WRITING == 0:
            self._decisions.flush()

    def watch(self) -> Callable[[], list[DecisionRecord]]:
        """Begin to record calls. The returned function stops that and returns them, oldest first."""
        watcher: list[str] = []
        self._watchers.append(watcher)

        def seen() -> list[DecisionRecord]:
            # Compares by identity, because two empty lists are equal.
            self._watchers[:] = [known for known in self._watchers if known is not watcher]
            return records_of(self._decisions, watcher)

        return seen


class Reasons:
    """The reasons of one sandbox."""

    def __init__(self, sandbox: Sandbox, decisions: DecisionLog, identities: Identities, clients: Clients) -> None:
        self._sandbox = sandbox
        self._decisions = decisions
        self._identities = identities
        self._clients = clients

    def decisions(self) -> list[DecisionRecord]:
        return records(self._decisions, CallFilter(limit=KEPT_CALLS))

    def refusals(self) -> list[DecisionRecord]:
        return records(self._decisions, CallFilter(outcome="Refused", limit=KEPT_CALLS))

    def least_privilege(self, principal: str, since: Since, *, include_refused: bool) -> LeastPrivilege:
        database = self._sandbox.database
        return privileges_of(self._decisions, database, principal, since, include_refused=include_refused)

    def decision(
        self,
        action: str,
        *,
        user: str | None = None,
        role: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        resource: str = "*",
        context: Mapping[str, object] | None = None,
    ) -> Decision:
        """What the policies say about a question, without a call. Raises TypeError for more than one identity."""
        if sum(given is not None for given in (user, role, credentials)) > 1:
            raise TypeError("give one of user, role and credentials")
        identities, now_seconds = self._identities, self._sandbox.clock.now_seconds()
        if role is not None:
            rights = identities.rights_of_role(identities.role(role, account), now_seconds)
        elif user is not None and user != "root":
            rights = identities.rights_of_user(identities.user(user, account))
        else:
            rights = identities.rights(self._clients.keys(user, credentials, account), now_seconds)
        require_arn(resource)
        trust = identities.trust(resource) if is_about_assuming(known_action(action)) else None
        return decide_for(rights, action, resource, context or {}, trust, now_seconds, self._clients.region)

    def verify(self, file: str | os.PathLike[str]) -> list[Result]:
        """The results of a file of expectations. Raises AssertionError with the reasons of all that fail."""
        __tracebackhide__ = True
        return verified(self._sandbox, file)

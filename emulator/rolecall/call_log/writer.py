"""The decision log: the row of each call is put into a queue, and a thread writes it a moment later (``background``).

The call makes its own row, which takes three microseconds while everything about it is at hand. The thread would take
several times as long, because each of its turns costs two changes of threads. When calls come faster than they can be
written, calls are left out, allowed ones first, and counted. A log that cannot be written causes one warning and never
disturbs a call.
"""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from rolecall.caches import BoundedCache
from rolecall.call_log.outcomes import Outcome, result_of, without_codes
from rolecall.call_log.recorded_calls import recorded_texts
from rolecall.clock import Clock
from rolecall.policy import Decision, PolicyKind
from rolecall.principals import Caller, Session
from rolecall.storage.call_counts import CallCounts
from rolecall.storage.decision_log import (
    Access,
    CallFilter,
    CallKind,
    DecisionStore,
    LoggedCall,
    LogPlace,
    LogUnavailableError,
    RefusalDetails,
)

log = logging.getLogger("rolecall.decisions")

INTERVAL_SECONDS = 0.2
# Longer than other processes take until they have written their calls. Readers wait this long.
SETTLE_SECONDS = 0.3
# The lengths of the queues. Enough for bursts; the calls of one second of full load would cost too much memory. A row
# takes about a kilobyte.
ALLOWED_LIMIT = 4_000
REFUSED_LIMIT = 4_000
# A batch is written in one transaction, in a dozen statements. Before and after each statement the thread takes turns
# with the calls, which costs more than ten rows.
_BATCH_CALLS = 500
# The pause between two batches, and after so many entries that the thread makes itself, such as explained refusals.
_PAUSE_SECONDS = 0.002
_MADE_AT_ONCE = 10
# A larger request takes long to write down. The thread does it.
_ROW_AT_ONCE_BYTES = 4096
_BATCHES_OF_FULL_QUEUES = (ALLOWED_LIMIT + REFUSED_LIMIT) // _BATCH_CALLS
_CALLERS_REMEMBERED = 2048
_DECISIONS_REMEMBERED = 512
_TEXT_LIMIT_CHARACTERS = 4096
_SHORT_LIMIT_CHARACTERS = 512
# The messages of these errors repeat what the client sent, such as its signature and token.
_SECRETIVE_CODES = frozenset({"IncompleteSignature", "MissingAuthenticationToken"})

ActionOf = Callable[[str, str], str]


class DecisionLog:
    """The log of one process.

    ``action_of`` gives the action of a service's operation, for calls that no policy decided. ``shared``: other
    processes write to the same store.
    """

    interval_seconds = INTERVAL_SECONDS

    def __init__(self, store: DecisionStore, clock: Clock, action_of: ActionOf, *, shared: bool = False) -> None:
        self.store = store
        self.shared = shared
        self._clock = clock
        self._rows = _Rows(action_of)
        # Numbers keep the order of calls even when the machine's clock is set back.
        self._arrivals = itertools.count()
        self._allowed: deque[_Arrival] = deque()
        self._refused: deque[_Arrival] = deque()
        self._dropped = {"allowed": 0, "refused": 0}
        self._turn = threading.Lock()
        self._warned = False

    def record(self, outcome: Outcome) -> None:
        """Queue a call. Takes a few microseconds, and never raises."""
        if outcome.error is None:
            if len(self._allowed) >= ALLOWED_LIMIT:
                self._dropped["allowed"] += 1
                return
            queue = self._allowed
        elif len(self._refused) < REFUSED_LIMIT:
            queue = self._refused
        else:
            self._dropped["refused"] += 1
            return
        made: LoggedCall | Outcome = outcome
        recorded = outcome.recorded
        if not _is_explained(outcome) and (recorded is None or recorded.body_bytes <= _ROW_AT_ONCE_BYTES):
            try:
                made = self._rows.call(outcome)
            except Exception as error:
                self._warn(error)
                return
        queue.append((next(self._arrivals), made))

    def write_waiting(self) -> bool:
        """Write everything queued so far, with pauses, so that calls are answered meanwhile.

        Returns whether so much waited that the thread should look again soon.
        """
        return self.flush(gently=True) > 1

    def flush(self, *, gently: bool = False) -> int:
        """Write everything queued so far. ``gently``: with pauses, so that calls are answered meanwhile.

        Returns the number of batches.
        """
        with self._turn:
            # Bounded, because under load the queues never become empty.
            for count in range(_BATCHES_OF_FULL_QUEUES):
                waiting = self._allowed or self._refused or any(self._dropped.values())
                if not (waiting and self._write_batch(gently)):
                    return count
                if gently:
                    time.sleep(_PAUSE_SECONDS)
        return _BATCHES_OF_FULL_QUEUES

    def _write_batch(self, gently: bool = False) -> bool:
        """Write the next calls. Returns whether that worked; if not, they go back into their queues."""
        taken = self._taken()
        dropped, self._dropped = self._dropped, {"allowed": 0, "refused": 0}
        entries: list[_Entry] = []
        made_count = 0
        for _, waiting in taken:
            if isinstance(waiting, LoggedCall):
                entries.append((waiting, None))
                continue
            entries += self._entry(waiting)
            made_count += 1
            if gently and made_count % _MADE_AT_ONCE == 0:
                # Sleeping releases the interpreter's lock.
                time.sleep(_PAUSE_SECONDS)
        try:
            self._write(entries, dropped)
        except LogUnavailableError as error:
            for arrival in reversed(taken):
                waiting = arrival[1]
                allowed = not waiting.error_code if isinstance(waiting, LoggedCall) else waiting.error is None
                (self._allowed if allowed else self._refused).appendleft(arrival)
            for kind, count in dropped.items():
                self._dropped[kind] += count
            self._warn(error)
            return False
        return True

    def _taken(self) -> list[_Arrival]:
        """The oldest calls of both queues, in order."""
        taken: list[_Arrival] = []
        refused, allowed = self._refused, self._allowed
        while len(taken) < _BATCH_CALLS and (refused or allowed):
            first = allowed if not refused or (allowed and allowed[0][0] < refused[0][0]) else refused
            taken.append(first.popleft())
        return taken

    def _entry(self, outcome: Outcome) -> list[_Entry]:
        """The row of a call and the details of its refusal. Nothing when they cannot be made: other calls go on."""
        try:
            return [(self._rows.call(outcome), _explained(outcome) if _is_explained(outcome) else None)]
        except Exception as error:
            self._warn(error)
            return []

    def _write(self, entries: Sequence[_Entry], dropped: Mapping[str, int]) -> None:
        """Write the rows. Raises LogUnavailableError, and then nothing was written."""
        details = {call.request_id: found for call, found in entries if found is not None}
        now_seconds = self._clock.now_seconds()
        try:
            self.store.write([call for call, _ in entries], details, dropped, now_seconds)
        except LogUnavailableError:
            raise
        except Exception as error:
            # One bad row must not lose the others, so each is written by itself.
            self._warn(error)
            if len(entries) > 1:
                for entry in entries:
                    self._write([entry], {})

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            log.warning("the decision log cannot be written: %s (%s)", error, self.store.path)

    def settle(self) -> None:
        """Flush. When other processes write too, wait until they have flushed as well."""
        self.flush()
        if self.shared:
            time.sleep(SETTLE_SECONDS)

    def calls(self, wanted: CallFilter) -> list[LoggedCall]:
        """The calls that match, newest first. Raises LogUnavailableError."""
        self.settle()
        return self.store.calls(wanted, as_written=not self.shared)

    def newest_place(self) -> LogPlace:
        """The place behind the last call that is written. Raises LogUnavailableError."""
        return self.store.newest_place()

    def calls_after(self, place: LogPlace, wanted: CallFilter) -> tuple[LogPlace, list[LoggedCall]]:
        """What was written after ``place``, without waiting for anything. Raises LogUnavailableError."""
        return self.store.calls_after(place, wanted)

    def kinds(self, wanted: CallFilter) -> list[CallKind]:
        """The kinds of all calls that match. Raises LogUnavailableError."""
        self.settle()
        return self.store.kinds(wanted)

    def places(self, positions: Sequence[int]) -> dict[int, tuple[float, str]]:
        """The time and the request id of calls by their positions. Raises LogUnavailableError."""
        return self.store.places(positions)

    def call(self, request_id: str) -> LoggedCall | None:
        """The call of this request id. Raises LogUnavailableError."""
        self.flush()
        found = self.store.call(request_id)
        if found is None and self.shared:
            self.settle()
            found = self.store.call(request_id)
        return found

    def details(self, request_id: str) -> RefusalDetails | None:
        """What explains a refusal; kept for a day by the sandbox's clock. Raises LogUnavailableError."""
        self.flush()
        return self.store.details(request_id, self._clock.now_seconds())

    def accesses(self, account_ids: Sequence[str], since_seconds: float) -> list[Access]:
        """The last accesses of the accounts' callers. Raises LogUnavailableError."""
        self.settle()
        return self.store.accesses(account_ids, since_seconds)

    def now_seconds(self) -> float:
        """The sandbox's time, by which calls are dated."""
        return self._clock.now_seconds()

    def dropped(self) -> Mapping[str, int]:
        """How many allowed and refused calls were left out. Raises LogUnavailableError."""
        return self.store.dropped()

    def forgotten(self) -> int:
        """How many calls were removed because the log is limited. Raises LogUnavailableError."""
        return self.store.forgotten()

    def counts(self) -> CallCounts:
        """How many calls of each kind there were since the last reset. Raises LogUnavailableError."""
        self.settle()
        return self.store.counts()

    def lag_seconds(self) -> float:
        """The age of the oldest call that waits in this process to be written; 0 when none does."""
        # A copy, because the thread that writes takes calls away meanwhile.
        waiting = [queue[0][1].received_at_seconds for queue in map(list, (self._allowed, self._refused)) if queue]
        return max(0.0, self._clock.wall_seconds() - min(waiting)) if waiting else 0.0

    def clear(self) -> None:
        """Forget every call."""
        with self._turn:
            self._allowed.clear()
            self._refused.clear()
            try:
                self.store.clear(self._clock.wall_seconds())
            except LogUnavailableError as error:
                self._warn(error)

    def close(self) -> None:
        """Write the rest and close the file."""
        self.flush()
        self.store.close()


# A number, and the row of a call. An outcome still waits for the thread to make its row.
_Arrival = tuple[int, LoggedCall | Outcome]
_Entry = tuple[LoggedCall, RefusalDetails | None]


class _Rows:
    """Makes rows from outcomes. The parts that all calls of a caller share are made once."""

    def __init__(self, action_of: ActionOf) -> None:
        self._action_of = action_of
        self._callers: BoundedCache[str, tuple[Caller, str, str]] = BoundedCache(_CALLERS_REMEMBERED)
        self._decided: BoundedCache[tuple[str, str], tuple[Any, str, str, str]] = BoundedCache(_DECISIONS_REMEMBERED)

    def call(self, outcome: Outcome) -> LoggedCall:
        caller, error, decisions = outcome.caller, outcome.error, outcome.decisions
        code = "" if error is None else outcome.error_code or error.code
        principal = None if caller is None else caller.principal
        if len(decisions) == 1 and not outcome.unchecked:
            actions, decided = self._only_decision(decisions[0])
        elif decisions:
            actions, decided = _actions([each.question.action for each in decisions]), _decisions(outcome)
        else:
            named = [self._action_of(outcome.service, outcome.operation)] if outcome.operation else []
            actions, decided = _actions(named), "[]"
        session, identity = ("", "") if caller is None else self._caller(caller)
        who = ("", "", "") if principal is None else (principal.account_id, principal.arn, principal.principal_arn)
        # By position: twenty keyword arguments would cost as much as everything else here.
        return LoggedCall(
            outcome.received_at_seconds,
            outcome.now_seconds,
            outcome.request_id,
            *who,
            _bounded(outcome.access_key_id, _SHORT_LIMIT_CHARACTERS),
            session,
            outcome.service,
            outcome.operation,
            _bounded(outcome.region, _SHORT_LIMIT_CHARACTERS),
            actions,
            decided,
            result_of(outcome),
            code,
            "" if error is None else _message(outcome),
            "" if error is None else _bounded(error.reason, _SHORT_LIMIT_CHARACTERS),
            outcome.status,
            outcome.latency_seconds,
            outcome.source_ip,
            _bounded(outcome.user_agent, _SHORT_LIMIT_CHARACTERS),
            identity,
            *recorded_texts(outcome),
        )

    def _only_decision(self, decision: Decision) -> tuple[str, str]:
        """The actions and the decisions of a call with one decision. Calls that ask alike are mostly decided alike."""
        question, statement = decision.question, decision.statement
        known = self._decided.get((question.action, question.resource))
        # A statement is of one layer, and of one of several scope-down policies.
        if known is not None and known[0] is statement is not None and known[1] == decision.outcome:
            return known[2], known[3]
        actions, decided = _actions([question.action]), f"[{_decision(decision)}]"
        self._decided.put((question.action, question.resource), (statement, decision.outcome, actions, decided))
        return actions, decided

    def _caller(self, caller: Caller) -> tuple[str, str]:
        """Session and identity as JSON."""
        known = self._callers.get(caller.access_key_id)
        if known is None or known[0] is not caller:
            session = "" if caller.session is None else _session_json(caller.session)
            known = (caller, session, _identity_json(caller))
            self._callers.put(caller.access_key_id, known)
        return known[1], known[2]


# The condition key of the session of aws login that the credentials come from.
_SIGN_IN_SESSION = "aws:signinsessionarn"


def _identity_json(caller: Caller) -> str:
    """The caller's facts that its ARNs do not hold."""
    principal, source = caller.principal, caller.token_source
    text = (
        f'{{"type":{quoted(principal.type)},"user_id":{quoted(principal.user_id)},'
        f'"entity_id":{quoted(principal.entity_id)},"name":{quoted(principal.name)}'
    )
    if source is not None:
        text += f',"source_principal_arn":{quoted(source.principal_arn)},"source_region":{quoted(source.region)}'
    return text + "}"


def _session_json(session: Session) -> str:
    """The facts of a session and of the chain that led to it. Its policies are in the explanation instead."""
    parts = [
        f'"type":{quoted(session.type)}',
        f'"name":{quoted(session.session_name)}',
        f'"issued_at_seconds":{session.issued_at_seconds}',
        f'"expires_at_seconds":{session.expires_at_seconds}',
    ]
    if session.source_identity:
        parts.append(f'"source_identity":{quoted(session.source_identity)}')
    if session.mfa_authenticated_at_seconds is not None:
        parts.append(f'"mfa_authenticated_at_seconds":{session.mfa_authenticated_at_seconds}')
    if session.federated_provider:
        parts.append(f'"federated_provider":{quoted(session.federated_provider)}')
        parts += _federated_attributes(session)
    for key, value in session.context:
        if key == _SIGN_IN_SESSION:
            parts.append(f'"sign_in_session":{quoted(str(value))}')
    if session.tags:
        parts.append('"tags":{' + ",".join(f"{quoted(key)}:{quoted(value)}" for key, value in session.tags) + "}")
    if session.transitive_tag_keys:
        parts.append('"transitive_tag_keys":[' + ",".join(map(quoted, session.transitive_tag_keys)) + "]")
    if session.scope_down_policies:
        parts.append(f'"scope_down_policies":{len(session.scope_down_policies)}')
    if session.chain:
        parts.append('"chain":[' + ",".join(map(quoted, session.chain)) + "]")
    return "{" + ",".join(parts) + "}"


def _federated_attributes(session: Session) -> list[str]:
    """Application and user, as a provider that needs no entity in the account (its name is no ARN) reported them."""
    prefix = f"{session.federated_provider}:"
    if session.federated_provider.startswith("arn:"):
        return []
    said = {name: value for name, value in session.context if name.startswith(prefix)}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
    return [f'"federated_attributes":{json.dumps(texts)}'] if texts else []


def _actions(names: Sequence[str]) -> str:
    return f"|{'|'.join(names).lower()}|" if names else ""


def _decision(decision: Decision) -> str:
    question, deciding = decision.question, decision.statement
    text = (
        f'{{"action":{quoted(question.action)},"resource":{quoted(question.resource)},'
        f'"outcome":"{decision.outcome}","layer":"{"" if decision.layer is None else decision.layer.value}"'
    )
    if decision.layer is PolicyKind.SCOPE_DOWN:
        text += f',"layer_name":{quoted(decision.layer_name)}'
    if deciding is None:
        return text + "}"
    policy, statement = deciding.policy, deciding.statement
    return (
        f'{text},"statement":{{"policy":{quoted(policy.name)},"policy_arn":{quoted(policy.arn)},'
        f'"sid":{quoted(statement.sid)},"index":{statement.index}}}}}'
    )


def _decisions(outcome: Outcome) -> str:
    """All decisions of a call. The last one, if refused, also lists the permissions that were not checked any more."""
    texts = [_decision(decision) for decision in outcome.decisions]
    if outcome.unchecked:
        others = [f'{{"action":{quoted(name)},"resource":{quoted(resource)}}}' for name, resource in outcome.unchecked]
        texts[-1] = f'{texts[-1][:-1]},"further":[{",".join(others)}]}}'
    return f"[{','.join(texts)}]"


def _message(outcome: Outcome) -> str:
    """The error's message without secrets, signatures, tokens and codes."""
    error = outcome.error
    if error is None or (outcome.caller is None and error.code in _SECRETIVE_CODES):
        return ""
    # A message about a wrong signature shows the signed headers, with the session token, after its first line.
    shown = error.message.partition("\n")[0] if outcome.caller is None else error.message
    return _bounded(without_codes(shown), _TEXT_LIMIT_CHARACTERS)


def _bounded(text: str, limit: int) -> str:
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _is_explained(outcome: Outcome) -> bool:
    return bool(outcome.decisions) and not outcome.decisions[-1].allowed


def _explained(outcome: Outcome) -> RefusalDetails:
    # Loaded with the first refusal, by the log's thread: nothing waits for what explains one.
    details: RefusalDetails = importlib.import_module("rolecall.call_log.refusals").refusal_details(outcome)
    return details

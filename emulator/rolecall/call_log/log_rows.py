"""The row of a call in the decision log, made from its outcome while everything about it is at hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from rolecall.caches import BoundedCache
from rolecall.call_log.outcomes import Outcome, result_of, without_codes
from rolecall.call_log.recorded_calls import recorded_texts
from rolecall.policy import Decision, PolicyKind
from rolecall.principals import Caller, Session
from rolecall.storage.decision_log import LoggedCall

_CALLERS_REMEMBERED = 2048
_DECISIONS_REMEMBERED = 512
_AGENTS_REMEMBERED = 256
_TEXT_LIMIT_CHARACTERS = 4096
_SHORT_LIMIT_CHARACTERS = 512
# The messages of these errors repeat what the client sent, such as its signature and token.
_SECRETIVE_CODES = frozenset({"IncompleteSignature", "MissingAuthenticationToken"})

ActionOf = Callable[[str, str], str]


class LogRows:
    """Makes rows from outcomes. The parts that all calls of a caller share are made once.

    ``action_of`` gives the action of a service's operation, for calls that no policy decided.
    """

    def __init__(self, action_of: ActionOf) -> None:
        self._action_of = action_of
        self._callers: BoundedCache[str, tuple[Caller, str, str]] = BoundedCache(_CALLERS_REMEMBERED)
        self._agents: BoundedCache[str, str] = BoundedCache(_AGENTS_REMEMBERED)
        self._decided: BoundedCache[tuple[str, str], tuple[Any, str, str]] = BoundedCache(_DECISIONS_REMEMBERED)

    def call(self, outcome: Outcome) -> LoggedCall:
        caller, error, decisions = outcome.caller, outcome.error, outcome.decisions
        code = "" if error is None else outcome.error_code or error.code
        principal = None if caller is None else caller.principal
        if decisions:
            actions, decided = self._decisions(outcome)
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
            self._agent(outcome.user_agent),
            identity,
            *recorded_texts(outcome),
        )

    def _agent(self, user_agent: str) -> str:
        """The program, as one text for all of its calls: each waits for the log, and the log keeps equal texts once."""
        known = self._agents.get(user_agent)
        if known is None:
            known = _bounded(user_agent, _SHORT_LIMIT_CHARACTERS)
            self._agents.put(user_agent, known)
        return known

    def _decisions(self, outcome: Outcome) -> tuple[str, str]:
        """The actions and all decisions of a call. The last one also lists the permissions that were not checked."""
        decisions, unchecked = outcome.decisions, outcome.unchecked
        texts = [self._decision(decision) for decision in decisions]
        if unchecked:
            others = [f'{{"action":{quoted(name)},"resource":{quoted(resource)}}}' for name, resource in unchecked]
            texts[-1] = f'{texts[-1][:-1]},"further":[{",".join(others)}]}}'
        return _actions([decision.question.action for decision in decisions]), f"[{','.join(texts)}]"

    def _decision(self, decision: Decision) -> str:
        """The text of a decision. Calls that ask alike are mostly decided alike."""
        question, statement = decision.question, decision.statement
        known = self._decided.get((question.action, question.resource))
        # A statement is of one layer, and of one of several scope-down policies.
        if known is not None and known[0] is statement is not None and known[1] == decision.outcome:
            return known[2]
        text = _decision(decision)
        self._decided.put((question.action, question.resource), (statement, decision.outcome, text))
        return text

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

"""Questions to the policy engine from a form: the principal, the actions, the resources, the condition keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from rolecall.access.permission import ContextValue
from rolecall.call_log.layers import LAYER_TITLES, picture_of
from rolecall.data import Action
from rolecall.expectations.asking import ANY, Answered, asking
from rolecall.expectations.context import as_given_key
from rolecall.expectations.holders import BadQuestionError
from rolecall.expectations.principals import NoSuchNameError
from rolecall.expectations.trying import Draft, actions_of, one_action, tried
from rolecall.policy import explain
from rolecall.sandbox import Sandbox

CONTEXT_MESSAGE = "write each condition key on a line of its own: aws:MultiFactorAuthPresent = true"
NO_PRINCIPAL_MESSAGE = "say which principal asks, such as user/developer"
_MAXIMUM_LINES = 100
MAXIMUM_ROWS = 300


class Row(Struct, frozen=True):
    """One decision for people. ``evaluation`` has the layers, as the page of a logged call shows them."""

    action: str
    resource: str
    allowed: bool
    outcome: str
    reason: str
    evaluation: dict[str, Any] | None


def ask_all(
    sandbox: Sandbox, principal: str, patterns: list[str], resources: list[str], context: str, *, limit: int
) -> tuple[list[Row], bool]:
    """The decisions about each action on each resource, at most ``limit``, and whether there are more.

    Raises BadQuestionError and NoSuchNameError, whose messages are for the visitor.
    """
    given = context_of(context)
    found, more = actions_of(patterns, limit)
    asked = [(action, resource) for action in found for resource in resources or [ANY]]
    with asking(sandbox) as asker:
        who = asker.principals.single(principal or _no_principal())
        rows = []
        for action, resource in asked[:limit]:
            try:
                rows.append(_row(action, resource, tried(asker, who, action, resource, given)))
            except BadQuestionError as error:
                rows.append(Row(f"{action.service_prefix}:{action.name}", resource, False, "Unknown", str(error), None))
    return rows, more or len(asked) > limit


def ask_with_draft(sandbox: Sandbox, given: Mapping[str, str], draft: Draft) -> tuple[Row, Row, bool]:
    """One question, as it is answered with a draft and as it is now, and whether the stored policy bears on it.

    Raises BadQuestionError and NoSuchNameError.
    """
    action, resource = one_action(given["action"]), given["resource"] or ANY
    context = context_of(given["context"])
    with asking(sandbox) as asker:
        who = asker.principals.single(given["principal"] or _no_principal())
        after = _row(action, resource, tried(asker, who, action, resource, context, draft))
        stored = tried(asker, who, action, resource, context)
        return after, _row(action, resource, stored), draft.bears_on(who, stored)


def _no_principal() -> str:
    raise NoSuchNameError(NO_PRINCIPAL_MESSAGE)


def context_of(text: str) -> dict[str, ContextValue]:
    """Condition keys from lines ``key = value``. A key on several lines has several values. Raises BadQuestionError."""
    found: dict[str, list[str]] = {}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or ":" not in key or len(lines) > _MAXIMUM_LINES:
            raise BadQuestionError(CONTEXT_MESSAGE)
        found.setdefault(as_given_key(key.strip()), []).append(value.strip())
    return {key: values[0] if len(values) == 1 else tuple(values) for key, values in found.items()}


def _row(action: Action, resource: str, answered: Answered) -> Row:
    name = f"{action.service_prefix}:{action.name}"
    decision = answered.decision
    if decision is None:
        return Row(
            name, resource, answered.allowed, "Allowed" if answered.allowed else "Refused", answered.reason, None
        )
    evaluation = explain(decision).as_dict()
    evaluation["layers"] = [{**layer, "target": ""} for layer in picture_of(evaluation)]
    evaluation["session_policy_required"] = decision.layers.session_policy_required
    return Row(name, resource, answered.allowed, decision.outcome, _reason(evaluation, decision.statement), evaluation)


def _reason(evaluation: dict[str, Any], statement: Any) -> str:
    """What decided, in a few words."""
    if statement is None:
        layer = LAYER_TITLES.get(evaluation["layer"], "")
        return f"no statement of the {layer} allows it" if layer else "a root user needs no policy"
    shown = statement.statement.sid or f"statement {statement.statement.index}"
    return f"{statement.statement.effect} by {statement.policy.name} / {shown}"

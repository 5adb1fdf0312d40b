"""Why a decision came out as it did: tests the same statements again, element by element, only on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from msgspec import Struct, to_builtins

from rolecall.policy.compiled import CompiledPolicies, CompiledStatement
from rolecall.policy.decision import Decision, Outcome, Question, all_layers, matches
from rolecall.policy.document import PolicyKind, Principals
from rolecall.policy.wording import denial_message
from rolecall.printable import printable

_VALUES_SHOWN = 12


class ConditionExplanation(Struct, frozen=True):
    """One condition. ``request_values`` is None when the request has no such key."""

    operator: str
    key: str
    policy_values: tuple[str, ...]
    request_values: tuple[str, ...] | None
    met: bool


class ElementExplanation(Struct, frozen=True):
    """An element other than Condition that did not match: what it lists, and what the request has in its place."""

    element: str
    policy_values: tuple[str, ...]
    request_value: str


class StatementExplanation(Struct, frozen=True):
    """One statement: which of its elements matched; ``index`` counts from 0.

    ``failed`` names the elements that did not match, and ``elements`` says what they list. ``conditions`` has every
    condition, whether it was met or not.
    """

    layer: str
    policy_name: str
    policy_arn: str
    sid: str
    index: int
    effect: str
    failed: tuple[str, ...]
    elements: tuple[ElementExplanation, ...]
    conditions: tuple[ConditionExplanation, ...]

    @property
    def label(self) -> str:
        return self.sid or f"statement {self.index}"


class LayerExplanation(Struct, frozen=True):
    """One layer by itself: ``effect`` is Allow, ExplicitDeny or ImplicitDeny."""

    layer: str
    effect: str
    policies: tuple[str, ...]
    matched: tuple[StatementExplanation, ...]


class Explanation(Struct, frozen=True):
    """A decision's reasons. After an implicit deny, ``nearest`` is the closest allow in the deciding layer.

    ``layer`` is a kind of policy. ``layer_name`` also tells scope-down policies apart: ``scope-down policy 2 of 3``.
    """

    outcome: Outcome
    layer: str
    layer_name: str
    principal: str
    action: str
    resource: str
    message: str
    layers: tuple[LayerExplanation, ...]
    nearest: StatementExplanation | None

    def as_dict(self) -> dict[str, Any]:
        """The explanation in values that JSON can hold."""
        explanation: dict[str, Any] = to_builtins(self)
        return explanation

    def as_text(self) -> str:
        """The explanation for a terminal."""
        return "\n".join(map(printable, _lines(self)))


def explain(decision: Decision) -> Explanation:
    """Every layer's matched statements, and what the nearest allow lacked."""
    question = decision.question
    nearest = None
    if decision.outcome == "ImplicitDeny" and decision.layer is not None:
        nearest = _nearest(decision, decision.layer)
    return Explanation(
        outcome=decision.outcome,
        layer="" if decision.layer is None else decision.layer.value,
        layer_name=decision.layer_name,
        principal=_asker(question),
        action=question.action,
        resource=question.resource,
        message="" if decision.allowed else denial_message(decision),
        layers=tuple(_explain_layer(compiled, question) for compiled in all_layers(decision.layers)),
        nearest=nearest,
    )


def _explain_layer(compiled: CompiledPolicies, question: Question) -> LayerExplanation:
    matched = tuple(
        _explain_statement(statement, compiled.kind, question)
        for statement in compiled.statements
        if matches(statement, question)
    )
    effects = {statement.effect for statement in matched}
    effect = "ExplicitDeny" if "Deny" in effects else "Allow" if "Allow" in effects else "ImplicitDeny"
    return LayerExplanation(compiled.kind.value, effect, tuple(policy.name for policy in compiled.policies), matched)


def _explain_statement(compiled: CompiledStatement, kind: PolicyKind, question: Question) -> StatementExplanation:
    statement = compiled.statement
    conditions = []
    for condition, test in zip(statement.conditions, compiled.conditions, strict=True):
        value = question.context.get(condition.key.lower())
        shown = (value,) if isinstance(value, str) else None if value is None else tuple(value)
        met = test(question.context)
        conditions.append(ConditionExplanation(condition.operator, condition.key, condition.values, shown, met))
    elements = tuple(_unmatched(compiled, question))
    failed = [each.element for each in elements]
    if not all(condition.met for condition in conditions):
        failed.append("Condition")
    return StatementExplanation(
        layer=kind.value,
        policy_name=compiled.policy.name,
        policy_arn=compiled.policy.arn,
        sid=statement.sid,
        index=statement.index,
        effect=statement.effect,
        failed=tuple(failed),
        elements=elements,
        conditions=tuple(conditions),
    )


def _unmatched(compiled: CompiledStatement, question: Question) -> Iterator[ElementExplanation]:
    statement = compiled.statement
    if not compiled.matches_action(question.action.lower()):
        name = "NotAction" if statement.actions_negated else "Action"
        yield ElementExplanation(name, statement.actions, question.action)
    if compiled.resource is not None and not compiled.resource(question.resource, question.context):
        name = "NotResource" if statement.resources_negated else "Resource"
        yield ElementExplanation(name, statement.resources or (), question.resource)
    if compiled.reach is not None and not compiled.reach(
        question.principal, question.federated_provider, question.principal_has_boundary
    ):
        name = "NotPrincipal" if statement.principals_negated else "Principal"
        listed = statement.principals or Principals()
        values = (*listed.aws, *listed.services, *listed.federated, *listed.canonical_users)
        yield ElementExplanation(name, values, _asker(question))


def _asker(question: Question) -> str:
    return question.federated_provider or "anonymous" if question.principal is None else question.principal.arn


def _nearest(decision: Decision, kind: PolicyKind) -> StatementExplanation | None:
    question = decision.question
    best: tuple[tuple[int, int, int], StatementExplanation] | None = None
    for compiled in all_layers(decision.layers):
        # Of several levels of one kind, the one that lacks an allow counts.
        if compiled.kind is not kind or _allows(compiled, question):
            continue
        if kind is PolicyKind.SCOPE_DOWN and compiled.policies[0].name != decision.layer_name:
            continue
        for candidate in compiled.statements:
            if candidate.statement.effect != "Allow":
                continue
            explained = _explain_statement(candidate, kind, question)
            unmet = sum(not condition.met for condition in explained.conditions)
            distance = (_action_distance(candidate, question), len(explained.failed), unmet)
            if best is None or distance < best[0]:
                best = (distance, explained)
    return None if best is None else best[1]


def _action_distance(compiled: CompiledStatement, question: Question) -> int:
    """0 when the action matches; otherwise smaller, the longer a prefix the action shares with a listed one."""
    action = question.action.lower()
    if compiled.matches_action(action):
        return 0
    if compiled.statement.actions_negated:
        return 1
    return 1 + len(action) - max(_in_common(action, each.lower()) for each in compiled.statement.actions)


def _in_common(one: str, other: str) -> int:
    """The length of the prefix that two texts have in common, in characters."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _allows(compiled: CompiledPolicies, question: Question) -> bool:
    return any(each.statement.effect == "Allow" and matches(each, question) for each in compiled.statements)


def listed_values(values: Sequence[str]) -> str:
    """What a policy lists, for a line of text; a long list is cut."""
    more = len(values) - _VALUES_SHOWN
    return ", ".join(values[:_VALUES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def policy_label(name: str, arn: str) -> str:
    """A policy's label for people: the ARN when it ends with the name, otherwise both."""
    return f"{name} ({arn})" if arn and not arn.endswith((f"/{name}", f"/p-{name}")) else arn or name


def _lines(explanation: Explanation) -> Iterator[str]:
    where = f" ({explanation.layer_name})" if explanation.layer_name else ""
    yield f"{explanation.outcome}{where}: {explanation.principal} {explanation.action} on {explanation.resource}"
    if explanation.message:
        yield explanation.message
    for layer in explanation.layers:
        yield f"{layer.layer}: {layer.effect} [{', '.join(layer.policies)}]"
        for statement in layer.matched:
            yield from _statement_lines(statement)
    if explanation.nearest is not None:
        yield f"nearest allow, which failed on {', '.join(explanation.nearest.failed)}:"
        yield from _statement_lines(explanation.nearest)


def _statement_lines(statement: StatementExplanation) -> Iterator[str]:
    yield f"  {statement.effect} {policy_label(statement.policy_name, statement.policy_arn)} / {statement.label}"
    for element in statement.elements:
        yield f"    {element.element} [{listed_values(element.policy_values)}], request: {element.request_value}"
    for condition in statement.conditions:
        shown = "absent" if condition.request_values is None else ", ".join(condition.request_values)
        verdict = "met" if condition.met else "not met"
        wanted = listed_values(condition.policy_values)
        yield f"    {condition.operator} {condition.key} [{wanted}], request: {shown}: {verdict}"

"""Why a decision came out as it did: the same statements asked again, element by element, and only when wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from emulator.policy.compiled import CompiledPolicies, CompiledStatement
from emulator.policy.decision import Decision, Outcome, Question, all_layers, matches
from emulator.policy.document import PolicyKind
from emulator.policy.wording import denial_message


@dataclass(frozen=True, slots=True)
class ConditionExplanation:
    """One condition. ``request_values`` is None when the request has no such key."""

    operator: str
    key: str
    policy_values: tuple[str, ...]
    request_values: tuple[str, ...] | None
    met: bool


@dataclass(frozen=True, slots=True)
class StatementExplanation:
    """One statement: which of its elements matched. ``failed`` names those that did not; ``index`` counts from 0."""

    layer: str
    policy_name: str
    policy_arn: str
    sid: str
    index: int
    effect: str
    failed: tuple[str, ...]
    conditions: tuple[ConditionExplanation, ...]

    @property
    def label(self) -> str:
        return self.sid or f"statement {self.index}"


@dataclass(frozen=True, slots=True)
class LayerExplanation:
    """One layer by itself: ``effect`` is Allow, ExplicitDeny or ImplicitDeny."""

    layer: str
    effect: str
    policies: tuple[str, ...]
    matched: tuple[StatementExplanation, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision's reasons. ``nearest`` is, for an implicit deny, the allow that came closest in the deciding layer."""

    outcome: Outcome
    layer: str
    principal: str
    action: str
    resource: str
    message: str
    layers: tuple[LayerExplanation, ...]
    nearest: StatementExplanation | None

    def as_dict(self) -> dict[str, Any]:
        """The explanation in values that JSON knows."""
        return asdict(self)

    def as_text(self) -> str:
        """The explanation for a terminal."""
        return "\n".join(_lines(self))


def explain(decision: Decision) -> Explanation:
    """Every layer's matched statements, and what the nearest allow lacked."""
    question = decision.question
    nearest = None
    if decision.outcome == "ImplicitDeny" and decision.layer is not None:
        nearest = _nearest(decision, decision.layer)
    return Explanation(
        outcome=decision.outcome,
        layer="" if decision.layer is None else decision.layer.value,
        principal=question.federated_provider or "anonymous" if question.principal is None else question.principal.arn,
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
    return StatementExplanation(
        layer=kind.value,
        policy_name=compiled.policy.name,
        policy_arn=compiled.policy.arn,
        sid=statement.sid,
        index=statement.index,
        effect=statement.effect,
        failed=tuple(_failed(compiled, question, all(condition.met for condition in conditions))),
        conditions=tuple(conditions),
    )


def _failed(compiled: CompiledStatement, question: Question, conditions_met: bool) -> Iterator[str]:
    statement = compiled.statement
    if not compiled.matches_action(question.action.lower()):
        yield "NotAction" if statement.actions_negated else "Action"
    if compiled.resource is not None and not compiled.resource(question.resource, question.context):
        yield "NotResource" if statement.resources_negated else "Resource"
    if compiled.reach is not None and not compiled.reach(question.principal, question.federated_provider):
        yield "NotPrincipal" if statement.principals_negated else "Principal"
    if not conditions_met:
        yield "Condition"


def _nearest(decision: Decision, kind: PolicyKind) -> StatementExplanation | None:
    question = decision.question
    best: tuple[tuple[bool, int, int], StatementExplanation] | None = None
    for compiled in all_layers(decision.layers):
        # Of several levels of one kind, one that allows is not what was missing.
        if compiled.kind is not kind or _allows(compiled, question):
            continue
        for candidate in compiled.statements:
            if candidate.statement.effect != "Allow":
                continue
            explained = _explain_statement(candidate, kind, question)
            unmet = sum(not condition.met for condition in explained.conditions)
            distance = (bool({"Action", "NotAction"} & set(explained.failed)), len(explained.failed), unmet)
            if best is None or distance < best[0]:
                best = (distance, explained)
    return None if best is None else best[1]


def _allows(compiled: CompiledPolicies, question: Question) -> bool:
    return any(each.statement.effect == "Allow" and matches(each, question) for each in compiled.statements)


def _lines(explanation: Explanation) -> Iterator[str]:
    where = f" ({explanation.layer})" if explanation.layer else ""
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
    yield f"  {statement.effect} {statement.policy_arn or statement.policy_name} / {statement.label}"
    for condition in statement.conditions:
        shown = "absent" if condition.request_values is None else ", ".join(condition.request_values)
        verdict = "met" if condition.met else "not met"
        wanted = ", ".join(condition.policy_values)
        yield f"    {condition.operator} {condition.key} [{wanted}], request: {shown}: {verdict}"

"""One simulation: every action on every resource, decided by the engine of real calls, answered in IAM's form.

Source: IAM API Reference, EvaluationResult and ResourceSpecificResult. Service control policies come first. When they
refuse, the simulation ends, and the answer shows neither their statements nor their condition keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

from msgspec import Struct

from rolecall.access.permission import ContextValue
from rolecall.arns import parse_arn
from rolecall.data import actions, resource_types
from rolecall.policy import (
    CompiledPolicies,
    Layers,
    Outcome,
    PolicyKind,
    Question,
    Span,
    context_keys,
    decide,
    matches,
    statement_spans,
    verdict,
)
from rolecall.policy.patterns import MANY, Test, glob
from rolecall.principals import Principal
from rolecall.services.iam.simulation.inputs import ANY_RESOURCE
from rolecall.services.iam.simulation.work import steps
from rolecall.services.registry import Answer

# The values in IAM's answers. They differ from the values that its model lists for SourcePolicyType.
SOURCE_TYPES: Mapping[PolicyKind, str] = {
    PolicyKind.IDENTITY: "IAM Policy",
    PolicyKind.RESOURCE: "Resource Policy",
    PolicyKind.TRUST: "Resource Policy",
    PolicyKind.BOUNDARY: "Permissions Boundary Policy",
}
_ANSWERED: Mapping[Outcome, str] = {
    "Allowed": "allowed",
    "ExplicitDeny": "explicitDeny",
    "ImplicitDeny": "implicitDeny",
}
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
_TEMPLATES_KEPT = 512
_BY_STRICTNESS: tuple[Outcome, ...] = ("ExplicitDeny", "ImplicitDeny", "Allowed")


class Simulation:
    """The policies and the caller of one request; made once, used for every action and resource."""

    def __init__(
        self,
        *,
        identity: CompiledPolicies,
        boundary: CompiledPolicies | None,
        resource: CompiledPolicies | None,
        scps: tuple[CompiledPolicies, ...],
        principal: Principal,
        context: Mapping[str, ContextValue],
        supplied: frozenset[str],
        owner_account_id: str,
    ) -> None:
        self._layers = Layers(identity=identity, boundary=boundary, resource=resource)
        self._shown_layers = tuple(layer for layer in (identity, resource, boundary) if layer is not None)
        self._scps = scps
        self._principal = principal
        self._context = context
        self._supplied = supplied
        self._owner_account_id = owner_account_id
        self._spans: dict[str, tuple[Span, ...]] = {}

    def steps(self, action: str, resources: Sequence[str]) -> int:
        """The most work that :meth:`evaluate` may cost."""
        return steps((*self._shown_layers, *self._scps), action, resources, self._context)

    def evaluate(self, action: str, resources: Sequence[str]) -> Answer:
        """The EvaluationResult of one action."""
        listed = tuple(resources) != (ANY_RESOURCE,)
        results = [self._evaluate(action, resource) for resource in resources]
        outcome = _strictest([result.outcome for result in results])
        answer: Answer = {
            "EvalActionName": action,
            "EvalResourceName": _resource_template(action, resources) if listed else ANY_RESOURCE,
            "EvalDecision": _ANSWERED[outcome],
            "MatchedStatements": _united([result.matched for result in results if result.outcome == outcome]),
            "MissingContextValues": sorted({key for result in results for key in result.missing}),
        }
        if self._scps:
            allowed = all(result.allowed_by_organizations for result in results)
            answer["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
        by_boundary = [result.allowed_by_boundary for result in results if result.allowed_by_boundary is not None]
        if by_boundary:
            answer["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": all(by_boundary)}
        details = [result.details for result in results if result.details is not None]
        if listed and details:
            kinds = dict.fromkeys(kind for each in details for kind in each)
            answer["EvalDecisionDetails"] = {
                kind: _ANSWERED[_strictest([each[kind] for each in details if kind in each])] for kind in kinds
            }
        if listed:
            answer["ResourceSpecificResults"] = [
                result.shown(resource) for result, resource in zip(results, resources, strict=True)
            ]
        return answer

    def _evaluate(self, action: str, resource: str) -> _Result:
        question = Question(
            action=action,
            resource=resource,
            context=self._context,
            principal=self._principal,
            session=None,
            resource_account_id=self._owner(resource),
        )
        by_organizations = _strictest([verdict(level, question) for level in self._scps])
        if by_organizations != "Allowed":
            return _Result(by_organizations, (), (), False, None, None)
        decision = decide(self._layers, question)
        outcome, question = decision.outcome, decision.question
        boundary = self._layers.boundary
        return _Result(
            outcome=outcome,
            matched=self._matched(question, outcome),
            missing=self._missing if outcome == "ImplicitDeny" else (),
            allowed_by_organizations=True,
            allowed_by_boundary=None if boundary is None else verdict(boundary, question) == "Allowed",
            details=self._details(question),
        )

    def _owner(self, resource: str) -> str:
        """The account of a resource, when there is a resource-based policy for which the account counts."""
        if self._layers.resource is None:
            return ""
        arn = parse_arn(resource)
        return (arn.account_id if arn is not None else "") or self._owner_account_id or self._principal.account_id

    def _details(self, question: Question) -> dict[str, Outcome]:
        """The details per kind of policy; empty within one account (EvaluationResult, EvalDecisionDetails)."""
        if question.resource_account_id in ("", self._principal.account_id):
            return {}
        return {SOURCE_TYPES[layer.kind]: verdict(layer, question) for layer in self._shown_layers}

    def _matched(self, question: Question, outcome: Outcome) -> tuple[_Match, ...]:
        """The statements behind the outcome. A boundary grants nothing, so only its denies are among them."""
        if outcome == "ImplicitDeny":
            return ()
        effect = "Deny" if outcome == "ExplicitDeny" else "Allow"
        return tuple(
            _Match(compiled.policy.name, SOURCE_TYPES[layer.kind], self._span(compiled.policy.policy.text, index))
            for layer in self._shown_layers
            if effect == "Deny" or layer.kind is not PolicyKind.BOUNDARY
            for compiled in layer.statements
            if compiled.statement.effect == effect and matches(compiled, question)
            for index in (compiled.statement.index,)
        )

    def _span(self, text: str, index: int) -> Span:
        spans = self._spans.get(text)
        if spans is None:
            spans = self._spans[text] = statement_spans(text)
        return spans[index]

    @cached_property
    def _missing(self) -> tuple[str, ...]:
        """The keys that the policies use and the request lacks, for all actions."""
        policies = (named.policy for layer in self._shown_layers for named in layer.policies)
        return tuple(key for key in context_keys(policies) if key.lower() not in self._supplied)


class _Match(Struct, frozen=True):
    policy_name: str
    source_type: str
    span: Span

    def shown(self) -> Answer:
        start, end = self.span.start, self.span.end
        return {
            "SourcePolicyId": self.policy_name,
            "SourcePolicyType": self.source_type,
            "StartPosition": {"Line": start.line, "Column": start.column},
            "EndPosition": {"Line": end.line, "Column": end.column},
        }


class _Result(Struct, frozen=True):
    """One action on one resource. ``details`` and ``allowed_by_boundary`` are None when the answer omits them."""

    outcome: Outcome
    matched: tuple[_Match, ...]
    missing: tuple[str, ...]
    allowed_by_organizations: bool
    allowed_by_boundary: bool | None
    details: dict[str, Outcome] | None

    def shown(self, resource: str) -> Answer:
        answer: Answer = {
            "EvalResourceName": resource,
            "EvalResourceDecision": _ANSWERED[self.outcome],
            "MatchedStatements": _united([self.matched]),
            "MissingContextValues": sorted(self.missing),
        }
        if self.allowed_by_boundary is not None:
            answer["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": self.allowed_by_boundary}
        if self.details:
            answer["EvalDecisionDetails"] = {kind: _ANSWERED[outcome] for kind, outcome in self.details.items()}
        return answer


def _united(matched: Sequence[Sequence[_Match]]) -> list[Answer]:
    return [match.shown() for match in dict.fromkeys(match for each in matched for match in each)]


def _strictest(outcomes: Sequence[Outcome]) -> Outcome:
    return next((outcome for outcome in _BY_STRICTNESS if outcome in outcomes), "Allowed")


def _resource_template(action: str, resources: Sequence[str]) -> str:
    """The ARN template of the resource type that was simulated for an action; ``*`` when it has no type."""
    prefix, _, name = action.partition(":")
    try:
        known = actions(prefix.lower()).get(name.lower())
        templates = resource_types(prefix.lower())
    except KeyError:
        return ANY_RESOURCE
    if known is None:
        return ANY_RESOURCE
    candidates = [templates[kind].arn for kind in known.resource_types if kind in templates]
    for template in candidates:
        fits = _template_test(template)
        if any(fits(resource) for resource in resources):
            return template
    return candidates[0] if candidates else ANY_RESOURCE


@lru_cache(maxsize=_TEMPLATES_KEPT)
def _template_test(template: str) -> Test:
    """A test whether an ARN is of the resource type that ``template`` describes."""
    return glob(_PLACEHOLDER.sub(MANY, template))

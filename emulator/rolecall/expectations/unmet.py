"""Policies without the conditions that a caller can meet by what it sends: what could be allowed, and on which terms.

A key such as ``sts:ExternalId`` or ``aws:MultiFactorAuthPresent`` is the caller's choice. A key such as
``aws:PrincipalTag/team`` is not. Without the conditions on keys of the first sort, an Allow matches in more contexts. A
Deny with such a condition is left out. So a refusal by these policies is a refusal in every context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rolecall.access.check import Rights
from rolecall.access.permission import Permission
from rolecall.expectations.context import MFA_AGE, MFA_PRESENT
from rolecall.policy import CompiledPolicies, CompiledStatement, Condition, Decision, Layers, PolicyKind
from rolecall.policy.decision import all_layers, first_match
from rolecall.policy.document import VERSION_WITH_VARIABLES
from rolecall.policy.patterns import Context, variable_keys

# Keys that belong to the caller or to the resource. A tag of a session counts as the caller's.
_GIVEN = (
    "aws:principal",
    "aws:resource",
    "aws:userid",
    "aws:username",
    "aws:federatedprovider",
    "aws:assumedroot",
    "aws:viaawsservice",
    "iam:resourcetag/",
)
_OF_SESSIONS = (MFA_PRESENT, MFA_AGE)


class Unmet(Struct, frozen=True):
    """A condition that the plain call does not meet. For a Deny: one that it meets and must not."""

    layer: str
    policy: str
    statement: str
    effect: str
    operator: str
    key: str
    values: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "layer": self.layer,
            "policy": self.policy,
            "statement": self.statement,
            "effect": self.effect,
            "operator": self.operator,
            "key": self.key,
            "values": list(self.values),
        }


class Relaxing:
    """Layers without the conditions that a caller can meet. Each layer is worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool], tuple[CompiledPolicies, CompiledPolicies]] = {}

    def __call__(self, rights: Rights, permissions: list[Permission]) -> tuple[Rights, list[Permission]]:
        """Rights and permissions of a call, relaxed."""
        in_session = rights.caller.session is not None
        relaxed = [
            replace(
                each,
                resource_policy=self._optional(each.resource_policy, in_session),
                rcps=self._each(each.rcps, in_session),
            )
            for each in permissions
        ]
        return self.rights(rights), relaxed

    def rights(self, rights: Rights) -> Rights:
        """Rights, relaxed."""
        in_session = rights.caller.session is not None
        return Rights(rights.caller, self._layers(rights.layers, in_session), rights.context)

    def _layers(self, layers: Layers, in_session: bool) -> Layers:
        return replace(
            layers,
            identity=self._optional(layers.identity, in_session),
            boundary=self._optional(layers.boundary, in_session),
            session=self._optional(layers.session, in_session),
            scps=self._each(layers.scps, in_session),
        )

    def _each(self, layers: tuple[CompiledPolicies, ...], in_session: bool) -> tuple[CompiledPolicies, ...]:
        return tuple(self._relaxed(layer, in_session) for layer in layers)

    def _optional(self, layer: CompiledPolicies | None, in_session: bool) -> CompiledPolicies | None:
        return None if layer is None else self._relaxed(layer, in_session)

    def _relaxed(self, layer: CompiledPolicies, in_session: bool) -> CompiledPolicies:
        # The layer is kept beside its relaxed form, so that its id stays its own.
        known = self._known.get((id(layer), in_session))
        if known is None:
            statements = tuple(_relaxed(layer.statements, in_session))
            known = layer, CompiledPolicies(layer.kind, layer.policies, statements)
            self._known[id(layer), in_session] = known
        return known[1]


def _relaxed(statements: tuple[CompiledStatement, ...], in_session: bool) -> Iterator[CompiledStatement]:
    for compiled in statements:
        kept = tuple(
            test
            for condition, test in zip(compiled.statement.conditions, compiled.conditions, strict=True)
            if not _is_open(condition, compiled, in_session)
        )
        if len(kept) == len(compiled.conditions):
            yield compiled
        elif compiled.statement.effect == "Allow":
            yield compiled._replace(conditions=kept, wanted=None)


def _is_open(condition: Condition, compiled: CompiledStatement, in_session: bool) -> bool:
    """Whether a caller can choose what a condition compares."""
    keys = [condition.key]
    if compiled.policy.policy.version == VERSION_WITH_VARIABLES:
        keys += [key for value in condition.values for key in variable_keys(value)]
    return any(_is_chosen(key.lower(), in_session) for key in keys)


def _is_chosen(key: str, in_session: bool) -> bool:
    if key in _OF_SESSIONS:
        # A role's session has no MFA device.
        return not in_session
    return not key.startswith(_GIVEN)


def unmet_conditions(plain: Mapping[PolicyKind, list[CompiledPolicies]], relaxed: Decision) -> list[Unmet]:
    """What the plain call lacks for a decision that the relaxed policies allow. ``plain`` has the real layers."""
    question, in_session = relaxed.question, relaxed.question.session is not None
    found: dict[Unmet, None] = {}
    for layer in all_layers(relaxed.layers):
        if layer.kind is PolicyKind.IDENTITY and relaxed.layer is not PolicyKind.IDENTITY:
            # A trust policy that names the caller itself was enough.
            continue
        for real in plain.get(layer.kind, ()):
            if real.policies is not layer.policies:
                continue
            candidates = real.candidates(question.action)
            for denying in _matching(real, question, "Deny"):
                found.update(dict.fromkeys(_open_conditions(denying, real.kind, question.context, in_session, True)))
            if candidates.allows is not None and first_match(candidates.allows, question) is not None:
                continue
            allowed_by = next(_matching(layer, question, "Allow"), None)
            original = None if allowed_by is None else _original(real, allowed_by)
            if original is not None:
                found.update(dict.fromkeys(_open_conditions(original, real.kind, question.context, in_session, False)))
    return list(found)


def _matching(layer: CompiledPolicies, question: Any, effect: str) -> Iterator[CompiledStatement]:
    name = question.action.lower()
    for compiled in layer.statements:
        is_about = compiled.statement.effect == effect and compiled.matches_action(name)
        if is_about and first_match(((compiled,), ()), question) is not None:
            yield compiled


def _original(layer: CompiledPolicies, relaxed: CompiledStatement) -> CompiledStatement | None:
    return next((each for each in layer.statements if each.statement is relaxed.statement), None)


def _open_conditions(
    compiled: CompiledStatement, kind: PolicyKind, context: Context, in_session: bool, met: bool
) -> Iterator[Unmet]:
    statement = compiled.statement
    for condition, test in zip(statement.conditions, compiled.conditions, strict=True):
        if _is_open(condition, compiled, in_session) and test(context) == met:
            yield Unmet(
                kind.value,
                compiled.policy.arn or compiled.policy.name,
                statement.sid or f"statement {statement.index}",
                statement.effect,
                condition.operator,
                condition.key,
                condition.values,
            )


def real_layers(rights: Rights, permission: Permission | None = None) -> dict[PolicyKind, list[CompiledPolicies]]:
    """The layers of a question as they are, by their kind. ``permission`` brings the policies of a role's side."""
    found: dict[PolicyKind, list[CompiledPolicies]] = {}
    layers = list(all_layers(rights.layers))
    if permission is not None:
        layers += (
            permission.rcps if permission.resource_policy is None else (*permission.rcps, permission.resource_policy)
        )
    for layer in layers:
        found.setdefault(layer.kind, []).append(layer)
    return found

"""Asks the policy engine about every permission a call needs, and words the refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rolecall.access.context import Moment, RequestContext
from rolecall.access.permission import ContextValue, Permission
from rolecall.errors import AwsError
from rolecall.policy import CompiledPolicies, Decision, Layers, Question, decide, denial_message
from rolecall.principals import Caller


class Rights(Struct, frozen=True):
    """A caller's compiled policies, and the condition keys that never change for it."""

    caller: Caller
    layers: Layers
    context: Mapping[str, ContextValue]


class RefusedError(AwsError):
    """A permission was refused. Carries its decision for the log and the explanation, and the decisions before it.

    ``unchecked`` are the actions and resources of the permissions that were not checked any more.
    """

    def __init__(
        self,
        code: str,
        message: str,
        decision: Decision,
        allowed: Sequence[Decision] = (),
        unchecked: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(code, message)
        self.decision = decision
        self.allowed = allowed
        self.unchecked = unchecked


def check(rights: Rights, permissions: Sequence[Permission], moment: Moment, denied_code: str) -> list[Decision]:
    """The decisions for all permissions. Raises RefusedError for the first permission that is not allowed."""
    decisions: list[Decision] = []
    for permission in permissions:
        decision = ask(rights, permission, moment)
        if not decision.allowed:
            message = denial_message(decision, shown_resource=permission.shown_as or None)
            unchecked = [(each.action, each.resource) for each in permissions[len(decisions) + 1 :]]
            raise RefusedError(denied_code, message, decision, decisions, unchecked)
        decisions.append(decision)
    return decisions


def ask(rights: Rights, permission: Permission, moment: Moment) -> Decision:
    """The decision for one permission."""
    caller, layers = rights.caller, rights.layers
    if permission.resource_policy is not None:
        layers = _with_resource_policy(layers, permission.resource_policy, permission.rcps)
    # By position, because keywords take longer.
    question = Question(
        permission.action,
        permission.resource,
        RequestContext(permission.context, rights.context, moment),
        None if permission.federated_provider else caller.principal,
        caller.session,
        permission.account_id or caller.principal.account_id,
        permission.federated_provider,
        layers.boundary is not None,
    )
    return decide(layers, question)


def _with_resource_policy(
    layers: Layers, resource_policy: CompiledPolicies, rcps: tuple[CompiledPolicies, ...]
) -> Layers:
    # Written out, because dataclasses.replace costs as much as the decision itself.
    return Layers(
        identity=layers.identity,
        boundary=layers.boundary,
        session=layers.session,
        session_policy_required=layers.session_policy_required,
        scps=layers.scps,
        rcps=rcps,
        resource=resource_policy,
        delegation=layers.delegation,
        scope_down=layers.scope_down,
    )

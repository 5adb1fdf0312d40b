"""A permission that an operation needs before it may run."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from rolecall.policy import CompiledPolicies

ContextValue = str | tuple[str, ...]


class Permission(Struct, frozen=True):
    """One action on one resource.

    ``resource`` is an ARN, or ``*`` for actions without resource types. ``account_id`` owns the resource; empty means
    the caller's account. ``context`` holds the condition keys this request adds (keys in lower case).
    ``resource_policy`` is the resource's own policy, such as a role's trust policy. ``rcps`` are the resource control
    policies of the resource's account, level by level. ``shown_as`` replaces the resource in the message of a refusal,
    where AWS words it in this way. ``federated_provider`` is set for calls that carry their proof of identity as a
    parameter. It is the provider's ARN, or its host when AWS knows the provider by itself.
    """

    action: str
    resource: str = "*"
    account_id: str = ""
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    resource_policy: CompiledPolicies | None = None
    rcps: tuple[CompiledPolicies, ...] = ()
    shown_as: str = ""
    federated_provider: str = ""

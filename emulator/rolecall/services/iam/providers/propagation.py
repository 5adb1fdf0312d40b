"""Trusted identity propagation of OIDC and SAML providers: its rules, condition keys and members of answers.

IAM API references of CreateOpenIDConnectProvider, UpdateOpenIDConnectProvider, CreateSAMLProvider, UpdateSAMLProvider.
AWS's messages were not recorded. That a broken rule is InvalidInput follows from the errors that the operations list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rolecall.access.permission import ContextValue, Permission
from rolecall.errors import AwsError
from rolecall.service_records import action_of
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters
from rolecall.storage.context_providers import (
    ContextProvider,
    Propagating,
    context_provider_of,
    context_provider_problem,
    identity_store_arn,
    instance_problem,
)

INSTANCE_ALONE_MESSAGE = "IdentityCenterInstanceArn needs a ContextProvider."
SET_AND_REMOVE_MESSAGE = "{member} and {flag} are mutually exclusive. Specify only one of them."
REMOVE_INSTANCE_FIRST_MESSAGE = (
    "Unable to remove the context provider while an IAM Identity Center instance is associated. Remove the association "
    "in a separate request first."
)
NO_INSTANCE_WITHOUT_PROVIDER_MESSAGE = (
    "Unable to associate an IAM Identity Center instance with an identity provider that has no context provider."
)


Stored = TypeVar("Stored", bound="Propagating")


class KeyDefinition(TypedDict, total=False):
    """One mapping in a request."""

    SourceKey: str
    TargetKey: str


class ContextProviderMembers(TypedDict, total=False):
    """The structure ContextProvider of a request."""

    SubjectSourceKey: str
    SubjectTypeValue: str
    SubjectTypeSourceKey: str
    KeyDefinitionList: list[KeyDefinition]


class WantedPropagation(Struct, frozen=True):
    """What a request for an update says. A flag that is false says nothing."""

    context_provider: ContextProvider | None
    instance_arn: str | None
    removes_context_provider: bool
    removes_instance: bool

    @property
    def changes_context_provider(self) -> bool:
        return self.context_provider is not None or self.removes_context_provider

    @property
    def changes_instance(self) -> bool:
        return self.instance_arn is not None or self.removes_instance


def new_propagation(
    context_provider: Mapping[str, Any] | None, instance_arn: str | None
) -> tuple[ContextProvider | None, str | None]:
    """The configuration of a new provider. Raises AwsError InvalidInput."""
    checked = _checked(context_provider)
    if instance_arn is not None:
        if checked is None:
            raise AwsError("InvalidInput", INSTANCE_ALONE_MESSAGE)
        _check_instance(instance_arn)
    return checked, instance_arn


def wanted_propagation(
    context_provider: Mapping[str, Any] | None,
    instance_arn: str | None,
    *,
    removes_context_provider: bool,
    removes_instance: bool,
) -> WantedPropagation:
    """The wish of an update. Raises AwsError InvalidInput for a value together with its flag, and for wrong values."""
    for value, flag, names in (
        (context_provider, removes_context_provider, ("ContextProvider", "RemoveContextProvider")),
        (instance_arn, removes_instance, ("IdentityCenterInstanceArn", "RemoveIdentityCenterInstance")),
    ):
        if value is not None and flag:
            raise AwsError("InvalidInput", SET_AND_REMOVE_MESSAGE.format(member=names[0], flag=names[1]))
    checked = _checked(context_provider)
    if instance_arn is not None:
        _check_instance(instance_arn)
    return WantedPropagation(checked, instance_arn, removes_context_provider, removes_instance)


def changed_propagation(provider: Propagating, wanted: WantedPropagation) -> tuple[ContextProvider | None, str | None]:
    """The provider's configuration after an update. Raises AwsError InvalidInput."""
    context_provider, instance_arn = provider.context_provider, provider.identity_center_instance_arn
    if wanted.removes_context_provider:
        if instance_arn is not None:
            raise AwsError("InvalidInput", REMOVE_INSTANCE_FIRST_MESSAGE)
        context_provider = None
    elif wanted.context_provider is not None:
        context_provider = wanted.context_provider
    if wanted.removes_instance:
        instance_arn = None
    elif wanted.instance_arn is not None:
        if context_provider is None:
            raise AwsError("InvalidInput", NO_INSTANCE_WITHOUT_PROVIDER_MESSAGE)
        instance_arn = wanted.instance_arn
    return context_provider, instance_arn


def _checked(members: Mapping[str, Any] | None) -> ContextProvider | None:
    if members is None:
        return None
    provider = context_provider_of(members)
    problem = context_provider_problem(provider)
    if problem:
        raise AwsError("InvalidInput", f"Invalid ContextProvider: {problem}.")
    return provider


def _check_instance(instance_arn: str) -> None:
    problem = instance_problem(instance_arn)
    if problem:
        raise AwsError("InvalidInput", f"Invalid IdentityCenterInstanceArn: {problem}.")


def propagation_answer(call: Call, provider: Propagating) -> Answer:
    """The members that GetOpenIDConnectProvider and GetSAMLProvider share; each only if it is set.

    Models from before November 2026 lack them.
    """
    answer: Answer = {}
    if "ContextProvider" not in call.model.output_members:
        return answer
    if provider.context_provider is not None:
        answer["ContextProvider"] = provider.context_provider.as_members()
    if provider.identity_center_instance_arn is not None:
        answer["IdentityCenterInstanceArn"] = provider.identity_center_instance_arn
        answer["IdentityStoreArn"] = identity_store_arn(
            call.db, provider.account_id, provider.identity_center_instance_arn
        )
    return answer


def propagation_flag(call: Call, list_member: str, *, has_instance: bool) -> Answer:
    """The member of a list entry. It is about the instance, by the model's words for both lists."""
    name = "IsTrustedIdentityPropagationEnabled"
    return {name: has_instance} if (list_member, name) in call.model.output_paths else {}


# Condition keys.


def owned(call: Call, stored: Stored | None) -> Stored | None:
    """The provider if the caller's account has it. A policy must learn nothing about the provider of another one."""
    return stored if stored is not None and stored.account_id == call.account_id else None


def propagation_permissions(
    call: Call,
    parameters: Parameters,
    stored: Propagating | None,
    *,
    request_issuers: Sequence[str],
    resource_issuers: Sequence[str],
) -> Sequence[Permission]:
    """The permissions by the tables, with the keys about propagation for the operation's own action."""
    keys = _keys(parameters, stored)
    if request_issuers:
        keys["iam:requestidentityproviderissuers"] = tuple(request_issuers)
    if resource_issuers:
        keys["iam:resourceidentityproviderissuers"] = tuple(resource_issuers)
    own = action_of("iam", call.operation)
    return [
        replace(permission, context={**permission.context, **keys}) if permission.action == own else permission
        for permission in table_permissions(call, parameters)
    ]


def _keys(parameters: Parameters, stored: Propagating | None) -> dict[str, ContextValue]:
    """The keys about the request and about what is stored.

    The types of the keys are not documented. That the two Enable keys are in every request of these operations, as true
    or false, is assumed.
    """
    instance_arn = parameters.get("IdentityCenterInstanceArn")
    keys: dict[str, ContextValue] = {
        "iam:enableidentitypropagation": "true" if parameters.get("ContextProvider") is not None else "false",
        "iam:enableidentitycenterassociation": "true" if instance_arn is not None else "false",
    }
    if instance_arn is not None:
        keys["iam:requestidentitycenterinstancearn"] = instance_arn
    if stored is not None and stored.identity_center_instance_arn is not None:
        keys["iam:resourceidentitycenterinstancearn"] = stored.identity_center_instance_arn
    return keys

"""IAM's policy simulator, and the list of condition keys that policies use.

IAM API Reference, SimulateCustomPolicy and SimulatePrincipalPolicy. As on AWS, session policies, resource control
policies and the stored trust policies of roles are no part of a simulation. A request may pass a trust policy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rolecall.access.permission import ContextValue, Permission
from rolecall.errors import AwsError
from rolecall.policy import MalformedPolicy, Policy, PolicyKind, compile_policies, context_keys, parse_policy
from rolecall.principals import Principal
from rolecall.service_records import action_of
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, opened_marker, page_of
from rolecall.services.iam.simulation import inputs
from rolecall.services.iam.simulation.inputs import SimulatedEntity
from rolecall.services.iam.simulation.run import Simulation
from rolecall.services.iam.simulation.sources import (
    PolicyIdentifier,
    Source,
    attached_policies,
    exclusions_of,
    source_of,
)
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.groups import group_by_name
from rolecall.storage.roles import role_by_name
from rolecall.storage.users import user_by_name

# Recorded from AWS: aws:userid of a simulated call without a named caller.
NOBODYS_USER_ID = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"
# IAM may answer fewer results than requested. So a page of actions on thousands of resources stays quick.
MAXIMUM_DECISIONS_PER_PAGE = 20_000
# In steps of matching (simulation_work). A page takes half a second at most, a single action two seconds.
MAXIMUM_STEPS_PER_PAGE = 10_000_000
MAXIMUM_STEPS_PER_ACTION = 40_000_000
# The operation's own error for policies that cannot be evaluated. AWS does not document its wording.
TOO_MUCH_WORK = (
    "The policies have too many statements or patterns, or there are too many resources, to be simulated in one "
    "request."
)

_BY_NAME = {"user": user_by_name, "group": group_by_name, "role": role_by_name}


def _on_any_policy(call: Call, _parameters: Parameters) -> Sequence[Permission]:
    return [Permission(action_of("iam", call.operation), shown_as="*")]


def _check_source(call: Call, parameters: Parameters) -> None:
    """What AWS refuses for any caller: an ARN that names no entity, or an entity of another account."""
    inputs.policy_source(call.account_id, parameters["PolicySourceArn"])


@operation("iam", "SimulateCustomPolicy", permissions=_on_any_policy)
def simulate_custom_policy(
    call: Call,
    *,
    PolicyInputList: Sequence[str],
    ActionNames: Sequence[str],
    PermissionsBoundaryPolicyInputList: Sequence[str] | None = None,
    OrderedOrganizationPolicyInputList: Sequence[inputs.OrganizationPolicies] | None = None,
    ResourceArns: Sequence[str] | None = None,
    ResourcePolicy: str | None = None,
    ResourceOwner: str | None = None,
    CallerArn: str | None = None,
    ContextEntries: Sequence[inputs.ContextEntry] | None = None,
    ResourceHandlingOption: str | None = None,
    MaxItems: int = DEFAULT_PAGE_ITEMS,
    Marker: str | None = None,
) -> Answer:
    """What the policies in the request would decide. Raises AwsError: InvalidInput, ValidationError (marker)."""
    caller = inputs.simulated_caller(CallerArn)
    resources = _checked(ActionNames, ResourceArns, ResourceHandlingOption)
    given = inputs.context_of(ContextEntries)
    simulation = Simulation(
        identity=compile_policies(inputs.identity_inputs(PolicyInputList), PolicyKind.IDENTITY),
        boundary=inputs.boundary_input(PermissionsBoundaryPolicyInputList),
        resource=inputs.resource_policy(ResourcePolicy, caller, resources),
        scps=inputs.organization_levels(OrderedOrganizationPolicyInputList),
        principal=_principal(call, caller, ""),
        context={**_caller_keys(call, caller), **given},
        supplied=frozenset(given),
        owner_account_id=inputs.owner_account(ResourceOwner),
    )
    return _page(call, simulation, "", ActionNames, resources, Marker, MaxItems)


@operation("iam", "SimulatePrincipalPolicy", precheck=_check_source)
def simulate_principal_policy(
    call: Call,
    *,
    PolicySourceArn: str,
    ActionNames: Sequence[str],
    PolicyInputList: Sequence[str] | None = None,
    PermissionsBoundaryPolicyInputList: Sequence[str] | None = None,
    PolicyExclusionList: Sequence[PolicyIdentifier] | None = None,
    ResourceArns: Sequence[str] | None = None,
    ResourcePolicy: str | None = None,
    ResourceOwner: str | None = None,
    CallerArn: str | None = None,
    ContextEntries: Sequence[inputs.ContextEntry] | None = None,
    ResourceHandlingOption: str | None = None,
    MaxItems: int = DEFAULT_PAGE_ITEMS,
    Marker: str | None = None,
) -> Answer:
    """What the policies of a user, group or role would decide, with the policies of its groups and of the request.

    Raises AwsError: NoSuchEntity, InvalidInput, ValidationError (marker).
    """
    entity = inputs.policy_source(call.account_id, PolicySourceArn)
    source = source_of(call, entity, exclusions_of(PolicyExclusionList))
    caller = inputs.simulated_caller(source.arn if CallerArn is None else CallerArn)
    is_source = CallerArn is None or CallerArn == source.arn
    resources = _checked(ActionNames, ResourceArns, ResourceHandlingOption)
    given = inputs.context_of(ContextEntries)
    boundary = inputs.boundary_input(PermissionsBoundaryPolicyInputList)
    simulation = Simulation(
        identity=compile_policies([*source.policies, *inputs.identity_inputs(PolicyInputList)], PolicyKind.IDENTITY),
        boundary=source.boundary if boundary is None else boundary,
        resource=inputs.resource_policy(ResourcePolicy, caller, resources),
        scps=source.scps,
        principal=_principal(call, caller, source.entity_id if is_source else ""),
        context={**_principal_keys(call, source, caller, is_source), **given},
        supplied=frozenset(given),
        owner_account_id=inputs.owner_account(ResourceOwner),
    )
    return _page(call, simulation, source.arn, ActionNames, resources, Marker, MaxItems)


def _checked(actions: Sequence[str], arns: Sequence[str] | None, handling: str | None) -> Sequence[str]:
    """The simulated resources, after actions and resources are checked. Raises AwsError InvalidInput."""
    inputs.check_actions(actions)
    resources = inputs.simulated_resources(arns)
    inputs.check_handling(handling, actions, resources)
    return resources


def _principal(call: Call, caller: SimulatedEntity | None, entity_id: str) -> Principal:
    """The simulated caller as resource-based policies see it. A role acts through a session without a name yet."""
    if caller is None:
        return Principal("User", call.account_id, "", "", "", "", "")
    is_role = caller.kind == "role"
    return Principal(
        type="AssumedRole" if is_role else "User",
        account_id=caller.account_id,
        arn="" if is_role else caller.arn,
        principal_arn=caller.arn,
        user_id=entity_id,
        entity_id=entity_id,
        name=caller.name,
    )


def _caller_keys(call: Call, caller: SimulatedEntity | None) -> dict[str, ContextValue]:
    """The keys that AWS's simulator fills in about a caller; recorded from AWS, the ARN as user id included."""
    if caller is None:
        return {"aws:principalaccount": call.account_id, "aws:userid": NOBODYS_USER_ID}
    keys: dict[str, ContextValue] = {
        "aws:principalarn": caller.arn,
        "aws:principalaccount": caller.account_id,
        "aws:userid": caller.arn,
    }
    if caller.kind == "user":
        keys["aws:username"] = caller.name
    return keys


def _principal_keys(
    call: Call, source: Source, caller: SimulatedEntity | None, is_source: bool
) -> Mapping[str, ContextValue]:
    """The keys of an entity that calls as itself: the same as in its real calls, so that the results agree."""
    return source.context if is_source and source.context else _caller_keys(call, caller)


def _page(
    call: Call,
    simulation: Simulation,
    source_arn: str,
    actions: Sequence[str],
    resources: Sequence[str],
    marker: str | None,
    max_items: int,
) -> Answer:
    """One page of results, in the order of the request's actions.

    Raises AwsError: PolicyEvaluation, ValidationError (marker).
    """
    scope = (source_arn, json.dumps([list(actions), list(resources)]))
    after = opened_marker(call, scope, marker)
    first = int(after) if after else 0
    items = min(max_items, _actions_per_page(simulation, actions, resources))
    numbers, rest = page_of(call, scope, range(first, len(actions)), lambda number: str(number + 1), items)
    return {"EvaluationResults": [simulation.evaluate(actions[number], resources) for number in numbers], **rest}


def _actions_per_page(simulation: Simulation, actions: Sequence[str], resources: Sequence[str]) -> int:
    """The number of actions in one answer. Raises AwsError PolicyEvaluation when a single action takes too long."""
    steps = simulation.steps(max(actions, key=len, default=""), resources)
    if steps > MAXIMUM_STEPS_PER_ACTION:
        raise AwsError("PolicyEvaluation", TOO_MUCH_WORK)
    return max(1, min(MAXIMUM_DECISIONS_PER_PAGE // len(resources), MAXIMUM_STEPS_PER_PAGE // max(1, steps)))


@operation("iam", "GetContextKeysForCustomPolicy", permissions=_on_any_policy)
def get_context_keys_for_custom_policy(_call: Call, *, PolicyInputList: Sequence[str]) -> Answer:
    """The condition keys that the policies in the request use. Raises AwsError InvalidInput."""
    return {"ContextKeyNames": context_keys(_any_policies(PolicyInputList))}


@operation("iam", "GetContextKeysForPrincipalPolicy", precheck=_check_source)
def get_context_keys_for_principal_policy(
    call: Call, *, PolicySourceArn: str, PolicyInputList: Sequence[str] | None = None
) -> Answer:
    """The condition keys in the policies of a user, group or role, and in the policies of the request.

    Raises AwsError: NoSuchEntity, InvalidInput.
    """
    attached = attached_policies(call, inputs.policy_source(call.account_id, PolicySourceArn))
    given = _any_policies(PolicyInputList or ())
    return {"ContextKeyNames": context_keys([*(named.policy for named in attached), *given])}


def _any_policies(texts: Sequence[str]) -> list[Policy]:
    """Policies that are only read for their keys, so a principal is allowed but not needed."""
    return [_any_policy(text, position) for position, text in enumerate(texts, 1)]


def _any_policy(text: str, position: int) -> Policy:
    try:
        return parse_policy(text, PolicyKind.SESSION)
    except MalformedPolicy as error:
        try:
            return parse_policy(text, PolicyKind.RESOURCE)
        except MalformedPolicy:
            message = inputs.DOCUMENT_MESSAGE.format(what="Policy input list", position=position)
            raise inputs.invalid(message, str(error)) from error

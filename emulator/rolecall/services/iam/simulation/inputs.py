"""The inputs of a simulation: the ARNs, context entries and policy documents of a request, with AWS's checks.

IAM's API reference has no words for some refusals. Those are as users have reported them, one constant each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from msgspec import Struct

from rolecall.access.permission import ContextValue
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.policy import (
    CompiledPolicies,
    MalformedPolicy,
    NamedPolicy,
    Policy,
    PolicyKind,
    compile_policies,
    parse_policy,
)
from rolecall.policy.values import address, binary, boolean, date_seconds, number
from rolecall.storage.entity_policies import EntityKind

ENTITY_MESSAGE = "Invalid Entity Arn: {arn} does not clearly define entity type and name."
OTHER_ACCOUNT_MESSAGE = (
    "Invalid Policy Source Arn: caller's account {caller} does not have access to policies in account {owner}"
)
CALLER_MESSAGE = "Invalid caller - Caller must be an IAM user, role or group in this context."
NO_CALLER_MESSAGE = "Invalid caller - Caller cannot be null or empty."
RESOURCE_MESSAGE = "ResourceNames are not in a valid ARN format: {arn}."
OWNER_MESSAGE = "'{owner}' is not a valid as a Resource Owner."
ACTION_MESSAGE = "The action is invalid since it is missing names"
DOCUMENT_MESSAGE = "{what} item {position} has invalid content"
RESOURCE_POLICY_MESSAGE = "Resource policy has invalid content"
BOUNDARY_COUNT_MESSAGE = "The list of Permissions Boundary policies cannot exceed 1 items."
EMPTY_LEVEL_MESSAGE = "Organization policy at index {position} must contain at least one service control policy"
KEY_NAME_MESSAGE = "ContextKeyName cannot be null or empty."
KEY_TYPE_MESSAGE = "Context key {name} has invalid type null."
KEY_TWICE_MESSAGE = "Duplicate context key: {name}."
NO_VALUES_MESSAGE = "Context values for context key {name} cannot be null or empty."
SEVERAL_VALUES_MESSAGE = "Context key {name} expected a single value, but received {count}."
VALUE_MESSAGE = "Invalid context value for key {name}: expected {wanted}."
HANDLING_MESSAGE = "Invalid input resource handling options: {option}."
HANDLED_ACTION_MESSAGE = (
    "Invalid input resource handling options. Action does not support resource handling options: {action}."
)
HANDLED_RESOURCES_MESSAGE = "Resource handling option {option} requires resources of these types: {missing}."

ANY_RESOURCE = "*"
_ENTITY_KINDS: tuple[EntityKind, ...] = ("user", "group", "role")
_LIST_SUFFIX = "List"
_VALUE_TESTS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "numeric": (number, "numeric format"),
    "date": (date_seconds, "DateTime format"),
    "ip": (address, "IP address"),
    "binary": (binary, "base-64 encoded binary format"),
}
# IAM API Reference, SimulateCustomPolicy, ResourceHandlingOption.
_INSTANCE = ("instance", "image", "security-group", "network-interface")
_HANDLING = {
    "EC2-VPC-InstanceStore": _INSTANCE,
    "EC2-VPC-InstanceStore-Subnet": (*_INSTANCE, "subnet"),
    "EC2-VPC-EBS": (*_INSTANCE, "volume"),
    "EC2-VPC-EBS-Subnet": (*_INSTANCE, "subnet", "volume"),
}
_HANDLED_ACTION = "ec2:runinstances"


class SimulatedEntity(Struct, frozen=True):
    """A user, group or role that an ARN names."""

    kind: EntityKind
    account_id: str
    name: str
    arn: str


def invalid(message: str, reason: str = "") -> AwsError:
    return AwsError("InvalidInput", message, reason=reason)


def policy_source(call_account_id: str, arn: str) -> SimulatedEntity:
    """The entity whose policies are simulated. Raises AwsError InvalidInput, also for an entity of another account."""
    entity = _entity(arn)
    if entity is None:
        raise invalid(ENTITY_MESSAGE.format(arn=arn))
    if entity.account_id != call_account_id:
        raise invalid(OTHER_ACCOUNT_MESSAGE.format(caller=call_account_id, owner=entity.account_id))
    return entity


def simulated_caller(arn: str | None) -> SimulatedEntity | None:
    """The caller of the simulated call; it need not exist. Raises AwsError InvalidInput."""
    if arn is None:
        return None
    entity = _entity(arn)
    if entity is None:
        raise invalid(CALLER_MESSAGE)
    return entity


def _entity(arn: str) -> SimulatedEntity | None:
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.region or not _is_account_id(parsed.account_id):
        return None
    for kind in _ENTITY_KINDS:
        if parsed.resource_type == kind and parsed.resource_name:
            return SimulatedEntity(kind, parsed.account_id, parsed.resource_name, arn)
    return None


def _is_account_id(text: str) -> bool:
    return len(text) == 12 and text.isascii() and text.isdigit()


def check_actions(names: Sequence[str]) -> None:
    """Raises AwsError InvalidInput for a name without a service, or with nothing after the service."""
    for name in names:
        prefix, _, action = name.partition(":")
        if not prefix or not action:
            raise invalid(ACTION_MESSAGE)


def simulated_resources(arns: Sequence[str] | None) -> Sequence[str]:
    """The resources of a simulation; ``*`` when none are listed. Raises AwsError InvalidInput."""
    if not arns or list(arns) == [ANY_RESOURCE]:
        return (ANY_RESOURCE,)
    for arn in arns:
        if parse_arn(arn) is None:
            raise invalid(RESOURCE_MESSAGE.format(arn=arn))
    return arns


def owner_account(owner: str | None) -> str:
    """The account in ResourceOwner's ARN; empty without one. Raises AwsError InvalidInput."""
    if owner is None:
        return ""
    parsed = parse_arn(owner)
    if parsed is None or parsed.service != "iam" or parsed.region or not _is_account_id(parsed.account_id):
        raise invalid(OWNER_MESSAGE.format(owner=owner))
    return parsed.account_id


def check_handling(option: str | None, actions: Sequence[str], resources: Sequence[str]) -> None:
    """Check that the resources for a scenario of EC2 are present. Raises AwsError InvalidInput."""
    if option is None:
        return
    wanted = _HANDLING.get(option)
    if wanted is None:
        raise invalid(HANDLING_MESSAGE.format(option=option))
    for action in actions:
        if action.lower() != _HANDLED_ACTION:
            raise invalid(HANDLED_ACTION_MESSAGE.format(action=action))
    parsed = (parse_arn(resource) for resource in resources)
    found = {arn.resource_type for arn in parsed if arn is not None and arn.service == "ec2"}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise invalid(HANDLED_RESOURCES_MESSAGE.format(option=option, missing=", ".join(missing)))


class ContextEntry(TypedDict, total=False):
    """A condition key of the simulated request."""

    ContextKeyName: str
    ContextKeyValues: Sequence[str]
    ContextKeyType: str


class OrganizationPolicies(TypedDict, total=False):
    """The service control policies of one level of an organization."""

    ServiceControlPolicyInputList: Sequence[str]


def context_of(entries: Sequence[ContextEntry] | None) -> dict[str, ContextValue]:
    """The request context from ContextEntries; keys in lower case. Raises AwsError InvalidInput."""
    context: dict[str, ContextValue] = {}
    for entry in entries or ():
        name = entry.get("ContextKeyName")
        if not name:
            raise invalid(KEY_NAME_MESSAGE)
        if name.lower() in context:
            raise invalid(KEY_TWICE_MESSAGE.format(name=name))
        context[name.lower()] = _context_value(name, entry.get("ContextKeyType"), entry.get("ContextKeyValues"))
    return context


def _context_value(name: str, key_type: str | None, values: Sequence[str] | None) -> ContextValue:
    if key_type is None:
        raise invalid(KEY_TYPE_MESSAGE.format(name=name))
    if not values:
        raise invalid(NO_VALUES_MESSAGE.format(name=name))
    single = not key_type.endswith(_LIST_SUFFIX)
    if single and len(values) != 1:
        raise invalid(SEVERAL_VALUES_MESSAGE.format(name=name, count=len(values)))
    base = key_type.removesuffix(_LIST_SUFFIX)
    if base == "boolean":
        # Every value but true is false: recorded from AWS.
        values = ["true" if boolean(value) else "false" for value in values]
    elif base in _VALUE_TESTS:
        test, wanted = _VALUE_TESTS[base]
        if any(test(value) is None for value in values):
            raise invalid(VALUE_MESSAGE.format(name=name, wanted=wanted))
    return values[0] if single else tuple(values)


def input_policies(texts: Sequence[str], parameter: str, what: str, kind: PolicyKind) -> list[NamedPolicy]:
    """Documents of a request, named as in the answer. Raises AwsError InvalidInput."""
    return [
        NamedPolicy(_parsed(text, kind, what, position), f"{parameter}.{position}")
        for position, text in enumerate(texts, 1)
    ]


def _parsed(text: str, kind: PolicyKind, what: str, position: int) -> Policy:
    try:
        # Here, as in session policies, a document need not have the version that IAM requires for storing it.
        return parse_policy(text, PolicyKind.SESSION if kind is PolicyKind.IDENTITY else kind)
    except MalformedPolicy as error:
        raise invalid(DOCUMENT_MESSAGE.format(what=what, position=position), str(error)) from error


def identity_inputs(texts: Sequence[str] | None) -> list[NamedPolicy]:
    return input_policies(texts or (), "PolicyInputList", "Policy input list", PolicyKind.IDENTITY)


def boundary_input(texts: Sequence[str] | None) -> CompiledPolicies | None:
    """The permissions boundary of a request; None without one. Raises AwsError InvalidInput for several."""
    if not texts:
        return None
    if len(texts) > 1:
        raise invalid(BOUNDARY_COUNT_MESSAGE)
    what = "Permissions boundary policy input list"
    named = input_policies(texts, "PermissionsBoundaryPolicyInputList", what, PolicyKind.IDENTITY)
    return compile_policies(named, PolicyKind.BOUNDARY)


def organization_levels(levels: Sequence[OrganizationPolicies] | None) -> tuple[CompiledPolicies, ...]:
    """The service control policies of a request, level by level from the root. Raises AwsError InvalidInput."""
    compiled = []
    for position, level in enumerate(levels or (), 1):
        texts = level.get("ServiceControlPolicyInputList")
        if not texts:
            raise invalid(EMPTY_LEVEL_MESSAGE.format(position=position))
        what = f"Organization policy at index {position}: service control policy input list"
        named = input_policies(texts, "ServiceControlPolicyInputList", what, PolicyKind.SCP)
        compiled.append(compile_policies(named, PolicyKind.SCP))
    return tuple(compiled)


def resource_policy(
    text: str | None, caller: SimulatedEntity | None, resources: Sequence[str]
) -> CompiledPolicies | None:
    """The resource-based policy of a request. Raises AwsError InvalidInput, also without a caller or a resource."""
    if text is None:
        return None
    if caller is None:
        raise invalid(NO_CALLER_MESSAGE)
    if ANY_RESOURCE in resources:
        raise invalid(ENTITY_MESSAGE.format(arn=ANY_RESOURCE))
    # A role's resource-based policy is its trust policy, which must allow even within one account.
    kind = PolicyKind.TRUST if all(map(_is_role, resources)) else PolicyKind.RESOURCE
    try:
        policy = parse_policy(text, kind)
    except MalformedPolicy as error:
        raise invalid(RESOURCE_POLICY_MESSAGE, str(error)) from error
    return compile_policies([NamedPolicy(policy, "ResourcePolicy")], kind)


def _is_role(arn: str) -> bool:
    entity = _entity(arn)
    return entity is not None and entity.kind == "role"

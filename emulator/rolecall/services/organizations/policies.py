"""Policies of an organization: create, show, change, delete, attach, detach.

API reference: the operations of those names, ListPolicies, ListPoliciesForTarget and ListTargetsForPolicy. A change of
a control policy holds with the next call.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from rolecall.arns import FULL_ACCESS, organization_policy_arn
from rolecall.errors import AwsError
from rolecall.services.members import Tag
from rolecall.services.organizations.common import (
    Level,
    Organization,
    checked_tags,
    invalid_input,
    operation,
    page,
    violates,
)
from rolecall.services.organizations.policy_content import check_content
from rolecall.services.organizations.targets import shown_target, target_of
from rolecall.services.registry import Answer, Call
from rolecall.storage.gather import (
    CONTROL_POLICY_TYPES,
    RESOURCE_CONTROL_POLICY,
    SERVICE_CONTROL_POLICY,
    policy_type_enabled,
)
from rolecall.storage.organization_access import put_tags
from rolecall.storage.organization_policies import (
    PolicyRecord,
    add_policy,
    attach,
    change_policy,
    detach,
    policies_at,
    policies_of_type,
    policy,
    policy_count,
    remove_policy,
    targets_of,
)
from rolecall.storage.problems import AlreadyThere

POLICY_ID_CHARACTERS = 10
# Recorded from AWS: terraform-provider-aws, issue 26797.
LAST_POLICY_MESSAGE = (
    "You cannot remove the last policy attached to the specified target. You must have at least one attached at all "
    "times."
)
# Not recorded from AWS: worded after what public issues quote.
NO_POLICY_MESSAGE = "You specified a policy that doesn't exist."
# The API reference's sentences; AWS's own words were not recorded.
DUPLICATE_MESSAGE = "A policy with the same name already exists."
IN_USE_MESSAGE = (
    "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before "
    "performing this operation."
)
IMMUTABLE_MESSAGE = "You specified a policy that is managed by Amazon Web Services and can't be modified."
NOT_DETACHABLE_MESSAGE = "You can't detach this Amazon Web Services Managed Policy."
ALREADY_ATTACHED_MESSAGE = "The selected policy is already attached to the specified target."
NOT_ATTACHED_MESSAGE = "The policy isn't attached to the specified target in the specified root."
NOT_ENABLED_MESSAGE = (
    "The specified policy type isn't currently enabled in this root. You can't attach policies of the specified type "
    "to entities in a root until you enable that type in the root."
)
TOO_MANY_MESSAGE = "You attempted to exceed the number of policies that you can have in an organization."
TOO_MANY_ATTACHED_MESSAGE = (
    "You attempted to exceed the number of policies of a certain type that can be attached to an entity at one time."
)


def existing_policy(call: Call, organization: Organization, policy_id: str) -> PolicyRecord:
    """Raises AwsError PolicyNotFoundException."""
    found = policy(call.db, organization.organization_id, policy_id)
    if found is None:
        raise AwsError("PolicyNotFoundException", NO_POLICY_MESSAGE)
    return found


def _modifiable(call: Call, organization: Organization, policy_id: str) -> PolicyRecord:
    """Raises AwsError: PolicyNotFoundException, InvalidInputException for AWS's own policy."""
    found = existing_policy(call, organization, policy_id)
    if found.aws_managed:
        raise invalid_input("IMMUTABLE_POLICY", IMMUTABLE_MESSAGE)
    return found


def shown_summary(organization: Organization, found: PolicyRecord) -> Answer:
    owner, organization_id = organization.management_account_id, organization.organization_id
    return {
        "Id": found.policy_id,
        "Arn": organization_policy_arn(owner, organization_id, found.policy_type, found.policy_id),
        "Name": found.name,
        "Description": found.description,
        "Type": found.policy_type,
        "AwsManaged": found.aws_managed,
    }


def _shown_policy(organization: Organization, found: PolicyRecord) -> Answer:
    return {"Policy": {"PolicySummary": shown_summary(organization, found), "Content": found.document}}


def _by_id(found: PolicyRecord) -> str:
    return found.policy_id


@operation("ListPolicies", Level.DELEGATED)
def list_policies(
    call: Call,
    organization: Organization,
    *,
    Filter: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """The policies of one type, AWS's own among them."""
    return page(
        call,
        "Policies",
        sorted(policies_of_type(call.db, organization.organization_id, Filter), key=_by_id),
        lambda each: shown_summary(organization, each),
        _by_id,
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[Filter],
    )


@operation("DescribePolicy", Level.DELEGATED)
def describe_policy(call: Call, organization: Organization, *, PolicyId: str) -> Answer:
    """Raises AwsError PolicyNotFoundException."""
    return _shown_policy(organization, existing_policy(call, organization, PolicyId))


@operation("ListPoliciesForTarget", Level.DELEGATED)
def list_policies_for_target(
    call: Call,
    organization: Organization,
    *,
    TargetId: str,
    Filter: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """The policies of one type that are attached to the target itself. Raises AwsError TargetNotFoundException."""
    target = target_of(call, organization, TargetId)
    return page(
        call,
        "Policies",
        sorted(policies_at(call.db, organization.organization_id, Filter, target), key=_by_id),
        lambda each: shown_summary(organization, each),
        _by_id,
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[TargetId, Filter],
    )


@operation("ListTargetsForPolicy", Level.DELEGATED)
def list_targets_for_policy(
    call: Call,
    organization: Organization,
    *,
    PolicyId: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """Raises AwsError PolicyNotFoundException."""
    found = existing_policy(call, organization, PolicyId)
    return page(
        call,
        "Targets",
        targets_of(call.db, organization.organization_id, found),
        lambda each: shown_target(call, organization, each),
        str,
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[PolicyId],
    )


@operation("CreatePolicy", Level.DELEGATED)
def create_policy(
    call: Call,
    organization: Organization,
    *,
    Content: str,
    Description: str,
    Name: str,
    Type: str,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A policy that is attached to nothing yet.

    Raises AwsError: MalformedPolicyDocumentException, ConstraintViolationException (size, number),
    DuplicatePolicyException, InvalidInputException (tags).
    """
    given = checked_tags(Tags)
    check_content(call, Type, Content)
    organization_id = organization.organization_id
    if policy_count(call.db, organization_id, Type) >= _most_policies(call, Type):
        raise violates("POLICY_NUMBER_LIMIT_EXCEEDED", TOO_MANY_MESSAGE)
    if Name == FULL_ACCESS.get(Type):
        raise AwsError("DuplicatePolicyException", DUPLICATE_MESSAGE)
    new = PolicyRecord(f"p-{call.ids.lower_id(POLICY_ID_CHARACTERS)}", Type, Name, Description, Content)
    try:
        add_policy(call.db, organization_id, new)
    except AlreadyThere as error:
        raise AwsError("DuplicatePolicyException", DUPLICATE_MESSAGE) from error
    put_tags(call.db, organization_id, new.policy_id, given)
    return _shown_policy(organization, new)


@operation("UpdatePolicy", Level.DELEGATED)
def update_policy(
    call: Call,
    organization: Organization,
    *,
    PolicyId: str,
    Name: str | None = None,
    Description: str | None = None,
    Content: str | None = None,
) -> Answer:
    """Raises AwsError: as CreatePolicy, PolicyNotFoundException, InvalidInputException for AWS's own policy."""
    found = _modifiable(call, organization, PolicyId)
    if Content is not None:
        check_content(call, found.policy_type, Content)
    if Name is not None and Name == FULL_ACCESS.get(found.policy_type):
        raise AwsError("DuplicatePolicyException", DUPLICATE_MESSAGE)
    changed = replace(
        found,
        name=found.name if Name is None else Name,
        description=found.description if Description is None else Description,
        document=found.document if Content is None else Content,
    )
    try:
        change_policy(call.db, organization.organization_id, changed)
    except AlreadyThere as error:
        raise AwsError("DuplicatePolicyException", DUPLICATE_MESSAGE) from error
    return _shown_policy(organization, changed)


@operation("DeletePolicy", Level.DELEGATED)
def delete_policy(call: Call, organization: Organization, *, PolicyId: str) -> None:
    """Raises AwsError: PolicyNotFoundException, PolicyInUseException, InvalidInputException for AWS's own policy."""
    found = _modifiable(call, organization, PolicyId)
    if targets_of(call.db, organization.organization_id, found):
        raise AwsError("PolicyInUseException", IN_USE_MESSAGE)
    remove_policy(call.db, organization.organization_id, found.policy_id)


@operation("AttachPolicy", Level.DELEGATED)
def attach_policy(call: Call, organization: Organization, *, PolicyId: str, TargetId: str) -> None:
    """Raises AwsError: PolicyNotFoundException, TargetNotFoundException, PolicyTypeNotEnabledException,
    DuplicatePolicyAttachmentException, ConstraintViolationException.
    """
    found = existing_policy(call, organization, PolicyId)
    target = target_of(call, organization, TargetId)
    organization_id = organization.organization_id
    if not policy_type_enabled(call.db, organization_id, found.policy_type):
        raise AwsError("PolicyTypeNotEnabledException", NOT_ENABLED_MESSAGE)
    present = policies_at(call.db, organization_id, found.policy_type, target)
    if any(each.policy_id == found.policy_id for each in present):
        raise AwsError("DuplicatePolicyAttachmentException", ALREADY_ATTACHED_MESSAGE)
    if len(present) >= _most_attached(call, found.policy_type):
        raise violates("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", TOO_MANY_ATTACHED_MESSAGE)
    attach(call.db, organization_id, found.policy_id, [target])


def _most_policies(call: Call, policy_type: str) -> int:
    quotas = call.settings.quotas
    if policy_type == SERVICE_CONTROL_POLICY:
        return quotas.service_control_policies_count
    return quotas.organization_policies_per_type_count


def _most_attached(call: Call, policy_type: str) -> int:
    quotas = call.settings.quotas
    if policy_type == RESOURCE_CONTROL_POLICY:
        return quotas.resource_control_policies_per_target_count
    return quotas.organization_policies_per_target_count


@operation("DetachPolicy", Level.DELEGATED)
def detach_policy(call: Call, organization: Organization, *, PolicyId: str, TargetId: str) -> None:
    """A target keeps one control policy of each type at least, and always RCPFullAWSAccess.

    Raises AwsError: PolicyNotFoundException, TargetNotFoundException, PolicyNotAttachedException,
    InvalidInputException, ConstraintViolationException.
    """
    found = existing_policy(call, organization, PolicyId)
    target = target_of(call, organization, TargetId)
    if found.policy_type == RESOURCE_CONTROL_POLICY and found.aws_managed:
        raise invalid_input("NON_DETACHABLE_POLICY", NOT_DETACHABLE_MESSAGE)
    present = policies_at(call.db, organization.organization_id, found.policy_type, target)
    if all(each.policy_id != found.policy_id for each in present):
        raise AwsError("PolicyNotAttachedException", NOT_ATTACHED_MESSAGE)
    if found.policy_type in CONTROL_POLICY_TYPES and len(present) == 1:
        raise violates("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", LAST_POLICY_MESSAGE)
    detach(call.db, organization.organization_id, found, target)

"""Policies of groups: attached managed policies and inline policies."""

from __future__ import annotations

from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS
from rolecall.services.iam.groups.groups import existing_group
from rolecall.services.iam.policies import entity_policies
from rolecall.services.iam.policies.entity_policies import Owner, check_attached_arn
from rolecall.services.registry import Answer, Call, operation


def _owner(call: Call, name: str) -> Owner:
    group = existing_group(call, name)
    return Owner("group", group.group_id, group.name)


@operation("iam", "AttachGroupPolicy", precheck=check_attached_arn)
def attach_group_policy(call: Call, *, GroupName: str, PolicyArn: str) -> None:
    """Attach a managed policy.

    Raises AwsError: ValidationError (ARN), NoSuchEntity, PolicyNotAttachable, LimitExceeded.
    """
    entity_policies.attach(call, _owner(call, GroupName), PolicyArn)


@operation("iam", "DetachGroupPolicy", precheck=check_attached_arn)
def detach_group_policy(call: Call, *, GroupName: str, PolicyArn: str) -> None:
    """Detach a managed policy. Raises AwsError: ValidationError (ARN), NoSuchEntity."""
    entity_policies.detach(call, _owner(call, GroupName), PolicyArn)


@operation("iam", "ListAttachedGroupPolicies")
def list_attached_group_policies(
    call: Call, *, GroupName: str, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Managed policies attached to a group, by name. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    return entity_policies.list_attached(call, _owner(call, GroupName), PathPrefix, Marker, MaxItems)


@operation("iam", "PutGroupPolicy")
def put_group_policy(call: Call, *, GroupName: str, PolicyName: str, PolicyDocument: str) -> None:
    """Add an inline policy, or replace the one with that name.

    Raises AwsError: NoSuchEntity, MalformedPolicyDocument, LimitExceeded.
    """
    entity_policies.put(call, _owner(call, GroupName), PolicyName, PolicyDocument)


@operation("iam", "GetGroupPolicy")
def get_group_policy(call: Call, *, GroupName: str, PolicyName: str) -> Answer:
    """One inline policy. Raises AwsError NoSuchEntity."""
    owner = _owner(call, GroupName)
    return {"GroupName": owner.name, **entity_policies.get(call, owner, PolicyName)}


@operation("iam", "DeleteGroupPolicy")
def delete_group_policy(call: Call, *, GroupName: str, PolicyName: str) -> None:
    """Delete an inline policy. Raises AwsError NoSuchEntity."""
    entity_policies.delete(call, _owner(call, GroupName), PolicyName)


@operation("iam", "ListGroupPolicies")
def list_group_policies(
    call: Call, *, GroupName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Names of inline policies. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    return entity_policies.list_inline(call, _owner(call, GroupName), Marker, MaxItems)

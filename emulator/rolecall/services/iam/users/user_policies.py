"""Policies of users: attached managed policies and inline policies."""

from __future__ import annotations

from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS
from rolecall.services.iam.policies import entity_policies
from rolecall.services.iam.policies.entity_policies import Owner, check_attached_arn
from rolecall.services.iam.users.users import existing_user
from rolecall.services.registry import Answer, Call, operation


def _owner(call: Call, name: str) -> Owner:
    user = existing_user(call, name)
    return Owner("user", user.user_id, user.name)


@operation("iam", "AttachUserPolicy", precheck=check_attached_arn)
def attach_user_policy(call: Call, *, UserName: str, PolicyArn: str) -> None:
    """Attach a managed policy.

    Raises AwsError: ValidationError (ARN), NoSuchEntity, PolicyNotAttachable, LimitExceeded.
    """
    entity_policies.attach(call, _owner(call, UserName), PolicyArn)


@operation("iam", "DetachUserPolicy", precheck=check_attached_arn)
def detach_user_policy(call: Call, *, UserName: str, PolicyArn: str) -> None:
    """Detach a managed policy. Raises AwsError: ValidationError (ARN), NoSuchEntity."""
    entity_policies.detach(call, _owner(call, UserName), PolicyArn)


@operation("iam", "ListAttachedUserPolicies")
def list_attached_user_policies(
    call: Call, *, UserName: str, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Managed policies attached to a user directly, without its groups' policies, by name.

    Raises AwsError: NoSuchEntity, ValidationError (marker).
    """
    return entity_policies.list_attached(call, _owner(call, UserName), PathPrefix, Marker, MaxItems)


@operation("iam", "PutUserPolicy")
def put_user_policy(call: Call, *, UserName: str, PolicyName: str, PolicyDocument: str) -> None:
    """Add an inline policy, or replace the one with that name.

    Raises AwsError: NoSuchEntity, MalformedPolicyDocument, LimitExceeded.
    """
    entity_policies.put(call, _owner(call, UserName), PolicyName, PolicyDocument)


@operation("iam", "GetUserPolicy")
def get_user_policy(call: Call, *, UserName: str, PolicyName: str) -> Answer:
    """One inline policy. Raises AwsError NoSuchEntity."""
    owner = _owner(call, UserName)
    return {"UserName": owner.name, **entity_policies.get(call, owner, PolicyName)}


@operation("iam", "DeleteUserPolicy")
def delete_user_policy(call: Call, *, UserName: str, PolicyName: str) -> None:
    """Delete an inline policy. Raises AwsError NoSuchEntity."""
    entity_policies.delete(call, _owner(call, UserName), PolicyName)


@operation("iam", "ListUserPolicies")
def list_user_policies(
    call: Call, *, UserName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Names of inline policies. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    return entity_policies.list_inline(call, _owner(call, UserName), Marker, MaxItems)

"""Policies of roles: attached managed policies and inline policies."""

from __future__ import annotations

from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS
from rolecall.services.iam.policies import entity_policies
from rolecall.services.iam.policies.entity_policies import Owner, check_attached_arn
from rolecall.services.iam.roles.roles import existing_role, modifiable_role
from rolecall.services.registry import Answer, Call, operation


def _owner(call: Call, name: str) -> Owner:
    role = existing_role(call, name)
    return Owner("role", role.role_id, role.name)


def _modifiable_owner(call: Call, name: str) -> Owner:
    """The role, unless it belongs to a service."""
    role = modifiable_role(call, name)
    return Owner("role", role.role_id, role.name)


@operation("iam", "AttachRolePolicy", precheck=check_attached_arn)
def attach_role_policy(call: Call, *, RoleName: str, PolicyArn: str) -> None:
    """Attach a managed policy.

    Raises AwsError: ValidationError (ARN), NoSuchEntity, UnmodifiableEntity, PolicyNotAttachable, LimitExceeded.
    """
    entity_policies.attach(call, _modifiable_owner(call, RoleName), PolicyArn)


@operation("iam", "DetachRolePolicy", precheck=check_attached_arn)
def detach_role_policy(call: Call, *, RoleName: str, PolicyArn: str) -> None:
    """Detach a managed policy. Raises AwsError: ValidationError (ARN), NoSuchEntity, UnmodifiableEntity."""
    entity_policies.detach(call, _modifiable_owner(call, RoleName), PolicyArn)


@operation("iam", "ListAttachedRolePolicies")
def list_attached_role_policies(
    call: Call, *, RoleName: str, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Managed policies attached to a role, by name. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    return entity_policies.list_attached(call, _owner(call, RoleName), PathPrefix, Marker, MaxItems)


@operation("iam", "PutRolePolicy")
def put_role_policy(call: Call, *, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:
    """Add an inline policy, or replace the one with that name.

    Raises AwsError: NoSuchEntity, UnmodifiableEntity, MalformedPolicyDocument, LimitExceeded.
    """
    entity_policies.put(call, _modifiable_owner(call, RoleName), PolicyName, PolicyDocument)


@operation("iam", "GetRolePolicy")
def get_role_policy(call: Call, *, RoleName: str, PolicyName: str) -> Answer:
    """One inline policy. Raises AwsError NoSuchEntity."""
    owner = _owner(call, RoleName)
    return {"RoleName": owner.name, **entity_policies.get(call, owner, PolicyName)}


@operation("iam", "DeleteRolePolicy")
def delete_role_policy(call: Call, *, RoleName: str, PolicyName: str) -> None:
    """Delete an inline policy. Raises AwsError: NoSuchEntity, UnmodifiableEntity."""
    entity_policies.delete(call, _modifiable_owner(call, RoleName), PolicyName)


@operation("iam", "ListRolePolicies")
def list_role_policies(
    call: Call, *, RoleName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Names of inline policies. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    return entity_policies.list_inline(call, _owner(call, RoleName), Marker, MaxItems)

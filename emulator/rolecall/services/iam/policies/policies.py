"""Managed policies: create, show, list, delete, tag. Versions have a module of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rolecall.access.permission import Permission
from rolecall.data import ManagedPolicy, managed_policies
from rolecall.errors import AwsError
from rolecall.ids import POLICY_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, page, tag_answer, tag_pairs
from rolecall.services.iam.policies.managed_policies import (
    check_document,
    check_policy_arn,
    existing_policy,
    own_policy,
    shown_policy,
    usage_of,
)
from rolecall.services.iam.tagging import taggable
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.policies import (
    PolicyRecord,
    add_policy,
    attachment_counts,
    boundary_counts,
    count_policies,
    list_policies,
    policy_versions,
    remove_policy,
)
from rolecall.storage.problems import AlreadyThere, StillReferenced

ALREADY_EXISTS_MESSAGE = "A policy called {name} already exists. Duplicate names are not allowed."
COUNT_MESSAGE = "Cannot exceed quota for PoliciesPerAccount: {limit}"
# Recorded for new versions. What AWS says about tags of its own policies was not recorded.
TAG_OUTSIDE_MESSAGE = "Cannot update policies outside your own account."
DELETE_OUTSIDE_MESSAGE = "Cannot delete policies outside your own account."
DELETE_ATTACHED_MESSAGE = "Cannot delete a policy attached to entities."
DELETE_VERSIONS_MESSAGE = (
    "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
    "The default version is deleted with the policy."
)


def _existing_id(call: Call, arn: str) -> str:
    return existing_policy(call, arn).policy_id


def _own_id(call: Call, arn: str) -> str:
    return own_policy(call, arn, TAG_OUTSIDE_MESSAGE).policy_id


taggable("policy", "Policy", "PolicyArn", _existing_id, changeable=_own_id, precheck=check_policy_arn)


@operation("iam", "CreatePolicy")
def create_policy(
    call: Call,
    *,
    PolicyName: str,
    PolicyDocument: str,
    Path: str = "/",
    Description: str = "",
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A new customer managed policy with version v1. API reference: CreatePolicy.

    Raises AwsError: MalformedPolicyDocument, LimitExceeded, InvalidInput (tags), EntityAlreadyExists.
    """
    tags = tag_pairs(Tags, case_sensitive=True)
    check_document(call, PolicyDocument, PolicyName)
    limit = call.settings.quotas.customer_managed_policies_per_account_count
    if count_policies(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    try:
        policy = add_policy(
            call.db,
            policy_id=call.ids.unique_id(POLICY_PREFIX),
            account_id=call.account_id,
            name=PolicyName,
            path=Path,
            description=Description,
            document=PolicyDocument,
            now_seconds=int(call.now_seconds),
        )
    except AlreadyThere as error:
        raise AwsError("EntityAlreadyExists", ALREADY_EXISTS_MESSAGE.format(name=PolicyName)) from error
    shown = shown_policy(policy, 0, 0)
    if tags:
        add_tags(call, "policy", policy.policy_id, tags)
        shown["Tags"] = tag_answer(tags)
    return {"Policy": shown}


@operation("iam", "GetPolicy", precheck=check_policy_arn)
def get_policy(call: Call, *, PolicyArn: str) -> Answer:
    """One managed policy, the customer's or AWS's. Raises AwsError: ValidationError, NoSuchEntity."""
    policy = existing_policy(call, PolicyArn)
    shown = shown_policy(policy, *usage_of(call, PolicyArn))
    if policy.description:
        shown["Description"] = policy.description
    shown["Tags"] = []
    if isinstance(policy, PolicyRecord):
        shown["Tags"] = tag_answer(tags_of(call.db, "policy", policy.policy_id))
    return {"Policy": shown}


def _on_all_policies(_call: Call, parameters: Parameters) -> Sequence[Permission]:
    return [Permission("iam:ListPolicies", shown_as=f"policy path {parameters.get('PathPrefix', '/')}")]


@operation("iam", "ListPolicies", permissions=_on_all_policies)
def list_policies_operation(
    call: Call,
    *,
    Scope: str = "All",
    OnlyAttached: bool = False,
    PathPrefix: str = "/",
    PolicyUsageFilter: str | None = None,
    Marker: str | None = None,
    MaxItems: int = DEFAULT_PAGE_ITEMS,
) -> Answer:
    """Managed policies by name. API reference: ListPolicies.

    ``PolicyUsageFilter`` selects policies that grant permissions to an entity, or policies that are a boundary. Raises
    AwsError ValidationError for a marker of another list.
    """
    attachments = attachment_counts(call.db, call.account_id)
    boundaries = boundary_counts(call.db, call.account_id)
    used: Mapping[str, int] | None = attachments if OnlyAttached else None
    if PolicyUsageFilter is not None:
        used = boundaries if PolicyUsageFilter == "PermissionsBoundary" else attachments
    policies: list[PolicyRecord | ManagedPolicy] = []
    if Scope in ("All", "Local"):
        policies += list_policies(call.db, call.account_id, path_prefix=PathPrefix)
    if Scope in ("All", "AWS"):
        policies += [policy for policy in managed_policies().values() if policy.path.startswith(PathPrefix)]
    if used is not None:
        policies = [policy for policy in policies if policy.arn in used]
    filters = (Scope, str(OnlyAttached), PathPrefix, PolicyUsageFilter or "")
    shown, rest = page(call, filters, policies, _position, Marker, MaxItems)
    rows = [shown_policy(one, attachments.get(one.arn, 0), boundaries.get(one.arn, 0)) for one in shown]
    return {"Policies": rows, **rest}


def _position(policy: PolicyRecord | ManagedPolicy) -> str:
    """A policy's position in a list: by name without case, the customer's before AWS's policy of the same name."""
    return f"{policy.name.lower()} {0 if isinstance(policy, PolicyRecord) else 1}"


@operation("iam", "DeletePolicy", precheck=check_policy_arn)
def delete_policy(call: Call, *, PolicyArn: str) -> None:
    """Delete a customer managed policy. It must have no attachments, and no versions but its default version.

    Raises AwsError: ValidationError, AccessDenied (a policy of AWS), NoSuchEntity, DeleteConflict.
    """
    policy = own_policy(call, PolicyArn, DELETE_OUTSIDE_MESSAGE)
    if any(usage_of(call, PolicyArn)):
        raise AwsError("DeleteConflict", DELETE_ATTACHED_MESSAGE)
    if len(policy_versions(call.db, policy.policy_id)) > 1:
        raise AwsError("DeleteConflict", DELETE_VERSIONS_MESSAGE)
    try:
        remove_policy(call.db, policy.policy_id)
    except StillReferenced as error:  # another transaction attached it in the meantime
        raise AwsError("DeleteConflict", DELETE_ATTACHED_MESSAGE) from error

"""Tags of customer managed policies. Their keys are case-sensitive, unlike the keys of users and roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, listed_tags, tag_pairs
from rolecall.services.iam.policies.managed_policies import check_policy_arn, existing_policy, own_policy
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.entity_tags import remove_tags

# Recorded for new versions. What AWS says about tags of its own policies was not recorded.
OUTSIDE_MESSAGE = "Cannot update policies outside your own account."


@operation("iam", "TagPolicy", precheck=check_policy_arn)
def tag_policy(call: Call, *, PolicyArn: str, Tags: Sequence[Mapping[str, Any]]) -> None:
    """Add tags, or replace the values of existing tags.

    Raises AwsError: ValidationError, InvalidInput (a repeated key), AccessDenied (a policy of AWS), NoSuchEntity,
    LimitExceeded.
    """
    tags = tag_pairs(Tags, case_sensitive=True)
    policy = own_policy(call, PolicyArn, OUTSIDE_MESSAGE)
    add_tags(call, "policy", policy.policy_id, tags)


@operation("iam", "UntagPolicy", precheck=check_policy_arn)
def untag_policy(call: Call, *, PolicyArn: str, TagKeys: Sequence[str]) -> None:
    """Remove tags. A missing key is no error.

    Raises AwsError: ValidationError, AccessDenied (a policy of AWS), NoSuchEntity.
    """
    policy = own_policy(call, PolicyArn, OUTSIDE_MESSAGE)
    remove_tags(call.db, "policy", policy.policy_id, TagKeys)


@operation("iam", "ListPolicyTags", precheck=check_policy_arn)
def list_policy_tags(
    call: Call, *, PolicyArn: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Tags by key. Raises AwsError: ValidationError, NoSuchEntity."""
    policy = existing_policy(call, PolicyArn)
    return listed_tags(call, "policy", policy.policy_id, Marker, MaxItems)

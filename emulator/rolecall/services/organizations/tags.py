"""Tags of the root, of units, accounts, policies and the resource policy. API reference: the operations on tags."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.services.members import Tag
from rolecall.services.organizations.common import (
    Level,
    Organization,
    check_tag_key,
    checked_tags,
    operation,
    page,
    violates,
)
from rolecall.services.organizations.targets import no_target, target_of
from rolecall.services.registry import Answer, Call
from rolecall.storage.organization_access import put_tags, remove_tags, resource_policy, tags
from rolecall.storage.organization_policies import policy

# The API reference's sentence; AWS's own words were not recorded.
TOO_MANY_MESSAGE = "You have exceeded the number of tags allowed on this resource."
# ListTagsForResource has no MaxResults, and a resource has no more tags than this.
MAXIMUM_TAGS = 50


def _check_resource(call: Call, organization: Organization, resource_id: str) -> None:
    """Raises AwsError TargetNotFoundException for an id without a resource, and for AWS's own policies."""
    if resource_id.startswith("p-"):
        found = policy(call.db, organization.organization_id, resource_id)
        if found is None or found.aws_managed:
            raise no_target()
    elif resource_id.startswith("rp-"):
        present = resource_policy(call.db, organization.organization_id)
        if present is None or present.policy_id != resource_id:
            raise no_target()
    else:
        target_of(call, organization, resource_id)


@operation("TagResource", Level.DELEGATED)
def tag_resource(call: Call, organization: Organization, *, ResourceId: str, Tags: Sequence[Tag]) -> None:
    """Raises AwsError: TargetNotFoundException, InvalidInputException, ConstraintViolationException."""
    _check_resource(call, organization, ResourceId)
    given = checked_tags(Tags)
    organization_id = organization.organization_id
    if len(tags(call.db, organization_id, ResourceId) | given) > MAXIMUM_TAGS:
        raise violates("MAX_TAG_LIMIT_EXCEEDED", TOO_MANY_MESSAGE)
    put_tags(call.db, organization_id, ResourceId, given)


@operation("UntagResource", Level.DELEGATED)
def untag_resource(call: Call, organization: Organization, *, ResourceId: str, TagKeys: Sequence[str]) -> None:
    """Raises AwsError: TargetNotFoundException, InvalidInputException."""
    _check_resource(call, organization, ResourceId)
    for key in TagKeys:
        check_tag_key(key)
    remove_tags(call.db, organization.organization_id, ResourceId, TagKeys)


@operation("ListTagsForResource", Level.DELEGATED)
def list_tags(call: Call, organization: Organization, *, ResourceId: str, NextToken: str | None = None) -> Answer:
    """Raises AwsError TargetNotFoundException."""
    _check_resource(call, organization, ResourceId)
    return page(
        call,
        "Tags",
        list(tags(call.db, organization.organization_id, ResourceId).items()),
        lambda each: {"Key": each[0], "Value": each[1]},
        lambda each: each[0],
        NextToken=NextToken,
        MaxResults=MAXIMUM_TAGS,
        filters=[ResourceId],
    )

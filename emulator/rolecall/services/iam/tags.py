"""Tags of users and roles, whose keys ignore case. Tags of managed policies have their own module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, listed_tags, tag_pairs
from rolecall.services.iam.roles.roles import existing_role
from rolecall.services.iam.users.users import existing_user
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.entity_policies import lock_entity
from rolecall.storage.entity_tags import remove_tags

_Kind = Literal["user", "role"]


def _tag(call: Call, kind: _Kind, entity_id: str, tags: Sequence[tuple[str, str]]) -> None:
    lock_entity(call.db, kind, entity_id)
    add_tags(call, kind, entity_id, tags)


@operation("iam", "TagUser")
def tag_user(call: Call, *, UserName: str, Tags: Sequence[Mapping[str, Any]]) -> None:
    """Add tags; a tag with the same key is replaced. Raises AwsError: InvalidInput, NoSuchEntity, LimitExceeded."""
    tags = tag_pairs(Tags, case_sensitive=False)
    _tag(call, "user", existing_user(call, UserName).user_id, tags)


@operation("iam", "UntagUser")
def untag_user(call: Call, *, UserName: str, TagKeys: Sequence[str]) -> None:
    """Remove tags. A missing key is no error. Raises AwsError NoSuchEntity."""
    remove_tags(call.db, "user", existing_user(call, UserName).user_id, TagKeys)


@operation("iam", "ListUserTags")
def list_user_tags(
    call: Call, *, UserName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Tags by key. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    return listed_tags(call, "user", existing_user(call, UserName).user_id, Marker, MaxItems)


@operation("iam", "TagRole")
def tag_role(call: Call, *, RoleName: str, Tags: Sequence[Mapping[str, Any]]) -> None:
    """Add tags, even to a service-linked role; a tag with the same key is replaced.

    Raises AwsError: InvalidInput, NoSuchEntity, LimitExceeded.
    """
    tags = tag_pairs(Tags, case_sensitive=False)
    _tag(call, "role", existing_role(call, RoleName).role_id, tags)


@operation("iam", "UntagRole")
def untag_role(call: Call, *, RoleName: str, TagKeys: Sequence[str]) -> None:
    """Remove tags. A missing key is no error. Raises AwsError NoSuchEntity."""
    remove_tags(call.db, "role", existing_role(call, RoleName).role_id, TagKeys)


@operation("iam", "ListRoleTags")
def list_role_tags(
    call: Call, *, RoleName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Tags by key. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    return listed_tags(call, "role", existing_role(call, RoleName).role_id, Marker, MaxItems)

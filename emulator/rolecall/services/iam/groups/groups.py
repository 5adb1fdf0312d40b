"""Groups: create, show, list, change and delete them, and manage their members."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from rolecall.errors import AwsError
from rolecall.ids import GROUP_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, concurrent_modification, opened_marker, page, page_of
from rolecall.services.iam.named import NamedKind, name_key
from rolecall.services.iam.policies.entity_policies import policies_of, refuse_policies_left
from rolecall.services.iam.resource_kinds import listing, renaming
from rolecall.services.iam.users.users import existing_user, shown_user
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.entity_policies import lock_entity
from rolecall.storage.groups import (
    GroupRecord,
    add_group,
    add_member,
    count_groups,
    group_by_name,
    groups_of,
    list_groups,
    members_of,
    move_group,
    remove_group,
    remove_member,
)
from rolecall.storage.problems import AlreadyThere, StillReferenced

NOT_FOUND_MESSAGE = "The group with name {name} cannot be found."
ALREADY_EXISTS_MESSAGE = "Group with name {name} already exists."
COUNT_MESSAGE = "Cannot exceed quota for GroupsPerAccount: {limit}"
# The name of this quota in AWS's sentence was not recorded.
GROUPS_PER_USER_MESSAGE = "Cannot exceed quota for GroupsPerUser: {limit}"
DELETE_MEMBERS_MESSAGE = "Cannot delete entity, must remove users from group first."
DELETE_REFERENCED_MESSAGE = "Cannot delete entity, must remove referenced objects first."


GROUPS: NamedKind[GroupRecord] = NamedKind(
    attrgetter("group_id"), group_by_name, NOT_FOUND_MESSAGE, ALREADY_EXISTS_MESSAGE
)
existing_group = GROUPS.existing

policies_of("group", GROUPS)


@operation("iam", "CreateGroup")
def create_group(call: Call, *, GroupName: str, Path: str = "/") -> Answer:
    """A new group without users or policies. Raises AwsError: EntityAlreadyExists, LimitExceeded."""
    if group_by_name(call.db, call.account_id, GroupName) is not None:
        raise GROUPS.already_exists(GroupName)
    limit = call.settings.quotas.groups_per_account_count
    if count_groups(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    group = GroupRecord(
        group_id=call.ids.unique_id(GROUP_PREFIX),
        account_id=call.account_id,
        name=GroupName,
        path=Path,
        created_at_seconds=int(call.now_seconds),
    )
    try:
        add_group(call.db, group)
    except AlreadyThere as error:
        raise GROUPS.already_exists(GroupName) from error
    return {"Group": shown_group(group)}


def shown_group(group: GroupRecord) -> Answer:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.group_id,
        "Arn": group.arn,
        "CreateDate": group.created_at_seconds,
    }


@operation("iam", "GetGroup")
def get_group(call: Call, *, GroupName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS) -> Answer:
    """One group and a page of its users, by name. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    group = existing_group(call, GroupName)
    after = opened_marker(call, (group.group_id,), Marker)
    found = members_of(call.db, group.group_id, after_name_key=after, limit=MaxItems + 1)
    users, rest = page_of(call, (group.group_id,), found, name_key, MaxItems)
    return {"Group": shown_group(group), "Users": [shown_user(user) for user in users], **rest}


@operation("iam", "ListGroups", permissions=listing("group"))
def list_groups_operation(
    call: Call, *, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Groups by name. Raises AwsError ValidationError (marker)."""
    return GROUPS.shown_page(call, "Groups", list_groups, _listed_groups, PathPrefix, Marker, MaxItems)


def _listed_groups(_call: Call, groups: Sequence[GroupRecord]) -> list[Answer]:
    return [shown_group(group) for group in groups]


@operation("iam", "UpdateGroup", permissions=renaming("group"))
def update_group(call: Call, *, GroupName: str, NewPath: str | None = None, NewGroupName: str | None = None) -> None:
    """Change a group's name, its path, or both. Users and policies stay.

    Raises AwsError: NoSuchEntity, EntityAlreadyExists.
    """
    GROUPS.move(call, move_group, GroupName, NewGroupName, NewPath)


@operation("iam", "DeleteGroup")
def delete_group(call: Call, *, GroupName: str) -> None:
    """Delete a group without users and policies. Raises AwsError: NoSuchEntity, DeleteConflict."""
    group = existing_group(call, GroupName)
    if members_of(call.db, group.group_id, limit=1):
        raise AwsError("DeleteConflict", DELETE_MEMBERS_MESSAGE)
    refuse_policies_left(call, "group", group.group_id)
    try:
        remove_group(call.db, group.group_id)
    except StillReferenced as error:  # another transaction added something in the meantime
        raise AwsError("DeleteConflict", DELETE_REFERENCED_MESSAGE) from error


@operation("iam", "AddUserToGroup")
def add_user_to_group(call: Call, *, GroupName: str, UserName: str) -> None:
    """Add a user to a group. Adding a member again changes nothing. Raises AwsError: NoSuchEntity, LimitExceeded."""
    user = existing_user(call, UserName)
    group = existing_group(call, GroupName)
    lock_entity(call.db, "user", user.user_id)
    present = groups_of(call.db, user.user_id)
    if any(one.group_id == group.group_id for one in present):
        return
    limit = call.settings.quotas.groups_per_user_count
    if len(present) >= limit:
        raise AwsError("LimitExceeded", GROUPS_PER_USER_MESSAGE.format(limit=limit))
    try:
        add_member(call.db, group.group_id, user.user_id, int(call.now_seconds))
    except AlreadyThere as error:
        raise concurrent_modification() from error


@operation("iam", "RemoveUserFromGroup")
def remove_user_from_group(call: Call, *, GroupName: str, UserName: str) -> None:
    """Remove a user from a group. A non-member is no error. Raises AwsError NoSuchEntity, for the user first."""
    user = existing_user(call, UserName)
    group = existing_group(call, GroupName)
    remove_member(call.db, group.group_id, user.user_id)


@operation("iam", "ListGroupsForUser")
def list_groups_for_user(
    call: Call, *, UserName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """The groups of a user, by name. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    user = existing_user(call, UserName)
    groups, rest = page(call, (user.user_id,), groups_of(call.db, user.user_id), name_key, Marker, MaxItems)
    return {"Groups": [shown_group(group) for group in groups], **rest}

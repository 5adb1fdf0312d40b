"""Groups: the answer of each operation, and the effect of membership."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, CROWDS, READ_ONLY, WORLD, fails, identity, put_rights, refusal


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def names(groups: list[dict[str, Any]]) -> list[str]:
    return [group["GroupName"] for group in groups]


def members(iam: Any, group: str) -> list[str]:
    return [user["UserName"] for user in iam.get_group(GroupName=group)["Users"]]


def test_create_and_get_group(iam: Any) -> None:
    created = iam.create_group(GroupName="New", Path="/a/")["Group"]
    answer = iam.get_group(GroupName="nEW")
    assert (answer["Group"], answer["Users"], answer["IsTruncated"]) == (created, [], False)
    assert created.pop("GroupId").startswith("AGPA")
    assert created.pop("CreateDate")
    assert created == {"GroupName": "New", "Path": "/a/", "Arn": f"arn:aws:iam::{ACCOUNT}:group/a/New"}


def test_another_accounts_groups_do_not_exist(world: Any) -> None:
    other = world.client("iam", user="kim")
    assert names(other.list_groups()["Groups"]) == ["theirs"]
    message = "The group with name developers cannot be found."
    fails(other.get_group, "NoSuchEntity", message, 404, GroupName="developers")


def test_list_groups_by_name_and_path(iam: Any) -> None:
    iam.create_group(GroupName="Else", Path="/a/b/")
    assert names(iam.list_groups()["Groups"]) == [*CROWDS, "developers", "Else", "spare"]
    assert names(iam.list_groups(PathPrefix="/a/")["Groups"]) == ["Else"]
    pages = list(iam.get_paginator("list_groups").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Groups"]) for page in pages] == [5, 5, 3]


def test_a_groups_users_come_by_name_and_in_pages(world: Any, iam: Any) -> None:
    for user in ("bob", "ana", "admin"):
        iam.add_user_to_group(GroupName="spare", UserName=user)
    assert members(iam, "spare") == ["admin", "ana", "bob"]
    pages = list(iam.get_paginator("get_group").paginate(GroupName="spare", PaginationConfig={"PageSize": 2}))
    assert [len(page["Users"]) for page in pages] == [2, 1]
    marker = pages[0]["Marker"]
    fails(iam.get_group, "ValidationError", "Invalid Marker.", 400, GroupName="developers", Marker=marker)


def test_adding_and_removing_twice_is_no_error(iam: Any) -> None:
    for _ in range(2):
        iam.add_user_to_group(GroupName="SPARE", UserName="BOB")
        assert members(iam, "spare") == ["bob"]
    for _ in range(2):
        iam.remove_user_from_group(GroupName="spare", UserName="bob")
        assert members(iam, "spare") == []


def test_a_user_is_in_ten_groups_at_most(iam: Any) -> None:
    assert names(iam.list_groups_for_user(UserName="full")["Groups"]) == CROWDS
    iam.add_user_to_group(GroupName=CROWDS[0], UserName="full")
    iam.remove_user_from_group(GroupName=CROWDS[0], UserName="full")
    iam.add_user_to_group(GroupName="spare", UserName="full")
    message = "Cannot exceed quota for GroupsPerUser: 10"
    fails(iam.add_user_to_group, "LimitExceeded", message, 409, GroupName=CROWDS[0], UserName="full")


def test_groups_for_user_in_pages(iam: Any) -> None:
    pages = list(iam.get_paginator("list_groups_for_user").paginate(UserName="full", PaginationConfig={"PageSize": 4}))
    assert [names(page["Groups"]) for page in pages] == [CROWDS[:4], CROWDS[4:8], CROWDS[8:]]


def test_a_groups_policies_are_its_users_policies(world: Any, iam: Any) -> None:
    chime = world.client("chime", user="bob")
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"
    iam.add_user_to_group(GroupName="spare", UserName="bob")
    chime.list_accounts()
    iam.detach_group_policy(GroupName="spare", PolicyArn=READ_ONLY)
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"
    iam.attach_group_policy(GroupName="spare", PolicyArn=READ_ONLY)
    iam.remove_user_from_group(GroupName="spare", UserName="bob")
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"


def test_a_renamed_group_keeps_users_and_policies(iam: Any) -> None:
    before = iam.get_group(GroupName="developers")
    iam.update_group(GroupName="Developers", NewGroupName="Builders", NewPath="/x/")
    after = iam.get_group(GroupName="builders")
    renamed = {"GroupName": "Builders", "Path": "/x/", "Arn": f"arn:aws:iam::{ACCOUNT}:group/x/Builders"}
    assert after["Group"] == {**before["Group"], **renamed}
    assert after["Users"] == before["Users"]
    assert iam.list_attached_group_policies(GroupName="builders")["AttachedPolicies"]
    iam.update_group(GroupName="builders", NewGroupName="BUILDERS")
    iam.update_group(GroupName="builders")
    assert iam.get_group(GroupName="builders")["Group"]["GroupName"] == "BUILDERS"


def test_renaming_needs_the_permission_on_both_names(world: Any, iam: Any) -> None:
    bob = world.client("iam", user="bob")
    old, new = (f"arn:aws:iam::{ACCOUNT}:group/{name}" for name in ("spare", "new"))
    for resource, missing in ((old, "group new"), (new, "group spare")):
        put_rights(iam, "bob", "rename", identity("iam:UpdateGroup", resource))
        with pytest.raises(ClientError, match=f"iam:UpdateGroup on resource: {missing} "):
            bob.update_group(GroupName="spare", NewGroupName="new")
    put_rights(iam, "bob", "other", identity("iam:UpdateGroup", old))
    bob.update_group(GroupName="spare", NewGroupName="new")
    assert iam.get_group(GroupName="new")


def test_delete_group_names_what_is_in_the_way(iam: Any) -> None:
    def refused(what: str) -> None:
        fails(iam.delete_group, "DeleteConflict", f"Cannot delete entity, {what}.", 409, GroupName="developers")

    refused("must remove users from group first")
    iam.remove_user_from_group(GroupName="developers", UserName="ana")
    refused("must detach all policies first")
    iam.detach_group_policy(GroupName="developers", PolicyArn=READ_ONLY)
    refused("must delete policies first")
    iam.delete_group_policy(GroupName="developers", PolicyName="own")
    iam.delete_group(GroupName="Developers")
    message = "The group with name developers cannot be found."
    fails(iam.get_group, "NoSuchEntity", message, 404, GroupName="developers")

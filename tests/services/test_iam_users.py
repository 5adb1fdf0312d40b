"""Users: the answer of each operation, and the effects of renaming, a boundary and deletion."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, ADMINISTRATOR, LIMITS, READ_ONLY, WORLD, fails, identity, key_id, put_rights, refusal


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def names(users: list[dict[str, Any]]) -> list[str]:
    return [user["UserName"] for user in users]


def test_create_user_answers_the_whole_user(iam: Any) -> None:
    created = iam.create_user(
        UserName="New", Path="/a/b/", PermissionsBoundary=LIMITS, Tags=[{"Key": "Team", "Value": "blue"}]
    )["User"]
    assert iam.get_user(UserName="nEW")["User"] == created
    assert created.pop("UserId").startswith("AIDA")
    assert created.pop("CreateDate")
    assert created == {
        "UserName": "New",
        "Path": "/a/b/",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/a/b/New",
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": LIMITS},
        "Tags": [{"Key": "Team", "Value": "blue"}],
    }


def test_a_plain_user_shows_no_empty_members(world: Any, iam: Any) -> None:
    world.clock.freeze()
    created = iam.create_user(UserName="new")["User"]
    assert created["CreateDate"].timestamp() == int(world.clock.now_seconds())
    assert set(created) == {"UserName", "Path", "Arn", "UserId", "CreateDate"}
    assert iam.get_user(UserName="new")["User"] == created


def test_a_new_user_may_do_nothing(world: Any, iam: Any) -> None:
    iam.create_user(UserName="new")
    key = iam.create_access_key(UserName="new")["AccessKey"]
    new = world.client("iam", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    assert refusal(new.get_user)[0] == "AccessDenied"


def test_get_user_without_a_name_is_the_caller(world: Any, iam: Any) -> None:
    assert iam.get_user()["User"]["UserName"] == "admin"
    put_rights(iam, "bob", "self", identity("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    bob = world.client("iam", user="bob")
    assert bob.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert refusal(bob.get_user, UserName="ana")[0] == "AccessDenied"


def test_root_is_a_user_without_name_and_path(world: Any) -> None:
    root = world.client("iam", user=f"root of {ACCOUNT}")
    user = root.get_user()["User"]
    assert user.pop("CreateDate")
    assert user == {"UserId": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}
    assert root.get_user(UserName="ana")["User"]["UserName"] == "ana"


@pytest.mark.parametrize("operation", ["get_user", "create_access_key", "list_access_keys"])
def test_a_role_must_say_which_user(world: Any, operation: str) -> None:
    role = world.client("iam", credentials=world.assume("manager"))
    message = "Must specify userName when calling with non-User credentials"
    fails(getattr(role, operation), "ValidationError", message, 400)
    assert getattr(role, operation)(UserName="bob")


def test_another_accounts_users_do_not_exist(world: Any, iam: Any) -> None:
    other = world.client("iam", user="kim")
    assert names(other.list_users()["Users"]) == ["kim"]
    fails(other.get_user, "NoSuchEntity", "The user with name ana cannot be found.", 404, UserName="ana")
    assert other.create_user(UserName="ana")["User"]["Arn"] == "arn:aws:iam::444455556666:user/ana"


def test_list_users_by_name_and_path_without_tags_and_boundary(iam: Any) -> None:
    iam.create_user(UserName="Carl", Path="/team/blue/", PermissionsBoundary=LIMITS)
    iam.create_user(UserName="dora", Path="/teams/")
    users = iam.list_users()["Users"]
    assert names(users) == ["admin", "ana", "bob", "Carl", "dora", "full"]
    assert all(set(user) == {"UserName", "Path", "Arn", "UserId", "CreateDate"} for user in users)
    assert names(iam.list_users(PathPrefix="/team/")["Users"]) == ["ana", "Carl"]
    assert names(iam.list_users(PathPrefix="/TEAM/")["Users"]) == []
    assert names(iam.list_users(PathPrefix="/team_/")["Users"]) == []


def test_pages_of_users(world: Any, iam: Any) -> None:
    whole = iam.list_users()
    assert whole["IsTruncated"] is False
    assert "Marker" not in whole
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1}))
    assert [names(page["Users"]) for page in pages] == [["admin"], ["ana"], ["bob"], ["full"]]
    assert [page["IsTruncated"] for page in pages] == [True, True, True, False]
    marker = pages[0]["Marker"]
    iam.delete_access_key(UserName="bob", AccessKeyId=key_id("bob1"))
    iam.delete_user(UserName="bob")
    assert names(iam.list_users(Marker=marker)["Users"]) == ["ana", "full"]
    for call, arguments in (
        (iam.list_users, {"PathPrefix": "/team/"}),
        (iam.list_groups, {}),
        (world.client("iam", user="kim").list_users, {}),
    ):
        fails(call, "ValidationError", "Invalid Marker.", 400, Marker=marker, **arguments)


def test_a_renamed_user_keeps_everything_but_its_arn(world: Any, iam: Any) -> None:
    before = iam.get_user(UserName="ana")["User"]
    iam.update_user(UserName="ANA", NewUserName="Eva", NewPath="/other/")
    after = iam.get_user(UserName="eva")["User"]
    arn = f"arn:aws:iam::{ACCOUNT}:user/other/Eva"
    assert after == {**before, "UserName": "Eva", "Path": "/other/", "Arn": arn}
    assert world.client("sts", keys=(key_id("ana1"), "ana1-secret")).get_caller_identity()["Arn"] == arn
    assert names(iam.get_group(GroupName="developers")["Users"]) == ["Eva"]
    assert iam.list_attached_user_policies(UserName="Eva")["AttachedPolicies"]
    fails(iam.get_user, "NoSuchEntity", "The user with name ana cannot be found.", 404, UserName="ana")


@pytest.mark.parametrize(
    ("arguments", "name", "path"),
    [({}, "ana", "/team/"), ({"NewUserName": "ANA"}, "ANA", "/team/"), ({"NewPath": "/"}, "ana", "/")],
)
def test_update_user_changes_the_given_members(iam: Any, arguments: dict[str, str], name: str, path: str) -> None:
    iam.update_user(UserName="ana", **arguments)
    user = iam.get_user(UserName="ana")["User"]
    assert (user["UserName"], user["Path"]) == (name, path)


def test_renaming_needs_the_permission_on_both_names(world: Any, iam: Any) -> None:
    bob = world.client("iam", user="bob")
    old, new = (f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("team/ana", "team/eva"))
    for resource, missing in ((old, "user eva"), (new, "user ana")):
        put_rights(iam, "bob", "rename", identity("iam:UpdateUser", resource))
        with pytest.raises(ClientError, match=f"iam:UpdateUser on resource: {missing} "):
            bob.update_user(UserName="ana", NewUserName="eva")
    put_rights(iam, "bob", "other", identity("iam:UpdateUser", old))
    bob.update_user(UserName="ana", NewUserName="eva")
    assert iam.get_user(UserName="eva")


def test_delete_user_names_what_is_in_the_way(iam: Any) -> None:
    def refused(what: str) -> None:
        fails(iam.delete_user, "DeleteConflict", f"Cannot delete entity, {what}.", 409, UserName="ana")

    iam.delete_access_key(UserName="ana", AccessKeyId=key_id("ana1"))
    refused("must delete access keys first")
    iam.delete_access_key(UserName="ana", AccessKeyId=key_id("ana2"))
    refused("must detach all policies first")
    iam.detach_user_policy(UserName="ana", PolicyArn=READ_ONLY)
    refused("must delete policies first")
    iam.delete_user_policy(UserName="ana", PolicyName="own")
    refused("must remove users from group first")
    iam.remove_user_from_group(UserName="ana", GroupName="developers")
    iam.delete_user(UserName="ana")
    fails(iam.get_user, "NoSuchEntity", "The user with name ana cannot be found.", 404, UserName="ana")


def test_a_user_made_again_is_another_one(iam: Any) -> None:
    first = iam.create_user(UserName="new", Tags=[{"Key": "a", "Value": "b"}])["User"]
    iam.delete_user(UserName="new")
    second = iam.create_user(UserName="new")["User"]
    assert second["UserId"] != first["UserId"]
    assert iam.list_user_tags(UserName="new")["Tags"] == []


def test_a_boundary_limits_at_once_and_may_be_removed(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "chime", identity("chime:*"))
    chime = world.client("chime", user="bob")
    chime.list_accounts()
    iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=LIMITS)
    with pytest.raises(ClientError, match="no permissions boundary allows the chime:ListAccounts action"):
        chime.list_accounts()
    iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=READ_ONLY)
    chime.list_accounts()
    iam.delete_user_permissions_boundary(UserName="bob")
    iam.delete_user_permissions_boundary(UserName="bob")
    assert "PermissionsBoundary" not in iam.get_user(UserName="bob")["User"]


def test_a_permission_may_ask_for_a_boundary(world: Any, iam: Any) -> None:
    bounded = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": LIMITS}}}
    actions = [
        "iam:CreateUser",
        "iam:PutUserPermissionsBoundary",
        "iam:DeleteUserPermissionsBoundary",
        "iam:AttachUserPolicy",
        "iam:PutUserPolicy",
    ]
    put_rights(iam, "bob", "bounded", identity(actions, **bounded))
    bob = world.client("iam", user="bob")
    own = {"PolicyName": "own", "PolicyDocument": json.dumps(identity("*"))}
    for call, arguments in (
        (bob.create_user, {"UserName": "new"}),
        (bob.create_user, {"UserName": "new", "PermissionsBoundary": ADMINISTRATOR}),
        (bob.put_user_permissions_boundary, {"UserName": "ana", "PermissionsBoundary": ADMINISTRATOR}),
        (bob.delete_user_permissions_boundary, {"UserName": "ana"}),
        (bob.attach_user_policy, {"UserName": "ana", "PolicyArn": ADMINISTRATOR}),
        (bob.put_user_policy, {"UserName": "ana", **own}),
    ):
        assert refusal(call, **arguments)[0] == "AccessDenied"
    bob.create_user(UserName="new", PermissionsBoundary=LIMITS)
    bob.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=LIMITS)
    bob.attach_user_policy(UserName="new", PolicyArn=ADMINISTRATOR)
    bob.put_user_policy(UserName="ana", **own)
    refused = refusal(bob.put_user_permissions_boundary, UserName="new", PermissionsBoundary=ADMINISTRATOR)
    assert refused[0] == "AccessDenied"
    bob.delete_user_permissions_boundary(UserName="new")


def test_the_boundary_key_is_absent_where_the_action_has_none(world: Any, iam: Any) -> None:
    iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=LIMITS)
    bounded = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": LIMITS}}}
    put_rights(iam, "bob", "bounded", identity("iam:*", **bounded))
    bob = world.client("iam", user="bob")
    assert refusal(bob.get_user, UserName="ana")[0] == "AccessDenied"
    assert refusal(bob.delete_user, UserName="ana")[0] == "AccessDenied"


def test_tags_of_a_new_user_need_their_own_permission(world: Any, iam: Any) -> None:
    asked = {"Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}}}
    put_rights(iam, "bob", "create", identity("iam:CreateUser", **asked))
    bob = world.client("iam", user="bob")
    blue = [{"Key": "Team", "Value": "blue"}]
    assert refusal(bob.create_user, UserName="new")[0] == "AccessDenied"
    with pytest.raises(ClientError, match=f"iam:TagUser on resource: arn:aws:iam::{ACCOUNT}:user/new "):
        bob.create_user(UserName="new", Tags=blue)
    put_rights(iam, "bob", "tag", identity("iam:TagUser", **asked))
    bob.create_user(UserName="new", Tags=blue)


@pytest.mark.parametrize("key", ["aws:ResourceTag/team", "iam:ResourceTag/TEAM"])
def test_a_permission_may_ask_for_the_users_tags(world: Any, iam: Any, key: str) -> None:
    put_rights(iam, "bob", "blue", identity("iam:GetUser", Condition={"StringEquals": {key: "blue"}}))
    bob = world.client("iam", user="bob")
    assert bob.get_user(UserName="ana")
    assert refusal(bob.get_user, UserName="full")[0] == "AccessDenied"

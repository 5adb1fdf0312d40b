"""Answers that hold for a generation. After every write, a sandbox that remembers nothing answers the same."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import identity
from processes import processes
from sent_statements import sent_statements
from world_handle import WorldHandle

from rolecall.caches import KeptList
from rolecall.storage import tables as t

ACCOUNT = "111122223333"
ROLE = {"RoleName": "kept"}
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"


def trust(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def arn_of(user: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"


# In this order. Each one changes an answer of READS, or ends what an earlier one began.
WRITES: list[tuple[str, dict[str, Any]]] = [
    ("create_user", {"UserName": "trusted"}),
    ("create_role", {**ROLE, "AssumeRolePolicyDocument": trust(arn_of("trusted"))}),
    ("tag_role", {**ROLE, "Tags": [{"Key": "team", "Value": "blue"}]}),
    ("tag_role", {**ROLE, "Tags": [{"Key": "team", "Value": "red"}]}),
    ("update_role", {**ROLE, "Description": "new", "MaxSessionDuration": 7200}),
    ("update_role_description", {**ROLE, "Description": "newer"}),
    ("put_role_permissions_boundary", {**ROLE, "PermissionsBoundary": READ_ONLY}),
    ("delete_role_permissions_boundary", ROLE),
    ("update_user", {"UserName": "trusted", "NewUserName": "renamed", "NewPath": "/moved/"}),
    ("tag_user", {"UserName": "renamed", "Tags": [{"Key": "team", "Value": "blue"}]}),
    ("put_user_permissions_boundary", {"UserName": "renamed", "PermissionsBoundary": READ_ONLY}),
    ("untag_user", {"UserName": "renamed", "TagKeys": ["team"]}),
    ("delete_user", {"UserName": "renamed"}),
    ("update_assume_role_policy", {**ROLE, "PolicyDocument": trust(f"arn:aws:iam::{ACCOUNT}:root")}),
    ("untag_role", {**ROLE, "TagKeys": ["team"]}),
    ("create_group", {"GroupName": "kept"}),
    ("update_group", {"GroupName": "kept", "NewGroupName": "moved", "NewPath": "/moved/"}),
    ("delete_group", {"GroupName": "moved"}),
    ("delete_role", ROLE),
    ("create_role", {**ROLE, "Path": "/again/", "AssumeRolePolicyDocument": trust(ACCOUNT)}),
    ("create_service_linked_role", {"AWSServiceName": "chime.amazonaws.com"}),
]
READS: list[tuple[str, dict[str, Any]]] = [
    ("get_role", ROLE),
    ("list_roles", {}),
    ("list_roles", {"MaxItems": 1}),
    ("list_roles", {"PathPrefix": "/again/"}),
    ("list_users", {}),
    ("list_users", {"PathPrefix": "/moved/"}),
    ("list_groups", {}),
    ("get_user", {"UserName": "trusted"}),
    ("get_user", {"UserName": "renamed"}),
    ("get_user", {}),
    ("get_group", {"GroupName": "moved"}),
]


def answers(iam: Any) -> list[Any]:
    """The answers of READS. A marker is sealed anew each time, and leads to the second page."""
    found = []
    for name, arguments in READS:
        try:
            answer = getattr(iam, name)(**arguments)
        except ClientError as error:
            answer = error.response["Error"]
        answer.pop("ResponseMetadata", None)
        if "Marker" in answer:
            found.append([role["RoleName"] for role in iam.list_roles(Marker=answer.pop("Marker"))["Roles"]])
        found.append(answer)
    return found


def forget(world: WorldHandle) -> None:
    """Drop everything that is remembered for a generation."""
    world._sandbox.generations._identities = None


def test_after_every_write_the_answers_are_those_of_a_sandbox_that_remembers_nothing(world: WorldHandle) -> None:
    iam = world.client("iam")
    before = answers(iam)
    for name, arguments in WRITES:
        getattr(iam, name)(**arguments)
        remembered = answers(iam)
        forget(world)
        assert remembered == answers(iam), name
        if name != "put_user_permissions_boundary":
            assert remembered != before, name
        before = remembered


@pytest.mark.parametrize(("name", "arguments"), [READS[1], READS[4], READS[6]], ids=["roles", "users", "groups"])
def test_a_page_is_read_once_in_a_generation(world: WorldHandle, name: str, arguments: dict[str, Any]) -> None:
    iam = world.client("iam")
    first = statements(world, lambda: getattr(iam, name)(**arguments))
    again = statements(world, lambda: getattr(iam, name)(**arguments))
    assert len(again) < len(first)


def statements(world: WorldHandle, call: Callable[[], object]) -> list[str]:
    """What a call asks of the database."""
    with sent_statements(world.database) as found:
        call()
    return found


def test_only_tables_that_bear_on_rights_are_remembered(world: WorldHandle) -> None:
    """A write to any other table does not end a generation, so what it holds must be read in every call."""
    iam = world.client("iam")
    iam.create_user(UserName="trusted")
    iam.create_role(**ROLE, AssumeRolePolicyDocument=trust(arn_of("trusted")))
    iam.create_group(GroupName="moved")
    forget(world)
    first = statements(world, lambda: answers(iam))
    again = statements(world, lambda: answers(iam))
    names = {name for text in Counter(first) - Counter(again) for name in re.findall(r"(?:FROM|JOIN) (\w+)", text)}
    # On PostgreSQL a statement may read the generation beside its rows.
    names.discard("generations")
    assert {"roles", "users", "role_tags", "user_tags", "groups"} <= names
    assert {name for name in names if not t.metadata.tables[name].info["bears_on_rights"]} == set()


def test_the_last_use_of_a_role_is_never_remembered(world: WorldHandle) -> None:
    iam = world.client("iam")
    assert iam.get_role(RoleName="chime-reader")["Role"]["RoleLastUsed"] == {}
    issued = world.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/chime-reader", RoleSessionName="session"
    )["Credentials"]
    world.client("sts", credentials=issued, region="eu-west-1").get_caller_identity()
    assert iam.get_role(RoleName="chime-reader")["Role"]["RoleLastUsed"]["Region"] == "eu-west-1"
    world._sandbox.last_uses.flush()
    assert iam.get_role(RoleName="chime-reader")["Role"]["RoleLastUsed"]["Region"] == "eu-west-1"


def test_a_changed_tag_changes_the_right_to_the_resource(world: WorldHandle) -> None:
    admin = world.client("iam")
    admin.create_role(**ROLE, AssumeRolePolicyDocument=trust(ACCOUNT), Tags=[{"Key": "team", "Value": "blue"}])
    blue = identity("iam:GetRole", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}})
    admin.create_user(UserName="reader")
    admin.put_user_policy(UserName="reader", PolicyName="blue", PolicyDocument=json.dumps(blue))
    key = admin.create_access_key(UserName="reader")["AccessKey"]
    reader = world.client("iam", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    for value, allowed in (("blue", True), ("red", False), ("blue", True)):
        admin.tag_role(**ROLE, Tags=[{"Key": "team", "Value": value}])
        if allowed:
            assert reader.get_role(**ROLE)["Role"]["RoleName"] == "kept"
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                reader.get_role(**ROLE)
    admin.untag_role(**ROLE, TagKeys=["team"])
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.get_role(**ROLE)


def test_another_process_sees_a_change_at_once(world: WorldHandle, tmp_path: Path) -> None:
    """Two sandboxes over one database, as two workers have them."""
    with processes(world, tmp_path, 2) as (one, other):
        here, there = one.client("iam"), other.client("iam")
        here.create_role(**ROLE, AssumeRolePolicyDocument=trust(ACCOUNT), Description="old")
        assert there.get_role(**ROLE)["Role"]["Description"] == "old"
        here.update_role(**ROLE, Description="new")
        assert there.get_role(**ROLE)["Role"]["Description"] == "new"


def test_a_kept_list_has_a_text_for_each_encoder() -> None:
    kept, made = KeptList(["a", "b"]), list[str]()

    def joined(items: list[str]) -> str:
        made.append("joined")
        return "".join(items)

    def counted(items: list[str]) -> str:
        made.append("counted")
        return str(len(items))

    assert [kept.text_by(joined), kept.text_by(counted), kept.text_by(joined), kept.text_by(counted)] == [
        "ab",
        "2",
        "ab",
        "2",
    ]
    assert made == ["joined", "counted"]

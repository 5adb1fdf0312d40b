"""Tags of users and roles: keys are compared without case and stored with it."""

from __future__ import annotations

from typing import Any

import pytest
from iam_calls import WORLD, fails, identity, put_rights, refusal

KINDS = [("user", {"UserName": "bob"}), ("role", {"RoleName": "manager"})]


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


@pytest.mark.parametrize(("kind", "owner"), KINDS)
def test_tags_are_added_replaced_and_removed(iam: Any, kind: str, owner: dict[str, str]) -> None:
    tag, untag, listed = (getattr(iam, name.format(kind)) for name in ("tag_{}", "untag_{}", "list_{}_tags"))
    tag(**owner, Tags=tags(somekey="1", Other="", third="x"))
    tag(**owner, Tags=tags(SomeKey="2"))
    assert listed(**owner)["Tags"] == tags(Other="", SomeKey="2", third="x")
    shown = getattr(iam, f"get_{kind}")(**owner)[kind.capitalize()]
    assert shown["Tags"] == listed(**owner)["Tags"]
    untag(**owner, TagKeys=["SOMEKEY", "absent"])
    assert listed(**owner)["Tags"] == tags(Other="", third="x")
    first = listed(**owner, MaxItems=1)
    assert (first["Tags"], first["IsTruncated"]) == (tags(Other=""), True)
    assert listed(**owner, Marker=first["Marker"])["Tags"] == tags(third="x")


@pytest.mark.parametrize(("kind", "owner"), KINDS)
def test_fifty_tags_at_most(iam: Any, kind: str, owner: dict[str, str]) -> None:
    tag = getattr(iam, f"tag_{kind}")
    tag(**owner, Tags=tags(**{f"key{number}": "x" for number in range(50)}))
    message = "The number of tags has reached the maximum limit."
    fails(tag, "LimitExceeded", message, 409, **owner, Tags=tags(key51="x"))
    tag(**owner, Tags=tags(KEY7="y"))
    getattr(iam, f"untag_{kind}")(**owner, TagKeys=["key8"])
    tag(**owner, Tags=tags(key51="x"))


def test_a_service_linked_role_may_be_tagged(iam: Any) -> None:
    name = "AWSServiceRoleForAmazonChimeVoiceConnector"
    iam.tag_role(RoleName=name, Tags=tags(a="b"))
    assert iam.list_role_tags(RoleName=name)["Tags"] == tags(a="b")
    iam.untag_role(RoleName=name, TagKeys=["a"])


def test_a_users_tags_are_principal_tags_from_the_next_call_on(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "blue", identity("chime:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}))
    chime = world.client("chime", user="bob")
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"
    iam.tag_user(UserName="bob", Tags=tags(Team="blue"))
    chime.list_accounts()
    iam.untag_user(UserName="bob", TagKeys=["team"])
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"


def test_a_permission_may_ask_for_the_tags_of_the_request(world: Any, iam: Any) -> None:
    keys = {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}}
    put_rights(iam, "bob", "tag", identity(["iam:TagUser", "iam:UntagUser"], **keys))
    bob = world.client("iam", user="bob")
    assert refusal(bob.tag_user, UserName="ana", Tags=tags(team="x", cost="y"))[0] == "AccessDenied"
    assert refusal(bob.untag_user, UserName="ana", TagKeys=["cost"])[0] == "AccessDenied"
    bob.tag_user(UserName="ana", Tags=tags(team="x"))
    bob.untag_user(UserName="ana", TagKeys=["team"])

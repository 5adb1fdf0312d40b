"""Policies with ARNs and tags, tried on every declared kind with the session of a role. Cases: cases/kinds.yaml."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_declared_kinds import ACCOUNT, CASES, WORLD, Walk

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ],
}
DECLARED = json.loads(WORLD)
DECLARED["accounts"][0].setdefault("roles", []).append({"name": "worker", "trust_policy": TRUST})
WORLD_WITH_ROLE = json.dumps(DECLARED)
WALKED = {name: case for name, case in CASES.items() if "tested" not in case}
WITH_ARNS = sorted(name for name, case in WALKED.items() if "arn" in case or "tags" in case)
WITH_TAGS = sorted(name for name, case in WALKED.items() if "tags" in case)
BLUE, RED, OTHER = ([{"Key": key, "Value": value}] for key, value in (("team", "blue"), ("team", "red"), ("cost", "1")))
# Creates that have chime:TagResource as a dependent action: Service Authorization Reference, 2026-11.
TAG_DEPENDENT = {
    "CreateMediaInsightsPipeline",
    "CreateMediaInsightsPipelineConfiguration",
    "CreateVoiceProfileDomain",
}
# What else an operation needs, such as the use of a key.
BESIDES = {"Effect": "Allow", "NotAction": "chime:*", "Resource": "*"}


def allow(actions: str | list[str], resource: str | list[str] = "*", **conditions: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": conditions} if conditions else statement


class Session:
    """The session of a role that has these statements as its only policy."""

    def __init__(self, walk: Walk, *statements: dict[str, Any], **session: Any) -> None:
        self.walk = walk
        walk.world.client("iam").put_role_policy(
            RoleName="worker",
            PolicyName="own",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [*statements, BESIDES]}),
        )
        credentials = walk.world.assume("worker", **session)
        self.client = walk.world.client(walk.service, credentials=credentials)

    def allows(self, operation: str, **parameters: Any) -> bool:
        """Whether policies allow the call, which must then succeed. Any other refusal fails the test."""
        try:
            self.walk.call(operation, self.client, **parameters)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            assert code in ("AccessDeniedException", "ForbiddenException"), (code, message)
            assert "is not authorized to perform: chime:" in message
            return False
        return True

    def reads(self, resource: dict[str, Any]) -> set[bool]:
        """Whether the operations that only read it are allowed: one answer if they agree."""
        return {self.allows(each, **self.walk.named(resource)) for each in self.walk.reading()}


def walk_of(name: str, make_world: Any) -> Walk:
    """The kind's walk, in a world with a role. Its settings are put, so that each can be read."""
    return Walk(name, make_world(WORLD_WITH_ROLE))


def made_with_settings(walk: Walk, number: int, **more: Any) -> dict[str, Any]:
    made = walk.made(number, **more)
    for member, one in walk.case.get("settings", {}).items():
        document = one["put"] if one.get("spread") else {member: one["put"]}
        walk.call(one["operations"][1], **walk.named(made), **document)
    return made


@pytest.mark.parametrize("name", WITH_ARNS)
def test_an_allow_by_arn_is_for_that_resource_alone(name: str, make_world: Any) -> None:
    walk = walk_of(name, make_world)
    one, other = (made_with_settings(walk, number) for number in (0, 1))
    arn = str(one[walk.arn_member])
    for pattern in (arn, arn[:-1] + "?", arn.replace(":us-east-1:", ":*:")):
        session = Session(walk, allow("chime:*", pattern))
        assert (session.reads(one), session.reads(other)) == ({True}, {False})
    for near in (arn + "x", arn[:-1], arn.replace("us-east-1", "us-west-2"), arn.replace(ACCOUNT, "444455556666")):
        assert Session(walk, allow("chime:*", near)).reads(one) == {False}
    session = Session(walk, allow("chime:*"), {"Effect": "Deny", "Action": "chime:*", "Resource": arn})
    assert (session.reads(one), session.reads(other)) == ({False}, {True})
    for operation in walk.deleting():
        assert not session.allows(operation, **walk.named(one))
        # What AWS's table names as dependent actions of the delete.
        dependent = [allow(action) for action in walk.case.get("delete_depends_on", ())]
        session = Session(walk, allow("chime:*", arn), *dependent)
        assert not session.allows(operation, **walk.named(other))
        assert session.allows(operation, **walk.named(one))


@pytest.mark.parametrize("name", WITH_TAGS)
def test_the_tags_of_a_resource_decide(name: str, make_world: Any) -> None:
    walk = walk_of(name, make_world)
    blue, red, plain = (
        made_with_settings(walk, n, **more) for n, more in enumerate(({"Tags": BLUE}, {"Tags": RED}, {}))
    )
    resources = (blue, red, plain)

    def read_by(session: Session) -> list[set[bool]]:
        return [session.reads(each) for each in resources]

    is_blue = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    session = Session(walk, allow("chime:*", **is_blue))
    assert read_by(session) == [{True}, {False}, {False}]
    deny = {"Effect": "Deny", "Action": "chime:*", "Resource": "*", "Condition": is_blue}
    assert read_by(Session(walk, allow("chime:*"), deny)) == [{False}, {True}, {True}]
    # The session's own tag, as in attribute-based access control.
    same = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    for tags, expected in ((RED, [{False}, {True}, {False}]), (OTHER, [{False}, {False}, {False}])):
        assert read_by(Session(walk, allow("chime:*", **same), Tags=tags)) == expected
    # A tag that is changed counts with the next call.
    session = Session(walk, allow("chime:*", **is_blue))
    walk.call("TagResource", ResourceARN=plain[walk.arn_member], Tags=BLUE)
    walk.call("UntagResource", ResourceARN=blue[walk.arn_member], TagKeys=["team"])
    assert read_by(session) == [{False}, {False}, {True}]
    assert not session.allows("ListTagsForResource", ResourceARN=red[walk.arn_member])
    assert session.allows("ListTagsForResource", ResourceARN=plain[walk.arn_member])


@pytest.mark.parametrize("name", WITH_TAGS)
def test_the_tags_of_a_request_decide(name: str, make_world: Any) -> None:
    walk = walk_of(name, make_world)
    creating = walk.case["create"]["operation"]
    made = walk.made(5)
    arn = {"ResourceARN": made[walk.arn_member]}
    asked = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    session = Session(walk, allow("chime:*", **asked))
    for number, (tags, is_allowed) in enumerate(((RED, False), (OTHER, False), (BLUE, True), (BLUE + OTHER, True))):
        assert session.allows(creating, **walk.creating(number), Tags=tags) is is_allowed
        assert session.allows("TagResource", **arn, Tags=tags) is is_allowed
    assert not session.allows(creating, **walk.creating(4))
    assert not session.allows("UntagResource", **arn, TagKeys=["team"])
    assert not session.allows(walk.case["get"], **walk.named(made))


@pytest.mark.parametrize("name", WITH_TAGS)
def test_the_tag_keys_of_a_request_decide(name: str, make_world: Any) -> None:
    walk = walk_of(name, make_world)
    creating = walk.case["create"]["operation"]
    made = walk.made(5, Tags=BLUE + OTHER)
    arn = {"ResourceARN": made[walk.arn_member]}
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}, "Null": {"aws:TagKeys": "false"}}
    session = Session(walk, allow("chime:*", **keys))
    for number, (tags, is_allowed) in enumerate(((OTHER, False), (BLUE + OTHER, False), (RED, True))):
        assert session.allows(creating, **walk.creating(number), Tags=tags) is is_allowed
        assert session.allows("TagResource", **arn, Tags=tags) is is_allowed
    assert not session.allows(creating, **walk.creating(3))
    for names, is_allowed in ((["cost"], False), (["team", "cost"], False), (["team"], True)):
        assert session.allows("UntagResource", **arn, TagKeys=names) is is_allowed
    assert walk.call("ListTagsForResource", **arn) == {"Tags": OTHER}


@pytest.mark.parametrize("name", WITH_TAGS)
def test_tags_at_the_creation_need_the_permission_to_tag(name: str, make_world: Any) -> None:
    """Where the reference names chime:TagResource as a dependent action; elsewhere the create alone is needed."""
    walk = walk_of(name, make_world)
    creating = walk.case["create"]["operation"]
    session = Session(walk, allow("chime:*"), {"Effect": "Deny", "Action": "chime:TagResource", "Resource": "*"})
    assert session.allows(creating, **walk.creating(0))
    assert session.allows(creating, **walk.creating(1), Tags=BLUE) is (creating not in TAG_DEPENDENT)

"""Managed policies attached to users, groups and roles, and their inline policies: the same for all three kinds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, FILLER_ARNS, FILLERS, LIMITS, READ_ONLY, WORLD, fails, identity, put_rights, refusal

# Kind, an entity with nothing, the total of inline policies in characters.
KINDS = [("User", "plain", 2048), ("Group", "plain", 5120), ("Role", "plain", 10240)]
PACKED = {"User": "full", "Group": "crowd-00", "Role": "packed"}
DOCUMENT = json.dumps(identity("chime:GetUser"))


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    client = world.client("iam")
    client.create_user(UserName="Plain")
    client.create_group(GroupName="Plain")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    client.create_role(
        RoleName="Plain", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    return client


Ask = Callable[..., dict[str, Any]]


def asker(iam: Any, kind: str, name: str) -> Ask:
    """Calls an operation of a kind: ``ask("attach_{}_policy", PolicyArn=…)``."""

    def ask(operation: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(iam, operation.format(kind.lower()))(**{f"{kind}Name": name}, **arguments)
        return answer

    return ask


def size_of(document: str) -> int:
    return sum(not character.isspace() for character in document)


def padded(characters: int) -> str:
    """A policy of exactly so many characters, white space not counted."""
    empty = size_of(json.dumps(identity("chime:GetUser", Sid="")))
    return json.dumps(identity("chime:GetUser", Sid="x" * (characters - empty)), indent=8)


@pytest.mark.parametrize(("kind", "name", "_limit"), KINDS)
def test_attach_list_detach(iam: Any, kind: str, name: str, _limit: int) -> None:
    ask = asker(iam, kind, name)
    assert ask("list_attached_{}_policies")["AttachedPolicies"] == []
    for _ in range(2):
        ask("attach_{}_policy", PolicyArn=READ_ONLY)
        ask("attach_{}_policy", PolicyArn=LIMITS)
        assert ask("list_attached_{}_policies")["AttachedPolicies"] == [
            {"PolicyName": "AmazonChimeReadOnly", "PolicyArn": READ_ONLY},
            {"PolicyName": "limits", "PolicyArn": LIMITS},
        ]
    ask("detach_{}_policy", PolicyArn=READ_ONLY)
    assert [one["PolicyName"] for one in ask("list_attached_{}_policies")["AttachedPolicies"]] == ["limits"]
    fails(
        lambda: ask("detach_{}_policy", PolicyArn=READ_ONLY),
        "NoSuchEntity",
        f"Policy {READ_ONLY} was not found.",
        404,
    )


@pytest.mark.parametrize("kind", PACKED)
def test_attached_policies_by_path_and_in_pages(iam: Any, kind: str) -> None:
    ask = asker(iam, kind, PACKED[kind])
    ask("detach_{}_policy", PolicyArn=FILLER_ARNS[9])
    ask("attach_{}_policy", PolicyArn=READ_ONLY)
    found = []
    marker: dict[str, str] = {}
    for _ in range(3):
        page = ask("list_attached_{}_policies", MaxItems=4, **marker)
        found.append([one["PolicyName"] for one in page["AttachedPolicies"]])
        marker = {"Marker": page["Marker"]} if page["IsTruncated"] else {}
    assert found == [["AmazonChimeReadOnly", *FILLERS[:3]], FILLERS[3:7], FILLERS[7:9]]
    assert marker == {}
    listed = ask("list_attached_{}_policies", PathPrefix="/fill/")["AttachedPolicies"]
    assert [one["PolicyName"] for one in listed] == FILLERS[:9]
    assert ask("list_attached_{}_policies", PathPrefix="/FILL/")["AttachedPolicies"] == []


@pytest.mark.parametrize("kind", PACKED)
def test_attaching_again_is_no_error_even_when_full(iam: Any, kind: str) -> None:
    ask = asker(iam, kind, PACKED[kind])
    ask("attach_{}_policy", PolicyArn=FILLER_ARNS[0])
    assert len(ask("list_attached_{}_policies")["AttachedPolicies"]) == 10


@pytest.mark.parametrize(("kind", "name", "_limit"), KINDS)
def test_put_get_list_delete(iam: Any, kind: str, name: str, _limit: int) -> None:
    ask = asker(iam, kind, name)
    ask("put_{}_policy", PolicyName="two", PolicyDocument=DOCUMENT)
    ask("put_{}_policy", PolicyName="One", PolicyDocument=DOCUMENT)
    replaced = json.dumps(identity("chime:List*"), indent=4)
    ask("put_{}_policy", PolicyName="two", PolicyDocument=replaced)
    answer = ask("get_{}_policy", PolicyName="two")
    del answer["ResponseMetadata"]
    assert answer == {f"{kind}Name": "Plain", "PolicyName": "two", "PolicyDocument": identity("chime:List*")}
    listed = ask("list_{}_policies")
    assert (listed["PolicyNames"], listed["IsTruncated"]) == (["One", "two"], False)
    first = ask("list_{}_policies", MaxItems=1)
    assert first["PolicyNames"] == ["One"]
    assert ask("list_{}_policies", Marker=first["Marker"])["PolicyNames"] == ["two"]
    ask("delete_{}_policy", PolicyName="One")
    assert ask("list_{}_policies")["PolicyNames"] == ["two"]


@pytest.mark.parametrize(("kind", "name", "limit"), KINDS)
def test_inline_policies_have_a_total_size(iam: Any, kind: str, name: str, limit: int) -> None:
    ask = asker(iam, kind, name)
    half = limit // 2
    ask("put_{}_policy", PolicyName="a", PolicyDocument=padded(half))
    message = f"Maximum policy size of {limit} bytes exceeded for {kind.lower()} Plain"
    over = padded(limit - half + 1)
    fails(lambda: ask("put_{}_policy", PolicyName="b", PolicyDocument=over), "LimitExceeded", message, 409)
    ask("put_{}_policy", PolicyName="b", PolicyDocument=padded(limit - half))
    over = padded(half + 1)
    fails(lambda: ask("put_{}_policy", PolicyName="a", PolicyDocument=over), "LimitExceeded", message, 409)
    ask("put_{}_policy", PolicyName="a", PolicyDocument=padded(half))


def test_a_document_is_shown_as_it_was_put(world: Any, iam: Any) -> None:
    text = '{ "Version":"2012-10-17",\n\t"Statement":{"Effect":"Allow","Action":"chime:*","Resource":"*",'
    text += '"Condition":{"StringLike":{"aws:UserAgent":"50% <&> + /?"}}}}'
    iam.put_user_policy(UserName="plain", PolicyName="own", PolicyDocument=text)
    bodies: list[bytes] = []
    iam.meta.events.register("after-call.iam", lambda http_response, **_: bodies.append(http_response.content))
    assert iam.get_user_policy(UserName="plain", PolicyName="own")["PolicyDocument"] == json.loads(text)
    assert b"%7B%20%22Version%22%3A%222012-10-17%22%2C%0A%09%22Statement" in bodies[0]
    assert b"50%25%20%3C%26%3E%20%2B%20%2F%3F" in bodies[0]


def test_a_policy_holds_from_the_next_call_on(world: Any, iam: Any) -> None:
    chime = world.client("chime", user="bob")
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"
    iam.attach_user_policy(UserName="bob", PolicyArn=READ_ONLY)
    chime.list_accounts()
    put_rights(iam, "bob", "no", identity("chime:List*", effect="Deny"))
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"
    iam.delete_user_policy(UserName="bob", PolicyName="no")
    chime.list_accounts()
    iam.detach_user_policy(UserName="bob", PolicyArn=READ_ONLY)
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"


def test_a_role_loses_its_rights_in_sessions_that_live(world: Any, iam: Any) -> None:
    iam.attach_role_policy(RoleName="plain", PolicyArn=READ_ONLY)
    chime = world.client("chime", credentials=world.assume(f"arn:aws:iam::{ACCOUNT}:role/Plain"))
    chime.list_accounts()
    iam.detach_role_policy(RoleName="plain", PolicyArn=READ_ONLY)
    assert refusal(chime.list_accounts)[0] == "ForbiddenException"


@pytest.mark.parametrize("kind", PACKED)
def test_a_permission_may_ask_which_policy(world: Any, iam: Any, kind: str) -> None:
    only = {"Condition": {"ArnEquals": {"iam:PolicyARN": LIMITS}}}
    put_rights(iam, "bob", "only", identity([f"iam:Attach{kind}Policy", f"iam:Detach{kind}Policy"], **only))
    ask = asker(world.client("iam", user="bob"), kind, "plain")
    for operation in ("attach", "detach"):
        with pytest.raises(ClientError, match=f"not authorized to perform: iam:{operation.capitalize()}{kind}Policy"):
            ask(f"{operation}_{{}}_policy", PolicyArn=READ_ONLY)
        ask(f"{operation}_{{}}_policy", PolicyArn=LIMITS)


def users_of(iam: Any, arn: str, **arguments: Any) -> tuple[list[str], list[str], list[str]]:
    answer = iam.list_entities_for_policy(PolicyArn=arn, **arguments)
    return tuple([one[f"{kind}Name"] for one in answer[f"Policy{kind}s"]] for kind in ("Group", "User", "Role"))  # type: ignore[return-value]


def test_entities_that_use_a_policy(world: Any, iam: Any) -> None:
    iam.attach_role_policy(RoleName="plain", PolicyArn=READ_ONLY)
    iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=READ_ONLY)
    iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=READ_ONLY)
    iam.put_role_permissions_boundary(RoleName="manager", PermissionsBoundary=READ_ONLY)
    groups = ["developers", "spare"]
    assert users_of(iam, READ_ONLY) == (groups, ["ana", "bob"], ["manager", "Plain"])
    assert users_of(iam, READ_ONLY, PolicyUsageFilter="PermissionsPolicy") == (groups, ["ana"], ["Plain"])
    assert users_of(iam, READ_ONLY, PolicyUsageFilter="PermissionsBoundary") == ([], ["ana", "bob"], ["manager"])
    assert users_of(iam, READ_ONLY, EntityFilter="User") == ([], ["ana", "bob"], [])
    assert users_of(iam, READ_ONLY, EntityFilter="Role") == ([], [], ["manager", "Plain"])
    assert users_of(iam, READ_ONLY, EntityFilter="Group") == (groups, [], [])
    assert users_of(iam, READ_ONLY, EntityFilter="LocalManagedPolicy") == ([], [], [])
    assert users_of(iam, READ_ONLY, PathPrefix="/team/") == ([], ["ana"], [])
    assert users_of(iam, LIMITS) == ([], [], [])
    assert users_of(world.client("iam", user="kim"), READ_ONLY) == ([], [], [])
    answer = iam.list_entities_for_policy(PolicyArn=READ_ONLY, EntityFilter="Role")
    assert {one["RoleId"][:4] for one in answer["PolicyRoles"]} == {"AROA"}
    pages = list(
        iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=READ_ONLY, PaginationConfig={"PageSize": 3})
    )
    assert [len(page["PolicyGroups"]) for page in pages] == [2, 0]
    assert [len(page["PolicyUsers"]) for page in pages] == [1, 1]
    assert [len(page["PolicyRoles"]) for page in pages] == [0, 2]


def test_a_policy_in_use_counts_its_users(iam: Any) -> None:
    iam.attach_user_policy(UserName="plain", PolicyArn=LIMITS)
    iam.attach_group_policy(GroupName="plain", PolicyArn=LIMITS)
    assert iam.get_policy(PolicyArn=LIMITS)["Policy"]["AttachmentCount"] == 2
    message = "Cannot delete a policy attached to entities."
    fails(iam.delete_policy, "DeleteConflict", message, 409, PolicyArn=LIMITS)

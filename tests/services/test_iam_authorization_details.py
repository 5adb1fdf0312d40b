"""GetAccountAuthorizationDetails: every member as AWS recorded it, one marker over all sections, and the filter."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from iam_calls import ACCOUNT, LIMITS, READ_ONLY, WORLD, declared_user, fails, identity, refusal
from sts_calls import trust

IAM = f"arn:aws:iam::{ACCOUNT}"
SECTIONS = {
    "User": ("UserDetailList", "UserName"),
    "Group": ("GroupDetailList", "GroupName"),
    "Role": ("RoleDetailList", "RoleName"),
    "LocalManagedPolicy": ("Policies", "PolicyName"),
    "AWSManagedPolicy": ("Policies", "PolicyName"),
}
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
# Text that other ways of encoding change: a blank, a plus, a percent sign, a tilde, a letter beyond ASCII.
_RESOURCE = "arn:aws:chime:::a+b%20~é*"
ODD = f'{{"Version":"2012-10-17",  "Statement":[{{"Effect":"Allow","Action":"chime:*","Resource":"{_RESOURCE}"}}]}}'


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


@pytest.fixture(scope="module")
def reader(make_shared_world: Any) -> Any:
    """For tests that change nothing."""
    return make_shared_world(WORLD).client("iam")


def details(iam: Any, *filters: str) -> dict[str, Any]:
    """The whole answer in one page."""
    answer = iam.get_account_authorization_details(MaxItems=1000, **({"Filter": list(filters)} if filters else {}))
    assert answer["IsTruncated"] is False
    assert "Marker" not in answer
    return {name: answer[name] for name in LISTS}


def one(listed: list[dict[str, Any]], member: str, name: str) -> dict[str, Any]:
    [found] = [each for each in listed if each[member] == name]
    return found


def entities(answer: dict[str, Any]) -> list[str]:
    return [each["Arn"] for name in LISTS for each in answer[name]]


def test_a_user_as_aws_shows_it(iam: Any) -> None:
    """Recorded in February 2026: a user without inline policies lacks UserPolicyList, the other lists are empty."""
    iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=LIMITS)
    users = details(iam, "User")["UserDetailList"]
    ana = one(users, "UserName", "ana")
    assert ana.pop("CreateDate") == iam.get_user(UserName="ana")["User"]["CreateDate"]
    assert ana.pop("UserId") == iam.get_user(UserName="ana")["User"]["UserId"]
    assert ana == {
        "Arn": f"{IAM}:user/team/ana",
        "UserName": "ana",
        "Path": "/team/",
        "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": identity("chime:GetUser")}],
        "GroupList": ["developers"],
        "AttachedManagedPolicies": [{"PolicyName": "AmazonChimeReadOnly", "PolicyArn": READ_ONLY}],
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": LIMITS},
        "Tags": [{"Key": "Team", "Value": "blue"}],
    }
    bob = one(users, "UserName", "bob")
    assert set(bob) == {
        "Arn",
        "UserName",
        "UserId",
        "Path",
        "CreateDate",
        "GroupList",
        "AttachedManagedPolicies",
        "Tags",
    }
    assert (bob["GroupList"], bob["AttachedManagedPolicies"], bob["Tags"]) == ([], [], [])


def test_a_group_as_aws_shows_it(iam: Any) -> None:
    groups = details(iam, "Group")["GroupDetailList"]
    developers = one(groups, "GroupName", "developers")
    assert {name: developers[name] for name in developers if name not in ("CreateDate", "GroupId")} == {
        "Arn": f"{IAM}:group/developers",
        "GroupName": "developers",
        "Path": "/",
        "GroupPolicyList": [{"PolicyName": "own", "PolicyDocument": identity("chime:GetUser")}],
        "AttachedManagedPolicies": [{"PolicyName": "AmazonChimeReadOnly", "PolicyArn": READ_ONLY}],
    }
    assert one(groups, "GroupName", "crowd-01")["GroupPolicyList"] == []


def test_a_role_as_aws_shows_it(world: Any, iam: Any) -> None:
    document = trust({"AWS": f"{IAM}:root"})
    iam.create_role(
        RoleName="app",
        Path="/r/",
        Description="not shown",
        MaxSessionDuration=7200,
        AssumeRolePolicyDocument=json.dumps(document),
        PermissionsBoundary=LIMITS,
        Tags=[{"Key": "k", "Value": "v"}],
    )
    iam.attach_role_policy(RoleName="app", PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=json.dumps(identity("iam:List*")))
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="app")
    app = one(details(iam, "Role")["RoleDetailList"], "RoleName", "app")
    profile = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    del profile["Tags"]
    assert {name: app[name] for name in app if name not in ("CreateDate", "RoleId")} == {
        "Arn": f"{IAM}:role/r/app",
        "RoleName": "app",
        "Path": "/r/",
        "AssumeRolePolicyDocument": document,
        "InstanceProfileList": [profile],
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": identity("iam:List*")}],
        "AttachedManagedPolicies": [{"PolicyName": "AmazonChimeReadOnly", "PolicyArn": READ_ONLY}],
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": LIMITS},
        "Tags": [{"Key": "k", "Value": "v"}],
        "RoleLastUsed": {},
    }
    assert profile["Roles"][0]["RoleId"] == app["RoleId"]
    packed = one(details(iam, "Role")["RoleDetailList"], "RoleName", "packed")
    assert (packed["InstanceProfileList"], packed["RolePolicyList"], packed["Tags"]) == ([], [], [])


def test_the_last_use_of_a_role(world: Any, iam: Any) -> None:
    used = world.client("iam", credentials=world.assume("manager"))
    used.list_users()
    shown = one(details(iam, "Role")["RoleDetailList"], "RoleName", "manager")["RoleLastUsed"]
    assert shown == iam.get_role(RoleName="manager")["Role"]["RoleLastUsed"]
    assert shown["Region"] == "us-east-1"


def test_a_policy_with_its_versions(iam: Any) -> None:
    iam.create_policy_version(PolicyArn=LIMITS, PolicyDocument=json.dumps(identity("chime:List*")))
    iam.create_policy_version(PolicyArn=LIMITS, PolicyDocument=ODD, SetAsDefault=True)
    iam.attach_user_policy(UserName="bob", PolicyArn=LIMITS)
    iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=LIMITS)
    limits = one(details(iam, "LocalManagedPolicy")["Policies"], "PolicyName", "limits")
    versions = limits.pop("PolicyVersionList")
    listed = iam.get_policy(PolicyArn=LIMITS)["Policy"]
    # Recorded: neither the description, which GetPolicy shows, nor the tags.
    assert limits == {name: listed[name] for name in listed if name not in ("Description", "Tags")}
    assert (limits["AttachmentCount"], limits["PermissionsBoundaryUsageCount"]) == (1, 1)
    assert [(each["VersionId"], each["IsDefaultVersion"]) for each in versions] == [
        ("v3", True),
        ("v2", False),
        ("v1", False),
    ]
    assert [each["Document"] for each in versions] == [
        json.loads(ODD),
        identity("chime:List*"),
        identity("chime:Get*"),
    ]
    assert set(versions[0]) == {"CreateDate", "Document", "IsDefaultVersion", "VersionId"}


def test_documents_are_encoded_by_rfc_3986(world: Any, iam: Any) -> None:
    """API reference: "Policies returned by this operation are URL-encoded compliant with RFC 3986." """
    iam.put_role_policy(RoleName="manager", PolicyName="odd", PolicyDocument=ODD)
    bodies: list[bytes] = []
    iam.meta.events.register("before-parse.iam", lambda response_dict, **_: bodies.append(response_dict["body"]))
    details(iam, "Role")
    [body] = bodies
    assert b"%22Version%22%3A%222012-10-17%22%2C%20%20%22Statement%22" in body
    assert b"a%2Bb%2520~%C3%A9%2A%22" in body
    assert b"+" not in body.partition(b"odd")[2].partition(b"</PolicyDocument>")[0]


def test_of_awss_policies_those_in_use_are_shown(iam: Any) -> None:
    arns = [policy["Arn"] for policy in details(iam, "AWSManagedPolicy")["Policies"]]
    assert arns == [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        READ_ONLY,
        "arn:aws:iam::aws:policy/aws-service-role/AmazonChimeVoiceConnectorServiceLinkedRolePolicy",
    ]
    only = one(details(iam, "AWSManagedPolicy")["Policies"], "Arn", READ_ONLY)
    assert only["AttachmentCount"] == 3
    [version] = only["PolicyVersionList"]
    whole = iam.get_policy_version(PolicyArn=READ_ONLY, VersionId=only["DefaultVersionId"])["PolicyVersion"]
    assert version == whole
    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=boundary)
    used = one(details(iam, "AWSManagedPolicy")["Policies"], "Arn", boundary)
    assert (used["AttachmentCount"], used["PermissionsBoundaryUsageCount"]) == (0, 1)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_filter(reader: Any, name: str) -> None:
    everything, found = details(reader), details(reader, name)
    shown_as, _ = SECTIONS[name]
    assert [each for each in LISTS if found[each]] == [shown_as]
    expected = everything[shown_as]
    if name.endswith("ManagedPolicy"):
        owner = "aws" if name == "AWSManagedPolicy" else ACCOUNT
        expected = [policy for policy in expected if f"::{owner}:" in policy["Arn"]]
    assert found[shown_as] == expected


def test_several_filters_are_one_list_whatever_their_order(reader: Any) -> None:
    both = details(reader, "Role", "User")
    assert both == details(reader, "User", "Role", "User")
    assert [name for name in LISTS if both[name]] == ["UserDetailList", "RoleDetailList"]


def test_an_unknown_kind_is_refused(reader: Any) -> None:
    code, _, status = refusal(reader.get_account_authorization_details, Filter=["user"])
    assert (code, status) == ("ValidationError", 400)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("filters", [(), ("User", "LocalManagedPolicy"), ("AWSManagedPolicy", "Group")])
def test_pages_are_exact(reader: Any, size: int, filters: tuple[str, ...]) -> None:
    """MaxItems counts the entities of all sections, every page but the last is full, and nothing comes twice."""
    wanted = {"Filter": list(filters)} if filters else {}
    whole = details(reader, *filters)
    pages = list(
        reader.get_paginator("get_account_authorization_details").paginate(
            PaginationConfig={"PageSize": size}, **wanted
        )
    )
    counts = [len(entities(page)) for page in pages]
    assert counts[:-1] == [size] * (len(counts) - 1)
    assert 0 < counts[-1] <= size
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert {name: [each for page in pages for each in page[name]] for name in LISTS} == whole


def test_a_marker_belongs_to_its_filter_and_account(world: Any, iam: Any) -> None:
    call = iam.get_account_authorization_details
    marker = call(MaxItems=1)["Marker"]
    fails(call, "ValidationError", "Invalid Marker.", 400, Marker=marker, Filter=["User"])
    theirs = world.client("iam", user="kim").get_account_authorization_details
    fails(theirs, "ValidationError", "Invalid Marker.", 400, Marker=marker)
    fails(iam.list_users, "ValidationError", "Invalid Marker.", 400, Marker=marker)


def test_changes_between_pages(iam: Any) -> None:
    """What is there all the time comes exactly once, whatever is made and deleted beside it."""
    first = iam.get_account_authorization_details(MaxItems=2)
    iam.create_user(UserName="aaa")
    iam.create_user(UserName="zzz")
    iam.delete_role(RoleName=_new_role(iam))
    seen = entities(first)
    marker = first["Marker"]
    while marker:
        page = iam.get_account_authorization_details(MaxItems=3, Marker=marker)
        seen += entities(page)
        marker = page.get("Marker")
    assert len(seen) == len(set(seen))
    assert set(entities(details(iam))) - set(seen) == {f"{IAM}:user/aaa"}


def _new_role(iam: Any) -> str:
    iam.create_role(RoleName="gone", AssumeRolePolicyDocument=json.dumps(trust({"AWS": f"{IAM}:root"})))
    return "gone"


def test_an_account_sees_itself_alone(world: Any) -> None:
    answer = details(world.client("iam", user="kim"))
    assert {arn.split(":")[4] for arn in entities(answer)} == {"444455556666", "aws"}
    assert [user["UserName"] for user in answer["UserDetailList"]] == ["kim"]


def test_the_sections_agree_with_the_single_reads(make_world: Any) -> None:
    """A random account: what the details tell of an entity is what the operations about it tell."""
    chance = random.Random(20261129)
    users = [
        declared_user(
            f"u{number}",
            path=chance.choice(["/", "/a/"]),
            groups=chance.sample([f"g{each}" for each in range(4)], chance.randrange(4)),
            attached_policies=chance.sample([READ_ONLY, f"{IAM}:policy/p"], chance.randrange(3)),
            inline_policies={f"i{each}": identity("chime:Get*") for each in range(chance.randrange(3))},
            tags={f"k{each}": "v" for each in range(chance.randrange(3))},
        )
        for number in range(15)
    ]
    account = {
        "id": ACCOUNT,
        "users": [*users, declared_user("admin", inline_policies={"own": identity("iam:*")})],
        "groups": [{"name": f"g{number}"} for number in range(4)],
        "policies": [{"name": "p", "document": identity("chime:List*")}],
    }
    iam = make_world(json.dumps({"version": 1, "accounts": [account]})).client("iam")
    for user in details(iam)["UserDetailList"]:
        name = {"UserName": user["UserName"]}
        assert user["GroupList"] == [group["GroupName"] for group in iam.list_groups_for_user(**name)["Groups"]]
        assert user["Tags"] == iam.list_user_tags(**name)["Tags"]
        inline = [policy["PolicyName"] for policy in user.get("UserPolicyList", [])]
        assert inline == iam.list_user_policies(**name)["PolicyNames"]
        attached = iam.list_attached_user_policies(**name)["AttachedPolicies"]
        assert sorted(map(str, user["AttachedManagedPolicies"])) == sorted(map(str, attached))


def test_a_role_with_a_longest_sign_in_session_is_shown_without_it(iam: Any) -> None:
    """The model's RoleDetail has no such member."""
    iam.create_role(RoleName="signs-in", AssumeRolePolicyDocument=json.dumps(trust({"AWS": ACCOUNT})))
    iam.update_role(RoleName="signs-in", MaxSigninSessionDuration=7200)
    found = one(details(iam)["RoleDetailList"], "RoleName", "signs-in")
    assert "MaxSigninSessionDuration" not in found

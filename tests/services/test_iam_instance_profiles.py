"""Instance profiles through boto3: their roles, their permissions, waiters, pages and quotas."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import boto3
import pytest
from iam_calls import ACCOUNT, WORLD, declared_user, fails, identity, refusal
from world_handle import known_world

from rolecall.storage.instance_profiles import profile_by_name

IAM = f"arn:aws:iam::{ACCOUNT}"
# AWS's message of DeleteRole and of DeleteInstanceProfile, recorded.
IN_PROFILE = "Cannot delete entity, must remove roles from instance profile first."
FULL = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def names(answer: dict[str, Any]) -> list[str]:
    return [profile["InstanceProfileName"] for profile in answer["InstanceProfiles"]]


def test_the_way_of_a_profile(iam: Any) -> None:
    made = iam.create_instance_profile(InstanceProfileName="Hosts", Path="/a/b/")["InstanceProfile"]
    assert made["Arn"] == f"{IAM}:instance-profile/a/b/Hosts"
    assert (made["InstanceProfileId"][:4], len(made["InstanceProfileId"])) == ("AIPA", 21)
    iam.create_role(RoleName="app", Path="/r/", AssumeRolePolicyDocument=TRUST)
    iam.add_role_to_instance_profile(InstanceProfileName="HOSTS", RoleName="APP")
    shown = iam.get_instance_profile(InstanceProfileName="hosts")["InstanceProfile"]
    assert {name: shown[name] for name in made if name != "Roles"} == {
        name: made[name] for name in made if name != "Roles"
    }
    [role] = shown["Roles"]
    assert (role["Arn"], role["AssumeRolePolicyDocument"]) == (f"{IAM}:role/r/app", json.loads(TRUST))
    assert names(iam.list_instance_profiles_for_role(RoleName="app")) == ["Hosts"]
    iam.remove_role_from_instance_profile(InstanceProfileName="Hosts", RoleName="app")
    iam.delete_instance_profile(InstanceProfileName="Hosts")
    assert refusal(iam.get_instance_profile, InstanceProfileName="Hosts")[0] == "NoSuchEntity"
    assert iam.list_instance_profiles_for_role(RoleName="app")["InstanceProfiles"] == []


def test_a_profile_holds_one_role_and_a_role_is_in_many_profiles(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="second")
    for name in ("web", "second"):
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName="manager")
    for name in ("packed", "manager"):
        more = {"InstanceProfileName": "web", "RoleName": name}
        fails(iam.add_role_to_instance_profile, "LimitExceeded", FULL, 409, **more)
    [role] = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Roles"]
    assert role["RoleName"] == "manager"
    assert names(iam.list_instance_profiles_for_role(RoleName="manager")) == ["second", "web"]


def test_neither_the_role_nor_the_profile_can_be_deleted_while_they_belong_together(iam: Any) -> None:
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="app")
    fails(iam.delete_role, "DeleteConflict", IN_PROFILE, 409, RoleName="app")
    fails(iam.delete_instance_profile, "DeleteConflict", IN_PROFILE, 409, InstanceProfileName="web")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="app")
    iam.delete_role(RoleName="app")
    iam.delete_instance_profile(InstanceProfileName="web")


def test_a_role_made_again_is_not_in_the_old_ones_profile(iam: Any) -> None:
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="app")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="app")
    iam.delete_role(RoleName="app")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    assert iam.list_instance_profiles_for_role(RoleName="app")["InstanceProfiles"] == []


def test_what_another_call_did_meanwhile(iam: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The constraints of the schema hold what the checks of an operation could not see."""
    module = "rolecall.services.iam.roles.instance_profiles"
    create = {"InstanceProfileName": "web"}
    monkeypatch.setattr(f"{module}.profile_by_name", lambda *_: None)
    fails(iam.create_instance_profile, "EntityAlreadyExists", "Instance Profile web already exists.", 409, **create)
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="manager")
    for policy in iam.list_attached_role_policies(RoleName="manager")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="manager", PolicyArn=policy["PolicyArn"])
    monkeypatch.setattr("rolecall.services.iam.roles.roles.profiles_of_roles", lambda *_: {})
    message = "Cannot delete entity, must remove referenced objects first."
    fails(iam.delete_role, "DeleteConflict", message, 409, RoleName="manager")


def test_a_role_that_is_gone_meanwhile(world: Any, iam: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("rolecall.services.iam.roles.instance_profiles")
    put = module.put_role
    monkeypatch.setattr(module, "put_role", lambda db, profile_id, role_id: put(db, profile_id, f"{role_id}X"))
    add = {"InstanceProfileName": "web", "RoleName": "manager"}
    assert refusal(iam.add_role_to_instance_profile, **add)[0] == "ConcurrentModification"
    with world.database.snapshot() as connection:
        found = profile_by_name(connection, ACCOUNT, "web")
    assert found is not None
    assert found.role_id is None


def test_pages_and_paths(iam: Any) -> None:
    for number in range(3):
        iam.create_instance_profile(InstanceProfileName=f"n{number}", Path="/n/" if number else "/")
        iam.add_role_to_instance_profile(InstanceProfileName=f"n{number}", RoleName="manager")
    pages = list(iam.get_paginator("list_instance_profiles").paginate(PaginationConfig={"PageSize": 2}))
    assert [names(page) for page in pages] == [["n0", "n1"], ["n2", "web"]]
    assert names(iam.list_instance_profiles(PathPrefix="/n/")) == ["n1", "n2"]
    of_role = iam.get_paginator("list_instance_profiles_for_role")
    pages = list(of_role.paginate(RoleName="manager", PaginationConfig={"PageSize": 2}))
    assert [names(page) for page in pages] == [["n0", "n1"], ["n2"]]
    marker = iam.list_instance_profiles(MaxItems=1)["Marker"]
    for call, more in (
        (iam.list_instance_profiles, {"PathPrefix": "/n/"}),
        (iam.list_instance_profiles_for_role, {"RoleName": "manager"}),
    ):
        fails(call, "ValidationError", "Invalid Marker.", 400, Marker=marker, **more)


def test_keys_of_tags_are_case_sensitive(iam: Any) -> None:
    """IAM User Guide, Tags for IAM resources."""
    web = {"InstanceProfileName": "web"}
    iam.tag_instance_profile(**web, Tags=[{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": "b"}])
    iam.tag_instance_profile(**web, Tags=[{"Key": "team", "Value": "c"}])
    both = [{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": "c"}]
    assert iam.list_instance_profile_tags(**web)["Tags"] == both
    assert iam.get_instance_profile(**web)["InstanceProfile"]["Tags"] == both
    assert "Tags" not in iam.list_instance_profiles()["InstanceProfiles"][0]
    iam.untag_instance_profile(**web, TagKeys=["TEAM", "Team"])
    assert iam.list_instance_profile_tags(**web)["Tags"] == [{"Key": "team", "Value": "c"}]


def test_another_account_has_profiles_of_its_own(world: Any, iam: Any) -> None:
    theirs = world.client("iam", user="kim")
    assert refusal(theirs.get_instance_profile, InstanceProfileName="web")[0] == "NoSuchEntity"
    theirs.create_instance_profile(InstanceProfileName="web")
    assert theirs.get_account_summary()["SummaryMap"]["InstanceProfiles"] == 1
    assert iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Path"] == "/team/"


def test_boto3s_waiter_and_resources(world: Any, iam: Any) -> None:
    waiter = iam.get_waiter("instance_profile_exists")
    waiter.wait(InstanceProfileName="web", WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    with pytest.raises(Exception, match="Max attempts exceeded"):
        waiter.wait(InstanceProfileName="nothing", WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    resources = boto3.resource("iam", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    resources.meta.client = iam
    made = resources.create_instance_profile(InstanceProfileName="hosts")
    made.add_role(RoleName="manager")
    profile = resources.InstanceProfile("hosts")
    assert [role.name for role in profile.roles] == ["manager"]
    assert [each.name for each in resources.Role("manager").instance_profiles.all()] == ["hosts"]
    assert sorted(each.name for each in resources.instance_profiles.filter(PathPrefix="/")) == ["hosts", "web"]
    profile.remove_role(RoleName="manager")
    profile.delete()
    assert [each.name for each in resources.instance_profiles.all()] == ["web"]


# Permissions.

PROFILES = f"{IAM}:instance-profile/*"
ADDING = {"Effect": "Allow", "Action": "iam:*InstanceProfile", "Resource": PROFILES}


def passing(resource: str = "*", **conditions: Any) -> dict[str, Any]:
    more = {"Condition": conditions} if conditions else {}
    return {"Effect": "Allow", "Action": "iam:PassRole", "Resource": resource, **more}


RIGHTS: dict[str, list[dict[str, Any]]] = {
    "without_passing": [ADDING],
    "passing_another": [ADDING, passing(f"{IAM}:role/other")],
    "passing_without_path": [ADDING, passing(f"{IAM}:role/app")],
    "passing_to_lambda": [ADDING, passing(StringEquals={"iam:PassedToService": "lambda.amazonaws.com"})],
    "passing_denied": [ADDING, passing(), {**passing(f"{IAM}:role/r/*"), "Effect": "Deny"}],
    "passing_to_one_instance": [
        ADDING,
        passing(ArnEquals={"iam:AssociatedResourceArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"}),
    ],
    "passing_red": [ADDING, passing(StringEquals={"iam:ResourceTag/team": "red"})],
    "passing_alone": [passing()],
    "passing": [ADDING, passing(f"{IAM}:role/r/app")],
    "passing_to_ec2": [ADDING, passing(StringEquals={"iam:PassedToService": "ec2.amazonaws.com"})],
    "passing_to_any_instance": [
        ADDING,
        passing(ArnLike={"iam:AssociatedResourceArn": f"arn:aws:ec2:*:{ACCOUNT}:instance/*"}),
    ],
    "team": [{**ADDING, "Resource": f"{IAM}:instance-profile/team/*"}, passing()],
    "blue": [{**ADDING, "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}, passing()],
    "wrong_kind": [{**ADDING, "Resource": f"{IAM}:role/*"}],
    "team_makers": [{**ADDING, "Action": "iam:CreateInstanceProfile", "Resource": f"{IAM}:instance-profile/team/*"}],
    "blue_makers": [
        {
            **ADDING,
            "Action": "iam:CreateInstanceProfile",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}},
        },
        {"Effect": "Allow", "Action": "iam:TagInstanceProfile", "Resource": PROFILES},
    ],
}


@pytest.fixture(scope="module")
def callers(make_shared_world: Any) -> Any:
    users = [
        declared_user(name, inline_policies={"own": {"Version": "2012-10-17", "Statement": statements}})
        for name, statements in RIGHTS.items()
    ]
    admin = declared_user("admin", attached_policies=["arn:aws:iam::aws:policy/AdministratorAccess"])
    account = {
        "id": ACCOUNT,
        "users": [*users, admin],
        "roles": [{"name": "app", "path": "/r/", "trust_policy": json.loads(TRUST), "tags": {"Team": "blue"}}],
        "instance_profiles": [{"name": "web", "path": "/team/", "tags": {"team": "blue"}}, {"name": "bare"}],
    }
    return make_shared_world(json.dumps({"version": 1, "accounts": [account]}))


PASSES = {"passing", "passing_to_ec2", "passing_to_any_instance", "team", "blue"}
NO_PROFILE = {"passing_alone", "wrong_kind", "team_makers", "blue_makers"}


@pytest.mark.parametrize("caller", RIGHTS)
def test_who_may_add_a_role(callers: Any, caller: str) -> None:
    """API reference: the caller "must be granted the PassRole permission on the IAM role"."""
    iam = callers.client("iam", caller)
    add = {"InstanceProfileName": "web", "RoleName": "app"}
    if caller in PASSES:
        iam.add_role_to_instance_profile(**add)
        iam.remove_role_from_instance_profile(**add)
        return
    code, message, status = refusal(iam.add_role_to_instance_profile, **add)
    assert (code, status) == ("AccessDenied", 403)
    action = "iam:AddRoleToInstanceProfile on resource: instance profile web"
    if caller not in NO_PROFILE:
        action = f"iam:PassRole on resource: {IAM}:role/r/app"
    assert message.startswith(f"User: {IAM}:user/{caller} is not authorized to perform: {action} ")


def test_taking_a_role_out_passes_nothing(callers: Any) -> None:
    add = {"InstanceProfileName": "bare", "RoleName": "app"}
    callers.client("iam").add_role_to_instance_profile(**add)
    callers.client("iam", "without_passing").remove_role_from_instance_profile(**add)


def test_a_role_that_is_not_there_needs_the_right_to_pass_it_first(callers: Any) -> None:
    add = {"InstanceProfileName": "web", "RoleName": "nothing"}
    _, message, status = refusal(callers.client("iam", "without_passing").add_role_to_instance_profile, **add)
    assert (f"iam:PassRole on resource: {IAM}:role/nothing" in message, status) == (True, 403)
    assert refusal(callers.client("iam", "passing_to_ec2").add_role_to_instance_profile, **add)[0] == "NoSuchEntity"


BLUE, RED = [{"Key": "team", "Value": "blue"}], [{"Key": "team", "Value": "red"}]


@pytest.mark.parametrize(
    ("caller", "parameters", "is_allowed"),
    [
        ("without_passing", {}, True),
        ("wrong_kind", {}, False),
        ("team_makers", {"Path": "/team/"}, True),
        ("team_makers", {}, False),
        # Creating with tags needs iam:TagInstanceProfile too.
        ("team_makers", {"Path": "/team/", "Tags": BLUE}, False),
        ("blue_makers", {"Tags": BLUE}, True),
        ("blue_makers", {"Tags": RED}, False),
        ("blue_makers", {}, False),
    ],
)
def test_who_may_make_a_profile(callers: Any, caller: str, parameters: dict[str, Any], is_allowed: bool) -> None:
    create = {"InstanceProfileName": "made", **parameters}
    iam = callers.client("iam", caller)
    if is_allowed:
        iam.create_instance_profile(**create)
        callers.client("iam").delete_instance_profile(InstanceProfileName="made")
    else:
        assert refusal(iam.create_instance_profile, **create)[2] == 403


@pytest.mark.parametrize(("caller", "name", "is_allowed"), [("team", "WEB", True), ("team", "bare", False)])
def test_the_stored_path_counts(callers: Any, caller: str, name: str, is_allowed: bool) -> None:
    get = callers.client("iam", caller).get_instance_profile
    if is_allowed:
        assert get(InstanceProfileName=name)["InstanceProfile"]["Path"] == "/team/"
    else:
        assert refusal(get, InstanceProfileName=name)[2] == 403


def test_the_stored_tags_count(callers: Any) -> None:
    blue = callers.client("iam", "blue")
    assert blue.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Tags"] == BLUE
    assert refusal(blue.get_instance_profile, InstanceProfileName="bare")[2] == 403
    callers.client("iam").tag_instance_profile(InstanceProfileName="bare", Tags=BLUE)
    assert blue.get_instance_profile(InstanceProfileName="bare")["InstanceProfile"]["Tags"] == BLUE
    callers.client("iam").untag_instance_profile(InstanceProfileName="bare", TagKeys=["team"])
    assert refusal(blue.get_instance_profile, InstanceProfileName="bare")[2] == 403


# The sandbox file.


def test_a_file_declares_profiles(make_world: Any) -> None:
    profiles = [
        {
            "name": "Web",
            "path": "/p/",
            "role": "APP",
            "tags": {"a": "1", "A": "2"},
            "unique_id": "AIPAEXAMPLEEXAMPLE123",
        },
        {"name": "empty"},
    ]
    account = {
        "id": ACCOUNT,
        "users": [declared_user("admin", inline_policies={"own": identity("iam:*")})],
        "roles": [{"name": "app", "trust_policy": json.loads(TRUST)}],
        "instance_profiles": profiles,
    }
    iam = make_world(json.dumps({"version": 1, "accounts": [account]})).client("iam")
    web = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    assert (web["Arn"], web["InstanceProfileId"]) == (f"{IAM}:instance-profile/p/Web", "AIPAEXAMPLEEXAMPLE123")
    assert [role["RoleName"] for role in web["Roles"]] == ["app"]
    assert web["Tags"] == [{"Key": "A", "Value": "2"}, {"Key": "a", "Value": "1"}]
    assert names(iam.list_instance_profiles()) == ["empty", "Web"]


@pytest.mark.parametrize(
    ("profiles", "problem"),
    [
        ([{"name": "web", "role": "nothing"}], "no role 'nothing' is declared in this account"),
        ([{"name": "web", "role": "linked"}], "'linked' is a service-linked role, which no instance profile can hold"),
        ([{"name": "web"}, {"name": "WEB"}], "'WEB' is declared twice"),
        ([{"name": "web", "unique_id": "AROAEXAMPLEEXAMPLE123"}], "must be AIPA and 12 to 28"),
        ([{"name": "a b"}], "must be a name of up to 128"),
        ([{}], "lacks name"),
    ],
)
def test_profiles_that_a_file_cannot_declare(profiles: list[dict[str, Any]], problem: str) -> None:
    service = "autoscaling.amazonaws.com"
    linked = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    role = {
        "name": "linked",
        "path": f"/aws-service-role/{service}/",
        "linked_service": service,
        "trust_policy": {"Version": "2012-10-17", "Statement": [linked]},
    }
    account = {"id": ACCOUNT, "roles": [role], "instance_profiles": profiles}
    with pytest.raises(Exception, match=problem):
        known_world(json.dumps({"version": 1, "accounts": [account]}))

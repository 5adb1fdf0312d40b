"""IAM under automation: the calls of Terraform's AWS provider for each resource, in its order, leave nothing behind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, WaiterError
from iam_calls import ACCOUNT, READ_ONLY, WORLD, identity
from saml_calls import idp
from sqlalchemy import select
from yaml_tables import read_table

from rolecall.storage.tables import metadata

CASES = read_table((Path(__file__).parent / "cases" / "automation.yaml").read_text(encoding="utf-8"))
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
# A deletion of a service-linked role keeps its record, as on AWS.
KEPT = {"generations", "service_linked_role_deletions"}


def member(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


def filled(value: Any, values: dict[str, str], answers: list[dict[str, Any]]) -> Any:
    """The value with what stands for ``{{…}}``: a value of the test, or a member of the newest answer that has it."""

    def known(match: re.Match[str]) -> str:
        if match[1] in values:
            return values[match[1]]
        for answer in reversed(answers):
            try:
                return str(member(answer, match[1]))
            except (KeyError, IndexError):
                continue
        raise LookupError(match[0])

    if isinstance(value, dict):
        return {name: filled(each, values, answers) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, values, answers) for each in value]
    return re.sub(r"\{\{([\w.]+)\}\}", known, value) if isinstance(value, str) else value


def outcome(call: Any, parameters: dict[str, Any]) -> dict[str, Any] | str:
    """The answer, or the code of the error."""
    try:
        return call(**parameters)  # type: ignore[no-any-return]
    except ClientError as error:
        return str(error.response["Error"]["Code"])


def everything(world: Any) -> dict[str, list[str]]:
    with world.database.snapshot() as connection:
        return {
            name: sorted(map(repr, connection.execute(select(table))))
            for name, table in metadata.tables.items()
            if name not in KEPT
        }


@pytest.mark.parametrize("resource", CASES)
def test_the_calls_of_a_resource_in_terraforms_order(make_world: Any, resource: str) -> None:
    world = make_world(WORLD)
    iam = world.client("iam")
    values = {
        "arn": f"arn:aws:iam::{ACCOUNT}",
        "read_only": READ_ONLY,
        "document": json.dumps(identity("chime:Get*")),
        "trust": json.dumps(TRUST),
        "metadata": idp().metadata,
        "thumbprint": "b" * 40,
    }
    before = everything(world)
    answers: list[dict[str, Any]] = []
    for number, (operation, parameters, *expected) in enumerate(CASES[resource]):
        step = f"{number}: {operation} {parameters}"
        wanted = filled(expected[0], values, answers) if expected else {}
        answer = outcome(getattr(iam, xform_name(operation)), filled(parameters, values, answers))
        if isinstance(wanted, dict) and isinstance(answer, dict):
            answers.append(answer)
            answer = {path: member(answer, path) for path in wanted}
        assert answer == wanted, step
    assert everything(world) == before


# What aws-nuke reads (the listers in resources/iam-*.go of its source): a list, and what it asks about each element.
NUKE = (
    ("list_groups", "Groups", "GroupName", ("list_group_policies", "list_attached_group_policies", "get_group")),
    ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName", ("get_instance_profile",)),
    ("list_roles", "Roles", "RoleName", ("get_role", "list_role_policies", "list_attached_role_policies")),
    (
        "list_users",
        "Users",
        "UserName",
        (
            *(
                "get_user",
                "list_access_keys",
                "list_groups_for_user",
                "list_user_policies",
                "list_signing_certificates",
            ),
            *("list_attached_user_policies", "list_ssh_public_keys", "list_service_specific_credentials"),
        ),
    ),
    ("list_policies", "Policies", "Arn", ("get_policy",)),
    ("list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn", ()),
    ("list_saml_providers", "SAMLProviderList", "Arn", ()),
    ("list_server_certificates", "ServerCertificateMetadataList", "ServerCertificateName", ()),
    ("list_virtual_mfa_devices", "VirtualMFADevices", "SerialNumber", ()),
)


def test_the_reads_of_aws_nuke_find_everything(make_world: Any) -> None:
    world = make_world((Path(__file__).parents[1] / "tools" / "sandbox.yaml").read_text(encoding="utf-8"))
    iam = world.client("iam", "auditor")
    found = {}
    for lister, member_name, key, readers in NUKE:
        given = {"Scope": "Local"} if lister == "list_policies" else {}
        found[member_name] = {each[key] for each in getattr(iam, lister)(**given)[member_name]}
        for name in found[member_name]:
            for reader in readers:
                assert getattr(iam, reader)(**{"PolicyArn" if key == "Arn" else key: name})
    assert found == {
        "Groups": {"readers"},
        "InstanceProfiles": {"instance"},
        "Roles": {"admins", "wide-open", "instance"},
        "Users": {"auditor", "starry", "escalating", "harmless", "assumer"},
        "Policies": {"arn:aws:iam::111122223333:policy/over-permissive"},
        "OpenIDConnectProviderList": set(),
        "SAMLProviderList": set(),
        "ServerCertificateMetadataList": set(),
        "VirtualMFADevices": set(),
    }


def test_the_waiters_of_boto3(make_world: Any) -> None:
    world = make_world(WORLD)
    iam = world.client("iam")
    trust, document = json.dumps(TRUST), json.dumps(identity("chime:Get*"))
    quick = {"Delay": 0, "MaxAttempts": 1}
    names = {"user": {"UserName": "w"}, "role": {"RoleName": "w"}, "instance_profile": {"InstanceProfileName": "w"}}
    for kind, named in names.items():
        with pytest.raises(WaiterError):
            iam.get_waiter(f"{kind}_exists").wait(**named, WaiterConfig=quick)
    iam.create_user(**names["user"])
    iam.create_role(**names["role"], AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(**names["instance_profile"])
    policy = iam.create_policy(PolicyName="w", PolicyDocument=document)["Policy"]["Arn"]
    for kind, named in {**names, "policy": {"PolicyArn": policy}}.items():
        iam.get_waiter(f"{kind}_exists").wait(**named, WaiterConfig=quick)


def test_the_resource_api_of_boto3(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes its own client, follows the references of its model, and pages through collections."""
    world = make_world(WORLD)
    session = boto3.Session()
    monkeypatch.setattr(session, "client", lambda name, **_given: world.client(name))
    resource = session.resource("iam")
    role = resource.create_role(RoleName="w", AssumeRolePolicyDocument=json.dumps(TRUST))
    policy = resource.create_policy(PolicyName="w", PolicyDocument=json.dumps(identity("chime:Get*")))
    role.attach_policy(PolicyArn=policy.arn)
    role.Policy("own").put(PolicyDocument=json.dumps(identity("chime:List*")))
    profile = resource.create_instance_profile(InstanceProfileName="w")
    profile.add_role(RoleName="w")
    again = resource.Role("w")
    assert (again.arn, again.assume_role_policy_document) == (f"arn:aws:iam::{ACCOUNT}:role/w", TRUST)
    assert [each.arn for each in again.attached_policies.all()] == [policy.arn]
    assert [each.policy_document for each in again.policies.all()] == [identity("chime:List*")]
    assert [each.name for each in again.instance_profiles.all()] == ["w"]
    assert [each.role_name for each in policy.attached_roles.all()] == ["w"]
    assert policy.default_version.document == identity("chime:Get*")
    user = resource.User("w").create(Tags=[{"Key": "a", "Value": "b"}])
    user.create_access_key_pair()
    resource.create_group(GroupName="w").add_user(UserName="w")
    assert [each.name for each in user.groups.all()] == ["w"]
    assert [key.status for key in user.access_keys.all()] == ["Active"]
    assert {"w"} <= {each.name for each in resource.users.page_size(1)}
    assert resource.AccountSummary().summary_map["Roles"] == len(list(resource.roles.all()))
    with pytest.raises(resource.meta.client.exceptions.DeleteConflictException):
        role.delete()


def test_two_tools_change_one_entity(make_world: Any) -> None:
    """What the second one meets when the first was quicker: the codes that tools retry or take as done."""
    world = make_world(WORLD)
    first, second = world.client("iam"), world.client("iam")
    first.create_user(UserName="w")
    assert outcome(second.create_user, {"UserName": "w"}) == "EntityAlreadyExists"
    attachment = {"UserName": "w", "PolicyArn": READ_ONLY}
    first.attach_user_policy(**attachment)
    assert isinstance(outcome(second.attach_user_policy, attachment), dict)
    first.update_user(UserName="w", NewUserName="v")
    assert outcome(second.tag_user, {"UserName": "w", "Tags": [{"Key": "a", "Value": "b"}]}) == "NoSuchEntity"
    assert outcome(second.delete_user, {"UserName": "v"}) == "DeleteConflict"
    second.detach_user_policy(UserName="v", PolicyArn=READ_ONLY)
    assert outcome(first.detach_user_policy, {"UserName": "v", "PolicyArn": READ_ONLY}) == "NoSuchEntity"
    second.delete_user(UserName="v")
    assert outcome(first.delete_user, {"UserName": "v"}) == "NoSuchEntity"

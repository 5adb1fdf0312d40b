"""Service-linked roles: the whole table, their protection, and their deletion by task."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rolecall.data import ServiceLinkedRole, managed_policy, service_linked_roles
from rolecall.ids import Identifiers
from rolecall.storage import service_linked_roles as linked
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.roles import role_by_name
from rolecall.storage.tables import roles

ACCOUNT = "111122223333"
SERVICE = "voiceconnector.chime.amazonaws.com"
NAME = "AWSServiceRoleForAmazonChimeVoiceConnector"
ARN = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{SERVICE}/{NAME}"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
PROTECTED = f"Cannot perform the operation on the protected role '{NAME}' - this role is only modifiable by AWS"
TABLE = list(service_linked_roles().values())


def policy(action: str, resource: str = "*", **extra: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **extra}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
)


def fails(call: Any, code: str, message: str, status: int, **arguments: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert (response["Error"]["Code"], response["Error"]["Message"]) == (code, message)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def test_every_role_of_the_table(iam: Any) -> None:
    """In one sandbox, because making a sandbox costs more than all calls for a role."""
    assert len(TABLE) == 205
    before = {role["RoleName"] for role in iam.list_roles(MaxItems=1000)["Roles"]}
    for number, facts in enumerate(TABLE):
        check_role(iam, facts)
        # What follows from a row alone is tested for some rows, and for every row that differs from the others.
        if number % 8 == 0 or facts.custom_suffix == "allowed" or facts.policy_arn is None:
            check_what_follows(iam, facts)
    listed = iam.list_roles(PathPrefix="/aws-service-role/", MaxItems=1000)["Roles"]
    made = {
        role["RoleName"]: role["AssumeRolePolicyDocument"]
        for role in listed
        if role["RoleName"] not in before and not role["RoleName"].endswith("_two")
    }
    assert made == {
        facts.role_name: {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": facts.service}, "Action": "sts:AssumeRole"}],
        }
        for facts in TABLE
    }


def test_a_role_is_shown_with_single_texts_after_it_was_made_with_lists(iam: Any) -> None:
    """Recorded: CreateServiceLinkedRole answers lists of one, GetRole and ListRoles the texts alone."""
    made = iam.create_service_linked_role(AWSServiceName="guardduty.amazonaws.com")["Role"]
    [statement] = made["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": ["guardduty.amazonaws.com"]},
        "Action": ["sts:AssumeRole"],
    }
    shown = iam.get_role(RoleName="AWSServiceRoleForAmazonGuardDuty")["Role"]
    [statement] = shown["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "guardduty.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


def test_a_role_in_a_database_of_an_older_version_is_shown_so_too(world: Any, iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName="guardduty.amazonaws.com")
    with world.database.transaction() as connection:
        old = linked.created_trust_policy("guardduty.amazonaws.com")
        name = "AWSServiceRoleForAmazonGuardDuty"
        connection.execute(roles.update().where(roles.c.name == name).values(trust_policy=old))
    shown = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Action"] == "sts:AssumeRole"


def check_role(iam: Any, facts: ServiceLinkedRole) -> None:
    role = iam.create_service_linked_role(AWSServiceName=facts.service)["Role"]
    assert role.pop("RoleId").startswith("AROA")
    assert role.pop("CreateDate")
    assert role == {
        "Path": f"/aws-service-role/{facts.service}/",
        "RoleName": facts.role_name,
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{facts.service}/{facts.role_name}",
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": [facts.service]}, "Action": ["sts:AssumeRole"]}],
        },
    }


def check_what_follows(iam: Any, facts: ServiceLinkedRole) -> None:
    attached = iam.list_attached_role_policies(RoleName=facts.role_name)["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [arn for arn in (facts.policy_arn,) if arn]
    assert iam.list_role_policies(RoleName=facts.role_name)["PolicyNames"] == []
    taken = f"Service role name {facts.role_name} has been taken in this account, please try a different suffix."
    fails(iam.create_service_linked_role, "InvalidInput", taken, 400, AWSServiceName=facts.service)
    suffix = {"AWSServiceName": facts.service, "CustomSuffix": "two"}
    if facts.custom_suffix == "refused":
        message = f"Custom suffix is not allowed for {facts.service}"
        fails(iam.create_service_linked_role, "InvalidInput", message, 400, **suffix)
    else:
        assert iam.create_service_linked_role(**suffix)["Role"]["RoleName"] == f"{facts.role_name}_two"


def test_the_policy_of_a_role_is_there_or_is_said_not_to_be(iam: Any) -> None:
    for facts in [*TABLE[::8], service_linked_roles()["lex.amazonaws.com"]]:
        arn = facts.policy_arn
        if arn is not None and managed_policy(arn) is not None:
            assert not iam.get_policy(PolicyArn=arn)["Policy"]["IsAttachable"]
        elif arn is not None:
            fails(iam.get_policy, "NoSuchEntity", f"Policy {arn} was not found.", 404, PolicyArn=arn)


def test_a_service_without_such_a_role(iam: Any) -> None:
    message = "Cannot find Service Linked Role template for s3.amazonaws.com"
    fails(iam.create_service_linked_role, "AccessDenied", message, 403, AWSServiceName="s3.amazonaws.com")


def test_a_suffix_must_leave_a_role_name(iam: Any) -> None:
    with pytest.raises(ClientError, match="InvalidInput"):
        iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="s" * 60)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("update_assume_role_policy", {"PolicyDocument": TRUST}),
        ("update_role", {"MaxSessionDuration": 7200}),
        ("update_role", {"MaxSessionDuration": 7200, "Description": "x"}),
        ("put_role_permissions_boundary", {"PermissionsBoundary": READ_ONLY}),
        ("delete_role_permissions_boundary", {}),
        ("attach_role_policy", {"PolicyArn": READ_ONLY}),
        (
            "detach_role_policy",
            {"PolicyArn": "arn:aws:iam::aws:policy/aws-service-role/AmazonChimeVoiceConnectorServiceLinkedRolePolicy"},
        ),
        ("put_role_policy", {"PolicyName": "own", "PolicyDocument": policy("chime:*")}),
        ("delete_role_policy", {"PolicyName": "own"}),
        ("delete_role", {}),
    ],
)
def test_a_service_linked_role_is_protected(iam: Any, operation: str, arguments: dict[str, Any]) -> None:
    iam.create_service_linked_role(AWSServiceName=SERVICE)
    before = iam.get_role(RoleName=NAME)["Role"]
    fails(getattr(iam, operation), "UnmodifiableEntity", PROTECTED, 400, RoleName=NAME, **arguments)
    assert iam.get_role(RoleName=NAME)["Role"] == before
    assert len(iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]) == 1


def test_description_and_tags_may_change(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=SERVICE, Description="one")
    assert iam.get_role(RoleName=NAME)["Role"]["Description"] == "one"
    iam.update_role(RoleName=NAME, Description="two")
    assert iam.get_role(RoleName=NAME)["Role"]["Description"] == "two"
    assert iam.update_role_description(RoleName=NAME, Description="three")["Role"]["Description"] == "three"
    iam.tag_role(RoleName=NAME, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_role_tags(RoleName=NAME)["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.untag_role(RoleName=NAME, TagKeys=["a"])
    assert iam.list_role_tags(RoleName=NAME)["Tags"] == []


def test_a_service_linked_role_is_listed_by_its_path(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=SERVICE)
    assert [role["Arn"] for role in iam.list_roles(PathPrefix="/aws-service-role/")["Roles"]] == [ARN]


def test_only_the_service_may_assume_it(world: Any, iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=SERVICE)
    with pytest.raises(ClientError, match="no role trust policy allows the sts:AssumeRole action"):
        world.client("sts").assume_role(RoleArn=ARN, RoleSessionName="session")


def test_deletion_by_task(world: Any, iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName=SERVICE)
    task_id = iam.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    assert re.fullmatch(rf"task/aws-service-role/{SERVICE}/{NAME}/[0-9a-f-]{{36}}", task_id)
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task_id)
    assert status["Status"] == "SUCCEEDED"
    assert "Reason" not in status
    fails(iam.get_role, "NoSuchEntity", f"The role with name {NAME} cannot be found.", 404, RoleName=NAME)
    assert iam.create_service_linked_role(AWSServiceName=SERVICE)["Role"]["Arn"] == ARN


def test_deletion_is_refused_while_resources_use_the_role(
    world: Any, iam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = f"arn:aws:chime:us-east-1:{ACCOUNT}:vc/abcdef1ghij2klmno3pqr4"
    in_use = {ACCOUNT: [linked.RoleUsage("us-east-1", (connector,))]}
    monkeypatch.setitem(linked.RESOURCE_FINDERS, SERVICE, lambda _connection, account_id: in_use.get(account_id, []))
    iam.create_service_linked_role(AWSServiceName=SERVICE)
    task_id = iam.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task_id)
    assert status["Status"] == "FAILED"
    assert NAME in status["Reason"]["Reason"]
    assert status["Reason"]["RoleUsageList"] == [{"Region": "us-east-1", "Resources": [connector]}]
    assert iam.get_role(RoleName=NAME)["Role"]["Arn"] == ARN
    in_use.clear()
    again = iam.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    assert again != task_id
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=again)["Status"] == "SUCCEEDED"
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task_id)["Status"] == "FAILED"


def test_only_service_linked_roles_are_deleted_by_task(iam: Any) -> None:
    message = "The role with name chime-reader cannot be found."
    fails(iam.delete_service_linked_role, "NoSuchEntity", message, 404, RoleName="chime-reader")


def test_unknown_and_impossible_tasks(world: Any, iam: Any) -> None:
    unknown = f"task/aws-service-role/{SERVICE}/{NAME}/00000000-0000-4000-8000-000000000000"
    message = f"Deletion task {unknown} cannot be found."
    status = iam.get_service_linked_role_deletion_status
    fails(status, "NoSuchEntity", message, 404, DeletionTaskId=unknown)
    for wrong in ("nonsense", "task/other/a/b/c", f"task/aws-service-role/{SERVICE}/{NAME}/", "task//a/b/c"):
        fails(status, "InvalidInput", f"Invalid deletion task id: {wrong}", 400, DeletionTaskId=wrong)


def test_the_permission_names_service_and_role(world: Any, iam: Any) -> None:
    def allow(action: str, resource: str, service: str) -> None:
        condition = {"StringEquals": {"iam:AWSServiceName": service}}
        text = policy(action, resource, Condition=condition) if service else policy(action, resource)
        iam.put_user_policy(UserName="developer", PolicyName="own", PolicyDocument=text)

    developer = world.client("iam", user="developer")
    refusal = f"iam:CreateServiceLinkedRole on resource: {ARN} "
    allow("iam:CreateServiceLinkedRole", "*", "chime.amazonaws.com")
    with pytest.raises(ClientError, match=refusal):
        developer.create_service_linked_role(AWSServiceName=SERVICE)
    allow("iam:CreateServiceLinkedRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}", SERVICE)
    with pytest.raises(ClientError, match=refusal):
        developer.create_service_linked_role(AWSServiceName=SERVICE)
    allow("iam:CreateServiceLinkedRole", ARN, SERVICE)
    developer.create_service_linked_role(AWSServiceName=SERVICE)
    with pytest.raises(ClientError, match=f"iam:DeleteServiceLinkedRole on resource: {ARN} "):
        developer.delete_service_linked_role(RoleName=NAME)
    allow("iam:DeleteServiceLinkedRole", ARN, "")
    task_id = developer.delete_service_linked_role(RoleName=NAME)["DeletionTaskId"]
    with pytest.raises(ClientError, match=f"iam:GetServiceLinkedRoleDeletionStatus on resource: {ARN} "):
        developer.get_service_linked_role_deletion_status(DeletionTaskId=task_id)
    allow("iam:GetServiceLinkedRoleDeletionStatus", ARN, "")
    status = developer.get_service_linked_role_deletion_status(DeletionTaskId=task_id)
    assert status["Status"] == "SUCCEEDED"


def test_a_feature_makes_sure_that_its_role_is_there(world: Any, iam: Any) -> None:
    facts = service_linked_roles()["chime.amazonaws.com"]
    with world.database.transaction() as connection:
        first = linked.ensure(connection, ACCOUNT, facts, world.clock.now_seconds(), Identifiers())
        again = linked.ensure(connection, ACCOUNT, facts, world.clock.now_seconds(), Identifiers())
        assert again == first
        assert role_by_name(connection, "444455556666", facts.role_name) is None
        assert linked.resources_using(connection, ACCOUNT, facts.service) == []
    role = iam.get_role(RoleName=facts.role_name)["Role"]
    assert role["RoleId"] == first.role_id
    attached = iam.list_attached_role_policies(RoleName=facts.role_name)["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["AmazonChimeServiceRolePolicy"]


def test_an_ordinary_role_of_the_same_name_stands_in_the_way(world: Any, iam: Any) -> None:
    facts = service_linked_roles()["chime.amazonaws.com"]
    iam.create_role(RoleName=facts.role_name, AssumeRolePolicyDocument=TRUST)
    with pytest.raises(AlreadyThere), world.database.transaction() as connection:
        linked.ensure(connection, ACCOUNT, facts, world.clock.now_seconds(), Identifiers())
    taken = f"Service role name {facts.role_name} has been taken in this account, please try a different suffix."
    fails(iam.create_service_linked_role, "InvalidInput", taken, 400, AWSServiceName=facts.service)

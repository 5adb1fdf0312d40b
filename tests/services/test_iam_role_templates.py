"""Role templates: shown, made into roles, and recognised again.

Answers marked "recorded" are from radkawar/stackd's recordings of AWS, testdata/aws/iam/role_templates.json and
role_acquisition.json (2026-09-12).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, WORLD, fails, identity, put_rights, refusal

from rolecall.errors import AwsError
from rolecall.services.iam.roles import role_templates

PREFIX = "arn:aws:iam::aws:role-template"
POWER_USER = f"{PREFIX}/iam.amazonaws.com/PowerUserRoleTemplate:1"
BACKUP = f"{PREFIX}/backup.amazonaws.com/AWSBackupDefaultServiceRoleTemplate:1"
ROTATION = f"{PREFIX}/secretsmanager.amazonaws.com/AWSSecretsManagerRotationRoleTemplate:1"
EVERYTHING = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"


@pytest.fixture
def iam(make_world: Any) -> Any:
    return make_world(WORLD).client("iam")


def acquire(iam: Any, template: str, **values: str | list[str]) -> Any:
    return iam.acquire_role(**request(template, **values))["Role"]


def request(template: str, **values: str | list[str]) -> dict[str, Any]:
    listed = {name: [value] if isinstance(value, str) else value for name, value in values.items()}
    return {"TemplateArn": template, "ReplacementValues": {name: {"Values": each} for name, each in listed.items()}}


def power(iam: Any, name: str = "made", service: str = "lambda.amazonaws.com") -> Any:
    return acquire(iam, POWER_USER, AWSServiceName=service, RoleName=name)


def test_a_template_is_shown_with_its_documents(iam: Any) -> None:
    shown = iam.get_role_template_version(TemplateArn=POWER_USER)["RoleTemplateVersion"]
    assert (shown["TemplateName"], shown["MinorVersion"], shown["Enabled"]) == ("PowerUserRoleTemplate", 0, True)
    assert shown["AssumeRolePolicyDocumentTemplate"]["Statement"][0]["Principal"] == {"Service": "@{AWSServiceName}"}
    assert shown["CreateTimestamp"].isoformat() == "2026-06-12T02:57:08+00:00"
    assert shown == iam.get_role_template_version(TemplateArn=POWER_USER, MinorVersion=0)["RoleTemplateVersion"]
    inline = iam.get_role_template_version(TemplateArn=ROTATION)["RoleTemplateVersion"]["InlinePolicyTemplates"]
    assert [each["PolicyName"] for each in inline] == ["SecretRotationPermissionPolicy"]


def test_a_role_is_made_as_the_template_describes_it(iam: Any) -> None:
    made = power(iam)
    # Recorded: these members and no others.
    assert set(made) == {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}
    assert (made["Arn"], made["Path"]) == (f"arn:aws:iam::{ACCOUNT}:role/made", "/")
    shown = iam.get_role(RoleName="made")["Role"]
    assert shown["Description"] == "Power user role for lambda.amazonaws.com"
    assert shown["SourceRoleTemplate"] == {"TemplateArn": POWER_USER, "TemplateMinorVersion": 0}
    attached = iam.list_attached_role_policies(RoleName="made")["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["PowerUserAccess"]
    assert "SourceRoleTemplate" not in iam.get_role(RoleName="manager")["Role"]


def test_a_template_has_a_path_and_default_values(iam: Any) -> None:
    made = acquire(iam, BACKUP, accountId=ACCOUNT)
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/service-role/AWSBackupDefaultServiceRole"
    condition = made["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    assert condition == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.mark.parametrize(
    ("values", "sids"),
    [
        ({}, ["AllowRotationAccessGeneric", "AllowPasswordGenerationAccessAdmin"]),
        ({"CMK_ENABLED": "False"}, ["AllowRotationAccessGeneric", "AllowPasswordGenerationAccessAdmin"]),
        (
            {"ADMIN_RESOURCE_ENABLED": "True", "adminType": "a", "CMK_ENABLED": "True", "kmsKeyArn": ["k1", "k2"]},
            [
                "AllowRotationAccessGeneric",
                "AllowPasswordGenerationAccessAdmin",
                "AllowRotationAccess",
                "KMSAccessForCustomerSecret",
            ],
        ),
    ],
)
def test_statements_are_switched_on_by_parameters(iam: Any, values: dict[str, Any], sids: list[str]) -> None:
    """Recorded: a parameter that only a switched-off statement uses may be missing."""
    arguments = {"accountId": ACCOUNT, "region": "us-east-1", "resourceType": "probe", "RoleName": "r", **values}
    acquire(iam, ROTATION, **arguments)
    policy = iam.get_role_policy(RoleName="r", PolicyName="SecretRotationPermissionPolicy")["PolicyDocument"]
    assert [each["Sid"] for each in policy["Statement"]] == sids
    assert "@" not in json.dumps(policy)
    if "kmsKeyArn" in values:
        assert policy["Statement"][-1]["Resource"] == ["k1", "k2"]


def test_the_same_request_answers_the_same_role(iam: Any) -> None:
    made = power(iam)
    # Recorded: the description and the session duration may change.
    iam.update_role(RoleName="made", Description="other", MaxSessionDuration=7200)
    assert power(iam) == made


def test_a_changed_role_is_no_longer_managed(iam: Any) -> None:
    power(iam)
    # Recorded.
    message = "Role made has been modified since it was created and is no longer managed."
    again = request(POWER_USER, AWSServiceName="lambda.amazonaws.com", RoleName="made")
    trust = iam.get_role(RoleName="made")["Role"]["AssumeRolePolicyDocument"]
    other = {**trust, "Statement": [{**trust["Statement"][0], "Sid": "Other"}]}
    changes = [
        (iam.tag_role, {"Tags": [{"Key": "a", "Value": ""}]}, iam.untag_role, {"TagKeys": ["a"]}),
        (iam.attach_role_policy, {"PolicyArn": EVERYTHING}, iam.detach_role_policy, {"PolicyArn": EVERYTHING}),
        (
            iam.put_role_policy,
            {"PolicyName": "p", "PolicyDocument": json.dumps(identity("chime:Get*"))},
            iam.delete_role_policy,
            {"PolicyName": "p"},
        ),
        (
            iam.put_role_permissions_boundary,
            {"PermissionsBoundary": EVERYTHING},
            iam.delete_role_permissions_boundary,
            {},
        ),
        (
            iam.update_assume_role_policy,
            {"PolicyDocument": json.dumps(other)},
            iam.update_assume_role_policy,
            {"PolicyDocument": json.dumps(trust)},
        ),
    ]
    for change, given, undo, undone in changes:
        change(RoleName="made", **given)
        assert refusal(iam.acquire_role, **again)[:2] == ("RoleModified", message)
        undo(RoleName="made", **undone)
        iam.acquire_role(**again)


def test_another_role_of_the_name_is_a_conflict(iam: Any) -> None:
    power(iam)
    # Recorded.
    values = (
        "A role with this name exists but was created with different parameters. Pass a unique roleName to create a "
        "new role."
    )
    foreign = (
        "A role with this name already exists in the account but was not created from this template. Choose a "
        "different role name, or remove the existing role if it is no longer needed."
    )
    for arguments, message in (
        (request(POWER_USER, AWSServiceName="ec2.amazonaws.com", RoleName="made"), values),
        (request(POWER_USER, AWSServiceName="lambda.amazonaws.com", RoleName="MADE"), values),
        (request(POWER_USER, AWSServiceName="lambda.amazonaws.com", RoleName="manager"), foreign),
        (request(BACKUP, accountId=ACCOUNT, RoleName="made"), foreign),
    ):
        assert refusal(iam.acquire_role, **arguments)[:2] == ("NameConflict", message)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (request(POWER_USER), "InvalidInput", "Failed to render template: Parameter 'AWSServiceName' not found."),
        (
            request(POWER_USER, AWSServiceName=["a", "b"]),
            "ValidationError",
            "AWSServiceName replacement value must contain exactly one value, got 2",
        ),
        (
            request(POWER_USER, AWSServiceName="lambda.amazonaws.com", Unused="x"),
            "InvalidInput",
            "Failed to render template: Unrecognized parameter: Unused",
        ),
        (
            {**request(POWER_USER), "TemplateMinorVersion": 7},
            "NoSuchEntity",
            f"Role template not found in repository: {POWER_USER}",
        ),
        (
            request(f"{POWER_USER}0"),
            "NoSuchEntity",
            f"Role template not found in repository: {POWER_USER}0",
        ),
    ],
)
def test_refused_values(iam: Any, arguments: dict[str, Any], code: str, message: str) -> None:
    """Recorded."""
    fails(iam.acquire_role, code, message, 404 if code == "NoSuchEntity" else 400, **arguments)


def test_a_principal_must_be_valid(iam: Any) -> None:
    arguments = request(POWER_USER, AWSServiceName="not-a-service", RoleName="made")
    assert refusal(iam.acquire_role, **arguments)[0] == "MalformedPolicyDocument"
    assert refusal(iam.get_role, RoleName="made")[0] == "NoSuchEntity"


def test_rights_to_read_the_template_and_to_make_the_role(make_world: Any) -> None:
    """Recorded: reading the template comes first, and a role that exists needs no more."""
    world = make_world(WORLD)
    iam, bob = world.client("iam"), world.client("iam", user="bob")
    arguments = request(POWER_USER, AWSServiceName="lambda.amazonaws.com", RoleName="made")
    making = ["iam:CreateRole", "iam:AttachRolePolicy"]
    put_rights(iam, "bob", "own", identity(making))
    with pytest.raises(ClientError, match=f"iam:GetRoleTemplateVersion on resource: role template {POWER_USER} "):
        bob.acquire_role(**arguments)
    put_rights(iam, "bob", "read", identity("iam:GetRoleTemplateVersion", POWER_USER))
    put_rights(iam, "bob", "own", identity("iam:CreateRole"))
    with pytest.raises(ClientError, match="iam:AttachRolePolicy on resource: role/made "):
        bob.acquire_role(**arguments)
    condition = {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/PowerUserAccess"}}
    put_rights(iam, "bob", "attach", identity("iam:AttachRolePolicy", Condition=condition))
    made = bob.acquire_role(**arguments)["Role"]
    for name in ("own", "attach"):
        iam.delete_user_policy(UserName="bob", PolicyName=name)
    assert bob.acquire_role(**arguments)["Role"] == made
    bob.get_role_template_version(TemplateArn=POWER_USER)
    with pytest.raises(ClientError, match=f"on resource: role-template {BACKUP} "):
        bob.get_role_template_version(TemplateArn=BACKUP)


def test_a_member_that_a_newer_model_adds_to_a_value_is_refused() -> None:
    with pytest.raises(AwsError, match=r"the parameter ReplacementValues\.Newcomer of AcquireRole"):
        role_templates._values({"RoleName": {"Values": ["a"], "Newcomer": "x"}})

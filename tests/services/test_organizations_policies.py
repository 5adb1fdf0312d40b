"""Policies of an organization through boto3: their life, their targets, their limits, and that they hold at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from organization_calls import (
    DELEGATED,
    EMPTY_UNIT,
    EVERYTHING,
    FULL,
    GUARD,
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OUTSIDE,
    RCP,
    ROOT,
    SCP,
    UNIT,
    client_of,
    organization,
    pages,
    refused,
)
from sts_calls import allow, deny, policy, statement

TAGS = "TAG_POLICY"
MIN = "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(organization())


@pytest.fixture
def client(world: Any) -> Any:
    return client_of(world)


def created(client: Any, content: str = EVERYTHING, name: str = "new", kind: str = SCP, **more: Any) -> str:
    answer = client.create_policy(Content=content, Description="", Name=name, Type=kind, **more)
    return str(answer["Policy"]["PolicySummary"]["Id"])


def ids_at(client: Any, target: str, kind: str = SCP) -> list[str]:
    return [each["Id"] for each in client.list_policies_for_target(TargetId=target, Filter=kind)["Policies"]]


def lists_chime(world: Any, account_id: str = MEMBER) -> bool:
    """Whether the administrator of the account may list its Chime accounts."""
    code, _ = refused(client_of(world, account_id, "chime").list_accounts)
    assert code in ("", "ForbiddenException")
    return not code


def test_declared_policies_are_shown(client: Any) -> None:
    shown = client.describe_policy(PolicyId=GUARD)["Policy"]
    assert shown["PolicySummary"] == {
        "Id": GUARD,
        "Arn": f"arn:aws:organizations::{MANAGEMENT}:policy/o-example1234/service_control_policy/{GUARD}",
        "Name": "guard",
        "Description": "",
        "Type": SCP,
        "AwsManaged": False,
    }
    assert json.loads(shown["Content"]) == deny("chime:ListAccounts")
    # Recorded: boto3, issue 4565.
    assert client.list_policies_for_target(TargetId=MEMBER, Filter=SCP)["Policies"] == [
        {
            "Id": FULL,
            "Arn": "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess",
            "Name": "FullAWSAccess",
            "Description": "Allows access to every operation",
            "Type": SCP,
            "AwsManaged": True,
        }
    ]
    assert ids_at(client, UNIT) == [GUARD, FULL]
    assert ids_at(client, UNIT, RCP) == ["p-RCPFullAWSAccess"]
    assert client.list_policies(Filter=TAGS)["Policies"] == []


def test_targets_are_shown_by_their_kind(client: Any) -> None:
    assert client.list_targets_for_policy(PolicyId=GUARD)["Targets"] == [
        {
            "TargetId": UNIT,
            "Arn": f"arn:aws:organizations::{MANAGEMENT}:ou/o-example1234/{UNIT}",
            "Name": "prod",
            "Type": "ORGANIZATIONAL_UNIT",
        }
    ]
    kinds = {each["TargetId"]: each["Type"] for each in pages(client.list_targets_for_policy, "Targets", PolicyId=FULL)}
    assert kinds == {
        ROOT: "ROOT",
        UNIT: "ORGANIZATIONAL_UNIT",
        EMPTY_UNIT: "ORGANIZATIONAL_UNIT",
        MANAGEMENT: "ACCOUNT",
        DELEGATED: "ACCOUNT",
        MEMBER: "ACCOUNT",
    }


def test_a_change_of_a_control_policy_holds_with_the_next_call(world: Any, client: Any) -> None:
    assert not lists_chime(world)
    client.update_policy(PolicyId=GUARD, Content=json.dumps(deny("chime:DeleteAccount")))
    assert lists_chime(world)
    client.update_policy(PolicyId=GUARD, Content=json.dumps(deny("chime:*")))
    assert not lists_chime(world)
    client.detach_policy(PolicyId=GUARD, TargetId=UNIT)
    assert lists_chime(world)
    client.attach_policy(PolicyId=GUARD, TargetId=ROOT)
    assert not lists_chime(world)
    assert not lists_chime(world, DELEGATED)
    # Control policies do not restrict the management account.
    assert lists_chime(world, MANAGEMENT)


def test_full_access_can_be_replaced_by_an_allow_list(world: Any, client: Any) -> None:
    client.detach_policy(PolicyId=GUARD, TargetId=UNIT)
    listing = created(client, json.dumps(allow("iam:*")))
    client.attach_policy(PolicyId=listing, TargetId=MEMBER)
    assert lists_chime(world)
    client.detach_policy(PolicyId=FULL, TargetId=MEMBER)
    assert not lists_chime(world)
    assert lists_chime(world, DELEGATED)
    assert ids_at(client, MEMBER) == [listing]
    assert ids_at(client, DELEGATED) == [FULL]
    client.attach_policy(PolicyId=FULL, TargetId=MEMBER)
    assert lists_chime(world)


def test_the_last_control_policy_stays(client: Any) -> None:
    assert refused(client.detach_policy, PolicyId=FULL, TargetId=MEMBER) == ("ConstraintViolationException", MIN)
    client.detach_policy(PolicyId=FULL, TargetId=UNIT)
    assert refused(client.detach_policy, PolicyId=GUARD, TargetId=UNIT) == ("ConstraintViolationException", MIN)
    with pytest.raises(ClientError) as caught:
        client.detach_policy(PolicyId=GUARD, TargetId=UNIT)
    # Recorded: terraform-provider-aws, issue 26797.
    assert caught.value.response["Error"]["Message"] == (
        "You cannot remove the last policy attached to the specified target. You must have at least one attached at "
        "all times."
    )
    detach = {"PolicyId": "p-RCPFullAWSAccess", "TargetId": UNIT}
    assert refused(client.detach_policy, **detach) == ("InvalidInputException", "NON_DETACHABLE_POLICY")


def test_resource_control_policies_hold_at_once(world: Any, client: Any) -> None:
    content = json.dumps(policy(statement("sts:AssumeRole", effect="Deny", Principal="*")))
    member = client_of(world, MEMBER, "iam")
    trust = json.dumps(policy({"Effect": "Allow", "Principal": {"AWS": MEMBER}, "Action": "sts:AssumeRole"}))
    role = member.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assume = client_of(world, MEMBER, "sts").assume_role
    assert refused(assume, RoleArn=role, RoleSessionName="session") == ("", "")
    wall = created(client, content, kind=RCP)
    client.attach_policy(PolicyId=wall, TargetId=MEMBER)
    assert refused(assume, RoleArn=role, RoleSessionName="session")[0] == "AccessDenied"
    client.disable_policy_type(RootId=ROOT, PolicyType=RCP)
    assert refused(assume, RoleArn=role, RoleSessionName="session") == ("", "")


def test_a_type_that_is_off_restricts_nothing(world: Any, client: Any) -> None:
    assert client.disable_policy_type(RootId=ROOT, PolicyType=SCP)["Root"]["PolicyTypes"] == [
        {"Type": RCP, "Status": "ENABLED"}
    ]
    assert lists_chime(world)
    assert client.list_targets_for_policy(PolicyId=GUARD)["Targets"] == []
    assert client.list_targets_for_policy(PolicyId=FULL)["Targets"] == []
    assert refused(client.attach_policy, PolicyId=GUARD, TargetId=UNIT)[0] == "PolicyTypeNotEnabledException"
    assert refused(client.disable_policy_type, RootId=ROOT, PolicyType=SCP)[0] == "PolicyTypeNotEnabledException"
    client.enable_policy_type(RootId=ROOT, PolicyType=SCP)
    assert refused(client.enable_policy_type, RootId=ROOT, PolicyType=SCP)[0] == "PolicyTypeAlreadyEnabledException"
    assert ids_at(client, UNIT) == [FULL]
    assert lists_chime(world)
    assert refused(client.enable_policy_type, RootId="r-zzzz", PolicyType=SCP)[0] == "RootNotFoundException"


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "reason"),
    [
        ("describe_policy", {"PolicyId": "p-99999999"}, "PolicyNotFoundException", ""),
        ("describe_policy", {"PolicyId": "guard"}, "InvalidInputException", "INVALID_PATTERN"),
        ("list_policies", {"Filter": "IAM_POLICY"}, "InvalidInputException", "INVALID_ENUM"),
        ("list_targets_for_policy", {"PolicyId": "p-99999999"}, "PolicyNotFoundException", ""),
        ("list_policies_for_target", {"TargetId": "123412341234", "Filter": SCP}, "TargetNotFoundException", ""),
        ("attach_policy", {"PolicyId": GUARD, "TargetId": "r-zzzz"}, "TargetNotFoundException", ""),
        ("attach_policy", {"PolicyId": "p-99999999", "TargetId": ROOT}, "PolicyNotFoundException", ""),
        ("attach_policy", {"PolicyId": GUARD, "TargetId": UNIT}, "DuplicatePolicyAttachmentException", ""),
        ("attach_policy", {"PolicyId": FULL, "TargetId": UNIT}, "DuplicatePolicyAttachmentException", ""),
        ("detach_policy", {"PolicyId": GUARD, "TargetId": ROOT}, "PolicyNotAttachedException", ""),
        ("detach_policy", {"PolicyId": GUARD, "TargetId": "ou-exam-99999999"}, "TargetNotFoundException", ""),
        ("delete_policy", {"PolicyId": GUARD}, "PolicyInUseException", ""),
        ("delete_policy", {"PolicyId": FULL}, "InvalidInputException", "IMMUTABLE_POLICY"),
        ("update_policy", {"PolicyId": FULL, "Name": "n"}, "InvalidInputException", "IMMUTABLE_POLICY"),
        ("update_policy", {"PolicyId": GUARD, "Name": "FullAWSAccess"}, "DuplicatePolicyException", ""),
        ("update_policy", {"PolicyId": GUARD, "Content": "{}"}, "MalformedPolicyDocumentException", ""),
    ],
)
def test_refusals(client: Any, operation: str, parameters: dict[str, Any], code: str, reason: str) -> None:
    assert refused(getattr(client, operation), **parameters) == (code, reason)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (SCP, "no JSON"),
        (SCP, json.dumps(policy(statement("*", Principal="*")))),
        (SCP, json.dumps({"Statement": []})),
        (RCP, json.dumps(allow("*"))),
        (RCP, json.dumps(policy(statement("s3:*", effect="Deny")))),
        # Chime supports no resource control policies (User Guide, List of AWS services that support RCPs).
        (RCP, json.dumps(policy(statement("chime:*", effect="Deny", Principal="*")))),
        (TAGS, "[]"),
        (TAGS, "[" * 9999),
    ],
)
def test_malformed_documents(client: Any, kind: str, content: str) -> None:
    create = {"Content": content, "Description": "", "Name": "n", "Type": kind}
    assert refused(client.create_policy, **create) == ("MalformedPolicyDocumentException", "")


@pytest.mark.parametrize(("kind", "characters"), [(SCP, 10_240), (RCP, 5_120), (TAGS, 10_000)])
def test_sizes(client: Any, kind: str, characters: int) -> None:
    """User Guide, Quotas: white space counts."""
    document = {
        SCP: EVERYTHING,
        RCP: json.dumps(policy(statement("s3:*", effect="Deny", Principal="*"))),
        TAGS: "{}",
    }[kind]
    create = {"Description": "", "Type": kind}
    client.create_policy(Content=document.ljust(characters), Name="fits", **create)
    assert refused(client.create_policy, Content=document.ljust(characters + 1), Name="large", **create) == (
        "ConstraintViolationException",
        "POLICY_CONTENT_LIMIT_EXCEEDED",
    )


def test_names_are_unique_within_a_type(client: Any) -> None:
    create = {"Content": EVERYTHING, "Description": "", "Type": SCP}
    assert refused(client.create_policy, Name="guard", **create)[0] == "DuplicatePolicyException"
    assert refused(client.create_policy, Name="FullAWSAccess", **create)[0] == "DuplicatePolicyException"
    other = created(client, "{}", "guard", TAGS)
    assert other != GUARD
    renamed = client.update_policy(PolicyId=GUARD, Name="renamed")["Policy"]["PolicySummary"]
    assert (renamed["Id"], renamed["Name"]) == (GUARD, "renamed")
    assert created(client, name="guard")
    assert refused(client.update_policy, PolicyId=GUARD, Name="guard")[0] == "DuplicatePolicyException"


def test_a_policy_that_is_attached_nowhere_can_be_deleted(client: Any) -> None:
    new = created(client, Tags=[{"Key": "a", "Value": "b"}])
    assert client.list_tags_for_resource(ResourceId=new)["Tags"] == [{"Key": "a", "Value": "b"}]
    client.delete_policy(PolicyId=new)
    assert refused(client.describe_policy, PolicyId=new)[0] == "PolicyNotFoundException"


def test_a_target_takes_ten_service_control_policies(client: Any) -> None:
    """User Guide, Quotas. FullAWSAccess counts."""
    for number in range(9):
        client.attach_policy(PolicyId=created(client, name=f"policy {number}"), TargetId=ROOT)
    assert refused(client.attach_policy, PolicyId=GUARD, TargetId=ROOT) == (
        "ConstraintViolationException",
        "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
    )
    found = pages(client.list_policies_for_target, "Policies", TargetId=ROOT, Filter=SCP, MaxResults=3)
    assert len({each["Id"] for each in found}) == 10


def test_a_page_token_belongs_to_its_list(client: Any) -> None:
    token = client.list_policies(Filter=SCP, MaxResults=1)["NextToken"]
    assert refused(client.list_policies, Filter=RCP, NextToken=token) == (
        "InvalidInputException",
        "INVALID_PAGINATION_TOKEN",
    )


def test_effective_policies_are_inherited(world: Any, client: Any) -> None:
    """User Guide, Policy syntax and examples for management policy types: assign, append, and locked elements."""
    member = client_of(world, MEMBER)
    assert refused(member.describe_effective_policy, PolicyType=TAGS)[0] == "EffectivePolicyNotFoundException"
    client.enable_policy_type(RootId=ROOT, PolicyType=TAGS)
    assert refused(member.describe_effective_policy, PolicyType=TAGS)[0] == "EffectivePolicyNotFoundException"
    at_root = {
        "tags": {
            "costcenter": {
                "tag_key": {"@@assign": "CostCenter", "@@operators_allowed_for_child_policies": ["@@none"]},
                "tag_value": {"@@assign": ["Production", "Staging"]},
            }
        }
    }
    at_unit = {
        "tags": {
            "CostCenter": {
                "tag_key": {"@@assign": "COSTCENTER"},
                "tag_value": {"@@append": ["Test"], "@@remove": ["Staging"]},
            },
            "project": {"tag_key": {"@@assign": "Project"}},
        }
    }
    client.attach_policy(PolicyId=created(client, json.dumps(at_root), "root", TAGS), TargetId=ROOT)
    client.attach_policy(PolicyId=created(client, json.dumps(at_unit), "unit", TAGS), TargetId=UNIT)
    effective = member.describe_effective_policy(PolicyType=TAGS)["EffectivePolicy"]
    assert effective["TargetId"] == MEMBER
    assert json.loads(effective["PolicyContent"]) == {
        "tags": {
            "costcenter": {"tag_key": "CostCenter", "tag_value": ["Production", "Test"]},
            "project": {"tag_key": "Project"},
        }
    }
    other = client.describe_effective_policy(PolicyType=TAGS, TargetId=DELEGATED)["EffectivePolicy"]["PolicyContent"]
    assert json.loads(other) == {
        "tags": {"costcenter": {"tag_key": "CostCenter", "tag_value": ["Production", "Staging"]}}
    }
    assert (
        refused(member.describe_effective_policy, PolicyType=TAGS, TargetId=DELEGATED)[0] == "TargetNotFoundException"
    )


def test_an_element_with_a_value_and_nested_elements_makes_an_effective_policy_invalid(world: Any, client: Any) -> None:
    """API reference, ListAccountsWithInvalidEffectivePolicy, ListEffectivePolicyValidationErrors."""
    errors, accounts = (
        client.list_effective_policy_validation_errors,
        client.list_accounts_with_invalid_effective_policy,
    )
    absent = ("EffectivePolicyNotFoundException", "")
    assert refused(accounts, PolicyType=TAGS) == refused(errors, AccountId=MEMBER, PolicyType=TAGS) == absent
    client.enable_policy_type(RootId=ROOT, PolicyType=TAGS)
    assert accounts(PolicyType=TAGS)["Accounts"] == []
    assert refused(errors, AccountId=MEMBER, PolicyType=TAGS) == absent
    assert refused(errors, AccountId=OUTSIDE, PolicyType=TAGS)[0] == "AccountNotFoundException"
    at_root = created(client, json.dumps({"tags": {"team": {"tag_key": {"@@assign": "Team"}}}}), "root", TAGS)
    client.attach_policy(PolicyId=at_root, TargetId=ROOT)
    found = errors(AccountId=MEMBER, PolicyType=TAGS)
    assert found["EffectivePolicyValidationErrors"] == []
    assert found["Path"] == f"{ORGANIZATION}/{ROOT}/{UNIT}/{MEMBER}/"
    nested = {"tags": {"Team": {"tag_key": {"deeper": {"@@assign": "x"}}, "tag_value": {"@@assign": ["a"]}}}}
    at_unit = created(client, json.dumps(nested), "unit", TAGS)
    client.attach_policy(PolicyId=at_unit, TargetId=UNIT)
    [error] = errors(AccountId=MEMBER, PolicyType=TAGS)["EffectivePolicyValidationErrors"]
    assert (error["PathToError"], error["ContributingPolicies"]) == ("tags/team/tag_key", [at_root, at_unit])
    answer = accounts(PolicyType=TAGS)
    assert ([each["Id"] for each in answer["Accounts"]], answer["PolicyType"]) == ([MEMBER], TAGS)
    assert errors(AccountId=DELEGATED, PolicyType=TAGS)["EffectivePolicyValidationErrors"] == []
    client.detach_policy(PolicyId=at_unit, TargetId=UNIT)
    assert accounts(PolicyType=TAGS)["Accounts"] == []
    # What a policy above does not allow a policy to say makes nothing invalid.
    fixed = {"tag_key": {"@@assign": "Team", "@@operators_allowed_for_child_policies": ["@@none"]}}
    client.update_policy(PolicyId=at_root, Content=json.dumps({"tags": {"team": fixed}}))
    client.attach_policy(PolicyId=at_unit, TargetId=UNIT)
    assert accounts(PolicyType=TAGS)["Accounts"] == []
    merged = client.describe_effective_policy(PolicyType=TAGS, TargetId=MEMBER)["EffectivePolicy"]["PolicyContent"]
    assert json.loads(merged) == {"tags": {"team": {"tag_key": "Team", "tag_value": ["a"]}}}

"""Who may call the operations of Organizations, and what each call is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from organization_calls import (
    DELEGATED,
    GUARD,
    MANAGEMENT,
    MEMBER,
    OUTSIDE,
    SCP,
    UNIT,
    admin_of,
    client_of,
    organization,
    refused,
)
from sts_calls import user_arn
from yaml_tables import read_table

from rolecall.services.catalogue import all_operations

CASES = Path(__file__).parent / "cases" / "organizations.yaml"
ROWS = read_table(CASES.read_text(encoding="utf-8"))["operations"]
# Operations that accounts outside of organizations also call, or only they.
ELSEWHERE = {
    "AcceptHandshake",
    "CancelHandshake",
    "CreateOrganization",
    "DeclineHandshake",
    "DescribeHandshake",
    "ListHandshakesForAccount",
}
TRANSFERS = "ResponsibilityTransfer"
DENIED = ("AccessDeniedException", "You don't have permissions to access this resource.")
NOT_IN_USE = ("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
each_row = pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])


def answer_of(client: Any, row: dict[str, Any]) -> tuple[str, str]:
    try:
        getattr(client, xform_name(row["name"]))(**row["parameters"])
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


@pytest.fixture
def shared(make_shared_world: Any) -> Any:
    return make_shared_world(organization())


def test_the_table_has_every_operation() -> None:
    registered = {each.name for each in all_operations() if each.service == "organizations"}
    transfers = {name for name in registered if TRANSFERS in name or name.endswith("TransferResponsibility")}
    assert {row["name"] for row in ROWS} == registered - ELSEWHERE - transfers


@each_row
def test_a_member_account_may_call_little(make_world: Any, row: dict[str, Any]) -> None:
    answer = answer_of(client_of(make_world(organization()), MEMBER), row)
    assert (answer == DENIED) is (row["who"] != "member")


@each_row
def test_a_delegated_administrator_may_read(make_world: Any, row: dict[str, Any]) -> None:
    reads = row["who"] == "delegated" and row["name"].startswith(("Describe", "List"))
    answer = answer_of(client_of(make_world(organization()), DELEGATED), row)
    assert (answer == DENIED) is not (reads or row["who"] == "member")


@each_row
def test_the_management_account_may_call_everything(make_world: Any, row: dict[str, Any]) -> None:
    assert answer_of(client_of(make_world(organization())), row) not in (DENIED, NOT_IN_USE)


@each_row
def test_an_account_without_an_organization_may_call_nothing(make_world: Any, row: dict[str, Any]) -> None:
    assert answer_of(client_of(make_world(organization()), OUTSIDE), row) == NOT_IN_USE


@each_row
def test_a_call_needs_the_permission_on_its_resource(shared: Any, row: dict[str, Any]) -> None:
    code, message = answer_of(shared.client("organizations", "powerless"), row)
    resource = "*" if row["about"] == "*" else f"arn:aws:organizations::{MANAGEMENT}:{row['about']}"
    expected = f"User: {user_arn('powerless')} is not authorized to perform: organizations:{row['name']}"
    assert code == "AccessDeniedException"
    assert message.startswith(expected)
    if resource != "*":
        assert f"on resource: {resource} because" in message


# The resource policy.


def delegating(action: str | list[str], resource: str = "*", **condition: Any) -> str:
    statement = {
        "Sid": "delegating",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{MEMBER}:root"},
        "Action": action,
        "Resource": resource,
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_resource_policy_delegates_what_it_names(make_world: Any) -> None:
    world = make_world(organization())
    member = client_of(world, MEMBER)
    client_of(world).put_resource_policy(Content=delegating(["organizations:ListPolicies", "organizations:Update*"]))
    assert [each["Id"] for each in member.list_policies(Filter=SCP)["Policies"]] == [GUARD, "p-FullAWSAccess"]
    assert member.update_policy(PolicyId=GUARD, Description="new")["Policy"]["PolicySummary"]["Description"] == "new"
    assert refused(member.list_accounts)[0] == "AccessDeniedException"
    assert refused(member.delete_policy, PolicyId=GUARD)[0] == "AccessDeniedException"
    # Operations of the management account alone cannot be delegated.
    assert refused(member.update_organizational_unit, OrganizationalUnitId=UNIT, Name="n")[0] == "AccessDeniedException"
    client_of(world).delete_resource_policy()
    assert refused(member.list_policies, Filter=SCP)[0] == "AccessDeniedException"


def test_a_resource_policy_may_depend_on_the_type_of_policies(make_world: Any) -> None:
    world = make_world(organization())
    only_tags = {"StringEquals": {"organizations:PolicyType": "TAG_POLICY"}}
    client_of(world).put_resource_policy(Content=delegating("organizations:*", **only_tags))
    member = client_of(world, MEMBER)
    assert member.list_policies(Filter="TAG_POLICY")["Policies"] == []
    assert refused(member.list_policies, Filter=SCP)[0] == "AccessDeniedException"
    assert refused(member.describe_policy, PolicyId=GUARD)[0] == "AccessDeniedException"
    new = member.create_policy(Content="{}", Description="", Name="tags", Type="TAG_POLICY")
    assert member.describe_policy(PolicyId=new["Policy"]["PolicySummary"]["Id"])["Policy"]["Content"] == "{}"


def test_a_resource_policy_is_shown_replaced_and_deleted(make_world: Any) -> None:
    client = client_of(make_world(organization()))
    assert refused(client.describe_resource_policy)[0] == "ResourcePolicyNotFoundException"
    assert refused(client.delete_resource_policy)[0] == "ResourcePolicyNotFoundException"
    bad = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    assert refused(client.put_resource_policy, Content=bad) == ("InvalidInputException", "INVALID_PATTERN")
    first = client.put_resource_policy(Content=delegating("organizations:List*"))["ResourcePolicy"]
    second = client.put_resource_policy(Content=delegating("organizations:Describe*"))["ResourcePolicy"]
    assert first["ResourcePolicySummary"] == second["ResourcePolicySummary"]
    assert second["ResourcePolicySummary"]["Arn"].startswith(
        f"arn:aws:organizations::{MANAGEMENT}:resourcepolicy/o-example1234/rp-"
    )
    assert client.describe_resource_policy()["ResourcePolicy"] == second


def test_conditions_on_policies_and_tags_hold(make_world: Any) -> None:
    """Condition keys of the Service Authorization Reference: organizations:PolicyType, aws:ResourceTag."""
    world = make_world(organization())
    client = client_of(world)
    iam = client_of(world, service="iam")
    client.tag_resource(ResourceId=UNIT, Tags=[{"Key": "team", "Value": "blue"}])
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "organizations:Describe*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
            },
            {
                "Effect": "Allow",
                "Action": "organizations:ListPolicies",
                "Resource": "*",
                "Condition": {"StringEquals": {"organizations:PolicyType": SCP}},
            },
        ],
    }
    iam.put_user_policy(UserName="powerless", PolicyName="own", PolicyDocument=json.dumps(document))
    limited = world.client("organizations", "powerless")
    assert limited.describe_organizational_unit(OrganizationalUnitId=UNIT)["OrganizationalUnit"]["Name"] == "prod"
    assert refused(limited.describe_account, AccountId=MEMBER)[0] == "AccessDeniedException"
    assert limited.list_policies(Filter=SCP)["Policies"]
    assert refused(limited.list_policies, Filter="TAG_POLICY")[0] == "AccessDeniedException"


def test_a_resource_of_the_organization_belongs_to_the_management_account(make_world: Any) -> None:
    """IAM User Guide, aws:ResourceAccount: the account that owns the resource, which the ARN names."""
    world = make_world(organization())
    delegated, iam = client_of(world, DELEGATED), client_of(world, DELEGATED, "iam")
    about = {"OrganizationalUnitId": UNIT}

    def guard(account_id: str) -> None:
        statement = {
            "Effect": "Deny",
            "Action": "organizations:*",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:ResourceAccount": account_id}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=admin_of(DELEGATED), PolicyName="guard", PolicyDocument=document)

    guard(DELEGATED)
    assert refused(delegated.describe_organizational_unit, **about)[0] == "AccessDeniedException"
    # A call about no resource has the keys of the caller's own account.
    assert delegated.list_roots()["Roots"]
    guard(MANAGEMENT)
    assert delegated.describe_organizational_unit(**about)["OrganizationalUnit"]["Name"] == "prod"
    assert refused(delegated.list_roots)[0] == "AccessDeniedException"

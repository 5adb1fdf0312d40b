"""The quotas of Organizations, each reached with AWS's number or with a sandbox file's number."""

from __future__ import annotations

import json
from typing import Any

import pytest
from organization_calls import EMPTY_UNIT, EVERYTHING, RCP, ROOT, SCP, client_of, organization, refused
from sts_calls import policy, statement

from rolecall.data import QUOTAS

VIOLATION = "ConstraintViolationException"
DENYING = json.dumps(policy(statement("s3:*", effect="Deny", Principal="*")))


def client_with(make_world: Any, quotas: dict[str, int]) -> Any:
    text = json.dumps(json.loads(organization()) | {"settings": {"quotas": quotas}})
    return client_of(make_world(text))


def test_the_numbers_are_aws_s() -> None:
    """User Guide, Quotas and service limits for AWS Organizations, read 2026-11."""
    assert QUOTAS.organization_accounts_count == 10
    assert QUOTAS.organizational_units_count == 2_000
    assert QUOTAS.service_control_policies_count == 10_000
    assert QUOTAS.organization_policies_per_type_count == 1_000
    assert QUOTAS.resource_control_policies_per_target_count == 5
    assert QUOTAS.ai_opt_out_policy_characters == 2_500


def test_accounts(make_world: Any) -> None:
    client = client_with(make_world, {"AccountsPerOrganization": 4})
    client.create_account(Email="new@example.com", AccountName="new")
    assert refused(client.create_account, Email="more@example.com", AccountName="more") == (
        VIOLATION,
        "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
    )


def test_units(make_world: Any) -> None:
    client = client_with(make_world, {"OrganizationalUnitsPerOrganization": 3})
    client.create_organizational_unit(ParentId=ROOT, Name="third")
    assert refused(client.create_organizational_unit, ParentId=ROOT, Name="fourth") == (
        VIOLATION,
        "OU_NUMBER_LIMIT_EXCEEDED",
    )


@pytest.mark.parametrize(
    ("quota", "kind", "content", "present"),
    [
        ("ServiceControlPoliciesPerOrganization", SCP, EVERYTHING, 1),
        ("OrganizationPoliciesPerType", "TAG_POLICY", "{}", 0),
        ("OrganizationPoliciesPerType", RCP, DENYING, 0),
    ],
)
def test_policies(make_world: Any, quota: str, kind: str, content: str, present: int) -> None:
    client = client_with(make_world, {quota: present + 1})
    create = {"Content": content, "Description": "", "Type": kind}
    client.create_policy(Name="fits", **create)
    assert refused(client.create_policy, Name="more", **create) == (VIOLATION, "POLICY_NUMBER_LIMIT_EXCEEDED")


@pytest.mark.parametrize(
    ("quota", "kind", "content"),
    [("OrganizationPoliciesPerTarget", SCP, EVERYTHING), ("ResourceControlPoliciesPerTarget", RCP, DENYING)],
)
def test_attached_policies(make_world: Any, quota: str, kind: str, content: str) -> None:
    client = client_with(make_world, {quota: 2})
    ids = [
        client.create_policy(Name=name, Content=content, Description="", Type=kind)["Policy"]["PolicySummary"]["Id"]
        for name in ("fits", "more")
    ]
    client.attach_policy(PolicyId=ids[0], TargetId=EMPTY_UNIT)
    assert refused(client.attach_policy, PolicyId=ids[1], TargetId=EMPTY_UNIT) == (
        VIOLATION,
        "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
    )


def test_the_size_of_ai_opt_out_policies(make_world: Any) -> None:
    client = client_of(make_world(organization()))
    create = {"Description": "", "Type": "AISERVICES_OPT_OUT_POLICY"}
    client.create_policy(Name="fits", Content="{}".ljust(2_500), **create)
    assert refused(client.create_policy, Name="more", Content="{}".ljust(2_501), **create) == (
        VIOLATION,
        "POLICY_CONTENT_LIMIT_EXCEEDED",
    )

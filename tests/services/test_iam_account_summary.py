"""GetAccountSummary counts the entities of an account."""

from __future__ import annotations

import json
from typing import Any

from iam_calls import ACCOUNT, LIMITS, WORLD, identity


def test_counts_follow_what_is_made_and_quotas_stand_beside_them(make_world: Any) -> None:
    world = make_world(WORLD)
    iam = world.client("iam")
    before = iam.get_account_summary()["SummaryMap"]
    known = iam.meta.service_model.shape_for("summaryMapType").key.enum
    assert set(before) == set(known)
    counted = {name: before[name] for name in ("Users", "Groups", "Roles", "Policies", "PolicyVersionsInUse")}
    assert counted == {"Users": 4, "Groups": 12, "Roles": 3, "Policies": 11, "PolicyVersionsInUse": 11}
    assert before["AccountAccessKeysPresent"] == 1
    iam.create_user(UserName="new")
    iam.create_group(GroupName="new")
    iam.create_policy_version(PolicyArn=LIMITS, PolicyDocument=json.dumps(identity("chime:List*")))
    after = iam.get_account_summary()["SummaryMap"]
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"Users": 1, "Groups": 1, "PolicyVersionsInUse": 1}


def test_accounts_are_counted_apart(make_world: Any) -> None:
    world = make_world(WORLD)
    summary = world.client("iam", user="kim").get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["Policies"], summary["Roles"]) == (1, 1, 1, 0)
    assert summary["AccountAccessKeysPresent"] == 0


def test_root_may_ask(make_world: Any) -> None:
    root = make_world(WORLD).client("iam", user=f"root of {ACCOUNT}")
    assert root.get_account_summary()["SummaryMap"]["AccessKeysPerUserQuota"] == 2


def test_every_number_of_an_account_that_has_little(make_world: Any) -> None:
    """Quotas as in AWS's answer of February 2026. Missing entries have the count 0."""
    summary = make_world(WORLD).client("iam", user="kim").get_account_summary()["SummaryMap"]
    assert summary == {
        "AccessKeysPerUserQuota": 2,
        "AccountAccessKeysPresent": 0,
        "AccountMFAEnabled": 0,
        "AccountPasswordPresent": 0,
        "AccountSigningCertificatesPresent": 0,
        "AssumeRolePolicySizeQuota": 2048,
        "AttachedPoliciesPerGroupQuota": 10,
        "AttachedPoliciesPerRoleQuota": 10,
        "AttachedPoliciesPerUserQuota": 10,
        "GlobalEndpointTokenVersion": 1,
        "GroupPolicySizeQuota": 5120,
        "Groups": 1,
        "GroupsPerUserQuota": 10,
        "GroupsQuota": 300,
        "InstanceProfiles": 0,
        "InstanceProfilesQuota": 1000,
        "MFADevices": 0,
        "MFADevicesInUse": 0,
        "Policies": 1,
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "PolicyVersionsInUse": 1,
        "PolicyVersionsInUseQuota": 10000,
        "Providers": 0,
        "RolePolicySizeQuota": 10240,
        "Roles": 0,
        "RolesQuota": 1000,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": 20,
        "SigningCertificatesPerUserQuota": 2,
        "UserPolicySizeQuota": 2048,
        "Users": 1,
        "UsersQuota": 5000,
        "VersionsPerPolicyQuota": 5,
    }

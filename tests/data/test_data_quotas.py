"""The quotas: each has a number, a source and a field. test_iam_quotas tests how IAM's operations use them."""

import json
from pathlib import Path

import pytest
from msgspec.structs import asdict

import rolecall.data
from rolecall.data import QUOTA_FIELDS, QUOTAS, changed_quotas, quotas_with

SOURCES = {
    "IAM User Guide",
    "IAM FAQ",
    "STS API Reference",
    "IAM API Reference",
    "AWS Organizations User Guide",
}
ROWS = json.loads((Path(rolecall.data.__file__).parent / "quotas" / "quotas.json").read_text(encoding="utf-8"))
# Written from AWS's pages: IAM and AWS STS quotas, IAM FAQ, Quotas for AWS Organizations, API references.
AWS: dict[str, int] = {
    "user_inline_policies_total_characters": 2048,
    "group_inline_policies_total_characters": 5120,
    "role_inline_policies_total_characters": 10_240,
    "managed_policy_characters": 6144,
    "role_trust_policy_characters": 2048,
    "session_policy_characters": 2048,
    "session_policy_arns_count": 10,
    "service_control_policy_characters": 10_240,
    "resource_control_policy_characters": 5120,
    "session_tags_count": 50,
    "managed_policies_per_user_count": 10,
    "managed_policies_per_group_count": 10,
    "managed_policies_per_role_count": 10,
    "versions_per_managed_policy_count": 5,
    "tags_per_entity_count": 50,
    "tag_key_characters": 128,
    "tag_value_characters": 256,
    "access_keys_per_user_count": 2,
    "access_keys_per_root_count": 2,
    "signing_certificates_per_user_count": 2,
    "ssh_public_keys_per_user_count": 5,
    "service_specific_credentials_per_service_count": 2,
    "mfa_devices_per_user_count": 8,
    "groups_per_user_count": 10,
    "users_per_account_count": 5000,
    "groups_per_account_count": 300,
    "roles_per_account_count": 1000,
    "customer_managed_policies_per_account_count": 1500,
    "policy_versions_in_use_per_account_count": 10_000,
    "instance_profiles_per_account_count": 1000,
    "roles_per_instance_profile_count": 1,
    "server_certificates_per_account_count": 20,
    "aliases_per_account_count": 1,
    "oidc_providers_per_account_count": 100,
    "client_ids_per_oidc_provider_count": 100,
    "thumbprints_per_oidc_provider_count": 5,
    "saml_providers_per_account_count": 100,
    "keys_per_saml_provider_count": 10,
    "path_characters": 512,
    "user_name_characters": 64,
    "group_name_characters": 128,
    "role_name_characters": 64,
    "instance_profile_name_characters": 128,
    "policy_name_characters": 128,
    "organization_accounts_count": 10,
    "organizational_units_count": 2000,
    "organization_policies_per_type_count": 1000,
    "service_control_policies_count": 10_000,
    "organization_policies_per_target_count": 10,
    "resource_control_policies_per_target_count": 5,
    "management_policy_characters": 10_000,
    "ai_opt_out_policy_characters": 2500,
}
# The most that AWS grants on request.
ON_REQUEST = {
    "organization_accounts_count": 50_000,
    "role_trust_policy_characters": 4096,
    "managed_policies_per_user_count": 20,
    "managed_policies_per_role_count": 20,
    "groups_per_account_count": 500,
    "roles_per_account_count": 5000,
    "customer_managed_policies_per_account_count": 5000,
    "instance_profiles_per_account_count": 5000,
    "server_certificates_per_account_count": 1000,
}


def test_the_quotas_are_awss() -> None:
    assert asdict(QUOTAS) == AWS
    assert {name: row["on_request"] for name, row in ROWS.items() if "on_request" in row} == ON_REQUEST


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_quota_has_a_source_and_ends_in_its_unit(name: str) -> None:
    row = ROWS[name]
    assert set(row) <= {"name", "code", "title", "value", "on_request", "source", "note"}
    assert row["source"].split(",")[0] in SOURCES
    assert name.endswith(("_characters", "_count"))
    assert ("code" in row) == ("title" in row)


def test_no_two_quotas_share_a_name() -> None:
    names = [row[key] for row in ROWS.values() for key in ("name", "code", "title") if key in row]
    assert sorted(names) == sorted(QUOTA_FIELDS)


def test_quotas_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        QUOTAS.access_keys_per_user_count = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        QUOTA_FIELDS["new"] = "users_per_account_count"  # type: ignore[index]


def test_a_change_is_recorded_by_its_name_and_nothing_else() -> None:
    changed = quotas_with({"L-FE177D64": 5000, "UsersPerAccount": 5000, "Groups per account": 0})
    assert (changed.roles_per_account_count, changed.groups_per_account_count) == (5000, 0)
    assert changed_quotas(changed) == {"GroupsPerAccount": 0, "RolesPerAccount": 5000}
    assert changed_quotas(QUOTAS) == {}
    assert quotas_with(changed_quotas(changed)) == changed
    with pytest.raises(KeyError):
        quotas_with({"roles_per_account_count": 5})

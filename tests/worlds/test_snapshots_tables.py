"""Where a snapshot keeps each table, written out; and rows whose content matters to an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from snapshot_worlds import FIRST, loaded_elsewhere, saved, world_text

from rolecall.storage import service_linked_roles as linked
from rolecall.worlds.located import read_located
from rolecall.worlds.row_checks import _problems as row_problems
from rolecall.worlds.snapshot_tables import DECLARED_TABLES, LEFT_OUT_COLUMNS, LEFT_OUT_TABLES, PLAIN_TABLES

# What keys of the sandbox file tell of.
DECLARED = """
access_keys accounts attachments chime_accounts chime_users delegated_administrators group_attached_policies
group_inline_policies group_members groups instance_profile_tags instance_profiles organization_features
organization_policies organization_policy_targets organizational_unit_accounts organizational_units organizations
policies policy_tags policy_versions role_attached_policies role_inline_policies role_tags roles
user_attached_policies user_inline_policies user_tags users
"""
PLAIN = """
account_aliases account_creations account_preferences account_properties acquired_roles channel_messages
channel_relations chime_bots chime_delegate_groups chime_retention_settings chime_room_memberships chime_rooms
console_authorizations credential_reports delegated_services delegation_requests directory_groups directory_members
directory_users identity_centers login_profiles mfa_code_uses mfa_device_tags mfa_devices oidc_client_ids
oidc_provider_tags oidc_providers oidc_thumbprints old_passwords ordered_phone_numbers organization_accounts
organization_policy_types organization_resource_policies organization_service_access organization_tags
outbound_federations password_policies permission_set_assignments permission_set_roles permission_sets
phone_number_associations phone_number_orders phone_numbers resource_settings resource_tags resources
saml_private_keys saml_provider_tags saml_providers server_certificate_tags server_certificates service_credentials
service_linked_role_deletions signin_permission_statements signing_certificates signing_keys ssh_public_keys
telephony_settings
"""


def test_which_table_is_kept_where() -> None:
    assert sorted(DECLARED_TABLES) == DECLARED.split()
    assert sorted(PLAIN_TABLES) == PLAIN.split()
    left_out = ["access_reports", "dpop_proofs", "fault_hits", "generations", "messaging_events", "sandbox_states"]
    left_out += ["sealing_keys", "signin_client_tokens", "signin_codes", "signin_sessions"]
    left_out += ["sso_clients", "sso_codes", "sso_sessions", "sso_tokens"]
    assert sorted(LEFT_OUT_TABLES) == left_out
    assert sorted(LEFT_OUT_COLUMNS) == [
        "attachments.bound_port",
        "group_attached_policies.attached_at_seconds",
        "group_members.added_at_seconds",
        "role_attached_policies.attached_at_seconds",
        "user_attached_policies.attached_at_seconds",
    ]


def test_what_is_declared_is_told_once(make_world: Any) -> None:
    """An organization is a key of the file and no row beside it: two of one thing could differ."""
    world = read_located(saved(make_world(world_text()))).value
    assert world["organization"]["management_account"] == FIRST
    assert not set(world.get("rows", {})) & set(DECLARED.split())
    assert "organization_id" not in json.dumps(world.get("rows", {}))


def test_a_failed_deletion_keeps_its_resources(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service = "voiceconnector.chime.amazonaws.com"
    connectors = [f"arn:aws:chime:us-east-1:{FIRST}:vc/{name}" for name in ("one", "two")]
    usages = [
        linked.RoleUsage("us-east-1", tuple(connectors)),
        linked.RoleUsage("eu-west-1", (f"arn:aws:chime:eu-west-1:{FIRST}:vc/three",)),
    ]
    monkeypatch.setitem(linked.RESOURCE_FINDERS, service, lambda _connection, _account_id: usages)
    full = make_world(world_text())
    iam = full.client("iam")
    task_id = iam.delete_service_linked_role(RoleName="AWSServiceRoleForAmazonChimeVoiceConnector")["DeletionTaskId"]
    other = loaded_elsewhere(make_world, full)
    status = other.client("iam", keys=("test", "test")).get_service_linked_role_deletion_status(DeletionTaskId=task_id)
    assert status["Status"] == "FAILED"
    assert "AWSServiceRoleForAmazonChimeVoiceConnector" in status["Reason"]["Reason"]
    assert status["Reason"]["RoleUsageList"] == [
        {"Region": "us-east-1", "Resources": connectors},
        {"Region": "eu-west-1", "Resources": [f"arn:aws:chime:eu-west-1:{FIRST}:vc/three"]},
    ]
    assert saved(other) == saved(full)


def deletion(**changes: Any) -> dict[str, Any]:
    return {
        "task_id": "task/a",
        "account_id": FIRST,
        "role_name": "a",
        "status": "FAILED",
        "reason": "",
        "resources": "[]",
        "created_at_seconds": 1_900_000_000,
        **changes,
    }


def problems(**changes: Any) -> list[str]:
    return list(row_problems("service_linked_role_deletions", deletion(**changes)))


@pytest.mark.parametrize(
    "resources",
    ["[]", '[{"region": "us-east-1", "resources": []}]', '[{"region": "us-east-1", "resources": ["arn:a", "arn:b"]}]'],
)
def test_resources_that_a_deletion_may_have(resources: str) -> None:
    assert problems(resources=resources) == []


@pytest.mark.parametrize(
    "resources",
    [
        "{}",
        "null",
        "1",
        '"text"',
        "[1]",
        "[{}]",
        '[{"region": "us-east-1"}]',
        '[{"resources": []}]',
        '[{"region": 1, "resources": []}]',
        '[{"region": "us-east-1", "resources": "arn:a"}]',
        '[{"region": "us-east-1", "resources": {"arn:a": 1}}]',
        '[{"region": "us-east-1", "resources": ["arn:a", 1]}]',
        '[{"region": "us-east-1", "resources": []}, {"region": "us-east-1", "resources": [[]]}]',
        "[" * 100_000,
    ],
)
def test_resources_that_no_deletion_has(resources: str) -> None:
    [problem] = problems(resources=resources)
    assert problem.startswith("resources must be a list of resources in use, as JSON text")


def test_the_states_of_a_deletion() -> None:
    for status in ("NOT_STARTED", "IN_PROGRESS", "SUCCEEDED", "FAILED"):
        assert problems(status=status) == []
    assert problems(status="DONE") == ["status must be NOT_STARTED or IN_PROGRESS or SUCCEEDED or FAILED"]


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("permissions", "permissions must be a mapping, as JSON text"),
        ("permission_policy", "permission_policy must be a policy"),
        ("approval", "approval must be the stored record of an approver"),
    ],
)
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_text_that_is_nested_too_deeply(column: str, problem: str, opening: str) -> None:
    found = list(row_problems("delegation_requests", {column: opening * 100_000}))
    assert any(each.startswith(problem) for each in found), found

"""Quotas of IAM, STS and Organizations. ``quotas/quotas.json`` names the source of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

_FILE = Path(__file__).parent / "quotas" / "quotas.json"


class Quotas(Struct, frozen=True):
    """The limits of an account. :data:`QUOTAS` holds AWS's defaults.

    Policy sizes are counted without white space, except for session and control policies.
    """

    user_inline_policies_total_characters: int
    group_inline_policies_total_characters: int
    role_inline_policies_total_characters: int
    managed_policy_characters: int
    role_trust_policy_characters: int
    session_policy_characters: int
    session_policy_arns_count: int
    service_control_policy_characters: int
    resource_control_policy_characters: int
    session_tags_count: int
    managed_policies_per_user_count: int
    managed_policies_per_group_count: int
    managed_policies_per_role_count: int
    versions_per_managed_policy_count: int
    tags_per_entity_count: int
    tag_key_characters: int
    tag_value_characters: int
    access_keys_per_user_count: int
    access_keys_per_root_count: int
    signing_certificates_per_user_count: int
    ssh_public_keys_per_user_count: int
    service_specific_credentials_per_service_count: int
    mfa_devices_per_user_count: int
    groups_per_user_count: int
    users_per_account_count: int
    groups_per_account_count: int
    roles_per_account_count: int
    customer_managed_policies_per_account_count: int
    policy_versions_in_use_per_account_count: int
    instance_profiles_per_account_count: int
    roles_per_instance_profile_count: int
    server_certificates_per_account_count: int
    aliases_per_account_count: int
    oidc_providers_per_account_count: int
    client_ids_per_oidc_provider_count: int
    thumbprints_per_oidc_provider_count: int
    saml_providers_per_account_count: int
    keys_per_saml_provider_count: int
    path_characters: int
    user_name_characters: int
    group_name_characters: int
    role_name_characters: int
    instance_profile_name_characters: int
    policy_name_characters: int
    organization_accounts_count: int
    organizational_units_count: int
    organization_policies_per_type_count: int
    service_control_policies_count: int
    organization_policies_per_target_count: int
    resource_control_policies_per_target_count: int
    management_policy_characters: int
    ai_opt_out_policy_characters: int


def _names(rows: Mapping[str, Any]) -> dict[str, str]:
    """Field by each name of the quota: AWS's name in refusals (``RolesPerAccount``), its code, and its title."""
    return {row[key]: field for field, row in rows.items() for key in ("name", "code", "title") if key in row}


_ROWS = json.loads(_FILE.read_text(encoding="utf-8"))
QUOTAS = Quotas(**{field: int(row["value"]) for field, row in _ROWS.items()})
# What a real account has at most: AWS raises some of the quotas on request.
RAISED_QUOTAS = Quotas(**{field: int(row.get("on_request", row["value"])) for field, row in _ROWS.items()})
# The quotas that AWS raises on request, or that a test may lower. All others are rules of AWS's models.
QUOTA_FIELDS: Mapping[str, str] = MappingProxyType(_names(_ROWS))
_NAME_OF = {field: row["name"] for field, row in _ROWS.items() if "name" in row}
del _ROWS


def changed_quotas(quotas: Quotas) -> dict[str, int]:
    """The quotas that differ from AWS's defaults, by their names in AWS's refusals."""
    values = asdict(quotas)
    return {_NAME_OF[name]: value for name, value in values.items() if value != getattr(QUOTAS, name)}


def quotas_with(changes: Mapping[str, int]) -> Quotas:
    """AWS's defaults with these changes, each by a name of the quota. Raises KeyError for an unknown name."""
    return replace(QUOTAS, **{QUOTA_FIELDS[name]: value for name, value in changes.items()})

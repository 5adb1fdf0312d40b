"""Every module that registers operations, named one by one: importing this one is what makes them known."""

from __future__ import annotations

from emulator.services.chime import account_settings, accounts, user_batches, user_settings
from emulator.services.chime import users as chime_users
from emulator.services.iam import (
    access_keys,
    account_summary,
    group_policies,
    groups,
    mfa_devices,
    oidc_providers,
    organization_features,
    outbound_federation,
    policies,
    policy_entities,
    policy_tags,
    policy_versions,
    role_policies,
    roles,
    saml_providers,
    service_linked_roles,
    simulation,
    tags,
    token_service_preferences,
    user_policies,
    users,
)
from emulator.services.iam_toolbox import authorization_details
from emulator.services.registry import all_operations, find
from emulator.services.sts import (
    assume_role,
    assume_role_with_saml,
    assume_root,
    authorization_message,
    identity,
    user_sessions,
    web_identity,
    web_identity_token,
)

MODULES = (
    assume_role,
    assume_role_with_saml,
    assume_root,
    authorization_message,
    identity,
    user_sessions,
    web_identity,
    web_identity_token,
    users,
    tags,
    access_keys,
    mfa_devices,
    user_policies,
    groups,
    group_policies,
    policies,
    policy_versions,
    policy_tags,
    policy_entities,
    roles,
    role_policies,
    service_linked_roles,
    oidc_providers,
    saml_providers,
    account_summary,
    token_service_preferences,
    organization_features,
    outbound_federation,
    simulation,
    authorization_details,
    accounts,
    account_settings,
    chime_users,
    user_batches,
    user_settings,
)

__all__ = ["MODULES", "all_operations", "find"]

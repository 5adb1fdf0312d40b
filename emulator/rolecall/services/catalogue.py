"""Every module that registers operations, named one by one. Importing this module registers all of them."""

from __future__ import annotations

from rolecall.services.chime import account_settings, accounts, user_batches, user_settings
from rolecall.services.chime import users as chime_users
from rolecall.services.chime_sdk_voice import tags as voice_tags
from rolecall.services.chime_sdk_voice import voice_connectors
from rolecall.services.iam import tags
from rolecall.services.iam.account import (
    account_aliases,
    account_summary,
    organization_features,
    outbound_federation,
    password_policy,
    token_service_preferences,
)
from rolecall.services.iam.delegation import delegation_requests
from rolecall.services.iam.groups import group_policies, groups
from rolecall.services.iam.policies import policies, policy_entities, policy_tags, policy_versions
from rolecall.services.iam.providers import oidc_providers, saml_providers
from rolecall.services.iam.roles import role_policies, roles, service_linked_roles
from rolecall.services.iam.simulation import simulation
from rolecall.services.iam.users import (
    access_keys,
    login_profiles,
    mfa_devices,
    signing_certificates,
    user_policies,
    users,
)
from rolecall.services.iam_toolbox import authorization_details
from rolecall.services.registry import all_operations, find, takes_long
from rolecall.services.sts import (
    assume_role,
    assume_role_with_saml,
    assume_root,
    authorization_message,
    delegated_access,
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
    delegated_access,
    identity,
    user_sessions,
    web_identity,
    web_identity_token,
    users,
    tags,
    access_keys,
    login_profiles,
    password_policy,
    signing_certificates,
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
    account_aliases,
    account_summary,
    token_service_preferences,
    organization_features,
    outbound_federation,
    delegation_requests,
    simulation,
    authorization_details,
    accounts,
    account_settings,
    chime_users,
    user_batches,
    user_settings,
    voice_tags,
    voice_connectors,
)

__all__ = ["MODULES", "all_operations", "find", "takes_long"]

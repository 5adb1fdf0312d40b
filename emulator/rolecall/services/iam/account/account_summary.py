"""The account as a whole."""

from __future__ import annotations

from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.account_preferences import global_endpoint_token_version
from rolecall.storage.account_summary import account_counts

_TOKEN_VERSIONS = {"v1Token": 1, "v2Token": 2}


@operation("iam", "GetAccountSummary")
def get_account_summary(call: Call) -> Answer:
    """Counts and quotas of the account. API reference: GetAccountSummary."""
    quotas = call.settings.quotas
    counts = account_counts(call.db, call.account_id)
    summary = {
        "Users": counts.users,
        "UsersQuota": quotas.users_per_account_count,
        "Groups": counts.groups,
        "GroupsQuota": quotas.groups_per_account_count,
        "Roles": counts.roles,
        "RolesQuota": quotas.roles_per_account_count,
        "Policies": counts.policies,
        "PoliciesQuota": quotas.customer_managed_policies_per_account_count,
        "PolicyVersionsInUse": counts.policy_versions,
        "PolicyVersionsInUseQuota": quotas.policy_versions_in_use_per_account_count,
        "VersionsPerPolicyQuota": quotas.versions_per_managed_policy_count,
        "PolicySizeQuota": quotas.managed_policy_characters,
        "UserPolicySizeQuota": quotas.user_inline_policies_total_characters,
        "GroupPolicySizeQuota": quotas.group_inline_policies_total_characters,
        "RolePolicySizeQuota": quotas.role_inline_policies_total_characters,
        "AssumeRolePolicySizeQuota": quotas.role_trust_policy_characters,
        "AttachedPoliciesPerUserQuota": quotas.managed_policies_per_user_count,
        "AttachedPoliciesPerGroupQuota": quotas.managed_policies_per_group_count,
        "AttachedPoliciesPerRoleQuota": quotas.managed_policies_per_role_count,
        "GroupsPerUserQuota": quotas.groups_per_user_count,
        "AccessKeysPerUserQuota": quotas.access_keys_per_user_count,
        "SigningCertificatesPerUserQuota": quotas.signing_certificates_per_user_count,
        "ServerCertificates": counts.server_certificates,
        "ServerCertificatesQuota": quotas.server_certificates_per_account_count,
        "InstanceProfiles": counts.instance_profiles,
        "InstanceProfilesQuota": quotas.instance_profiles_per_account_count,
        "Providers": counts.oidc_providers + counts.saml_providers,
        "MFADevices": counts.mfa_devices,
        "MFADevicesInUse": counts.mfa_devices_in_use,
        "AccountMFAEnabled": 1 if counts.root_mfa_devices else 0,
        "AccountAccessKeysPresent": 1 if counts.root_access_keys else 0,
        "AccountPasswordPresent": counts.root_passwords,
        "AccountSigningCertificatesPresent": 1 if counts.root_certificates else 0,
        "GlobalEndpointTokenVersion": _TOKEN_VERSIONS[global_endpoint_token_version(call.db, call.account_id)],
    }
    return {"SummaryMap": summary}

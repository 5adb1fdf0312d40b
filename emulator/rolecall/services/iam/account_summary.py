"""The account as a whole."""

from __future__ import annotations

from rolecall.data import QUOTAS
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.account_preferences import global_endpoint_token_version
from rolecall.storage.account_summary import account_counts

_TOKEN_VERSIONS = {"v1Token": 1, "v2Token": 2}


@operation("iam", "GetAccountSummary")
def get_account_summary(call: Call) -> Answer:
    """Counts and quotas of the account. API reference: GetAccountSummary.

    What accounts of the sandbox cannot have (server certificates, instance profiles) is counted as none.
    """
    counts = account_counts(call.db, call.account_id)
    summary = {
        "Users": counts.users,
        "UsersQuota": QUOTAS.users_per_account_count,
        "Groups": counts.groups,
        "GroupsQuota": QUOTAS.groups_per_account_count,
        "Roles": counts.roles,
        "RolesQuota": QUOTAS.roles_per_account_count,
        "Policies": counts.policies,
        "PoliciesQuota": QUOTAS.customer_managed_policies_per_account_count,
        "PolicyVersionsInUse": counts.policy_versions,
        "PolicyVersionsInUseQuota": QUOTAS.policy_versions_in_use_per_account_count,
        "VersionsPerPolicyQuota": QUOTAS.versions_per_managed_policy_count,
        "PolicySizeQuota": QUOTAS.managed_policy_characters,
        "UserPolicySizeQuota": QUOTAS.user_inline_policies_total_characters,
        "GroupPolicySizeQuota": QUOTAS.group_inline_policies_total_characters,
        "RolePolicySizeQuota": QUOTAS.role_inline_policies_total_characters,
        "AssumeRolePolicySizeQuota": QUOTAS.role_trust_policy_characters,
        "AttachedPoliciesPerUserQuota": QUOTAS.managed_policies_per_user_count,
        "AttachedPoliciesPerGroupQuota": QUOTAS.managed_policies_per_group_count,
        "AttachedPoliciesPerRoleQuota": QUOTAS.managed_policies_per_role_count,
        "GroupsPerUserQuota": QUOTAS.groups_per_user_count,
        "AccessKeysPerUserQuota": QUOTAS.access_keys_per_user_count,
        "SigningCertificatesPerUserQuota": QUOTAS.signing_certificates_per_user_count,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": QUOTAS.server_certificates_per_account_count,
        "InstanceProfiles": 0,
        "InstanceProfilesQuota": QUOTAS.instance_profiles_per_account_count,
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

"""Types of policies: switched on and off, and the effective policy of the types that are inherited.

API reference: EnablePolicyType, DisablePolicyType, DescribeEffectivePolicy.
"""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.organizations.common import Level, Organization, manages, operation
from rolecall.services.organizations.effective import effective_policy
from rolecall.services.organizations.targets import no_target
from rolecall.services.organizations.tree import shown_root
from rolecall.services.registry import Answer, Call
from rolecall.storage.gather import ROOT_TARGET, policy_type_enabled
from rolecall.storage.organization_accounts import MemberAccount, member_account, path_of, units_of
from rolecall.storage.organization_policies import policies_at, switch_policy_type

# Not recorded from AWS: worded after what public issues quote.
NO_ROOT_MESSAGE = "You specified a root that doesn't exist."
ALREADY_ENABLED_MESSAGE = "The specified policy type is already enabled."
NOT_ENABLED_MESSAGE = "This operation can be performed only for enabled policy types."
# The API reference's sentence; AWS's own words were not recorded.
NO_EFFECTIVE_MESSAGE = (
    "If you ran this action on the management account, this policy type is not enabled. If you ran the action on a "
    "member account, the account doesn't have an effective policy of this type."
)


def _check_root(organization: Organization, root_id: str) -> None:
    if root_id != organization.root_id:
        raise AwsError("RootNotFoundException", NO_ROOT_MESSAGE)


@operation("EnablePolicyType", Level.DELEGATED)
def enable_policy_type(call: Call, organization: Organization, *, RootId: str, PolicyType: str) -> Answer:
    """Control policies come with full access attached to everything.

    Raises AwsError: RootNotFoundException, PolicyTypeAlreadyEnabledException.
    """
    _check_root(organization, RootId)
    if policy_type_enabled(call.db, organization.organization_id, PolicyType):
        raise AwsError("PolicyTypeAlreadyEnabledException", ALREADY_ENABLED_MESSAGE)
    switch_policy_type(call.db, organization.organization_id, PolicyType, on=True)
    return {"Root": shown_root(call, organization, "Root")}


@operation("DisablePolicyType", Level.DELEGATED)
def disable_policy_type(call: Call, organization: Organization, *, RootId: str, PolicyType: str) -> Answer:
    """Every policy of the type is detached from everything, and stays.

    Raises AwsError: RootNotFoundException, PolicyTypeNotEnabledException.
    """
    _check_root(organization, RootId)
    if not policy_type_enabled(call.db, organization.organization_id, PolicyType):
        raise AwsError("PolicyTypeNotEnabledException", NOT_ENABLED_MESSAGE)
    switch_policy_type(call.db, organization.organization_id, PolicyType, on=False)
    return {"Root": shown_root(call, organization, "Root")}


def _effective(call: Call, organization: Organization, account: MemberAccount, policy_type: str) -> str | None:
    """The text of an account's effective policy; None when no policy of the type applies to the account."""
    organization_id = organization.organization_id
    if not policy_type_enabled(call.db, organization_id, policy_type):
        return None
    path = path_of(organization_id, units_of(call.db, organization_id), account.ou_id)
    targets = (ROOT_TARGET, *path[2:], account.account_id)
    levels = [
        [each.document for each in policies_at(call.db, organization_id, policy_type, target)] for target in targets
    ]
    return effective_policy(levels) if any(levels) else None


@operation("DescribeEffectivePolicy", Level.ANY_MEMBER)
def describe_effective_policy(
    call: Call, organization: Organization, *, PolicyType: str, TargetId: str | None = None
) -> Answer:
    """The caller's own account, or another one for the management account and its delegated administrators.

    Raises AwsError: TargetNotFoundException, EffectivePolicyNotFoundException.
    """
    account_id = call.account_id if TargetId is None else TargetId
    account = member_account(call.db, organization.organization_id, account_id)
    if account is None or (account_id != call.account_id and not manages(call, organization)):
        raise no_target()
    text = _effective(call, organization, account, PolicyType)
    if text is None:
        raise AwsError("EffectivePolicyNotFoundException", NO_EFFECTIVE_MESSAGE)
    return {
        "EffectivePolicy": {
            "PolicyContent": text,
            "LastUpdatedTimestamp": int(call.now_seconds),
            "TargetId": account_id,
            "PolicyType": PolicyType,
        }
    }

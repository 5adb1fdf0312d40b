"""Types of policies: switched on and off, and the effective policy of the types that are inherited.

API reference: EnablePolicyType, DisablePolicyType, DescribeEffectivePolicy, ListAccountsWithInvalidEffectivePolicy,
ListEffectivePolicyValidationErrors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rolecall.errors import AwsError
from rolecall.services.organizations.accounts import existing_account, shown_account
from rolecall.services.organizations.common import Level, Organization, manages, operation, page
from rolecall.services.organizations.effective import EffectivePolicy, InvalidElement, effective_policy
from rolecall.services.organizations.targets import no_target
from rolecall.services.organizations.tree import shown_root
from rolecall.services.registry import Answer, Call
from rolecall.storage.gather import ROOT_TARGET, policy_type_enabled
from rolecall.storage.organization_accounts import (
    MemberAccount,
    Unit,
    list_accounts,
    member_account,
    path_of,
    units_of,
)
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

# AWS does not publish the checks of effective policies, their codes and their words.
INVALID_ELEMENT = "ELEMENT_INVALID"
INVALID_ELEMENT_MESSAGE = "One policy gives the element a value and another policy gives it nested elements."


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


def _no_effective_policy() -> AwsError:
    return AwsError("EffectivePolicyNotFoundException", NO_EFFECTIVE_MESSAGE)


class _Effective:
    """The effective policies of one type. The policies of a root or unit are read once for all accounts."""

    def __init__(self, call: Call, organization: Organization, policy_type: str) -> None:
        self._call = call
        self._organization_id = organization.organization_id
        self._type = policy_type
        self.enabled = policy_type_enabled(call.db, self._organization_id, policy_type)
        self.units: Mapping[str, Unit] = units_of(call.db, self._organization_id) if self.enabled else {}
        self._of_target: dict[str, list[tuple[str, str]]] = {}

    def of(self, account: MemberAccount) -> EffectivePolicy | None:
        """None when no policy of the type applies to the account."""
        if not self.enabled:
            return None
        targets = (ROOT_TARGET, *self.path(account)[2:], account.account_id)
        levels = [self._at(target) for target in targets]
        return effective_policy(levels) if any(levels) else None

    def path(self, account: MemberAccount) -> Sequence[str]:
        return path_of(self._organization_id, self.units, account.ou_id)

    def _at(self, target: str) -> list[tuple[str, str]]:
        if target not in self._of_target:
            found = policies_at(self._call.db, self._organization_id, self._type, target)
            self._of_target[target] = [(each.policy_id, each.document) for each in found]
        return self._of_target[target]


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
    effective = _Effective(call, organization, PolicyType).of(account)
    if effective is None:
        raise _no_effective_policy()
    return {
        "EffectivePolicy": {
            "PolicyContent": effective.text,
            "LastUpdatedTimestamp": int(call.now_seconds),
            "TargetId": account_id,
            "PolicyType": PolicyType,
        }
    }


@operation("ListAccountsWithInvalidEffectivePolicy", Level.DELEGATED)
def list_accounts_with_invalid_effective_policy(
    call: Call,
    organization: Organization,
    *,
    PolicyType: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """In the order in which they joined. Raises AwsError EffectivePolicyNotFoundException for a type that is off."""
    effective = _Effective(call, organization, PolicyType)
    if not effective.enabled:
        raise _no_effective_policy()
    found = []
    for number, account in list_accounts(call.db, organization.organization_id):
        merged = effective.of(account)
        if merged is not None and merged.invalid:
            found.append((number, account))
    accounts = page(
        call,
        "Accounts",
        found,
        lambda each: shown_account(call, organization, effective.units, each[1], "Accounts"),
        lambda each: f"{each[0]:010}",
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[PolicyType],
    )
    return {**accounts, "PolicyType": PolicyType}


@operation("ListEffectivePolicyValidationErrors", Level.DELEGATED)
def list_effective_policy_validation_errors(
    call: Call,
    organization: Organization,
    *,
    AccountId: str,
    PolicyType: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """Raises AwsError: AccountNotFoundException, EffectivePolicyNotFoundException."""
    account = existing_account(call, organization, AccountId)
    effective = _Effective(call, organization, PolicyType)
    merged = effective.of(account)
    if merged is None:
        raise _no_effective_policy()
    errors = page(
        call,
        "EffectivePolicyValidationErrors",
        sorted(merged.invalid, key=_shown_path),
        _shown_error,
        _shown_path,
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[AccountId, PolicyType],
    )
    path = (*effective.path(account), AccountId)
    return {
        **errors,
        "AccountId": AccountId,
        "PolicyType": PolicyType,
        "Path": "".join(f"{each}/" for each in path),
        "EvaluationTimestamp": int(call.now_seconds),
    }


def _shown_path(invalid: InvalidElement) -> str:
    return "/".join(invalid.path)


def _shown_error(invalid: InvalidElement) -> Answer:
    return {
        "ErrorCode": INVALID_ELEMENT,
        "ErrorMessage": INVALID_ELEMENT_MESSAGE,
        "PathToError": _shown_path(invalid),
        "ContributingPolicies": list(invalid.policies),
    }

"""Centralized root access: the two features of an organization that concern its members' root users.

Source: the API references of the five operations. Every organization has all features, so
OrganizationNotInAllFeaturesModeException cannot happen here. Every organization trusts IAM until
DisableAWSServiceAccess.
"""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.organization_access import IAM, service_access
from rolecall.storage.organizations import (
    ROOT_CREDENTIALS_MANAGEMENT,
    ROOT_SESSIONS,
    OrganizationRecord,
    organization_around,
    switch_feature,
)

# The API reference's sentences; AWS's own words were not recorded.
NO_ORGANIZATION_MESSAGE = "The request was rejected because no organization is associated with your account."
NOT_MANAGING_MESSAGE = (
    "The request was rejected because the account making the request is not the management account or delegated "
    "administrator account for centralized root access."
)
NOT_MANAGEMENT_MESSAGE = (
    "The request was rejected because the account making the request is not the management account for the "
    "organization."
)
NO_SERVICE_ACCESS_MESSAGE = "The request was rejected because trusted access is not enabled for IAM in Organizations."


def _managed(call: Call, *, by_management_account: bool = False) -> OrganizationRecord:
    """The organization that the caller manages.

    Raises AwsError: OrganizationNotFoundException, AccountNotManagementOrDelegatedAdministratorException, and
    CallerIsNotManagementAccountException for a delegated administrator where only the management account may act.
    """
    organization = organization_around(call.db, call.account_id)
    if organization is None:
        raise AwsError("OrganizationNotFoundException", NO_ORGANIZATION_MESSAGE)
    if not organization.managed_by(call.account_id):
        raise AwsError("AccountNotManagementOrDelegatedAdministratorException", NOT_MANAGING_MESSAGE)
    if by_management_account and call.account_id != organization.management_account_id:
        raise AwsError("CallerIsNotManagementAccountException", NOT_MANAGEMENT_MESSAGE)
    if IAM not in service_access(call.db, organization.organization_id, 0):
        raise AwsError("ServiceAccessNotEnabledException", NO_SERVICE_ACCESS_MESSAGE)
    return organization


def _switched(call: Call, organization: OrganizationRecord, feature: str, *, on: bool) -> Answer:
    switch_feature(call.db, organization.organization_id, feature, on=on)
    rest = set(organization.features) - {feature}
    features = rest | {feature} if on else rest
    return {"OrganizationId": organization.organization_id, "EnabledFeatures": sorted(features)}


@operation("iam", "EnableOrganizationsRootSessions")
def enable_root_sessions(call: Call) -> Answer:
    """From now on AssumeRoot works on the organization's member accounts. Raises AwsError as :func:`_managed` does."""
    return _switched(call, _managed(call, by_management_account=True), ROOT_SESSIONS, on=True)


@operation("iam", "DisableOrganizationsRootSessions")
def disable_root_sessions(call: Call) -> Answer:
    """AssumeRoot stops working. Sessions that were issued before last until they expire."""
    return _switched(call, _managed(call), ROOT_SESSIONS, on=False)


@operation("iam", "EnableOrganizationsRootCredentialsManagement")
def enable_root_credentials_management(call: Call) -> Answer:
    return _switched(call, _managed(call, by_management_account=True), ROOT_CREDENTIALS_MANAGEMENT, on=True)


@operation("iam", "DisableOrganizationsRootCredentialsManagement")
def disable_root_credentials_management(call: Call) -> Answer:
    return _switched(call, _managed(call), ROOT_CREDENTIALS_MANAGEMENT, on=False)


@operation("iam", "ListOrganizationsFeatures")
def list_organizations_features(call: Call) -> Answer:
    """The features that are on. Raises AwsError as :func:`_managed` does."""
    organization = _managed(call)
    return {"OrganizationId": organization.organization_id, "EnabledFeatures": list(organization.features)}

"""The organization itself: create, show, delete. API reference: the operations of those names."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import Permission
from rolecall.errors import AwsError
from rolecall.services.linked_roles import ensure_role, permission_to_make
from rolecall.services.organizations.common import Level, Organization, modelled, operation
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters
from rolecall.services.registry import operation as registered_operation
from rolecall.storage.organization_accounts import (
    MemberAccount,
    account_count,
    add_organization,
    member_account,
    new_membership,
    put_facts,
    remove_organization,
)
from rolecall.storage.organizations import any_organization, organization_around

SERVICE = "organizations.amazonaws.com"
ORGANIZATION_ID_CHARACTERS = 10
# Recorded from AWS: terraform-provider-aws, pull request 30687.
ALREADY_MESSAGE = "The AWS account is already a member of an organization."
# The API reference's sentences; AWS's own words were not recorded.
ALL_FEATURES_MESSAGE = "The handshake request is invalid because the organization has already enabled all features."
NOT_EMPTY_MESSAGE = (
    "The organization isn't empty. To delete an organization, you must first remove all accounts except the "
    "management account."
)
ONE_ORGANIZATION_MESSAGE = "A sandbox has one organization at most, and this one has another account's."
BILLING_MESSAGE = "Rolecall does not emulate organizations with the feature set CONSOLIDATED_BILLING."


def shown_organization(call: Call, organization: Organization) -> Answer:
    """AvailablePolicyTypes names service control policies only: "Do not use. This field is deprecated"."""
    account_id = organization.management_account_id
    account = member_account(call.db, organization.organization_id, account_id)
    email = new_membership(account_id, 0)["email"] if account is None else account.email
    content = {
        "Id": organization.organization_id,
        "Arn": organization.arn(f"organization/{organization.organization_id}"),
        "FeatureSet": "ALL",
        "MasterAccountArn": organization.account_arn(account_id),
        "MasterAccountId": account_id,
        "MasterAccountEmail": email,
        "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    }
    return modelled(call, "Organization", content)


@operation("DescribeOrganization", Level.ANY_MEMBER)
def describe_organization(call: Call, organization: Organization) -> Answer:
    return {"Organization": shown_organization(call, organization)}


def _creating(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The table's permission, and the one to make the service-linked role of Organizations."""
    linked = permission_to_make(call, SERVICE)
    return [*table_permissions(call, parameters), *([] if linked is None else [linked])]


@registered_operation("organizations", "CreateOrganization", permissions=_creating)
def create_organization(call: Call, *, FeatureSet: str = "ALL") -> Answer:
    """A new organization with all features, managed by the caller's account.

    Raises AwsError: AlreadyInOrganizationException; NotImplemented for the other feature set, and where the sandbox
    already has an organization.
    """
    if organization_around(call.db, call.account_id) is not None:
        raise AwsError("AlreadyInOrganizationException", ALREADY_MESSAGE)
    if FeatureSet != "ALL":
        raise AwsError("NotImplemented", BILLING_MESSAGE)
    if any_organization(call.db):
        raise AwsError("NotImplemented", ONE_ORGANIZATION_MESSAGE)
    organization = Organization(f"o-{call.ids.lower_id(ORGANIZATION_ID_CHARACTERS)}", call.account_id)
    add_organization(call.db, organization.organization_id, call.account_id)
    facts = new_membership(call.account_id, int(call.now_seconds))
    put_facts(call.db, MemberAccount(account_id=call.account_id, name="", ou_id=None, **facts))
    ensure_role(call, SERVICE, "CreateOrganization")
    return {"Organization": shown_organization(call, organization)}


@operation("DeleteOrganization", Level.MANAGEMENT)
def delete_organization(call: Call, organization: Organization) -> None:
    """Raises AwsError OrganizationNotEmptyException while it has other accounts."""
    if account_count(call.db, organization.organization_id) > 1:
        raise AwsError("OrganizationNotEmptyException", NOT_EMPTY_MESSAGE)
    remove_organization(call.db, organization.organization_id, call.account_id)


@operation("EnableAllFeatures", Level.MANAGEMENT)
def enable_all_features(call: Call, organization: Organization) -> Answer:
    """Every organization of a sandbox has all features: AwsError HandshakeConstraintViolationException."""
    members = {"Reason": "ORGANIZATION_ALREADY_HAS_ALL_FEATURES"}
    raise AwsError("HandshakeConstraintViolationException", ALL_FEATURES_MESSAGE, members=members)

"""Delegated administrators, services that may work in all accounts, and the resource policy.

API reference: the operations of those names. IAM's delegated administrators may use centralized root access.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.errors import AwsError
from rolecall.policy import MalformedPolicy, PolicyKind, parse_policy
from rolecall.services.members import Tag
from rolecall.services.organizations.accounts import existing_account
from rolecall.services.organizations.common import (
    Level,
    Organization,
    checked_tags,
    invalid_input,
    modelled,
    operation,
    page,
    violates,
)
from rolecall.services.registry import Answer, Call
from rolecall.storage.organization_access import (
    ResourcePolicy,
    delegations,
    deregister_delegation,
    put_resource_policy,
    put_tags,
    register_delegation,
    remove_resource_policy,
    resource_policy,
    service_access,
    set_service_access,
)
from rolecall.storage.organization_accounts import ACTIVE, member_account

RESOURCE_POLICY_ID_CHARACTERS = 8
_SERVICE_DOMAIN = ".amazonaws.com"
# Not recorded from AWS: worded after what public issues quote.
UNKNOWN_SERVICE_MESSAGE = "You specified an unrecognized service principal."
ALREADY_REGISTERED_MESSAGE = "The provided account is already a delegated administrator for your organization."
NOT_REGISTERED_MESSAGE = "The provided account is not a registered delegated administrator for your organization."
MASTER_MESSAGE = "You cannot register master account/yourself as delegated administrator for your organization."
# The API reference's sentences; AWS's own words were not recorded.
SUSPENDED_MESSAGE = "You cannot register a suspended account as a delegated administrator."
NO_ACCESS_MESSAGE = (
    "You attempted to register a delegated administrator before you enabled service access. Call the "
    "EnableAWSServiceAccess API first."
)
NO_RESOURCE_POLICY_MESSAGE = "We can't find a resource policy request with the parameter that you specified."
BAD_RESOURCE_POLICY_MESSAGE = "You provided a value that does not match the required pattern."


def _founded_at(call: Call, organization: Organization) -> int:
    """When the management account joined. What the sandbox file declares began then."""
    account = member_account(call.db, organization.organization_id, organization.management_account_id)
    return 0 if account is None else account.joined_at_seconds


def _delegations(call: Call, organization: Organization) -> Mapping[str, Mapping[str, int]]:
    return delegations(call.db, organization.organization_id, _founded_at(call, organization))


def _check_service(service_principal: str) -> None:
    """Raises AwsError InvalidInputException. AWS publishes no list, but the names of this partition all end alike."""
    if not service_principal.endswith(_SERVICE_DOMAIN) or service_principal == _SERVICE_DOMAIN:
        raise invalid_input("UNRECOGNIZED_SERVICE_PRINCIPAL", UNKNOWN_SERVICE_MESSAGE)


@operation("RegisterDelegatedAdministrator", Level.MANAGEMENT)
def register_administrator(call: Call, organization: Organization, *, AccountId: str, ServicePrincipal: str) -> None:
    """From now on the account may read the organization, and administer the service for it.

    Raises AwsError: AccountNotFoundException, InvalidInputException, ConstraintViolationException,
    AccountAlreadyRegisteredException.
    """
    account = existing_account(call, organization, AccountId)
    _check_service(ServicePrincipal)
    if AccountId == organization.management_account_id:
        raise violates("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", MASTER_MESSAGE)
    if account.state != ACTIVE:
        raise violates("CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR", SUSPENDED_MESSAGE)
    if ServicePrincipal not in service_access(call.db, organization.organization_id, 0):
        raise violates("SERVICE_ACCESS_NOT_ENABLED", NO_ACCESS_MESSAGE)
    if ServicePrincipal in _delegations(call, organization).get(AccountId, {}):
        raise AwsError("AccountAlreadyRegisteredException", ALREADY_REGISTERED_MESSAGE)
    register_delegation(call.db, organization.organization_id, AccountId, ServicePrincipal, int(call.now_seconds))


@operation("DeregisterDelegatedAdministrator", Level.MANAGEMENT)
def deregister_administrator(call: Call, organization: Organization, *, AccountId: str, ServicePrincipal: str) -> None:
    """Raises AwsError: AccountNotFoundException, AccountNotRegisteredException."""
    existing_account(call, organization, AccountId)
    if ServicePrincipal not in _delegations(call, organization).get(AccountId, {}):
        raise AwsError("AccountNotRegisteredException", NOT_REGISTERED_MESSAGE)
    deregister_delegation(call.db, AccountId, ServicePrincipal)


@operation("ListDelegatedAdministrators", Level.DELEGATED)
def list_administrators(
    call: Call,
    organization: Organization,
    *,
    ServicePrincipal: str | None = None,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """All delegated administrators, or the administrators of one service."""
    found = [
        (account_id, services)
        for account_id, services in _delegations(call, organization).items()
        if ServicePrincipal is None or ServicePrincipal in services
    ]
    return page(
        call,
        "DelegatedAdministrators",
        found,
        lambda each: _shown_administrator(call, organization, each[0], each[1], ServicePrincipal),
        lambda each: each[0],
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[ServicePrincipal],
    )


def _shown_administrator(
    call: Call, organization: Organization, account_id: str, services: Mapping[str, int], service: str | None
) -> Answer:
    account = existing_account(call, organization, account_id)
    content: dict[str, Any] = {
        "Id": account_id,
        "Arn": organization.account_arn(account_id),
        "Email": account.email,
        "Name": account.name,
        "Status": account.state,
        "State": account.state,
        "JoinedMethod": account.joined_method,
        "JoinedTimestamp": account.joined_at_seconds,
        "DelegationEnabledDate": min(services.values()) if service is None else services[service],
    }
    return modelled(call, "DelegatedAdministrators", content)


@operation("ListDelegatedServicesForAccount", Level.DELEGATED)
def list_delegated_services(
    call: Call,
    organization: Organization,
    *,
    AccountId: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """Raises AwsError: AccountNotFoundException, AccountNotRegisteredException."""
    existing_account(call, organization, AccountId)
    services = _delegations(call, organization).get(AccountId)
    if services is None:
        raise AwsError("AccountNotRegisteredException", NOT_REGISTERED_MESSAGE)
    return page(
        call,
        "DelegatedServices",
        list(services.items()),
        lambda each: {"ServicePrincipal": each[0], "DelegationEnabledDate": each[1]},
        lambda each: each[0],
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[AccountId],
    )


@operation("EnableAWSServiceAccess", Level.MANAGEMENT)
def enable_service_access(call: Call, organization: Organization, *, ServicePrincipal: str) -> None:
    """Nothing changes for a service that has access. Raises AwsError InvalidInputException."""
    _check_service(ServicePrincipal)
    organization_id = organization.organization_id
    if ServicePrincipal not in service_access(call.db, organization_id, 0):
        set_service_access(call.db, organization_id, ServicePrincipal, int(call.now_seconds))


@operation("DisableAWSServiceAccess", Level.MANAGEMENT)
def disable_service_access(call: Call, organization: Organization, *, ServicePrincipal: str) -> None:
    """Nothing changes for a service without access. Raises AwsError InvalidInputException."""
    _check_service(ServicePrincipal)
    set_service_access(call.db, organization.organization_id, ServicePrincipal, None)


@operation("ListAWSServiceAccessForOrganization", Level.DELEGATED)
def list_service_access(
    call: Call, organization: Organization, *, NextToken: str | None = None, MaxResults: int | None = None
) -> Answer:
    found = service_access(call.db, organization.organization_id, _founded_at(call, organization))
    return page(
        call,
        "EnabledServicePrincipals",
        list(found.items()),
        lambda each: {"ServicePrincipal": each[0], "DateEnabled": each[1]},
        lambda each: each[0],
        NextToken=NextToken,
        MaxResults=MaxResults,
    )


# The resource policy.


def _existing_resource_policy(call: Call, organization: Organization) -> ResourcePolicy:
    found = resource_policy(call.db, organization.organization_id)
    if found is None:
        raise AwsError("ResourcePolicyNotFoundException", NO_RESOURCE_POLICY_MESSAGE)
    return found


def _shown_resource_policy(organization: Organization, policy: ResourcePolicy) -> Answer:
    arn = organization.arn(f"resourcepolicy/{organization.organization_id}/{policy.policy_id}")
    summary = {"Id": policy.policy_id, "Arn": arn}
    return {"ResourcePolicy": {"ResourcePolicySummary": summary, "Content": policy.document}}


@operation("DescribeResourcePolicy", Level.DELEGATED)
def describe_resource_policy(call: Call, organization: Organization) -> Answer:
    """Raises AwsError ResourcePolicyNotFoundException."""
    return _shown_resource_policy(organization, _existing_resource_policy(call, organization))


@operation("PutResourcePolicy", Level.MANAGEMENT)
def put_policy(call: Call, organization: Organization, *, Content: str, Tags: Sequence[Tag] = ()) -> Answer:
    """Create or replace the policy that lets member accounts manage the organization.

    Raises AwsError InvalidInputException for a malformed policy.
    """
    given = checked_tags(Tags)
    try:
        parse_policy(Content, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        code, members = "InvalidInputException", {"Reason": "INVALID_PATTERN"}
        raise AwsError(code, BAD_RESOURCE_POLICY_MESSAGE, reason=str(error), members=members) from error
    organization_id = organization.organization_id
    present = resource_policy(call.db, organization_id)
    new_id = f"rp-{call.ids.lower_id(RESOURCE_POLICY_ID_CHARACTERS)}"
    policy = ResourcePolicy(new_id if present is None else present.policy_id, Content)
    put_resource_policy(call.db, organization_id, policy)
    put_tags(call.db, organization_id, policy.policy_id, given)
    return _shown_resource_policy(organization, policy)


@operation("DeleteResourcePolicy", Level.MANAGEMENT)
def delete_policy(call: Call, organization: Organization) -> None:
    """Raises AwsError ResourcePolicyNotFoundException."""
    _existing_resource_policy(call, organization)
    remove_resource_policy(call.db, organization.organization_id)

"""Accounts of an organization: show, create, close, remove, leave.

API reference: DescribeAccount, ListAccounts, CreateAccount and its two status operations, CloseAccount,
RemoveAccountFromOrganization, LeaveOrganization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from rolecall.errors import AwsError
from rolecall.services.members import Tag
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
from rolecall.services.organizations.new_accounts import add_access_role, new_account_id
from rolecall.services.registry import Answer, Call, parameter_not_emulated
from rolecall.storage.organization_access import delegations, put_tags
from rolecall.storage.organization_accounts import (
    ACTIVE,
    CREATED,
    Creation,
    MemberAccount,
    Unit,
    account_count,
    account_with_email,
    add_account,
    add_creation,
    creations,
    let_go,
    list_accounts,
    member_account,
    path_of,
    put_facts,
    units_of,
)
from rolecall.storage.organization_policies import attach_full_access

SUSPENDED, CLOSED = "SUSPENDED", "CLOSED"
DEFAULT_ROLE_NAME = "OrganizationAccountAccessRole"
REQUEST_ID_CHARACTERS = 32
# API reference, ConstraintViolationException, WAIT_PERIOD_ACTIVE: "at least four days after the account was created".
WAIT_SECONDS = 4 * 86_400
# Not recorded from AWS: worded after what public issues quote.
NO_ACCOUNT_MESSAGE = "You specified an account that doesn't exist."
# The API reference's sentences; AWS's own words were not recorded.
NO_REQUEST_MESSAGE = "We can't find an create account request with the CreateAccountRequestId that you specified."
MASTER_MESSAGE = "You can't remove a management account from an organization."
CLOSED_MESSAGE = "You attempted to close an account that is already closed."
CLOSE_MASTER_MESSAGE = "You attempted to close the management account."
DELEGATED_MESSAGE = (
    "You attempted to remove an account that is registered as a delegated administrator for a service integrated with "
    "your organization. To complete this operation, you must first deregister this account as a delegated "
    "administrator."
)
WAIT_MESSAGE = (
    "After you create an Amazon Web Services account, you must wait until at least four days after the account was "
    "created."
)
NO_GOVCLOUD_MESSAGE = (
    "To complete this operation, the management account must have an associated account in the Amazon Web Services "
    "GovCloud (US-West) Region."
)
COUNT_MESSAGE = "You attempted to exceed the limit on the number of accounts in an organization."
ROLE_NAME_MESSAGE = (
    "You provided a role name that isn't valid. A role name can't begin with the reserved prefix AWSServiceRoleFor."
)


def existing_account(call: Call, organization: Organization, account_id: str) -> MemberAccount:
    """Raises AwsError AccountNotFoundException."""
    found = member_account(call.db, organization.organization_id, account_id)
    if found is None:
        raise AwsError("AccountNotFoundException", NO_ACCOUNT_MESSAGE)
    return found


def shown_account(
    call: Call, organization: Organization, units: Mapping[str, Unit], account: MemberAccount, member: str
) -> Answer:
    path = path_of(organization.organization_id, units, account.ou_id)
    content = {
        "Id": account.account_id,
        "Arn": organization.account_arn(account.account_id),
        "Email": account.email,
        "Name": account.name,
        "Status": ACTIVE if account.state == ACTIVE else SUSPENDED,
        "State": account.state,
        "Paths": ["".join(f"{each}/" for each in (*path, account.account_id))],
        "JoinedMethod": account.joined_method,
        "JoinedTimestamp": account.joined_at_seconds,
    }
    return modelled(call, member, content)


@operation("DescribeAccount", Level.DELEGATED)
def describe_account(call: Call, organization: Organization, *, AccountId: str) -> Answer:
    """Raises AwsError AccountNotFoundException."""
    account = existing_account(call, organization, AccountId)
    units = units_of(call.db, organization.organization_id)
    return {"Account": shown_account(call, organization, units, account, "Account")}


@operation("ListAccounts", Level.DELEGATED)
def list_all_accounts(
    call: Call, organization: Organization, *, NextToken: str | None = None, MaxResults: int | None = None
) -> Answer:
    """In the order in which they joined."""
    units = units_of(call.db, organization.organization_id)
    return page(
        call,
        "Accounts",
        list_accounts(call.db, organization.organization_id),
        lambda each: shown_account(call, organization, units, each[1], "Accounts"),
        lambda each: f"{each[0]:010}",
        NextToken=NextToken,
        MaxResults=MaxResults,
    )


@operation("CreateAccount", Level.MANAGEMENT)
def create_account(
    call: Call,
    organization: Organization,
    *,
    Email: str,
    AccountName: str,
    RoleName: str = DEFAULT_ROLE_NAME,
    IamUserAccessToBilling: str = "ALLOW",
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A new account with a role that the management account's principals can assume.

    AWS answers before the account is there; DescribeCreateAccountStatus shows the end. An email address in use is a
    failure that only the status shows. Raises AwsError: InvalidInputException, ConstraintViolationException.
    """
    given = checked_tags(Tags)
    if IamUserAccessToBilling != "ALLOW":
        raise parameter_not_emulated("CreateAccount", "IamUserAccessToBilling")
    _check_role_name(RoleName)
    organization_id = organization.organization_id
    if account_count(call.db, organization_id) >= call.settings.quotas.organization_accounts_count:
        raise violates("ACCOUNT_NUMBER_LIMIT_EXCEEDED", COUNT_MESSAGE)
    now_seconds = int(call.now_seconds)
    request_id = f"car-{call.ids.lower_id(REQUEST_ID_CHARACTERS)}"
    request = Creation(request_id, AccountName, "SUCCEEDED", now_seconds, now_seconds, None, None)
    if account_with_email(call.db, Email) is not None:
        request = replace(request, state="FAILED", failure_reason="EMAIL_ALREADY_EXISTS")
    else:
        account_id = new_account_id(call)
        account = MemberAccount(account_id, AccountName, Email, CREATED, now_seconds, ACTIVE, None)
        add_account(call.db, organization_id, account)
        attach_full_access(call.db, organization_id, account_id)
        put_tags(call.db, organization_id, account_id, given)
        add_access_role(call, account_id, RoleName, organization.management_account_id)
        request = replace(request, account_id=account_id)
    add_creation(call.db, organization_id, request)
    started = replace(request, state="IN_PROGRESS", account_id=None, failure_reason=None)
    return {"CreateAccountStatus": _shown_request(started)}


@operation("CreateGovCloudAccount", Level.MANAGEMENT)
def create_govcloud_account(
    call: Call,
    organization: Organization,
    *,
    Email: str,
    AccountName: str,
    RoleName: str = DEFAULT_ROLE_NAME,
    IamUserAccessToBilling: str = "ALLOW",
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A sandbox has the partition aws alone. So no management account is paired with an account in GovCloud, and AWS
    refuses the call of such an account.

    Raises AwsError: InvalidInputException, ConstraintViolationException.
    """
    del Email, AccountName, IamUserAccessToBilling  # the wire has checked them, and no account comes into being
    checked_tags(Tags)
    _check_role_name(RoleName)
    raise violates("MASTER_ACCOUNT_NOT_GOVCLOUD_ENABLED", NO_GOVCLOUD_MESSAGE)


def _check_role_name(name: str) -> None:
    if name.startswith("AWSServiceRoleFor"):
        raise invalid_input("INVALID_ROLE_NAME", ROLE_NAME_MESSAGE)


def _shown_request(request: Creation) -> Answer:
    shown: Answer = {
        "Id": request.request_id,
        "AccountName": request.account_name,
        "State": request.state,
        "RequestedTimestamp": request.requested_at_seconds,
    }
    if request.state != "IN_PROGRESS":
        shown["CompletedTimestamp"] = request.completed_at_seconds
        shown["AccountId"] = request.account_id
        shown["FailureReason"] = request.failure_reason
    return {name: value for name, value in shown.items() if value is not None}


@operation("DescribeCreateAccountStatus", Level.DELEGATED)
def describe_create_account_status(call: Call, organization: Organization, *, CreateAccountRequestId: str) -> Answer:
    """Raises AwsError CreateAccountStatusNotFoundException."""
    for request in creations(call.db, organization.organization_id):
        if request.request_id == CreateAccountRequestId:
            return {"CreateAccountStatus": _shown_request(request)}
    raise AwsError("CreateAccountStatusNotFoundException", NO_REQUEST_MESSAGE)


@operation("ListCreateAccountStatus", Level.DELEGATED)
def list_create_account_status(
    call: Call,
    organization: Organization,
    *,
    States: Sequence[str] = (),
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """All requests, or the requests in these states."""
    found = [each for each in creations(call.db, organization.organization_id) if not States or each.state in States]
    return page(
        call,
        "CreateAccountStatuses",
        found,
        _shown_request,
        lambda each: f"{each.requested_at_seconds:012}/{each.request_id}",
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=sorted(States),
    )


@operation("CloseAccount", Level.MANAGEMENT)
def close_account(call: Call, organization: Organization, *, AccountId: str) -> None:
    """The account is closed at once. Its principals can call nothing any more.

    Raises AwsError: AccountNotFoundException, ConstraintViolationException, AccountAlreadyClosedException.
    """
    account = existing_account(call, organization, AccountId)
    if AccountId == organization.management_account_id:
        raise violates("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", CLOSE_MASTER_MESSAGE)
    if account.state in (SUSPENDED, CLOSED):
        raise AwsError("AccountAlreadyClosedException", CLOSED_MESSAGE)
    put_facts(call.db, replace(account, state=CLOSED))


@operation("RemoveAccountFromOrganization", Level.MANAGEMENT)
def remove_account(call: Call, organization: Organization, *, AccountId: str) -> None:
    """The account stands alone afterwards; no control policy restricts it.

    Raises AwsError: AccountNotFoundException, MasterCannotLeaveOrganizationException, ConstraintViolationException.
    """
    _leave(call, organization, AccountId)


@operation("LeaveOrganization", Level.ANY_MEMBER)
def leave_organization(call: Call, organization: Organization) -> None:
    """The caller's own account leaves. Raises AwsError as RemoveAccountFromOrganization does."""
    _leave(call, organization, call.account_id)


def _leave(call: Call, organization: Organization, account_id: str) -> None:
    account = existing_account(call, organization, account_id)
    if account_id == organization.management_account_id:
        raise AwsError("MasterCannotLeaveOrganizationException", MASTER_MESSAGE)
    if account_id in delegations(call.db, organization.organization_id, 0):
        raise violates("CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG", DELEGATED_MESSAGE)
    if account.joined_method == CREATED and call.now_seconds < account.joined_at_seconds + WAIT_SECONDS:
        raise violates("WAIT_PERIOD_ACTIVE", WAIT_MESSAGE)
    let_go(call.db, organization.organization_id, account_id)

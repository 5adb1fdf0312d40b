"""Handshakes and responsibility transfers: an organization of a sandbox has none.

API reference: the operations of those names. Every account of a sandbox is declared, or made by CreateAccount, so there
is nothing to invite. An invitation is refused, because a sandbox sends none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.errors import AwsError
from rolecall.services.organizations.common import Level, Organization, operation, page, violates
from rolecall.services.organizations.permissions import organization_permissions
from rolecall.services.registry import Answer, Call, Parameters
from rolecall.services.registry import operation as registered_operation
from rolecall.storage.organizations import organization_id_of

# The API reference's sentences; AWS's own words were not recorded.
NO_HANDSHAKE_MESSAGE = "We can't find a handshake with the HandshakeId that you specified."
NO_TRANSFER_MESSAGE = "We can't find a transfer that you specified."
ALREADY_MESSAGE = "The handshake request is invalid because the invited account is already a member of an organization."
NO_INVITATIONS_MESSAGE = "Rolecall sends no invitations: the sandbox file and CreateAccount make the accounts."
NO_TRANSFERS_MESSAGE = "Rolecall emulates no transfers of responsibility for billing."
GOVCLOUD_MESSAGE = (
    "To complete this operation, the management account must have an associated account in the Amazon Web Services "
    "GovCloud (US-West) Region."
)


class HandshakeParty(TypedDict):
    """The account, organization or email address that an invitation is for."""

    Id: str
    Type: str


class HandshakeFilter(TypedDict, total=False):
    """Which handshakes to list."""

    ActionType: str
    ParentHandshakeId: str


def _no_handshake() -> AwsError:
    return AwsError("HandshakeNotFoundException", NO_HANDSHAKE_MESSAGE)


def _no_transfer() -> AwsError:
    return AwsError("ResponsibilityTransferNotFoundException", NO_TRANSFER_MESSAGE)


def _nothing(
    call: Call, member: str, filters: Sequence[str | None], next_token: str | None, max_results: int | None
) -> Answer:
    return page(call, member, [], str, str, NextToken=next_token, MaxResults=max_results, filters=filters)


def _permissions(call: Call, parameters: Parameters) -> Any:
    return organization_permissions(call, parameters, delegable=False)


# Operations of accounts outside of organizations, too: an invitation comes to them.


@registered_operation("organizations", "ListHandshakesForAccount", permissions=_permissions)
def list_handshakes_for_account(
    call: Call,
    *,
    Filter: HandshakeFilter | None = None,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    return _nothing(call, "Handshakes", _of(Filter), NextToken, MaxResults)


@registered_operation("organizations", "DescribeHandshake", permissions=_permissions)
def describe_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake()


@registered_operation("organizations", "AcceptHandshake", permissions=_permissions)
def accept_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake()


@registered_operation("organizations", "DeclineHandshake", permissions=_permissions)
def decline_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake()


@registered_operation("organizations", "CancelHandshake", permissions=_permissions)
def cancel_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake()


def _of(given: HandshakeFilter | None) -> list[str | None]:
    chosen = given or {}
    return [chosen.get("ActionType"), chosen.get("ParentHandshakeId")]


@operation("ListHandshakesForOrganization", Level.DELEGATED)
def list_handshakes_for_organization(
    call: Call,
    organization: Organization,
    *,
    Filter: HandshakeFilter | None = None,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    return _nothing(call, "Handshakes", _of(Filter), NextToken, MaxResults)


@operation("InviteAccountToOrganization", Level.MANAGEMENT)
def invite_account(
    call: Call,
    organization: Organization,
    *,
    Target: HandshakeParty,
    Notes: str = "",
    Tags: Sequence[Any] = (),
) -> Answer:
    """Raises AwsError: HandshakeConstraintViolationException for an account of an organization, else
    ConstraintViolationException.
    """
    if Target["Type"] == "ACCOUNT" and organization_id_of(call.db, Target["Id"]) is not None:
        members = {"Reason": "ALREADY_IN_AN_ORGANIZATION"}
        raise AwsError("HandshakeConstraintViolationException", ALREADY_MESSAGE, members=members)
    raise violates("HANDSHAKE_RATE_LIMIT_EXCEEDED", NO_INVITATIONS_MESSAGE)


@operation("CreateGovCloudAccount", Level.MANAGEMENT)
def create_gov_cloud_account(
    call: Call,
    organization: Organization,
    *,
    Email: str,
    AccountName: str,
    RoleName: str = "",
    IamUserAccessToBilling: str = "",
    Tags: Sequence[Any] = (),
) -> Answer:
    """The management account has no account in that partition: AwsError ConstraintViolationException."""
    raise violates("MASTER_ACCOUNT_NOT_GOVCLOUD_ENABLED", GOVCLOUD_MESSAGE)


@operation("InviteOrganizationToTransferResponsibility", Level.MANAGEMENT)
def invite_to_transfer(
    call: Call,
    organization: Organization,
    *,
    Type: str,
    Target: HandshakeParty,
    StartTimestamp: float,
    SourceName: str,
    Notes: str = "",
    Tags: Sequence[Any] = (),
) -> Answer:
    """Raises AwsError ConstraintViolationException."""
    raise violates("UNMET_BILLING_PREREQUISITE", NO_TRANSFERS_MESSAGE)


@operation("ListInboundResponsibilityTransfers", Level.MANAGEMENT)
def list_inbound_transfers(
    call: Call,
    organization: Organization,
    *,
    Type: str,
    Id: str | None = None,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """Raises AwsError ResponsibilityTransferNotFoundException for an id."""
    if Id is not None:
        raise _no_transfer()
    return _nothing(call, "ResponsibilityTransfers", [Type], NextToken, MaxResults)


@operation("ListOutboundResponsibilityTransfers", Level.MANAGEMENT)
def list_outbound_transfers(
    call: Call,
    organization: Organization,
    *,
    Type: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    return _nothing(call, "ResponsibilityTransfers", [Type], NextToken, MaxResults)


@operation("DescribeResponsibilityTransfer", Level.MANAGEMENT)
def describe_transfer(call: Call, organization: Organization, *, Id: str) -> Answer:
    """Raises AwsError ResponsibilityTransferNotFoundException."""
    raise _no_transfer()


@operation("UpdateResponsibilityTransfer", Level.MANAGEMENT)
def update_transfer(call: Call, organization: Organization, *, Id: str, Name: str) -> Answer:
    """Raises AwsError ResponsibilityTransferNotFoundException."""
    raise _no_transfer()


@operation("TerminateResponsibilityTransfer", Level.MANAGEMENT)
def terminate_transfer(call: Call, organization: Organization, *, Id: str, EndTimestamp: float | None = None) -> Answer:
    """Raises AwsError ResponsibilityTransferNotFoundException."""
    raise _no_transfer()

"""Handshakes and responsibility transfers: an organization of a sandbox has none.

API reference: the operations of those names. Every account of a sandbox is declared, or made by CreateAccount, so there
is nothing to invite. An invitation is refused, because a sandbox sends none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypedDict

from rolecall.errors import AwsError
from rolecall.services.members import Tag
from rolecall.services.organizations.common import (
    Level,
    Organization,
    checked_tags,
    invalid_input,
    operation,
    page,
    violates,
)
from rolecall.services.organizations.permissions import organization_permissions
from rolecall.services.registry import Answer, Call
from rolecall.services.registry import operation as registered_operation
from rolecall.storage.organizations import organization_id_of

# The API reference's sentences; AWS's own words were not recorded.
NO_HANDSHAKE_MESSAGE = "We can't find a handshake with the HandshakeId that you specified."
NO_TRANSFER_MESSAGE = "We can't find a transfer that you specified."
ALREADY_MESSAGE = "The handshake request is invalid because the invited account is already a member of an organization."
ONLY_ACCOUNTS_MESSAGE = "You specified the wrong type of entity (account, organization, or email) as a party."
DAY_MESSAGE = "You provided an invalid start date. The start date must be the beginning of the day (00:00 UTC)."
MONTH_MESSAGE = "You provided an invalid start date. The start date must be the first day of the month."
EARLY_MESSAGE = "You provided an invalid start date. The start date is too early."
OWN_ACCOUNT_MESSAGE = (
    "An account can't accept a transfer invitation if it is both the sender and recipient of the invitation."
)
NOT_AVAILABLE_MESSAGE = (
    "Billing transfer is not available for your account. Contact your billing administrator or Amazon Web Services "
    "Support for assistance."
)
NO_INVITATIONS_MESSAGE = "Rolecall sends no invitations: the sandbox file and CreateAccount make the accounts."


class HandshakeParty(TypedDict):
    """The account, organization or email address that an invitation is for."""

    Id: str
    Type: str


class HandshakeFilter(TypedDict, total=False):
    """Which handshakes to list."""

    ActionType: str
    ParentHandshakeId: str


def _no_handshake(handshake_id: str) -> AwsError:
    reason = f"{handshake_id}: a sandbox has no handshakes"
    return AwsError("HandshakeNotFoundException", NO_HANDSHAKE_MESSAGE, reason=reason)


def _no_transfer(transfer: str) -> AwsError:
    reason = f"{transfer}: a sandbox has no transfers"
    return AwsError("ResponsibilityTransferNotFoundException", NO_TRANSFER_MESSAGE, reason=reason)


def _nothing(
    call: Call, member: str, filters: Sequence[str | None], next_token: str | None, max_results: int | None
) -> Answer:
    return page(call, member, [], str, str, NextToken=next_token, MaxResults=max_results, filters=filters)


# Operations of accounts outside of organizations, too: an invitation comes to them.


@registered_operation("organizations", "ListHandshakesForAccount", permissions=organization_permissions)
def list_handshakes_for_account(
    call: Call,
    *,
    Filter: HandshakeFilter | None = None,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    return _nothing(call, "Handshakes", _of(Filter), NextToken, MaxResults)


@registered_operation("organizations", "DescribeHandshake", permissions=organization_permissions)
def describe_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake(HandshakeId)


@registered_operation("organizations", "AcceptHandshake", permissions=organization_permissions)
def accept_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake(HandshakeId)


@registered_operation("organizations", "DeclineHandshake", permissions=organization_permissions)
def decline_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake(HandshakeId)


@registered_operation("organizations", "CancelHandshake", permissions=organization_permissions)
def cancel_handshake(call: Call, *, HandshakeId: str) -> Answer:
    """Raises AwsError HandshakeNotFoundException."""
    raise _no_handshake(HandshakeId)


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
    Tags: Sequence[Tag] = (),
) -> Answer:
    """Raises AwsError: HandshakeConstraintViolationException for an account of an organization, else
    ConstraintViolationException.
    """
    checked_tags(Tags)
    if Target["Type"] == "ACCOUNT" and organization_id_of(call.db, Target["Id"]) is not None:
        raise _handshake_violates("ALREADY_IN_AN_ORGANIZATION", ALREADY_MESSAGE)
    raise violates("HANDSHAKE_RATE_LIMIT_EXCEEDED", NO_INVITATIONS_MESSAGE)


@operation("InviteOrganizationToTransferResponsibility", Level.MANAGEMENT)
def invite_organization_to_transfer_responsibility(
    call: Call,
    organization: Organization,
    *,
    Type: str,
    Target: HandshakeParty,
    StartTimestamp: float,
    SourceName: str,
    Notes: str = "",
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A sandbox has one organization, so nobody can take an invitation to transfer responsibility.

    Raises AwsError: InvalidInputException for an organization as the target, HandshakeConstraintViolationException for
    the caller's own account and for a member account, else ConstraintViolationException.
    """
    del Type, SourceName, Notes  # the wire has checked them, and no transfer comes into being
    checked_tags(Tags)
    _check_start(StartTimestamp, call.now_seconds)
    target = Target["Id"]
    if Target["Type"] == "ORGANIZATION":
        raise invalid_input("INVALID_PARTY_TYPE_TARGET", ONLY_ACCOUNTS_MESSAGE)
    if target == organization.management_account_id:
        raise _handshake_violates("SOURCE_AND_TARGET_CANNOT_MATCH", OWN_ACCOUNT_MESSAGE)
    if Target["Type"] == "ACCOUNT" and organization_id_of(call.db, target) is not None:
        raise _handshake_violates("TARGET_ACCOUNT_VALIDATION_FAILURE", NOT_AVAILABLE_MESSAGE)
    raise violates("HANDSHAKE_RATE_LIMIT_EXCEEDED", NO_INVITATIONS_MESSAGE)


def _check_start(start_seconds: float, now_seconds: float) -> None:
    """Raises AwsError InvalidInputException for a start in the past or within a month."""
    start = datetime.fromtimestamp(start_seconds, UTC)
    if (start.hour, start.minute, start.second, start.microsecond) != (0, 0, 0, 0):
        raise invalid_input("START_DATE_NOT_BEGINNING_OF_DAY", DAY_MESSAGE)
    if start.day != 1:
        raise invalid_input("START_DATE_NOT_BEGINNING_OF_MONTH", MONTH_MESSAGE)
    if start_seconds <= now_seconds:
        raise invalid_input("START_DATE_TOO_EARLY", EARLY_MESSAGE)


def _handshake_violates(reason: str, message: str) -> AwsError:
    return AwsError("HandshakeConstraintViolationException", message, members={"Reason": reason})


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
        raise _no_transfer(Id)
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
    raise _no_transfer(Id)


@operation("UpdateResponsibilityTransfer", Level.MANAGEMENT)
def update_transfer(call: Call, organization: Organization, *, Id: str, Name: str) -> Answer:
    """Raises AwsError ResponsibilityTransferNotFoundException."""
    raise _no_transfer(f"{Id} {Name}")


@operation("TerminateResponsibilityTransfer", Level.MANAGEMENT)
def terminate_transfer(call: Call, organization: Organization, *, Id: str) -> Answer:
    """Raises AwsError ResponsibilityTransferNotFoundException."""
    raise _no_transfer(Id)

"""Users of an Amazon Chime account, one at a time: create, get, list, update, log out, reset the PIN, invite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rolecall.errors import AwsError, bad_request
from rolecall.services.chime.common import (
    TEAM,
    checked_email,
    locked_account,
    owned_account,
    owned_user,
)
from rolecall.services.chime.user_changes import AlexaForBusiness, apply_changes, changes_of, permissions_to_update_user
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_users
from rolecall.storage.chime_accounts import ChimeAccount
from rolecall.storage.chime_users import BEFORE_THE_FIRST, ChimeUser
from rolecall.storage.problems import AlreadyThere

PRIVATE_USER = "PrivateUser"
PIN_DIGITS = 10
MAXIMUM_USERNAME_LENGTH = 320


@operation("chime", "GetUser")
def get_user(call: Call, *, AccountId: str, UserId: str) -> Answer:
    return {"User": shown_user(owned_user(call, AccountId, UserId))}


@operation("chime", "ListUsers")
def list_users(
    call: Call,
    *,
    AccountId: str,
    UserEmail: str | None = None,
    UserType: str | None = None,
    MaxResults: int = DEFAULT_MAX_RESULTS,
    NextToken: str | None = None,
) -> Answer:
    account = owned_account(call, AccountId)
    email_key = None if UserEmail is None else checked_email(UserEmail, "UserEmail").lower()
    filters = (account.account_id, email_key, UserType)
    found = chime_users.list_users(
        call.db,
        account.account_id,
        email=email_key or "",
        user_type=UserType or "",
        after=BEFORE_THE_FIRST if NextToken is None else position_of(call, filters, NextToken),
        limit=MaxResults + 1,
    )
    users, rest = one_page(call, filters, found, MaxResults, lambda each: each[0])
    return {"Users": [shown_user(user) for _, user in users], **rest}


@operation("chime", "CreateUser")
def create_user(
    call: Call, *, AccountId: str, Username: str | None = None, Email: str | None = None, UserType: str = PRIVATE_USER
) -> Answer:
    """A registered user with the account's default license. The request names the user, by email or user name."""
    account = locked_account(call, AccountId)
    if Email is None and Username is None:
        raise bad_request("Email or Username must be given.")
    if Email is not None and chime_users.user_by_email(call.db, account.account_id, checked_email(Email, "Email")):
        raise _email_taken(account)
    if Username is not None and chime_users.has_username(call.db, account.account_id, _checked_username(Username)):
        raise AwsError("ConflictException", f"Account {account.account_id} already has a user with this Username.")
    user = _new_user(call, account, Email, UserType)._replace(
        display_name=Username or (Email or "").partition("@")[0],
        registration_status="Registered",
        registered_at_seconds=int(call.now_seconds),
        # A shared device hosts no meetings of its own: the API reference's example of one shows no PIN.
        personal_pin=call.ids.digits(PIN_DIGITS) if UserType == PRIVATE_USER else "",
    )
    try:
        chime_users.add_user(call.db, user, username=Username)
    except AlreadyThere as problem:
        raise _email_taken(account) from problem
    return {"User": shown_user(user)}


@operation("chime", "InviteUsers")
def invite_users(call: Call, *, AccountId: str, UserEmailList: Sequence[str], UserType: str | None = None) -> Answer:
    """Invite by email address; no mail leaves the sandbox, so invitations stay pending.

    New addresses become unregistered users. An invitation again lifts a suspension; who is a member already is not
    invited (status Failed).
    """
    account = locked_account(call, AccountId)
    if account.account_type != TEAM:
        raise bad_request("Only Team accounts support invitations.")
    if not UserEmailList:
        raise bad_request("UserEmailList must not be empty.")
    for email in UserEmailList:
        checked_email(email, "UserEmailList")
    return {"Invites": [_invite(call, account, email, UserType) for email in UserEmailList]}


@operation("chime", "UpdateUser", permissions=permissions_to_update_user)
def update_user(
    call: Call,
    *,
    AccountId: str,
    UserId: str,
    LicenseType: str | None = None,
    UserType: str | None = None,
    AlexaForBusinessMetadata: AlexaForBusiness | None = None,
) -> Answer:
    """What the request leaves out stays as it is."""
    user = owned_user(call, AccountId, UserId)
    return {"User": shown_user(apply_changes(call, user, changes_of(LicenseType, UserType, AlexaForBusinessMetadata)))}


@operation("chime", "LogoutUser")
def logout_user(call: Call, *, AccountId: str, UserId: str) -> Answer:
    user = owned_user(call, AccountId, UserId)
    chime_users.update_user(call.db, user.user_id, {"logged_out_at_seconds": int(call.now_seconds)})
    return {}


@operation("chime", "ResetPersonalPIN")
def reset_personal_pin(call: Call, *, AccountId: str, UserId: str) -> Answer:
    user = owned_user(call, AccountId, UserId)
    pin = call.ids.digits(PIN_DIGITS)
    while pin == user.personal_pin:
        pin = call.ids.digits(PIN_DIGITS)
    chime_users.update_user(call.db, user.user_id, {"personal_pin": pin})
    return {"User": shown_user(user._replace(personal_pin=pin))}


def shown_user(user: ChimeUser) -> Answer:
    """A user as the model's User."""
    return {
        "UserId": user.user_id,
        "AccountId": user.account_id,
        "PrimaryEmail": user.primary_email,
        "DisplayName": user.display_name or None,
        "LicenseType": user.license_type,
        "UserType": user.user_type,
        "UserRegistrationStatus": user.registration_status,
        "UserInvitationStatus": user.invitation_status,
        "RegisteredOn": user.registered_at_seconds,
        "InvitedOn": user.invited_at_seconds,
        "AlexaForBusinessMetadata": {
            "IsAlexaForBusinessEnabled": user.alexa_for_business_enabled,
            "AlexaForBusinessRoomArn": user.alexa_for_business_room_arn,
        },
        "PersonalPIN": user.personal_pin or None,
    }


def _new_user(call: Call, account: ChimeAccount, email: str | None, user_type: str) -> ChimeUser:
    """An unregistered user: name and PIN come with registration."""
    return ChimeUser(
        user_id=call.ids.uuid(),
        account_id=account.account_id,
        primary_email=email,
        display_name="",
        license_type=account.default_license,
        user_type=user_type,
        registration_status="Unregistered",
        invitation_status=None,
        registered_at_seconds=None,
        invited_at_seconds=None,
        alexa_for_business_enabled=False,
        alexa_for_business_room_arn=None,
        personal_pin="",
    )


def _invite(call: Call, account: ChimeAccount, email: str, user_type: str | None) -> Answer:
    invite_id = call.ids.uuid()
    invitation = {"invitation_status": "Pending", "invited_at_seconds": int(call.now_seconds)}
    known = chime_users.user_by_email(call.db, account.account_id, email)
    if known is None:
        user = _new_user(call, account, email, user_type or PRIVATE_USER)._replace(**invitation)  # type: ignore[arg-type]
        chime_users.add_user(call.db, user, invite_id=invite_id)
    elif known.registration_status == "Registered" and known.invitation_status != "Pending":
        return {"InviteId": invite_id, "Status": "Failed", "EmailAddress": email, "EmailStatus": "NotSent"}
    else:
        changes: dict[str, Any] = {**invitation, "invite_id": invite_id}
        if user_type is not None:
            changes["user_type"] = user_type
        if known.registration_status == "Suspended":
            changes["registration_status"] = "Unregistered" if known.registered_at_seconds is None else "Registered"
            changes["license_type"] = account.default_license
        chime_users.update_user(call.db, known.user_id, changes)
    return {"InviteId": invite_id, "Status": "Pending", "EmailAddress": email, "EmailStatus": "Sent"}


def _checked_username(username: str) -> str:
    if not username.strip() or len(username) > MAXIMUM_USERNAME_LENGTH or not username.isprintable():
        raise bad_request(f"Username must have 1 to {MAXIMUM_USERNAME_LENGTH} printable characters.")
    return username


def _email_taken(account: ChimeAccount) -> AwsError:
    return AwsError("ConflictException", f"Account {account.account_id} already has a user with this Email.")

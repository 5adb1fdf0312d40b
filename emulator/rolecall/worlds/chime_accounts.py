"""Accounts of Amazon Chime in a sandbox file: their users, their rooms, and how long they keep messages."""

from __future__ import annotations

from rolecall.contents.expiration import MAXIMUM_DAYS
from rolecall.worlds import checking as c
from rolecall.worlds.chime_sdk import UUID
from rolecall.worlds.members import Declared, column, list_of, member, moment, record_of

_LICENSE = c.one_of("Basic", "Plus", "Pro", "ProTrial")
_DAYS = c.between(1, MAXIMUM_DAYS)


class DeclaredChimeUser(Declared):
    """A user of a Chime account. Without ``registration_status`` the user is registered now, with a name and a PIN."""

    email: str | None = column(
        c.matching(r"(?=.{1,320}$)[^@\s]+@[^@\s]+\.[^@\s]+", "an email address"), None, "primary_email"
    )
    username: str | None = column(c.text, None)
    user_id: str | None = column(UUID, None, key="id", once=True)
    display_name: str | None = column(c.text, None)
    license: str = column(_LICENSE, "", "license_type")
    user_type: str | None = column(c.one_of("PrivateUser", "SharedDevice"), None, key="type")
    registration_status: str | None = column(c.one_of("Unregistered", "Registered", "Suspended"), None)
    registered_at_seconds: int | None = moment()
    invitation_status: str | None = column(c.one_of("Pending", "Accepted", "Failed"), None)
    invite_id: str | None = column(UUID, None)
    invited_at_seconds: int | None = moment()
    personal_pin: str | None = column(c.matching(r"[0-9]{0,16}", "up to 16 digits"), None, secret=True)
    alexa_for_business_enabled: bool | None = column(c.boolean, None, key="alexa_for_business")
    alexa_for_business_room_arn: str | None = column(c.text, None, key="alexa_for_business_room")
    inbound_calling: bool | None = column(c.boolean, None)
    outbound_calling: bool | None = column(c.boolean, None)
    sms_messages: bool | None = column(c.boolean, None)
    logged_out_at_seconds: int | None = moment()


class DeclaredChimeRoom(Declared):
    """A room of an Enterprise account. Members are email addresses, or names of users without one."""

    name: str = member(c.text)
    room_id: str | None = member(UUID, None, key="id")
    members: tuple[str, ...] = member(c.list_of(c.text), ())
    administrators: tuple[str, ...] = member(c.list_of(c.text), ())


class DeclaredChimeRetention(Declared):
    """For how many days an Enterprise account keeps messages; None for ever."""

    room_days: int | None = member(_DAYS, None)
    conversation_days: int | None = member(_DAYS, None)


class DeclaredChimeAccount(Declared):
    name: str = column(c.matching(r"(?=.*\S).{1,100}", "a name of up to 100 characters"))
    chime_account_id: str | None = column(UUID, None, "account_id", key="id", once=True)
    created_at_seconds: int | None = moment(once=True)
    account_type: str | None = column(
        c.one_of("Team", "EnterpriseDirectory", "EnterpriseLWA", "EnterpriseOIDC"), None, key="type"
    )
    default_license: str | None = column(_LICENSE, None)
    account_status: str | None = column(c.one_of("Suspended", "Active"), None, key="status")
    disable_remote_control: bool | None = column(c.boolean, None)
    enable_dial_out: bool | None = column(c.boolean, None)
    users: tuple[DeclaredChimeUser, ...] = list_of(DeclaredChimeUser)
    rooms: tuple[DeclaredChimeRoom, ...] = list_of(DeclaredChimeRoom)
    retention: DeclaredChimeRetention | None = member(record_of(DeclaredChimeRetention), None)

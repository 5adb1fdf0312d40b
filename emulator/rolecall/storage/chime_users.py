"""Users of Amazon Chime accounts: rows in, records out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, tuple_, update

from rolecall.storage import tables as t
from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.service_linked_roles import RESOURCE_FINDERS, RoleUsage

ALEXA_SERVICE = "chime.amazonaws.com"
# Chime is one service for all Regions. Its endpoint is in this one.
_CHIME_REGION = "us-east-1"


class ChimeUser(NamedTuple):
    """A user of a Chime account. A missing text is empty, and a time that has not come yet is None."""

    user_id: str
    account_id: str
    primary_email: str | None
    display_name: str
    license_type: str
    user_type: str
    registration_status: str
    invitation_status: str | None
    registered_at_seconds: int | None
    invited_at_seconds: int | None
    alexa_for_business_enabled: bool
    alexa_for_business_room_arn: str | None
    personal_pin: str


class Telephony(NamedTuple):
    """A user's permissions to make calls and send messages by telephone."""

    inbound_calling: bool
    outbound_calling: bool
    sms_messages: bool


# The position at which a list continues: the sort key and the id of the last user shown.
Position = tuple[str, str]
BEFORE_THE_FIRST: Position = ("", "")

_USERS, _ACCOUNTS = t.chime_users, t.chime_accounts
_COLUMNS = [_USERS.c[name] for name in ChimeUser._fields]
_OF_OWNER = (
    _USERS.c.user_id == bindparam("user_id"),
    _USERS.c.account_id == bindparam("account_id"),
    _ACCOUNTS.c.aws_account_id == bindparam("aws_account_id"),
)
_BY_ID = PreparedSelect(
    select(*_COLUMNS).join_from(_USERS, _ACCOUNTS).where(*_OF_OWNER), "user_id", "account_id", "aws_account_id"
)
_TELEPHONY = select(*(_USERS.c[name] for name in Telephony._fields)).join_from(_USERS, _ACCOUNTS).where(*_OF_OWNER)
_SORT_KEY = func.coalesce(_USERS.c.email_key, _USERS.c.username)


def user(connection: Connection, aws_account_id: str, account_id: str, user_id: str) -> ChimeUser | None:
    """The user with that id; None when there is none, or when the Chime account belongs to another AWS account."""
    row = _BY_ID.first(connection, user_id, account_id, aws_account_id)
    return None if row is None else ChimeUser._make(row)


def telephony(connection: Connection, aws_account_id: str, account_id: str, user_id: str) -> Telephony | None:
    """The telephony settings of a user, found as :func:`user` finds the user."""
    key = {"user_id": user_id, "account_id": account_id, "aws_account_id": aws_account_id}
    row = connection.execute(_TELEPHONY, key).first()
    return None if row is None else Telephony._make(row)


def users_by_id(connection: Connection, account_id: str, user_ids: Collection[str]) -> dict[str, ChimeUser]:
    """The account's users among ``user_ids``, by id."""
    statement = select(*_COLUMNS).where(_USERS.c.account_id == account_id, _USERS.c.user_id.in_(user_ids))
    return {row.user_id: ChimeUser._make(row) for row in connection.execute(statement)}


def user_by_email(connection: Connection, account_id: str, email: str) -> ChimeUser | None:
    """The account's user with that email address, in any case of letters."""
    statement = select(*_COLUMNS).where(_USERS.c.account_id == account_id, _USERS.c.email_key == email.lower())
    row = connection.execute(statement).first()
    return None if row is None else ChimeUser._make(row)


def list_users(
    connection: Connection,
    account_id: str,
    *,
    email: str = "",
    user_type: str = "",
    after: Position = BEFORE_THE_FIRST,
    limit: int = 100,
) -> list[tuple[Position, ChimeUser]]:
    """Users by email address, or by user name if they have none, each with its position in the list."""
    statement = select(_SORT_KEY, *_COLUMNS).where(
        _USERS.c.account_id == account_id,
        tuple_(_SORT_KEY, _USERS.c.user_id) > after,
    )
    if email:
        statement = statement.where(_USERS.c.email_key == email.lower())
    if user_type:
        statement = statement.where(_USERS.c.user_type == user_type)
    statement = statement.order_by(_SORT_KEY, _USERS.c.user_id).limit(limit)
    return [((row[0], row[1]), ChimeUser._make(row[1:])) for row in connection.execute(statement)]


def has_users_not_suspended(connection: Connection, account_id: str) -> bool:
    statement = select(_USERS.c.user_id).where(
        _USERS.c.account_id == account_id, _USERS.c.registration_status != "Suspended"
    )
    return connection.execute(statement.limit(1)).first() is not None


def add_user(
    connection: Connection, user: ChimeUser, *, username: str | None = None, invite_id: str | None = None
) -> None:
    """Store a new user. Raises AlreadyThere when the account has a user with that email address or user name."""
    email_key = None if user.primary_email is None else user.primary_email.lower()
    values = {**user._asdict(), "email_key": email_key, "username": username, "invite_id": invite_id}
    with problem_for_conflict(connection, AlreadyThere(user.primary_email or username or user.user_id)):
        connection.execute(insert(_USERS), values)


def has_username(connection: Connection, account_id: str, username: str) -> bool:
    statement = select(_USERS.c.user_id).where(_USERS.c.account_id == account_id, _USERS.c.username == username)
    return connection.execute(statement).first() is not None


def update_user(connection: Connection, user_id: str, changes: Mapping[str, Any]) -> None:
    """Set columns of one user; ``changes`` may be empty."""
    if changes:
        connection.execute(update(_USERS).where(_USERS.c.user_id == user_id).values(**changes))


def _devices_with_alexa(connection: Connection, aws_account_id: str) -> Sequence[RoleUsage]:
    statement = (
        select(_USERS.c.user_id)
        .join_from(_USERS, _ACCOUNTS)
        .where(
            _ACCOUNTS.c.aws_account_id == aws_account_id,
            _USERS.c.user_type == "SharedDevice",
            _USERS.c.alexa_for_business_enabled,
        )
        .order_by(_USERS.c.user_id)
    )
    user_ids = tuple(connection.execute(statement).scalars())
    return [RoleUsage(_CHIME_REGION, user_ids)] if user_ids else []


# Amazon Chime Administrator Guide, Using roles with shared Alexa for Business devices: the role may be deleted only
# after Alexa for Business is switched off on every shared device.
RESOURCE_FINDERS[ALEXA_SERVICE] = _devices_with_alexa

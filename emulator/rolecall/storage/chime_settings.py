"""Retention settings and sign-in delegate groups of Amazon Chime accounts, and settings of a whole AWS account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from rolecall.storage import tables as t


class Retention(NamedTuple):
    """Days for which messages are kept; None for ever. ``deletion_at_seconds`` is when older ones are deleted."""

    room_days: int | None
    conversation_days: int | None
    deletion_at_seconds: int


class TelephonySettings(NamedTuple):
    """What an AWS account set for all its phone numbers; None where it set nothing."""

    business_calling_bucket: str | None = None
    voice_connector_bucket: str | None = None
    calling_name: str | None = None
    calling_name_updated_at_seconds: int | None = None


_RETENTION, _GROUPS, _TELEPHONY = t.chime_retention_settings, t.chime_delegate_groups, t.telephony_settings


def retention(connection: Connection, account_id: str) -> Retention | None:
    """The settings of a Chime account; None before it sets any."""
    columns = [_RETENTION.c[name] for name in Retention._fields]
    row = connection.execute(select(*columns).where(_RETENTION.c.account_id == account_id)).first()
    return None if row is None else Retention._make(row)


def put_retention(connection: Connection, account_id: str, settings: Retention) -> None:
    """Replace the settings of a locked Chime account."""
    connection.execute(delete(_RETENTION).where(_RETENTION.c.account_id == account_id))
    connection.execute(insert(_RETENTION), {"account_id": account_id, **settings._asdict()})


def delegate_groups(connection: Connection, account_id: str) -> list[str]:
    """The names of a Chime account's sign-in delegate groups."""
    statement = select(_GROUPS.c.group_name).where(_GROUPS.c.account_id == account_id)
    return list(connection.execute(statement.order_by(_GROUPS.c.group_name)).scalars())


def add_delegate_groups(connection: Connection, account_id: str, names: Collection[str]) -> None:
    """Add groups that a locked Chime account does not have."""
    if names:
        connection.execute(insert(_GROUPS), [{"account_id": account_id, "group_name": name} for name in names])


def remove_delegate_groups(connection: Connection, account_id: str, names: Collection[str]) -> None:
    connection.execute(delete(_GROUPS).where(_GROUPS.c.account_id == account_id, _GROUPS.c.group_name.in_(names)))


def telephony(connection: Connection, aws_account_id: str) -> TelephonySettings:
    """The settings of an AWS account."""
    columns = [_TELEPHONY.c[name] for name in TelephonySettings._fields]
    row = connection.execute(select(*columns).where(_TELEPHONY.c.aws_account_id == aws_account_id)).first()
    return TelephonySettings() if row is None else TelephonySettings._make(row)


def put_telephony(connection: Connection, aws_account_id: str, changes: Mapping[str, Any]) -> None:
    """Change settings of an AWS account. It has one row, which the first change makes."""
    # The row of the account is locked, because two first changes would otherwise both insert.
    connection.execute(
        select(t.accounts.c.account_id).where(t.accounts.c.account_id == aws_account_id).with_for_update()
    )
    known = connection.execute(select(_TELEPHONY.c.aws_account_id).where(_TELEPHONY.c.aws_account_id == aws_account_id))
    if known.first() is None:
        connection.execute(insert(_TELEPHONY), {"aws_account_id": aws_account_id, **changes})
    elif changes:
        connection.execute(update(_TELEPHONY).where(_TELEPHONY.c.aws_account_id == aws_account_id).values(**changes))

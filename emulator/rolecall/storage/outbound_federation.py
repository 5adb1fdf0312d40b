"""Outbound web identity federation of an account: the id of its issuer, and whether it issues tokens."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, insert, select, update

from rolecall.storage.tables import outbound_federations as t


class OutboundFederation(Struct, frozen=True):
    """The state of an account. The issuer keeps its id and its keys while it is switched off."""

    account_id: str
    issuer_id: str
    enabled: bool


_FEDERATION = select(t.c.account_id, t.c.issuer_id, t.c.enabled)


def outbound_federation(connection: Connection, account_id: str) -> OutboundFederation | None:
    """The account's state; None when it was never switched on."""
    return _first(connection, _FEDERATION.where(t.c.account_id == account_id))


def federation_of_issuer(connection: Connection, issuer_id: str) -> OutboundFederation | None:
    return _first(connection, _FEDERATION.where(t.c.issuer_id == issuer_id))


def switch_outbound_federation(connection: Connection, account_id: str, issuer_id: str, *, on: bool) -> None:
    """Switch it on or off. ``issuer_id`` is used for an account that has no issuer yet."""
    changed = connection.execute(update(t).where(t.c.account_id == account_id).values(enabled=on))
    if not changed.rowcount:
        connection.execute(insert(t).values(account_id=account_id, issuer_id=issuer_id, enabled=on))


def _first(connection: Connection, statement: Select[Any]) -> OutboundFederation | None:
    row = connection.execute(statement).first()
    return None if row is None else OutboundFederation(*row)

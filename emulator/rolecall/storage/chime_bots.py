"""Bots of Amazon Chime accounts: rows in, records out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, tuple_, update

from rolecall.storage import tables as t


class ChimeBot(NamedTuple):
    """A bot. Its events configuration has an HTTPS endpoint or a Lambda function; without one, both are None."""

    bot_id: str
    account_id: str
    display_name: str
    bot_email: str
    security_token: str
    disabled: bool
    created_at_seconds: int
    updated_at_seconds: int
    events_https_endpoint: str | None = None
    events_lambda_arn: str | None = None


Position = tuple[int, str]
BEFORE_THE_FIRST: Position = (-1, "")

_BOTS = t.chime_bots
_COLUMNS = [_BOTS.c[name] for name in ChimeBot._fields]


def bot(connection: Connection, account_id: str, bot_id: str) -> ChimeBot | None:
    """The account's bot of that id."""
    statement = select(*_COLUMNS).where(_BOTS.c.account_id == account_id, _BOTS.c.bot_id == bot_id)
    row = connection.execute(statement).first()
    return None if row is None else ChimeBot._make(row)


def list_bots(connection: Connection, account_id: str, *, after: Position, limit: int) -> list[ChimeBot]:
    """The account's bots, oldest first."""
    statement = select(*_COLUMNS).where(
        _BOTS.c.account_id == account_id, tuple_(_BOTS.c.created_at_seconds, _BOTS.c.bot_id) > after
    )
    rows = connection.execute(statement.order_by(_BOTS.c.created_at_seconds, _BOTS.c.bot_id).limit(limit))
    return [ChimeBot._make(row) for row in rows]


def add_bot(connection: Connection, bot: ChimeBot) -> None:
    connection.execute(insert(_BOTS), bot._asdict())


def update_bot(connection: Connection, bot_id: str, changes: Mapping[str, Any]) -> None:
    connection.execute(update(_BOTS).where(_BOTS.c.bot_id == bot_id).values(**changes))

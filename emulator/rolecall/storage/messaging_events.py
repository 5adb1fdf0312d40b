"""Events of messaging, for the process that pushes them to clients: see the table."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from rolecall.storage import tables as t
from rolecall.storage.prepared import PreparedInsert

_INSERT = PreparedInsert(t.messaging_events)


class NewEvent(NamedTuple):
    """One event before it has its id. ``payload`` and ``user_arns`` are JSON."""

    account_id: str
    region: str
    app_instance_arn: str
    channel_arn: str
    channel_key: str
    sub_channel_id: str
    event_type: str
    message_type: str
    payload: str
    to_members: bool
    user_arns: str
    created_at_micros: int


def add(connection: Connection, event: NewEvent) -> None:
    _INSERT.execute(connection, [event._asdict()])

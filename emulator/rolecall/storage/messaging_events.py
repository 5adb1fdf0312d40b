"""Events of messaging, for the process that pushes them to clients: see the table."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from rolecall.storage import tables as t
from rolecall.storage.prepared import PreparedInsert

# Where no process pushes events, none would delete them. So each process deletes old ones once in so many inserts.
_EVENTS_KEPT = 10_000
_INSERTS_BETWEEN_DELETES = 500
_inserts = itertools.count(1)
_E = t.messaging_events.c
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
    """Add an event. The table keeps at least the last ten thousand."""
    _INSERT.execute(connection, [event._asdict()])
    if next(_inserts) % _INSERTS_BETWEEN_DELETES == 0:
        newest = connection.execute(select(func.max(_E.event_id))).scalar_one()
        connection.execute(delete(t.messaging_events).where(_E.event_id <= newest - _EVENTS_KEPT))

"""Events of messaging, for the process that pushes them to clients: see the table."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select

from rolecall.storage import tables as t
from rolecall.storage.prepared import PreparedInsert, PreparedSelect

# Where no process pushes events, none would delete them. So each process deletes old ones once in so many inserts.
_EVENTS_KEPT = 10_000
_INSERTS_BETWEEN_DELETES = 500
_inserts = itertools.count(1)
_E = t.messaging_events.c
_INSERT = PreparedInsert(t.messaging_events)
# PostgreSQL gives an id before the commit. So an event may become visible after so many events with higher ids.
LATE_EVENTS = 200
_NEWEST = PreparedSelect(select(_E.event_id).order_by(_E.event_id.desc()).limit(LATE_EVENTS))


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
    event_reason: str | None = None


def add(connection: Connection, event: NewEvent) -> None:
    """Add an event. The table keeps at least the last ten thousand."""
    _INSERT.execute(connection, [event._asdict()])
    if next(_inserts) % _INSERTS_BETWEEN_DELETES == 0:
        newest = connection.execute(select(func.max(_E.event_id))).scalar_one()
        connection.execute(delete(t.messaging_events).where(_E.event_id <= newest - _EVENTS_KEPT))


class PushedEvent(NamedTuple):
    """What a process needs in order to push an event. ``payload`` and ``user_arns`` are JSON."""

    event_id: int
    channel_key: str
    sub_channel_id: str
    event_type: str
    message_type: str
    payload: str
    to_members: bool
    user_arns: str
    event_reason: str | None = None


_PUSHED = select(*(_E[name] for name in PushedEvent._fields)).order_by(_E.event_id)
_AFTER = PreparedSelect(
    _PUSHED.where(_E.event_id > bindparam("event_id")).limit(bindparam("limit")), "event_id", "limit"
)


def newest(connection: Connection) -> tuple[int, frozenset[int]]:
    """The id of the newest event, 0 without events; and the ids that are missing among those shortly before it."""
    ids = [int(row[0]) for row in _NEWEST.all(connection)]
    if not ids:
        return 0, frozenset()
    return ids[0], frozenset(range(ids[-1], ids[0])).difference(ids)


def after(connection: Connection, event_id: int, limit: int) -> list[PushedEvent]:
    """The oldest events behind that one."""
    return [PushedEvent(*row) for row in _AFTER.all(connection, event_id, limit)]


def of_ids(connection: Connection, event_ids: Collection[int]) -> list[PushedEvent]:
    """Those of these events that exist."""
    return [PushedEvent(*row) for row in connection.execute(_PUSHED.where(_E.event_id.in_(event_ids)))]


def remove_until(connection: Connection, event_id: int) -> None:
    """Delete the event and all older ones."""
    connection.execute(delete(t.messaging_events).where(_E.event_id <= event_id))

"""What messaging announces to connected clients: one row of a table for each event, in the transaction of the change.

Developer Guide, Using websockets to receive messages. The process that pushes reads the table by its growing ids and
deletes what it has read. A channel's details after a connect (CHANNEL_DETAILS) are no event: that process reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rolecall.services.chime_sdk_messaging.kinds import micros
from rolecall.services.chime_sdk_messaging.roles import instance_of
from rolecall.services.registry import Call
from rolecall.storage import messaging_events
from rolecall.storage.messaging_events import NewEvent
from rolecall.storage.resources import Resource

SYSTEM = "SYSTEM"


def announce(
    call: Call,
    channel: Resource,
    event_type: str,
    payload: Mapping[str, Any],
    *,
    to_members: bool = True,
    user_arns: Sequence[str] = (),
    sub_channel_id: str = "",
    message_type: str = SYSTEM,
    reason: str | None = None,
) -> None:
    """Tell the members of the channel, or of its sub-channel, and these users of a change.

    ``payload`` is shaped like the API's answers, with times as seconds since the epoch.
    """
    channel_arn = channel.content["ChannelArn"]
    event = NewEvent(
        call.account_id,
        call.region,
        instance_of(channel_arn),
        channel_arn,
        channel.key,
        sub_channel_id,
        event_type,
        message_type,
        json.dumps(with_iso_times(payload), separators=(",", ":")),
        to_members,
        json.dumps(list(user_arns)),
        micros(call.now_seconds),
        reason,
    )
    messaging_events.add(call.db, event)


def with_iso_times(value: Any) -> Any:
    """The same with ISO 8601 times, as in the JSON that clients receive: ``2026-11-29T04:42:16.250Z``."""
    if isinstance(value, Mapping):
        return {
            name: _iso(each) if name.endswith("Timestamp") and isinstance(each, int | float) else with_iso_times(each)
            for name, each in value.items()
        }
    return [with_iso_times(each) for each in value] if isinstance(value, list) else value


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

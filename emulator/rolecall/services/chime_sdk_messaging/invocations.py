"""What the processors of channel flows would be called with: Rolecall invokes no Lambda function."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from rolecall.services.chime_sdk_messaging.events import with_iso_times
from rolecall.services.chime_sdk_messaging.kinds import micros, named
from rolecall.services.chime_sdk_messaging.message_shapes import PUSH, shown
from rolecall.services.chime_sdk_messaging.processing import proposed
from rolecall.storage import channel_messages


def invocations(connection: Connection, now_seconds: float) -> list[dict[str, Any]]:
    """The events of all pending messages, oldest first, in the form that the Lambda function gets.

    Developer Guide, Setting up a channel processor.
    """
    found = []
    for message, channel_arn, sender in channel_messages.pending(connection, micros(now_seconds)):
        asked = proposed(message)
        given = shown(channel_arn, asked, named(message.sender_arn, sender), message.sender_arn)
        given |= {PUSH: message.content[PUSH]} if PUSH in message.content else {}
        event = {"EventType": "CHANNEL_MESSAGE_EVENT", "CallbackId": message.callback_id, "ChannelMessage": given}
        found.append(with_iso_times(event))
    return found

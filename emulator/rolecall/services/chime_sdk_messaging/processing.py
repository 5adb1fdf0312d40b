"""What a channel flow does with messages: they are pending until its processor calls back (Developer Guide, Using
channel flows to process messages).

The processor is a Lambda function, and Rolecall calls none. Another program may stand in for it: it reads from a
control endpoint what the function would be called with (``invocations``), and calls ChannelFlowCallback. Without a
callback in time, the message goes the way of the processor's FallbackAction. AWS does so when it cannot invoke the
function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from rolecall.contents.channels import FLOW_MEMBER, PERSISTENT, STANDARD
from rolecall.errors import bad_request
from rolecall.services.chime_sdk_messaging.kinds import CHANNEL, FLOW, SERVICE, conflict, forbidden, micros
from rolecall.services.chime_sdk_messaging.message_shapes import (
    PENDING_CHANGES,
    Attributes,
    PushNotification,
    announce_message,
    check,
    checked_attributes,
    note_sent,
)
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import existing
from rolecall.storage import channel_messages as messages
from rolecall.storage.channel_messages import DENIED, FAILED, PENDING, SENT, Message
from rolecall.storage.resources import Resource

# Rolecall's own: how long a stand-in for the Lambda function has, by the sandbox's clock. AWS waits for 48 hours for a
# function that it could invoke.
PROCESSOR_SECONDS = 60
# What settles a pending message that no list will show.
_GONE = "GONE"


def is_processed(channel: Resource, content: Mapping[str, Any]) -> bool:
    """Flows process STANDARD messages only."""
    return FLOW_MEMBER in channel.content and content["Type"] == STANDARD


def pending(call: Call, channel: Resource, message: Message) -> Message:
    """The message, or its change under :data:`PENDING_CHANGES`, given to the flow of the channel."""
    flow = existing(call, FLOW, channel.content[FLOW_MEMBER])
    aborts = any(processor["FallbackAction"] == "ABORT" for processor in flow.content["Processors"])
    fallback = FAILED if aborts else SENT if message.content["Persistence"] == PERSISTENT else _GONE
    return message._replace(
        status=PENDING,
        callback_id=call.ids.uuid(),
        settles_at_micros=micros(call.now_seconds + PROCESSOR_SECONDS),
        settles_as=fallback,
    )


def announce_pending(call: Call, channel: Resource, message: Message) -> None:
    """Tell the sender."""
    asked = proposed(message)
    announce_message(call, channel, f"PENDING_{_change_of(message)}_CHANNEL_MESSAGE", asked, to_sender=True)


def proposed(message: Message) -> Message:
    """The message with the edit that the flow is asked about."""
    return message._replace(content={**message.content, **message.content.get(PENDING_CHANGES, {})})


def _change_of(message: Message) -> str:
    return "UPDATE" if PENDING_CHANGES in message.content else "CREATE"


def settled(message: Message, now_micros: int) -> Message:
    """The message as it is now: one without a callback in time has gone the way of the FallbackAction."""
    if message.settles_at_micros is None or message.settles_at_micros > now_micros:
        return message
    return _decided(message, FAILED if message.settles_as == FAILED else SENT, {})


def _decided(message: Message, status: str, changes: Mapping[str, Any]) -> Message:
    content = {name: value for name, value in message.content.items() if name != PENDING_CHANGES}
    if status == SENT:
        content |= {**message.content.get(PENDING_CHANGES, {}), **changes}
    is_listed = message.listed or (status == SENT and content["Persistence"] == PERSISTENT)
    return message._replace(status=status, content=content, listed=is_listed, settles_at_micros=None, settles_as=None)


def settle_overdue(call: Call, channel: Resource) -> None:
    """Keep, and announce, what time has decided since the last write to the channel."""
    for message in messages.overdue(call.db, channel.key, micros(call.now_seconds)):
        _decide(call, channel, message, FAILED if message.settles_as == FAILED else SENT, {})


def _decide(call: Call, channel: Resource, message: Message, status: str, changes: Mapping[str, Any]) -> None:
    """End the processing of a pending message. AWS does not store a message that was denied."""
    change, after = _change_of(message), _decided(message, status, changes)
    if status == DENIED and change == "CREATE":
        messages.remove(call.db, message.message_id)
    else:
        messages.change(call.db, after._replace(status=SENT) if status == DENIED else after)
    if status == SENT:
        announce_message(call, channel, f"{change}_CHANNEL_MESSAGE", after, to_sender=False)
        if change == "CREATE":
            note_sent(call, channel, after)
    else:
        announce_message(call, channel, f"{status}_{change}_CHANNEL_MESSAGE", after, to_sender=True)


class _Processed(TypedDict):
    MessageId: str


class Processed(_Processed, total=False):
    """A message as the processor returns it. Members that are left out stay as they are."""

    Content: str
    Metadata: str
    PushNotification: PushNotification
    MessageAttributes: Attributes
    SubChannelId: str
    ContentType: str


@operation(SERVICE, "ChannelFlowCallback")
def channel_flow_callback(
    call: Call, *, CallbackId: str, ChannelArn: str, ChannelMessage: Processed, DeleteResource: bool = False
) -> Answer:
    """Decide a pending message: send it, changed or not, or deny it with DeleteResource.

    Raises AwsError ForbiddenException for an unknown id and one whose time is over, ConflictException for a second
    callback, BadRequestException for another message.
    """
    channel = existing(call, CHANNEL, ChannelArn, locked=True)
    message = messages.find_by_callback(call.db, channel.key, CallbackId)
    if message is None:
        raise forbidden("No message of the channel waits for this callback.")
    if message.settles_at_micros is None:
        raise conflict("The callback was made already.")
    if message.settles_at_micros <= micros(call.now_seconds):
        raise forbidden("The time for the callback is over.")
    if ChannelMessage["MessageId"] != message.message_id:
        raise bad_request("MessageId is not the message of this callback.")
    if ChannelMessage.get("SubChannelId", message.sub_channel_id) != message.sub_channel_id:
        raise bad_request("SubChannelId is not the sub-channel of the message.")
    check(message.content["Type"], ChannelMessage.get("Content"), ChannelMessage.get("Metadata"))
    checked_attributes(call, ChannelMessage.get("MessageAttributes"))
    fixed = ("MessageId", "SubChannelId")
    changes = {name: value for name, value in ChannelMessage.items() if name not in fixed}
    settle_overdue(call, channel)
    _decide(call, channel, message, DENIED if DeleteResource else SENT, changes)
    return {"ChannelArn": ChannelArn, "CallbackId": CallbackId}

"""How a message is checked, shown and announced, whatever made or changed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from sqlalchemy import Connection

from rolecall.contents.app_instances import RETENTION
from rolecall.contents.channels import MAXIMUM_MESSAGE_BYTES, PERSISTENT, STANDARD
from rolecall.contents.expiration import expires_at_seconds
from rolecall.errors import bad_request
from rolecall.services.chime_sdk_messaging.events import announce
from rolecall.services.chime_sdk_messaging.kinds import identity, micros, seconds
from rolecall.services.registry import Call, parameter_not_emulated
from rolecall.storage import resources
from rolecall.storage.channel_messages import SENT, Message
from rolecall.storage.resources import Resource

# Values by name. The gateway does not look into maps, see :func:`checked_attributes`.
Attributes = Mapping[str, Mapping[str, Any]]
# Developer Guide, Using filter rules to filter messages: the total size of attributes.
_MAXIMUM_ATTRIBUTE_BYTES = 1024
_DAY_MICROS = 86_400_000_000
# The part of a message that a flow has not decided yet, and what only the service itself reads.
PENDING_CHANGES, PUSH = "Pending", "PushNotification"
_NOT_LISTED = (PENDING_CHANGES, PUSH, "Persistence")


class PushNotification(TypedDict, total=False):
    """What a push notification says."""

    Title: str
    Body: str
    Type: str


def checked_attributes(call: Call, attributes: Attributes | None) -> Attributes | None:
    """Raises AwsError NotImplemented for what a newer model adds to an attribute, BadRequestException for too much."""
    for attribute in (attributes or {}).values():
        unknown = min(attribute.keys() - {"StringValues"}, default=None)
        if unknown is not None:
            raise parameter_not_emulated(call.operation, f"MessageAttributes.{unknown}")
    texts = [[name, *attribute.get("StringValues", ())] for name, attribute in (attributes or {}).items()]
    if sum(len(text.encode()) for each in texts for text in each) > _MAXIMUM_ATTRIBUTE_BYTES:
        raise bad_request(f"MessageAttributes may have at most {_MAXIMUM_ATTRIBUTE_BYTES} bytes together.")
    return attributes


def check(message_type: str, content: str | None, metadata: str | None) -> None:
    """Raises AwsError BadRequestException for content that is too long. AWS's messages are not recorded."""
    if content is not None and len(content.encode()) > MAXIMUM_MESSAGE_BYTES[message_type]:
        maximum = MAXIMUM_MESSAGE_BYTES[message_type]
        raise bad_request(f"The content of a {message_type} message may have {maximum} bytes.")
    if message_type != STANDARD and metadata:
        raise bad_request(f"A {message_type} message has no metadata.")


def shown(channel_arn: str, message: Message, sender: Mapping[str, str], reader_arn: str) -> dict[str, Any]:
    """The message as the API shows it. Only the sender sees what a flow did with it."""
    return {
        "ChannelArn": channel_arn,
        **summary(message, sender, reader_arn),
        "Persistence": message.content["Persistence"],
        **({"SubChannelId": message.sub_channel_id} if message.sub_channel_id else {}),
    }


def summary(message: Message, sender: Mapping[str, str], reader_arn: str) -> dict[str, Any]:
    """The message as an item of a list. Lists are long, so this makes one dictionary."""
    found = {
        **message.content,
        "MessageId": message.message_id,
        "CreatedTimestamp": seconds(message.created_at_micros),
        "Sender": sender,
        "Status": {"Value": message.status if reader_arn == message.sender_arn else SENT},
    }
    for name in _NOT_LISTED:
        found.pop(name, None)
    if message.target_arn is not None:
        found["Target"] = [{"MemberArn": message.target_arn}]
    return found


def announce_message(call: Call, channel: Resource, event_type: str, message: Message, *, to_sender: bool) -> None:
    """Tell the sender alone, or everyone who may see the message."""
    payload = shown(channel.content["ChannelArn"], message, identity(call, message.sender_arn), message.sender_arn)
    seen_by = [message.sender_arn]
    if message.target_arn is not None and not to_sender:
        seen_by = sorted({message.sender_arn, message.target_arn})
    to_members = not to_sender and message.target_arn is None
    announce(
        call,
        channel,
        event_type,
        payload,
        to_members=to_members,
        user_arns=() if to_members else seen_by,
        sub_channel_id=message.sub_channel_id,
        message_type=message.content["Type"],
    )


def note_sent(call: Call, channel: Resource, message: Message) -> None:
    """A channel knows when its last persistent STANDARD message was sent. It may expire some days later."""
    if message.content["Type"] != STANDARD or message.content["Persistence"] != PERSISTENT:
        return
    content = {**channel.content, "LastMessageTimestamp": seconds(message.created_at_micros)}
    resources.set_content(call.db, channel.key, content)
    if "ExpirationSettings" in content:
        resources.set_end(call.db, channel.key, expires_at_seconds(content))


def kept_since_micros(connection: Connection, now_seconds: float, channel: Resource) -> int:
    """From when on the app instance keeps messages. Older ones are deleted after a grace period, see identity.

    Settings of the sandbox file have no grace period.
    """
    kept = resources.setting(connection, channel.parent_key or "", RETENTION) or {}
    days = kept.get(RETENTION, {}).get("ChannelRetentionSettings", {}).get("RetentionDays")
    if days is None or now_seconds < kept.get("InitiateDeletionTimestamp", 0):
        return 0
    return micros(now_seconds) - int(days) * _DAY_MICROS

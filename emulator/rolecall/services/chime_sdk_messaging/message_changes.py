"""Messages edited by their senders, redacted by senders and moderators, deleted by administrators."""

from __future__ import annotations

from typing import Any

from rolecall.services.chime_sdk_messaging.kinds import SERVICE, conflict, forbidden, micros, seconds
from rolecall.services.chime_sdk_messaging.message_shapes import (
    PENDING_CHANGES,
    announce_message,
    check,
)
from rolecall.services.chime_sdk_messaging.messages import found_message, named_message, visible_message, with_status
from rolecall.services.chime_sdk_messaging.processing import announce_pending, is_processed, pending, settle_overdue
from rolecall.services.chime_sdk_messaging.roles import Standing, standing
from rolecall.services.members import given
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import channel_messages as messages
from rolecall.storage.channel_messages import PENDING, Message


@operation(SERVICE, "UpdateChannelMessage")
def update_message(
    call: Call,
    *,
    ChannelArn: str,
    MessageId: str,
    Content: str,
    ChimeBearer: str,
    Metadata: str | None = None,
    SubChannelId: str | None = None,
    ContentType: str | None = None,
) -> Answer:
    """Edit a message. Only its sender may, as long as it is a member.

    Raises AwsError ConflictException for a message in processing and for a redacted one.
    """
    acting, message = _sent_message(call, ChannelArn, MessageId, ChimeBearer, SubChannelId)
    if message.sender_arn != ChimeBearer:
        raise forbidden("Only the sender of a message may edit it.")
    acting.must_be_member(message.sub_channel_id)
    if message.content["Redacted"]:
        raise conflict(f"Channel message {MessageId} is redacted.")
    check(message.content["Type"], Content, Metadata)
    asked: dict[str, Any] = {"Content": Content, "Metadata": Metadata, "ContentType": ContentType}
    edited_at = seconds(max(micros(call.now_seconds), message.created_at_micros))
    changes = {
        **given(asked),
        "LastEditedTimestamp": edited_at,
        "LastUpdatedTimestamp": edited_at,
    }
    if is_processed(acting.channel, message.content):
        waiting = message._replace(content={**message.content, PENDING_CHANGES: changes})
        message = pending(call, acting.channel, waiting)
        announce_pending(call, acting.channel, message)
    else:
        message = message._replace(content={**message.content, **changes})
        announce_message(call, acting.channel, "UPDATE_CHANNEL_MESSAGE", message, to_sender=False)
    messages.change(call.db, message)
    return with_status(acting, message)


@operation(SERVICE, "RedactChannelMessage")
def redact_message(
    call: Call, *, ChannelArn: str, MessageId: str, ChimeBearer: str, SubChannelId: str | None = None
) -> Answer:
    """Remove the content and metadata of a message. Its sender, moderators and administrators may."""
    acting, message = _sent_message(call, ChannelArn, MessageId, ChimeBearer, SubChannelId)
    if not acting.moderates:
        acting.must_be_member(message.sub_channel_id)
        if message.sender_arn != ChimeBearer:
            raise forbidden("Only the sender of a message, moderators and administrators may redact it.")
    kept = {name: message.content[name] for name in ("Type", "Persistence")}
    edited = {name: value for name, value in message.content.items() if name == "LastEditedTimestamp"}
    content = {
        **kept,
        **edited,
        "Content": "",
        "Redacted": True,
        "LastUpdatedTimestamp": seconds(micros(call.now_seconds)),
    }
    message = message._replace(content=content)
    messages.change(call.db, message)
    announce_message(call, acting.channel, "REDACT_CHANNEL_MESSAGE", message, to_sender=False)
    return named_message(acting, message)


@operation(SERVICE, "DeleteChannelMessage")
def delete_message(
    call: Call, *, ChannelArn: str, MessageId: str, ChimeBearer: str, SubChannelId: str | None = None
) -> Answer:
    """Delete a message that was sent, also one that the administrator cannot see."""
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    acting.must_administrate()
    settle_overdue(call, acting.channel)
    message = found_message(acting, MessageId, SubChannelId)
    _must_be_sent(message)
    messages.remove(call.db, MessageId)
    announce_message(call, acting.channel, "DELETE_CHANNEL_MESSAGE", message, to_sender=False)
    return {}


def _sent_message(
    call: Call, channel_arn: str, message_id: str, bearer: str, sub_channel_id: str | None
) -> tuple[Standing, Message]:
    """The message that the bearer wants to change, and sees."""
    acting = standing(call, channel_arn, bearer, locked=True)
    settle_overdue(call, acting.channel)
    message = visible_message(acting, message_id, sub_channel_id)
    _must_be_sent(message)
    return acting, message


def _must_be_sent(message: Message) -> None:
    if message.status == PENDING:
        raise conflict(f"Channel message {message.message_id} is being processed by a channel flow.")

"""Messages of channels: sent, read, listed (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

from rolecall.caches import BoundedCache, KeptList, KeptMapping
from rolecall.contents.channels import PERSISTENT, STANDARD, new_message
from rolecall.errors import AwsError, bad_request
from rolecall.services.app_instance_kinds import PAGE_SIZE, identity_of
from rolecall.services.chime_sdk_messaging.kinds import (
    SERVICE,
    conflict,
    forbidden,
    identity,
    micros,
    named,
    parts_of,
    seconds,
)
from rolecall.services.chime_sdk_messaging.message_shapes import (
    PUSH,
    Attributes,
    PushNotification,
    announce_message,
    check,
    checked_attributes,
    kept_since_micros,
    note_sent,
    shown,
    summary,
)
from rolecall.services.chime_sdk_messaging.processing import (
    announce_pending,
    is_processed,
    pending,
    settle_overdue,
    settled,
)
from rolecall.services.chime_sdk_messaging.roles import HIDDEN, Standing, named_identity, standing, standing_of
from rolecall.services.paging import next_token, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import channel_messages as messages
from rolecall.storage.channel_messages import CONTENT, CREATED_AT, PENDING, SENDER, SENT, SETTLES_AT, Message
from rolecall.storage.resources import Resource

_LATEST_MICROS = 2**62
# A message that no list shows is kept for an hour, so that a repeated call does not send it again.
_UNLISTED_KEPT_MICROS = 3_600_000_000
# Messages as lists show them. Together they have a few megabytes.
_REMEMBERED_SUMMARIES, _REMEMBERED_CHARACTERS = 2048, 1024
_summaries: BoundedCache[tuple[Any, ...], KeptMapping] = BoundedCache(_REMEMBERED_SUMMARIES)


class Target(TypedDict):
    """The one member that may read a message."""

    MemberArn: str


@operation(SERVICE, "SendChannelMessage")
def send_message(
    call: Call,
    *,
    ChannelArn: str,
    Content: str,
    Type: str,
    Persistence: str,
    ClientRequestToken: str,
    ChimeBearer: str,
    Metadata: str | None = None,
    PushNotification: PushNotification | None = None,
    MessageAttributes: Attributes | None = None,
    SubChannelId: str | None = None,
    ContentType: str | None = None,
    Target: Sequence[Target] = (),
) -> Answer:
    """Send a message, or answer the message that the bearer sent with this token before.

    Rolecall sends no push notification to devices. Raises AwsError ForbiddenException for a bearer that is no member.
    """
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    sub_channel = acting.sub_channel(SubChannelId)
    if acting.must_be_member(sub_channel).membership_type == HIDDEN:
        raise forbidden("Hidden members may not send messages.")
    check(Type, Content, Metadata)
    if Type != STANDARD and PushNotification is not None:
        raise bad_request(f"A {Type} message has no push notification.")
    target = _target(acting, Target, sub_channel)
    channel = acting.channel
    before = messages.find_by_token(call.db, channel.key, ChimeBearer, ClientRequestToken)
    if before is not None:
        asked = (Type, Persistence, target, sub_channel)
        if (before.content["Type"], before.content["Persistence"], before.target_arn, before.sub_channel_id) != asked:
            raise conflict("ClientRequestToken was used with other parameters.")
        return with_status(acting, settled(before, micros(call.now_seconds)))
    settle_overdue(call, channel)
    created = max(micros(call.now_seconds), messages.last_micros(call.db, channel.key) + 1)
    optional = {
        "Metadata": Metadata,
        "ContentType": ContentType,
        "MessageAttributes": checked_attributes(call, MessageAttributes),
        PUSH: PushNotification,
    }
    content = new_message(Content, Type, Persistence, optional, seconds(created))
    message = Message(
        call.ids.noise(32).hex(),
        channel.key,
        sub_channel,
        created,
        ChimeBearer,
        target,
        Persistence == PERSISTENT,
        SENT,
        content,
        ClientRequestToken,
    )
    return with_status(acting, _add(acting, message))


def _add(acting: Standing, message: Message) -> Message:
    """Keep a new message and announce it, or give it to the flow of the channel first."""
    call, channel = acting.call, acting.channel
    if not message.listed:
        messages.remove_unlisted(call.db, channel.key, message.created_at_micros - _UNLISTED_KEPT_MICROS)
    if is_processed(channel, message.content):
        message = pending(call, channel, message._replace(listed=False))
        messages.add(call.db, message)
        announce_pending(call, channel, message)
        return message
    messages.add(call.db, message)
    announce_message(call, channel, "CREATE_CHANNEL_MESSAGE", message, to_sender=False)
    note_sent(call, channel, message)
    return message


def _target(acting: Standing, targets: Sequence[Target], sub_channel_id: str) -> str | None:
    """The ARN of a targeted message's reader, a member of the channel and of the sub-channel. Raises AwsError."""
    for target in targets:
        arn = target["MemberArn"]
        reader = standing_of(acting, arn, named_identity(acting.call, arn, acting.instance_arn))
        if reader.membership(sub_channel_id) is None:
            raise bad_request("The target of a message must be a member of the channel.")
        return arn
    return None


def with_status(acting: Standing, message: Message) -> Answer:
    """The answer of an operation that sends or edits a message."""
    return {**named_message(acting, message), "Status": {"Value": message.status}}


def named_message(acting: Standing, message: Message) -> Answer:
    """The members that name a message in answers."""
    sub_channel = {"SubChannelId": message.sub_channel_id} if message.sub_channel_id else {}
    return {"ChannelArn": acting.channel_arn, "MessageId": message.message_id, **sub_channel}


@operation(SERVICE, "GetChannelMessage")
def get_message(
    call: Call, *, ChannelArn: str, MessageId: str, ChimeBearer: str, SubChannelId: str | None = None
) -> Answer:
    """A persistent message. One that a flow has not sent is there for its sender alone."""
    acting = standing(call, ChannelArn, ChimeBearer)
    message = visible_message(acting, MessageId, SubChannelId)
    sender = identity(call, message.sender_arn)
    return {"ChannelMessage": shown(ChannelArn, message, sender, ChimeBearer)}


@operation(SERVICE, "GetChannelMessageStatus")
def get_message_status(
    call: Call, *, ChannelArn: str, MessageId: str, ChimeBearer: str, SubChannelId: str | None = None
) -> Answer:
    """What became of the bearer's own message. Raises AwsError ForbiddenException, NotFoundException."""
    acting = standing(call, ChannelArn, ChimeBearer)
    message = found_message(acting, MessageId, SubChannelId)
    if message.sender_arn != ChimeBearer:
        raise forbidden("Only the sender of a message may read its status.")
    return {"Status": {"Value": message.status}}


def found_message(acting: Standing, message_id: str, sub_channel_id: str | None) -> Message:
    """The message as it is now. Raises AwsError ForbiddenException, and NotFoundException for another one."""
    call, sub_channel = acting.call, acting.sub_channel(sub_channel_id)
    acting.must_read_messages(sub_channel)
    found = messages.find(call.db, acting.channel.key, message_id)
    kept_since = kept_since_micros(call.db, call.now_seconds, acting.channel)
    is_kept = found is not None and found.created_at_micros >= kept_since
    if found is None or not is_kept or found.sub_channel_id != sub_channel:
        raise _not_found(message_id)
    return settled(found, micros(call.now_seconds))


def visible_message(acting: Standing, message_id: str, sub_channel_id: str | None) -> Message:
    """As :func:`found_message`, but only a message that the bearer may see."""
    message = found_message(acting, message_id, sub_channel_id)
    is_own = message.sender_arn == acting.arn
    is_sent = message.listed or (is_own and message.status == PENDING)
    if not is_sent or not (is_own or message.target_arn in (None, acting.arn)):
        raise _not_found(message_id)
    return message


def _not_found(message_id: str) -> AwsError:
    return AwsError("NotFoundException", f"Channel message {message_id} was not found.")


@operation(SERVICE, "ListChannelMessages")
def list_messages(
    call: Call,
    *,
    ChannelArn: str,
    ChimeBearer: str,
    SortOrder: str = "DESCENDING",
    NotBefore: float | None = None,
    NotAfter: float | None = None,
    MaxResults: int = PAGE_SIZE,
    NextToken: str | None = None,
    SubChannelId: str | None = None,
) -> Answer:
    """Persistent messages that the bearer may see, by the time when they were made."""
    acting = standing(call, ChannelArn, ChimeBearer)
    sub_channel = acting.sub_channel(SubChannelId)
    acting.must_read_messages(sub_channel)
    scope = (call.region, ChannelArn, ChimeBearer, SubChannelId, SortOrder, str(NotBefore), str(NotAfter))
    kept_since = kept_since_micros(call.db, call.now_seconds, acting.channel)
    first = max(0 if NotBefore is None else micros(NotBefore), kept_since)
    # Answers have milliseconds: a message of the last one belongs to the list.
    last = _LATEST_MICROS if NotAfter is None else micros(NotAfter) + 999
    ascending = SortOrder == "ASCENDING"
    if NextToken is not None:
        [reached] = position_of(call, scope, NextToken)
        first, last = (reached + 1, last) if ascending else (first, reached - 1)
    asked = messages.PageAsked(acting.channel.key, sub_channel, ChimeBearer, first, last, ascending, MaxResults)
    # What time alone changes is read anew: with retention, and with messages that a flow has not decided.
    summaries, more = messages.kept_page(call.db, asked, partial(_page, acting), changes_with_time=kept_since > 0)
    sub_channels = {"SubChannelId": sub_channel} if sub_channel else {}
    rest = {} if more is None else {"NextToken": next_token(call, scope, (more,))}
    return {"ChannelArn": ChannelArn, "ChannelMessages": summaries, **sub_channels, **rest}


def _page(acting: Standing, asked: messages.PageAsked) -> tuple[KeptList, int | None, list[Resource | None]]:
    """The messages as lists show them, the time of the last one if there are more, and the senders."""
    call, now = acting.call, micros(acting.call.now_seconds)
    rows = messages.page(call.db, asked, now)
    more = rows[asked.limit - 1][CREATED_AT] if len(rows) > asked.limit else None
    senders: dict[str, Resource | None] = {acting.arn: acting.identity}
    names = {acting.arn: named(acting.arn, acting.identity.content)}
    summaries = []
    for row in rows[: asked.limit]:
        arn = row[SENDER]
        if arn not in senders:
            found = senders[arn] = identity_of(call, arn)
            names[arn] = named(arn, {} if found is None else found.content)
        summaries.append(_summary(acting, row, names[arn], now))
    return KeptList(summaries), more, list(senders.values())


def _summary(acting: Standing, row: Sequence[Any], sender: Mapping[str, str], now_micros: int) -> Mapping[str, Any]:
    """A message as lists show it. The last ones are remembered by everything that they are made of."""
    key = (row[SENDER] == acting.arn, sender.get("Name"), *row)
    known = _summaries.get(key)
    if known is not None:
        return known
    found = summary(settled(messages.message_of(row), now_micros), sender, acting.arn)
    # An older model may lack some members.
    shown_members = parts_of(acting.call, found, "ChannelMessages")
    # A message that a flow has not decided yet becomes another one with time.
    if row[SETTLES_AT] is not None or len(row[CONTENT]) > _REMEMBERED_CHARACTERS:
        return shown_members
    known = KeptMapping(shown_members)
    _summaries.put(key, known)
    return known

"""What a user receives at once with ``prefetch-on=connect``: the details of its most important channels.

Developer Guide, Using prefetch to deliver channel details. Its permission is chime:Connect alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rolecall.services.chime_sdk_messaging.events import with_iso_times
from rolecall.services.chime_sdk_messaging.kinds import micros, parts_of, seconds
from rolecall.services.chime_sdk_messaging.memberships import list_memberships
from rolecall.services.chime_sdk_messaging.messages import list_messages
from rolecall.services.registry import Answer, Call
from rolecall.storage import channel_relations as relations
from rolecall.storage.channel_relations import MEMBER, Relation
from rolecall.storage.resources import Resource

MAXIMUM_CHANNELS = 50
_MAXIMUM_MESSAGES = 20
_MAXIMUM_MEMBERSHIPS = 30
BY_UNREAD, BY_LAST_MESSAGE = "unread", "last-message-timestamp"
_Found = tuple[Relation, Mapping[str, Any]]


def channel_details(
    call_of: Callable[[str], Call], user_arn: str, user: Resource, sort_by: str
) -> list[Mapping[str, Any]]:
    """The payloads, with times as in JSON. ``call_of`` gives a call with the model of the operation of that name.

    Channels with unread messages come first, then the latest messages; with ``sort_by``, one of the two decides alone.
    """
    call = call_of("ListChannelMembershipsForAppInstanceUser")
    found = relations.of_member(call.db, user.key, MEMBER, now_seconds=call.now_seconds)
    found.sort(key=_BY_SORT.get(sort_by, _by_both), reverse=True)
    return [_details(call_of, user_arn, *each) for each in found[:MAXIMUM_CHANNELS]]


def _by_last_message(found: _Found) -> tuple[float, ...]:
    return (found[1].get("LastMessageTimestamp", 0.0),)


def _by_unread(found: _Found) -> tuple[float, ...]:
    relation, channel = found
    return (micros(channel.get("LastMessageTimestamp", 0.0)) > (relation.read_marker_micros or 0),)


def _by_both(found: _Found) -> tuple[float, ...]:
    return (*_by_unread(found), *_by_last_message(found))


_BY_SORT = {BY_UNREAD: _by_unread, BY_LAST_MESSAGE: _by_last_message}


def _details(
    call_of: Callable[[str], Call], user_arn: str, relation: Relation, channel: Mapping[str, Any]
) -> Mapping[str, Any]:
    named: dict[str, Any] = {"ChannelArn": channel["ChannelArn"], "ChimeBearer": user_arn}
    if relation.sub_channel_id:
        named["SubChannelId"] = relation.sub_channel_id
    messages = list_messages(call_of("ListChannelMessages"), MaxResults=_MAXIMUM_MESSAGES, **named) or {}
    members = list_memberships(call_of("ListChannelMemberships"), MaxResults=_MAXIMUM_MEMBERSHIPS, **named) or {}
    call, marker = call_of("ListChannels"), relation.read_marker_micros
    details: Answer = {
        "Channel": parts_of(call, channel, "Channels"),
        "ChannelMessages": messages["ChannelMessages"],
        "ChannelMemberships": members["ChannelMemberships"],
        **({} if marker is None else {"ReadMarkerTimestamp": seconds(marker)}),
        "ChannelMessagesHasMore": "NextToken" in messages,
    }
    shown: Mapping[str, Any] = with_iso_times(details)
    return shown

"""Bans from channels (Amazon Chime SDK API reference). Moderators and administrators make them."""

from __future__ import annotations

from rolecall.services.chime_sdk_messaging.kinds import SERVICE, conflict, forbidden, named
from rolecall.services.chime_sdk_messaging.memberships import remove_memberships
from rolecall.services.chime_sdk_messaging.moderators import (
    described,
    existing_relation,
    list_of,
    made,
    moderated_pair,
)
from rolecall.services.chime_sdk_messaging.relating import relate
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import channel_relations as relations
from rolecall.storage.channel_relations import BAN


@operation(SERVICE, "CreateChannelBan")
def create_ban(call: Call, *, ChannelArn: str, MemberArn: str, ChimeBearer: str) -> Answer:
    """Ban a user, whose membership ends. Moderators and administrators cannot be banned.

    Raises AwsError ConflictException for a banned user, ForbiddenException.
    """
    acting, banned = moderated_pair(call, ChannelArn, MemberArn, ChimeBearer, locked=True)
    if banned.has(BAN):
        raise conflict(f"{MemberArn} is banned from the channel already.")
    if banned.moderates:
        raise forbidden("Moderators of the channel and administrators of the app instance cannot be banned.")
    remove_memberships(acting, banned)
    relate(call, acting.channel, BAN, MemberArn, banned.identity, ChimeBearer)
    return {"ChannelArn": ChannelArn, "Member": named(MemberArn, banned.identity.content)}


@operation(SERVICE, "DeleteChannelBan")
def delete_ban(call: Call, *, ChannelArn: str, MemberArn: str, ChimeBearer: str) -> Answer:
    _, banned = moderated_pair(call, ChannelArn, MemberArn, ChimeBearer, locked=True)
    relations.remove(call.db, existing_relation(banned, BAN))
    return {}


@operation(SERVICE, "DescribeChannelBan")
def describe_ban(call: Call, *, ChannelArn: str, MemberArn: str, ChimeBearer: str) -> Answer:
    _, banned = moderated_pair(call, ChannelArn, MemberArn, ChimeBearer)
    return {"ChannelBan": {"Member": described(banned), **made(banned, BAN)}}


@operation(SERVICE, "ListChannelBans")
def list_bans(
    call: Call, *, ChannelArn: str, ChimeBearer: str, MaxResults: int | None = None, NextToken: str | None = None
) -> Answer:
    return list_of(call, BAN, ("ChannelBans", "Member"), ChannelArn, ChimeBearer, MaxResults, NextToken)

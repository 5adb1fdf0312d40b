"""Memberships of channels, and what members prefer and have read (Amazon Chime SDK API reference)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from rolecall.errors import bad_request
from rolecall.services.batches import errors_of
from rolecall.services.chime_sdk_messaging.events import announce
from rolecall.services.chime_sdk_messaging.filter_rules import check_filter_rule
from rolecall.services.chime_sdk_messaging.kinds import (
    SERVICE,
    conflict,
    forbidden,
    listed_of_channel,
    micros,
    named,
    shown_membership,
    sub_channel_of,
)
from rolecall.services.chime_sdk_messaging.relating import relate
from rolecall.services.chime_sdk_messaging.roles import (
    DEFAULT,
    HIDDEN,
    Standing,
    absent,
    named_identity,
    standing,
    standing_of,
)
from rolecall.services.chime_sdk_messaging.sub_channels import balance, sub_channel_to_join
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import channel_relations as relations
from rolecall.storage.channel_relations import BAN, MEMBER, MODERATOR, Relation


@operation(SERVICE, "CreateChannelMembership")
def create_membership(
    call: Call, *, ChannelArn: str, MemberArn: str, Type: str, ChimeBearer: str, SubChannelId: str | None = None
) -> Answer:
    """Add a user or bot. In an unrestricted channel members do so too, and in a public one everyone may join.

    Raises AwsError ConflictException for a member, ForbiddenException, also for a banned user.
    """
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    _must_invite(acting, Type, [MemberArn])
    relation, member = _add(acting, MemberArn, Type, SubChannelId)
    _announce_one(acting, "CREATE_CHANNEL_MEMBERSHIP", relation, member)
    answer = {"ChannelArn": ChannelArn, "Member": named(MemberArn, member.identity.content)}
    return {**answer, **sub_channel_of(relation)}


@operation(SERVICE, "BatchCreateChannelMembership")
def batch_create_memberships(
    call: Call,
    *,
    ChannelArn: str,
    MemberArns: Sequence[str],
    ChimeBearer: str,
    Type: str = DEFAULT,
    SubChannelId: str | None = None,
) -> Answer:
    """Add several users or bots. Errors lists those that cannot be added."""
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    _must_invite(acting, Type, MemberArns)
    added: list[tuple[Relation, Standing]] = []
    errors = errors_of(
        MemberArns,
        lambda arn: added.append(_add(acting, arn, Type, SubChannelId)),
        lambda arn: {"MemberArn": arn},
    )
    batch: dict[str, Any] = {
        "InvitedBy": named(ChimeBearer, acting.identity.content),
        "Type": Type,
        "Members": [named(member.arn, member.identity.content) for _, member in added],
        "ChannelArn": ChannelArn,
        **({} if SubChannelId is None else {"SubChannelId": SubChannelId}),
    }
    if acting.is_elastic:
        # Developer Guide: elastic channels have no events of batches.
        for relation, member in added:
            _announce_one(acting, "CREATE_CHANNEL_MEMBERSHIP", relation, member)
    elif added:
        _announce(acting, "BATCH_CREATE_CHANNEL_MEMBERSHIP", added[0][0], batch, [each.arn for _, each in added])
    return {"BatchChannelMemberships": batch, "Errors": errors}


def _must_invite(acting: Standing, membership_type: str, arns: Sequence[str]) -> None:
    """Developer Guide, Understanding authorization by role; API reference, the members Mode and Type."""
    if acting.moderates:
        return
    content = acting.channel.content
    if membership_type == HIDDEN:
        raise forbidden("Only moderators and administrators add hidden members.")
    if content["Mode"] == "UNRESTRICTED" and acting.has(MEMBER):
        return
    if content["Mode"] == "UNRESTRICTED" and content["Privacy"] == "PUBLIC" and list(arns) == [acting.arn]:
        return
    raise forbidden(f"{acting.arn} may not add members to the channel.")


def _add(acting: Standing, arn: str, membership_type: str, sub_channel_id: str | None) -> tuple[Relation, Standing]:
    call, channel = acting.call, acting.channel
    member = standing_of(acting, arn, named_identity(call, arn, acting.instance_arn))
    if member.has(BAN):
        raise forbidden(f"{arn} is banned from the channel.")
    # Only a moderator of an elastic channel may be in several of its sub-channels.
    among = sub_channel_id or "" if member.has(MODERATOR) and acting.is_elastic else ""
    if member.membership(among) is not None:
        raise conflict(f"{arn} is a member of the channel already.")
    joined = sub_channel_to_join(acting, member, sub_channel_id)
    if acting.is_elastic and membership_type == HIDDEN:
        raise bad_request("An elastic channel has no hidden members.")
    more = {"membership_type": membership_type, "sub_channel_id": joined}
    return relate(call, channel, MEMBER, arn, member.identity, acting.arn, **more), member


@operation(SERVICE, "DeleteChannelMembership")
def delete_membership(
    call: Call, *, ChannelArn: str, MemberArn: str, ChimeBearer: str, SubChannelId: str | None = None
) -> Answer:
    """Moderators and administrators remove members, and a member leaves. AWS's answer for another is not recorded."""
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    if MemberArn != ChimeBearer:
        acting.must_moderate()
    member = standing_of(acting, MemberArn, named_identity(call, MemberArn, acting.instance_arn))
    if not acting.is_elastic:
        acting.sub_channel(SubChannelId)
    if member.membership(SubChannelId or "") is None:
        raise absent(MemberArn, MEMBER)
    remove_memberships(acting, member, SubChannelId or "")
    return {}


def remove_memberships(acting: Standing, member: Standing, sub_channel_id: str = "") -> None:
    """End the memberships of a user in a channel, or in one of its sub-channels."""
    call = acting.call
    for relation in member.relations:
        if relation.relation == MEMBER and sub_channel_id in ("", relation.sub_channel_id):
            relations.remove(call.db, relation)
            _announce_one(acting, "DELETE_CHANNEL_MEMBERSHIP", relation, member)
            if acting.is_elastic:
                balance(call, acting.channel, relation.sub_channel_id)


@operation(SERVICE, "DescribeChannelMembership")
def describe_membership(
    call: Call, *, ChannelArn: str, MemberArn: str, ChimeBearer: str, SubChannelId: str | None = None
) -> Answer:
    """Only moderators, administrators and the member itself see a hidden membership."""
    acting = standing(call, ChannelArn, ChimeBearer)
    acting.must_read()
    member = standing_of(acting, MemberArn, named_identity(call, MemberArn, acting.instance_arn))
    found = member.membership(SubChannelId or "")
    is_visible = found is not None and (found.membership_type != HIDDEN or MemberArn == ChimeBearer or acting.moderates)
    if found is None or not is_visible:
        raise absent(MemberArn, MEMBER)
    acting.must_read_messages(found.sub_channel_id)
    return {"ChannelMembership": shown_membership(call, acting.channel, found, member.identity.content)}


@operation(SERVICE, "ListChannelMemberships")
def list_memberships(
    call: Call,
    *,
    ChannelArn: str,
    ChimeBearer: str,
    Type: str = DEFAULT,
    MaxResults: int | None = None,
    NextToken: str | None = None,
    SubChannelId: str | None = None,
) -> Answer:
    """Members of one type, oldest first. Only moderators and administrators list hidden ones."""
    acting = standing(call, ChannelArn, ChimeBearer)
    if Type == HIDDEN:
        acting.must_moderate()
    acting.must_read()
    sub_channel = acting.sub_channel(SubChannelId) if SubChannelId or not acting.moderates else ""
    acting.must_read_messages(sub_channel)
    filters, key = (ChannelArn, ChimeBearer, Type, SubChannelId), acting.channel.key
    kinds = {"membership_type": Type, "sub_channel_id": sub_channel}
    page, rest = listed_of_channel(call, filters, NextToken, MaxResults, key, MEMBER, **kinds)
    members = [{"Member": named(relation.member_arn, member)} for relation, member in page]
    return {"ChannelArn": ChannelArn, "ChannelMemberships": members, **rest}


class PushNotifications(TypedDict, total=False):
    """Which push notifications a member wants."""

    AllowNotifications: str
    FilterRule: str


class Preferences(TypedDict, total=False):
    """What a member prefers in a channel."""

    PushNotifications: PushNotifications


@operation(SERVICE, "PutChannelMembershipPreferences")
def put_preferences(
    call: Call, *, ChannelArn: str, MemberArn: str, ChimeBearer: str, Preferences: Preferences
) -> Answer:
    """Keep what a member prefers. Rolecall sends no push notifications. Raises AwsError ForbiddenException."""
    acting, membership = _own_membership(call, ChannelArn, MemberArn, ChimeBearer, locked=True)
    push = Preferences.get("PushNotifications", {})
    if ("FilterRule" in push) != (push.get("AllowNotifications") == "FILTERED"):
        raise bad_request("FilterRule is required with AllowNotifications FILTERED, and not allowed otherwise.")
    if "FilterRule" in push:
        check_filter_rule(push["FilterRule"])
    now = micros(call.now_seconds)
    relations.change(call.db, membership._replace(preferences=json.dumps(Preferences), updated_at_micros=now))
    return _with_preferences(acting, Preferences)


@operation(SERVICE, "GetChannelMembershipPreferences")
def get_preferences(call: Call, *, ChannelArn: str, MemberArn: str, ChimeBearer: str) -> Answer:
    """Empty before any are put. AWS's answer is not recorded."""
    acting, membership = _own_membership(call, ChannelArn, MemberArn, ChimeBearer)
    return _with_preferences(acting, json.loads(membership.preferences or "{}"))


def _own_membership(
    call: Call, channel_arn: str, member_arn: str, bearer: str, *, locked: bool = False
) -> tuple[Standing, Relation]:
    """Only the owner of a membership sees its preferences. Moderators and administrators do not."""
    acting = standing(call, channel_arn, bearer, locked=locked)
    if member_arn != bearer:
        raise forbidden("Only the member itself may read and set the preferences of its membership.")
    if acting.is_elastic:
        raise bad_request("Memberships of elastic channels have no preferences.")
    return acting, acting.must_be_member()


def _with_preferences(acting: Standing, preferences: Mapping[str, Any]) -> Answer:
    member = named(acting.arn, acting.identity.content)
    return {"ChannelArn": acting.channel_arn, "Member": member, "Preferences": preferences}


@operation(SERVICE, "UpdateChannelReadMarker")
def update_read_marker(call: Call, *, ChannelArn: str, ChimeBearer: str) -> Answer:
    """The member has read the channel until now. Raises AwsError ForbiddenException."""
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    if acting.is_elastic:
        raise forbidden("Elastic channels have no read markers.")
    now = micros(call.now_seconds)
    relations.change(call.db, acting.must_be_member()._replace(read_marker_micros=now, updated_at_micros=now))
    return {"ChannelArn": ChannelArn}


def _announce_one(acting: Standing, event_type: str, relation: Relation, member: Standing) -> None:
    payload = shown_membership(acting.call, acting.channel, relation, member.identity.content)
    _announce(acting, event_type, relation, payload)


def _announce(
    acting: Standing, event_type: str, relation: Relation, payload: Mapping[str, Any], concerned: Sequence[str] = ()
) -> None:
    """Tell the members and those concerned. The others do not learn of a hidden member."""
    announce(
        acting.call,
        acting.channel,
        event_type,
        payload,
        to_members=relation.membership_type != HIDDEN,
        user_arns=concerned or [relation.member_arn],
        sub_channel_id=relation.sub_channel_id,
    )

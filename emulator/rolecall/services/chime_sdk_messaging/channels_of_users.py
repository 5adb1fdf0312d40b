"""The channels that a user or bot is a member of, or moderates (Amazon Chime SDK API reference).

Everyone asks about itself. Administrators of the app instance ask about others, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.services.app_instance_kinds import is_admin
from rolecall.services.chime_sdk_messaging.kinds import (
    SERVICE,
    forbidden,
    listed_of_member,
    parts_of,
    seconds,
    sub_channel_of,
)
from rolecall.services.chime_sdk_messaging.moderators import existing_relation
from rolecall.services.chime_sdk_messaging.roles import (
    Standing,
    acting_identity,
    instance_of,
    named_identity,
    standing,
    standing_of,
)
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.channel_relations import MEMBER, MODERATOR, Relation
from rolecall.storage.resources import Resource


@operation(SERVICE, "ListChannelMembershipsForAppInstanceUser")
def list_memberships_of_user(
    call: Call,
    *,
    ChimeBearer: str,
    AppInstanceUserArn: str | None = None,
    MaxResults: int | None = None,
    NextToken: str | None = None,
) -> Answer:
    page, rest = _page(call, MEMBER, AppInstanceUserArn, ChimeBearer, MaxResults, NextToken)
    shown = [_membership(call, "ChannelMemberships", relation, channel) for relation, channel in page]
    return {"ChannelMemberships": shown, **rest}


@operation(SERVICE, "ListChannelsModeratedByAppInstanceUser")
def list_channels_moderated(
    call: Call,
    *,
    ChimeBearer: str,
    AppInstanceUserArn: str | None = None,
    MaxResults: int | None = None,
    NextToken: str | None = None,
) -> Answer:
    page, rest = _page(call, MODERATOR, AppInstanceUserArn, ChimeBearer, MaxResults, NextToken)
    return {
        "Channels": [{"ChannelSummary": parts_of(call, each, "Channels", "ChannelSummary")} for _, each in page],
        **rest,
    }


@operation(SERVICE, "DescribeChannelMembershipForAppInstanceUser")
def describe_membership_of_user(call: Call, *, ChannelArn: str, AppInstanceUserArn: str, ChimeBearer: str) -> Answer:
    of = _asked(call, ChannelArn, AppInstanceUserArn, ChimeBearer)
    found = existing_relation(of, MEMBER)
    return {"ChannelMembership": _membership(call, "ChannelMembership", found, of.channel.content)}


@operation(SERVICE, "DescribeChannelModeratedByAppInstanceUser")
def describe_channel_moderated(call: Call, *, ChannelArn: str, AppInstanceUserArn: str, ChimeBearer: str) -> Answer:
    of = _asked(call, ChannelArn, AppInstanceUserArn, ChimeBearer)
    existing_relation(of, MODERATOR)
    return {"Channel": {"ChannelSummary": parts_of(call, of.channel.content, "Channel", "ChannelSummary")}}


def _asked(call: Call, channel_arn: str, user_arn: str, bearer: str) -> Standing:
    acting = standing(call, channel_arn, bearer)
    return standing_of(acting, user_arn, _user(call, user_arn, bearer, acting.identity))


def _user(call: Call, user_arn: str, bearer: str, acting: Resource) -> Resource:
    """The user that a call is about. Raises AwsError ForbiddenException."""
    if user_arn == bearer:
        return acting
    if not is_admin(call, bearer):
        raise forbidden("Only an administrator of the app instance may ask about another user.")
    return named_identity(call, user_arn, instance_of(bearer))


def _page(
    call: Call, relation: str, user_arn: str | None, bearer: str, max_results: int | None, token: str | None
) -> tuple[Sequence[tuple[Relation, Mapping[str, Any]]], Answer]:
    acting = acting_identity(call, bearer)
    user = _user(call, user_arn or bearer, bearer, acting)
    return listed_of_member(call, (bearer, user_arn), token, max_results, user.key, relation)


def _membership(call: Call, member: str, relation: Relation, channel: Mapping[str, Any]) -> Answer:
    marker = relation.read_marker_micros
    return {
        "ChannelSummary": parts_of(call, channel, member, "ChannelSummary"),
        "AppInstanceUserMembershipSummary": {
            "Type": relation.membership_type,
            **({} if marker is None else {"ReadMarkerTimestamp": seconds(marker)}),
            **sub_channel_of(relation),
        },
    }

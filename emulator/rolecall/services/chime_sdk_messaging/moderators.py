"""Moderators of channels (Amazon Chime SDK API reference). Moderators and administrators make them."""

from __future__ import annotations

from rolecall.services.chime_sdk_messaging.kinds import (
    SERVICE,
    conflict,
    forbidden,
    identity,
    listed_of_channel,
    named,
    seconds,
)
from rolecall.services.chime_sdk_messaging.memberships import remove_memberships
from rolecall.services.chime_sdk_messaging.relating import relate
from rolecall.services.chime_sdk_messaging.roles import Standing, absent, named_identity, standing, standing_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import channel_relations as relations
from rolecall.storage.channel_relations import BAN, MODERATOR, Relation


@operation(SERVICE, "CreateChannelModerator")
def create_moderator(call: Call, *, ChannelArn: str, ChannelModeratorArn: str, ChimeBearer: str) -> Answer:
    """A moderator need not be a member. In an elastic channel its memberships end.

    Raises AwsError ConflictException for a moderator, ForbiddenException, also for a banned user.
    """
    acting, moderator = moderated_pair(call, ChannelArn, ChannelModeratorArn, ChimeBearer, locked=True)
    if moderator.has(MODERATOR):
        raise conflict(f"{ChannelModeratorArn} is a moderator of the channel already.")
    if moderator.has(BAN):
        raise forbidden(f"{ChannelModeratorArn} is banned from the channel.")
    if acting.is_elastic:
        remove_memberships(acting, moderator)
    relate(call, acting.channel, MODERATOR, ChannelModeratorArn, moderator.identity, ChimeBearer)
    shown = named(ChannelModeratorArn, moderator.identity.content)
    return {"ChannelArn": ChannelArn, "ChannelModerator": shown}


@operation(SERVICE, "DeleteChannelModerator")
def delete_moderator(call: Call, *, ChannelArn: str, ChannelModeratorArn: str, ChimeBearer: str) -> Answer:
    acting, moderator = moderated_pair(call, ChannelArn, ChannelModeratorArn, ChimeBearer, locked=True)
    relations.remove(call.db, existing_relation(moderator, MODERATOR))
    if acting.is_elastic:
        remove_memberships(acting, moderator)
    return {}


@operation(SERVICE, "DescribeChannelModerator")
def describe_moderator(call: Call, *, ChannelArn: str, ChannelModeratorArn: str, ChimeBearer: str) -> Answer:
    _, moderator = moderated_pair(call, ChannelArn, ChannelModeratorArn, ChimeBearer)
    return {"ChannelModerator": {"Moderator": described(moderator), **made(moderator, MODERATOR)}}


@operation(SERVICE, "ListChannelModerators")
def list_moderators(
    call: Call, *, ChannelArn: str, ChimeBearer: str, MaxResults: int | None = None, NextToken: str | None = None
) -> Answer:
    return list_of(call, MODERATOR, ("ChannelModerators", "Moderator"), ChannelArn, ChimeBearer, MaxResults, NextToken)


# Shared with bans.


def moderated_pair(
    call: Call, channel_arn: str, other_arn: str, bearer: str, *, locked: bool = False
) -> tuple[Standing, Standing]:
    """The bearer, who must moderate the channel, and the other user or bot of the call."""
    acting = standing(call, channel_arn, bearer, locked=locked)
    acting.must_moderate()
    return acting, standing_of(acting, other_arn, named_identity(call, other_arn, acting.instance_arn))


def existing_relation(of: Standing, relation: str) -> Relation:
    """Raises AwsError NotFoundException."""
    found = next((each for each in of.relations if each.relation == relation), None)
    if found is None:
        raise absent(of.arn, relation)
    return found


def described(of: Standing) -> dict[str, str]:
    return named(of.arn, of.identity.content)


def made(of: Standing, relation: str) -> Answer:
    """The members that a moderator and a ban have in common."""
    found = existing_relation(of, relation)
    created_by = identity(of.call, found.created_by_arn)
    return {
        "ChannelArn": of.channel_arn,
        "CreatedTimestamp": seconds(found.created_at_micros),
        "CreatedBy": created_by,
    }


def list_of(
    call: Call,
    relation: str,
    members: tuple[str, str],
    channel_arn: str,
    bearer: str,
    max_results: int | None,
    token: str | None,
) -> Answer:
    """A page of a relation; ``members`` name the list in the answer, and the identity in each of its items."""
    acting = standing(call, channel_arn, bearer)
    acting.must_moderate()
    page, rest = listed_of_channel(call, (channel_arn, bearer), token, max_results, acting.channel.key, relation)
    shown = [{members[1]: named(each.member_arn, content)} for each, content in page]
    return {"ChannelArn": channel_arn, members[0]: shown, **rest}

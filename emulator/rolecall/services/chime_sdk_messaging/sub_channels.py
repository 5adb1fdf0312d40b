"""Sub-channels of elastic channels, and which of them a new member joins (Developer Guide, Elastic channels).

A sub-channel exists as long as it has members. Members who moderate the channel are not balanced and do not count.
"""

from __future__ import annotations

from rolecall.errors import bad_request, limit_exceeded
from rolecall.services.chime_sdk_messaging.events import announce
from rolecall.services.chime_sdk_messaging.kinds import ELASTIC, SERVICE, micros, shown_membership
from rolecall.services.chime_sdk_messaging.roles import Standing, standing
from rolecall.services.paging import one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import channel_messages as messages
from rolecall.storage import channel_relations as relations
from rolecall.storage.channel_relations import MEMBER, MODERATOR
from rolecall.storage.resources import Resource

# Developer Guide, Understanding message structures: why a moderator loses a membership.
SUB_CHANNEL_DELETED = "subchannel_DELETED"


@operation(SERVICE, "ListSubChannels")
def list_sub_channels(
    call: Call, *, ChannelArn: str, ChimeBearer: str, MaxResults: int = 50, NextToken: str | None = None
) -> Answer:
    """For moderators and administrators. Raises AwsError BadRequestException for a channel without sub-channels."""
    acting = standing(call, ChannelArn, ChimeBearer)
    acting.must_moderate()
    if not acting.is_elastic:
        raise bad_request("Only an elastic channel has sub-channels.")
    scope = (call.region, ChannelArn, ChimeBearer)
    start = 0 if NextToken is None else int(position_of(call, scope, NextToken)[0])
    found = list(enumerate(relations.sub_channels(call.db, acting.channel.key)))[start:]
    page, rest = one_page(call, scope, found[: MaxResults + 1], MaxResults, lambda each: (each[0] + 1,))
    shown = [{"SubChannelId": name, "MembershipCount": count} for _, (name, count) in page]
    return {"ChannelArn": ChannelArn, "SubChannels": shown, **rest}


def sub_channel_to_join(acting: Standing, member: Standing, asked: str | None) -> str:
    """The sub-channel of a new membership; empty in a channel without sub-channels.

    A moderator joins the one that the request names. AWS chooses for others: Rolecall takes the first that has fewer
    members than the target, or else makes a new one.
    """
    if not acting.is_elastic:
        return acting.sub_channel(asked)
    call, channel = acting.call, acting.channel
    if member.has(MODERATOR):
        if asked not in {name for name, _ in relations.sub_channels(call.db, channel.key)}:
            raise bad_request("SubChannelId must name the sub-channel that the moderator joins.")
        return str(asked)
    if asked is not None:
        raise bad_request("SubChannelId is for moderators. AWS chooses the sub-channel of other members.")
    target = channel.content[ELASTIC]["TargetMembershipsPerSubChannel"]
    filled = relations.sub_channels(call.db, channel.key, moderators=False)
    for name, count in filled:
        if count < target:
            return name
    if len(filled) >= channel.content[ELASTIC]["MaximumSubChannels"]:
        raise limit_exceeded("All sub-channels of the elastic channel are full.")
    return call.ids.noise(32).hex()


def balance(call: Call, channel: Resource, left: str) -> None:
    """Dissolve a sub-channel that has too few members left, if another one has room for them. Its messages go."""
    elastic = channel.content[ELASTIC]
    target = elastic["TargetMembershipsPerSubChannel"]
    counts = dict(relations.sub_channels(call.db, channel.key, moderators=False))
    fewest = -(-target * elastic["MinimumMembershipPercentage"] // 100)
    remaining = counts.pop(left, 0)
    room = next((name for name, count in counts.items() if count + remaining <= target), None)
    if remaining >= fewest or room is None:
        return
    now = call.now_seconds
    for relation, member in relations.page(call.db, channel.key, MEMBER, now_seconds=now, sub_channel_id=left):
        pair = relations.of_pair(call.db, channel.key, relation.member_key)
        if any(each.relation == MODERATOR for each in pair):
            relations.remove(call.db, relation)
            payload, arns = shown_membership(call, channel, relation, member), [relation.member_arn]
            event_type, reason = "DELETE_CHANNEL_MEMBERSHIP", SUB_CHANNEL_DELETED
            announce(call, channel, event_type, payload, to_members=False, user_arns=arns, reason=reason)
            continue
        moved = relations.move(call.db, relation, room, micros(now))
        payload = shown_membership(call, channel, moved, member)
        announce(call, channel, "UPDATE_CHANNEL_MEMBERSHIP", payload, to_members=False, user_arns=[moved.member_arn])
    messages.remove_of_sub_channel(call.db, channel.key, left)

"""Channels: made, changed, described, listed, deleted, and when they expire (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from rolecall.contents.channels import CHANNEL_ID_BYTES, ELASTIC_REGION, new_channel
from rolecall.contents.expiration import expires_at_seconds
from rolecall.errors import bad_request
from rolecall.services.app_instance_kinds import APP_INSTANCE, PAGE_SIZE, USER, Expiration, is_admin, put_expiration
from rolecall.services.chime_sdk_messaging.events import announce
from rolecall.services.chime_sdk_messaging.kinds import (
    CHANNEL,
    ELASTIC,
    SERVICE,
    forbidden,
    identity,
    listed,
    listed_of_member,
    parts_of,
    shown_membership,
)
from rolecall.services.chime_sdk_messaging.relating import relate
from rolecall.services.chime_sdk_messaging.roles import (
    DEFAULT,
    acting_identity,
    named_identity,
    standing,
)
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import change_resource, existing, keep, made_with_token, page_of
from rolecall.storage import channel_relations as relations
from rolecall.storage import resources
from rolecall.storage.channel_relations import MEMBER, MODERATOR
from rolecall.storage.resources import Content

# Developer Guide, Elastic channels.


class Elastic(TypedDict):
    """How many sub-channels an elastic channel has, and how large they are."""

    MaximumSubChannels: int
    TargetMembershipsPerSubChannel: int
    MinimumMembershipPercentage: int


@operation(SERVICE, "CreateChannel")
def create_channel(
    call: Call,
    *,
    AppInstanceArn: str,
    Name: str,
    ClientRequestToken: str,
    ChimeBearer: str,
    Mode: str = "RESTRICTED",
    Privacy: str = "PRIVATE",
    Metadata: str | None = None,
    Tags: Sequence[Tag] = (),
    ChannelId: str | None = None,
    MemberArns: Sequence[str] = (),
    ModeratorArns: Sequence[str] = (),
    ElasticChannelConfiguration: Elastic | None = None,
    ExpirationSettings: Expiration | None = None,
) -> Answer:
    """A new channel, or the channel that this token made in the app instance before.

    The bearer becomes a member and a moderator; of an elastic channel, a moderator.
    Raises AwsError NotFoundException, ForbiddenException for another user, ConflictException for an id that is taken,
    and for a token that made another channel.
    """
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    acting = acting_identity(call, ChimeBearer, AppInstanceArn)
    token = f"{instance.resource_id} {ClientRequestToken}"
    fixed = {"Privacy": Privacy}
    if ChannelId is not None:
        fixed["ChannelArn"] = CHANNEL.arn(call, f"{instance.resource_id}/{ChannelId}")
    before = made_with_token(call, CHANNEL, token, fixed)
    if before is not None:
        return {"ChannelArn": before.content["ChannelArn"]}
    if ElasticChannelConfiguration is not None:
        _check_elastic(call, Mode, MemberArns)
    channel_id = f"{instance.resource_id}/{ChannelId or call.ids.noise(CHANNEL_ID_BYTES).hex()}"
    asked = {"Metadata": Metadata, ELASTIC: ElasticChannelConfiguration, "ExpirationSettings": ExpirationSettings}
    arn = CHANNEL.arn(call, channel_id)
    content = new_channel(arn, Name, Mode, Privacy, ChimeBearer, asked, call.now_seconds)
    end = expires_at_seconds(content)
    channel = keep(call, CHANNEL, channel_id, content, Tags, parent=instance, create_token=token, ends_at_seconds=end)
    members = {arn: named_identity(call, arn, AppInstanceArn) for arn in MemberArns}
    moderators = {arn: named_identity(call, arn, AppInstanceArn) for arn in ModeratorArns} | {ChimeBearer: acting}
    if ElasticChannelConfiguration is None:
        members[ChimeBearer] = acting
    joined = [relate(call, channel, MEMBER, arn, member, ChimeBearer) for arn, member in members.items()]
    for arn, moderator in moderators.items():
        relate(call, channel, MODERATOR, arn, moderator, ChimeBearer)
    relate(call, channel, Privacy.lower(), AppInstanceArn, instance, ChimeBearer)
    for membership in joined:
        payload = shown_membership(call, channel, membership, members[membership.member_arn].content)
        announce(call, channel, "CREATE_CHANNEL_MEMBERSHIP", payload)
    return {"ChannelArn": content["ChannelArn"]}


def _check_elastic(call: Call, mode: str, member_arns: Sequence[str]) -> None:
    """Developer Guide, Creating elastic channels. AWS's messages are not recorded."""
    if call.region != ELASTIC_REGION:
        raise bad_request(f"Elastic channels exist in {ELASTIC_REGION} only.")
    if mode == "UNRESTRICTED":
        raise bad_request("An elastic channel must have the mode RESTRICTED.")
    if member_arns:
        raise bad_request("MemberArns are not allowed for an elastic channel. Add members after it is made.")


@operation(SERVICE, "UpdateChannel")
def update_channel(
    call: Call,
    *,
    ChannelArn: str,
    ChimeBearer: str,
    Name: str | None = None,
    Mode: str | None = None,
    Metadata: str | None = None,
) -> Answer:
    """Members that are left out stay as they are."""
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    acting.must_moderate()
    if acting.is_elastic and Mode == "UNRESTRICTED":
        raise bad_request("An elastic channel must have the mode RESTRICTED.")
    members = {"Name": Name, "Mode": Mode, "Metadata": Metadata}
    content = change_resource(call, CHANNEL, acting.channel, members)
    announce(call, acting.channel, "UPDATE_CHANNEL", shown_channel(call, content))
    return {"ChannelArn": ChannelArn}


@operation(SERVICE, "DeleteChannel")
def delete_channel(call: Call, *, ChannelArn: str, ChimeBearer: str) -> Answer:
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    acting.must_moderate()
    members = relations.page(call.db, acting.channel.key, MEMBER, now_seconds=call.now_seconds)
    arns = sorted({relation.member_arn for relation, _ in members})
    payload = shown_channel(call, acting.channel.content)
    announce(call, acting.channel, "DELETE_CHANNEL", payload, to_members=False, user_arns=arns)
    resources.remove(call.db, acting.channel.key)
    return {}


@operation(SERVICE, "DescribeChannel")
def describe_channel(call: Call, *, ChannelArn: str, ChimeBearer: str) -> Answer:
    acting = standing(call, ChannelArn, ChimeBearer)
    acting.must_read()
    return {"Channel": parts_of(call, shown_channel(call, acting.channel.content), "Channel")}


@operation(SERVICE, "ListChannels")
def list_channels(
    call: Call,
    *,
    AppInstanceArn: str,
    ChimeBearer: str,
    Privacy: str | None = None,
    MaxResults: int | None = None,
    NextToken: str | None = None,
) -> Answer:
    """Public channels, oldest first. Administrators also see private ones, and without Privacy all of them."""
    instance = existing(call, APP_INSTANCE, AppInstanceArn)
    acting_identity(call, ChimeBearer, AppInstanceArn)
    may_see_all = is_admin(call, ChimeBearer)
    if Privacy == "PRIVATE" and not may_see_all:
        raise forbidden("Only an administrator of the app instance may list private channels.")
    if Privacy is None and may_see_all:
        return page_of(call, CHANNEL, (AppInstanceArn,), "Channels", NextToken, MaxResults)
    relation = (Privacy or "PUBLIC").lower()
    page, rest = listed_of_member(call, (AppInstanceArn, relation), NextToken, MaxResults, instance.key, relation)
    return {"Channels": [parts_of(call, channel, "Channels") for _, channel in page], **rest}


class Field(TypedDict):
    """One condition of a search."""

    Key: str
    Values: Sequence[str]
    Operator: str


@operation(SERVICE, "SearchChannels")
def search_channels(
    call: Call,
    *,
    Fields: Sequence[Field],
    ChimeBearer: str | None = None,
    MaxResults: int | None = None,
    NextToken: str | None = None,
) -> Answer:
    """The channels of the bearer that meet all conditions. An administrator searches all channels of the app instance.

    EQUALS wants exactly these members, INCLUDES wants these among others. Hidden members are not searched.
    """
    acting = acting_identity(call, ChimeBearer)
    # API reference, SearchField: the values are ARNs of users.
    if any(USER.id_of(value) == "" for field in Fields for value in field["Values"]):
        raise bad_request("The Values of a field must be ARNs of users of app instances.")
    instance_arn, sees_all = "/".join(str(ChimeBearer).split("/")[:2]), is_admin(call, str(ChimeBearer))
    now = call.now_seconds
    searched = acting if not sees_all else named_identity(call, Fields[0]["Values"][0], instance_arn)
    wanted = [(set(field["Values"]), field["Operator"] == "EQUALS") for field in Fields]
    found = {}
    for relation, channel in relations.of_member(call.db, searched.key, MEMBER, now_seconds=now):
        members = relations.page(call.db, relation.channel_key, MEMBER, now_seconds=now, membership_type=DEFAULT)
        arns = {member.member_arn for member, _ in members}
        if all(arns == values if exactly else arns >= values for values, exactly in wanted):
            found[relation.channel_key] = (relation, channel)
    filters = (str(ChimeBearer), *(f"{field['Operator']} {value}" for field in Fields for value in field["Values"]))
    page, rest = listed(
        call,
        filters,
        NextToken,
        MaxResults or PAGE_SIZE,
        lambda after, limit: [
            each for each in found.values() if not after or (each[0].created_at_micros, each[0].channel_key) > after[:2]
        ][:limit],
        by_channel=True,
    )
    return {"Channels": [parts_of(call, channel, "Channels") for _, channel in page], **rest}


@operation(SERVICE, "PutChannelExpirationSettings")
def put_channel_expiration(
    call: Call, *, ChannelArn: str, ChimeBearer: str | None = None, ExpirationSettings: Expiration | None = None
) -> Answer:
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    acting.must_moderate()
    return {"ChannelArn": ChannelArn, **put_expiration(call, CHANNEL, acting.channel, ExpirationSettings)}


def shown_channel(call: Call, content: Content) -> Mapping[str, Any]:
    """A channel with the present name of the user or bot that made it."""
    return {**content, "CreatedBy": identity(call, content["CreatedBy"]["Arn"])}

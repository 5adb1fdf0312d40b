"""Channel flows, and which channels use them (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.contents.channels import FLOW_MEMBER, MAXIMUM_FLOWS, MAXIMUM_PROCESSORS, new_flow
from rolecall.errors import AwsError, bad_request, limit_exceeded
from rolecall.services.app_instance_kinds import APP_INSTANCE
from rolecall.services.chime_sdk_messaging.kinds import FLOW, SERVICE, conflict, listed_of_member, parts_of
from rolecall.services.chime_sdk_messaging.relating import relate
from rolecall.services.chime_sdk_messaging.roles import instance_of, standing
from rolecall.services.members import Tag
from rolecall.services.other_services import check_beside
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import change, existing, get, keep, list_, made_with_token
from rolecall.storage import channel_relations as relations
from rolecall.storage import resources
from rolecall.storage.resources import Resource

get(FLOW, "DescribeChannelFlow")
list_(FLOW, "ListChannelFlows")


class Lambda(TypedDict):
    """The function that a processor calls."""

    ResourceArn: str
    InvocationType: str


class Configuration(TypedDict):
    """What a processor consists of."""

    Lambda: Lambda


class Processor(TypedDict):
    """One processor of a flow."""

    Name: str
    Configuration: Configuration
    ExecutionOrder: int
    FallbackAction: str


@operation(SERVICE, "CreateChannelFlow")
def create_flow(
    call: Call,
    *,
    AppInstanceArn: str,
    Processors: Sequence[Processor],
    Name: str,
    ClientRequestToken: str,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A new flow, or the flow that this token made in the app instance before."""
    _check(call, Processors)
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    token = f"{instance.resource_id} {ClientRequestToken}"
    before = made_with_token(call, FLOW, token)
    if before is not None:
        return {FLOW_MEMBER: before.content[FLOW_MEMBER]}
    place = FLOW.place(call)
    if resources.count(call.db, place, now_seconds=call.now_seconds, parent_key=instance.key) >= MAXIMUM_FLOWS:
        raise limit_exceeded(f"An app instance may have at most {MAXIMUM_FLOWS} channel flows.")
    flow_id = f"{instance.resource_id}/{call.ids.uuid()}"
    content = new_flow(FLOW.arn(call, flow_id), Name, Processors, call.now_seconds)
    keep(call, FLOW, flow_id, content, Tags, parent=instance, create_token=token)
    return {FLOW_MEMBER: content[FLOW_MEMBER]}


@operation(SERVICE, "UpdateChannelFlow")
def update_flow(call: Call, *, ChannelFlowArn: str, Processors: Sequence[Processor], Name: str) -> Answer:
    """Messages in processing keep the FallbackAction that they began with."""
    _check(call, Processors)
    change(call, FLOW, ChannelFlowArn, members={"Processors": Processors, "Name": Name})
    return {FLOW_MEMBER: ChannelFlowArn}


def _check(call: Call, processors: Sequence[Processor]) -> None:
    """Developer Guide, Setting up a channel processor: the function is in the account and Region of the app instance.

    AWS's messages are not recorded.
    """
    if len(processors) > MAXIMUM_PROCESSORS:
        raise bad_request(f"A channel flow may have at most {MAXIMUM_PROCESSORS} processor.")
    for processor in processors:
        function = processor["Configuration"]["Lambda"]["ResourceArn"]
        check_beside(call, function, "lambda", "function:", "a Lambda function")


@operation(SERVICE, "DeleteChannelFlow")
def delete_flow(call: Call, *, ChannelFlowArn: str) -> Answer:
    """Raises AwsError ConflictException for the flow of a channel."""
    flow = existing(call, FLOW, ChannelFlowArn, locked=True)
    if relations.of_member(call.db, flow.key, relations.FLOW, now_seconds=call.now_seconds, limit=1):
        raise conflict("The channel flow is associated with a channel.")
    FLOW.kept.remove(call, FLOW, flow)
    return {}


@operation(SERVICE, "ListChannelsAssociatedWithChannelFlow")
def list_channels_of_flow(
    call: Call, *, ChannelFlowArn: str, MaxResults: int | None = None, NextToken: str | None = None
) -> Answer:
    flow = existing(call, FLOW, ChannelFlowArn)
    page, rest = listed_of_member(call, (ChannelFlowArn,), NextToken, MaxResults, flow.key, relations.FLOW)
    return {"Channels": [parts_of(call, channel, "Channels") for _, channel in page], **rest}


@operation(SERVICE, "AssociateChannelFlow")
def associate_flow(call: Call, *, ChannelArn: str, ChannelFlowArn: str, ChimeBearer: str) -> Answer:
    """Raises AwsError ConflictException for a channel that has another flow. AWS's answer to that is not recorded."""
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    acting.must_moderate()
    flow = _flow(call, ChannelFlowArn, acting.instance_arn)
    present = acting.channel.content.get(FLOW_MEMBER)
    if present not in (None, ChannelFlowArn):
        raise conflict(f"The channel has the channel flow {present}. Disassociate it first.")
    if present is None:
        relate(call, acting.channel, relations.FLOW, ChannelFlowArn, flow, ChimeBearer)
        resources.set_content(call.db, acting.channel.key, {**acting.channel.content, FLOW_MEMBER: ChannelFlowArn})
    return {}


@operation(SERVICE, "DisassociateChannelFlow")
def disassociate_flow(call: Call, *, ChannelArn: str, ChannelFlowArn: str, ChimeBearer: str) -> Answer:
    """Messages in processing stay pending until their callback."""
    acting = standing(call, ChannelArn, ChimeBearer, locked=True)
    acting.must_moderate()
    flow = _flow(call, ChannelFlowArn, acting.instance_arn)
    if acting.channel.content.get(FLOW_MEMBER) != ChannelFlowArn:
        raise AwsError("NotFoundException", "The channel flow is not associated with the channel.")
    for relation in relations.of_pair(call.db, acting.channel.key, flow.key):
        relations.remove(call.db, relation)
    content = {name: value for name, value in acting.channel.content.items() if name != FLOW_MEMBER}
    resources.set_content(call.db, acting.channel.key, content)
    return {}


def _flow(call: Call, arn: str, instance_arn: str) -> Resource:
    flow = existing(call, FLOW, arn, locked=True)
    if instance_of(arn) != instance_arn:
        raise bad_request("The channel flow and the channel must belong to the same app instance.")
    return flow

"""Pools of Kinesis video streams, to which stream pipelines write (API reference). No stream is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.access.permission import Permission
from rolecall.errors import AwsError, limit_exceeded
from rolecall.services.chime_sdk_media_pipelines.pipelines import (
    MOVE_SECONDS,
    SERVICE,
    STREAM,
    is_active,
    pipelines_here,
)
from rolecall.services.chime_sdk_media_pipelines.sources import streams_of_pools, with_dependent_actions
from rolecall.services.kinds import Ids, Kind, ResourceStore, kind_with_arn
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.verbs import answer_of, change_resource, existing, get, keep, list_, made_with_token
from rolecall.storage import resources
from rolecall.storage.resources import Resource

# Amazon Chime SDK endpoints and quotas.
MAXIMUM_POOLS = 10
# The answers have the pool as this member.
POOL_MEMBER = "KinesisVideoStreamPoolConfiguration"
_NEXT = {"CREATING": "ACTIVE", "UPDATING": "ACTIVE"}


class PoolStore(ResourceStore):
    """Pools with the status and the size of the moment."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        found = super().find(call, kind, ids, locked=locked)
        return None if found is None else found._replace(content=_content_now(call, found))


POOL = kind_with_arn(
    SERVICE,
    "media-pipeline-kinesis-video-stream-pool",
    "PoolName",
    kept=PoolStore(),
    identified_by="Identifier",
)

get(POOL, "GetMediaPipelineKinesisVideoStreamPool")
list_(POOL, "ListMediaPipelineKinesisVideoStreamPools")


class NewStreams(TypedDict, total=False):
    """Where the streams of a pool are, and how long they keep media."""

    Region: str
    DataRetentionInHours: int


class ChangedStreams(TypedDict, total=False):
    """How long the streams of a pool keep media from now on."""

    DataRetentionInHours: int


def _permissions_to_create(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the caller also needs actions on the streams of the pool."""
    streams = streams_of_pools(call, parameters["StreamConfiguration"]["Region"])
    names = ("CreateStream", "GetDataEndpoint")
    return with_dependent_actions(call, parameters, {f"kinesisvideo:{name}": streams for name in names})


@operation(SERVICE, "CreateMediaPipelineKinesisVideoStreamPool", permissions=_permissions_to_create)
def create_stream_pool(
    call: Call,
    *,
    StreamConfiguration: NewStreams,
    PoolName: str,
    ClientRequestToken: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """The name is unique in account and Region. The same token answers the pool that it made."""
    known = None if ClientRequestToken is None else made_with_token(call, POOL, ClientRequestToken)
    if known is None:
        place = POOL.place(call)
        if resources.count(call.db, place, now_seconds=call.now_seconds) >= MAXIMUM_POOLS:
            raise limit_exceeded(f"An account may have at most {MAXIMUM_POOLS} Kinesis video stream pools in a Region.")
        content = {
            "PoolArn": POOL.arn(call, PoolName),
            "PoolName": PoolName,
            "PoolId": call.ids.uuid(),
            "PoolStatus": "CREATING",
            "StreamConfiguration": dict(StreamConfiguration),
            "CreatedTimestamp": call.now_seconds,
            "UpdatedTimestamp": call.now_seconds,
        }
        known = keep(call, POOL, PoolName, content, Tags, create_token=ClientRequestToken)
    return answer_of(call, _content_now(call, known))


@operation(SERVICE, "UpdateMediaPipelineKinesisVideoStreamPool")
def update_stream_pool(call: Call, *, Identifier: str, StreamConfiguration: ChangedStreams | None = None) -> Answer:
    """Raises AwsError ConflictException while the pool is being made, changed or deleted."""
    pool = existing(call, POOL, Identifier, locked=True)
    _check_settled(pool)
    streams = {**pool.content["StreamConfiguration"], **(StreamConfiguration or {})}
    members = {"StreamConfiguration": streams, "PoolStatus": "UPDATING"}
    return answer_of(call, change_resource(call, POOL, pool, members))


@operation(SERVICE, "DeleteMediaPipelineKinesisVideoStreamPool")
def delete_stream_pool(call: Call, *, Identifier: str) -> Answer:
    """The pool is DELETING, and then gone. Raises AwsError ConflictException while a stream pipeline uses it."""
    pool = existing(call, POOL, Identifier, locked=True)
    if pool.content["PoolStatus"] == "DELETING":
        raise AwsError("ConflictException", f"Kinesis video stream pool {pool.resource_id} is being deleted.")
    if _reserved(call, pool.content["PoolArn"]):
        raise AwsError("ConflictException", f"Kinesis video stream pool {pool.resource_id} is used by media pipelines.")
    change_resource(call, POOL, pool, {"PoolStatus": "DELETING"})
    resources.set_end(call.db, pool.key, call.now_seconds + MOVE_SECONDS)
    return {}


def _check_settled(pool: Resource) -> None:
    status = pool.content["PoolStatus"]
    if status != "ACTIVE":
        raise AwsError("ConflictException", f"Kinesis video stream pool {pool.resource_id} is {status}.")


def _content_now(call: Call, pool: Resource) -> dict[str, Any]:
    """The status of this moment. The size is what active pipelines have reserved; how AWS counts is not recorded."""
    content = dict(pool.content)
    moved = float(content["UpdatedTimestamp"]) + MOVE_SECONDS
    if content["PoolStatus"] in _NEXT and call.now_seconds >= moved:
        content |= {"PoolStatus": _NEXT[content["PoolStatus"]], "UpdatedTimestamp": moved}
    return {**content, "PoolSize": _reserved(call, content["PoolArn"])}


def _reserved(call: Call, pool_arn: str) -> int:
    """The streams that active pipelines have reserved in a pool."""
    sinks = [
        sink
        for each in pipelines_here(call)
        if STREAM in each.content and is_active(call, each)
        for sink in each.content[STREAM]["Sinks"]
    ]
    return sum(int(sink["ReservedStreamCapacity"]) for sink in sinks if sink["SinkArn"] == pool_arn)

"""Pipelines that capture, stream or broadcast meetings, and that concatenate what was captured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.access.permission import Permission
from rolecall.access.regions import REGIONS_OF_EVERY_ACCOUNT
from rolecall.errors import bad_request
from rolecall.services.chime_sdk_media_pipelines.pipelines import (
    CAPTURE,
    CONCATENATION,
    LIVE_CONNECTOR,
    PIPELINE,
    SERVICE,
    STREAM,
    made_before,
    made_pipeline,
)
from rolecall.services.chime_sdk_media_pipelines.sources import (
    absent,
    bucket_of,
    check_bucket,
    media_region,
    meeting_of,
    streams_of_pools,
    with_dependent_actions,
)
from rolecall.services.chime_sdk_media_pipelines.stream_pools import POOL
from rolecall.services.members import Document, Tag, given
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage import resources


def _permissions_to_capture(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the caller also reads the policy of the bucket."""
    return with_dependent_actions(call, parameters, {"s3:GetBucketPolicy": [bucket_of(parameters["SinkArn"]) or "*"]})


@operation(SERVICE, "CreateMediaCapturePipeline", permissions=_permissions_to_capture)
def create_media_capture_pipeline(
    call: Call,
    *,
    SourceType: str,
    SourceArn: str,
    SinkType: str,
    SinkArn: str,
    ClientRequestToken: str | None = None,
    ChimeSdkMeetingConfiguration: Document | None = None,
    SseAwsKeyManagementParams: Document | None = None,
    SinkIamRoleArn: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """The pipeline stops when its meeting ends.

    SinkIamRoleArn: "The role must belong to the caller's account". It is for the key of SseAwsKeyManagementParams, so
    it must not be there without them.
    """
    before = made_before(call, CAPTURE, ClientRequestToken)
    if before is not None:
        return before
    check_bucket("SinkArn", SinkArn)
    meeting_id = meeting_of(call, SourceArn)
    if SinkIamRoleArn is not None:
        _check_sink_role(call, SinkIamRoleArn, is_encrypted=SseAwsKeyManagementParams is not None)
    asked = {
        "SourceType": SourceType,
        "SourceArn": SourceArn,
        "SinkType": SinkType,
        "SinkArn": SinkArn,
        "ChimeSdkMeetingConfiguration": ChimeSdkMeetingConfiguration,
        "SseAwsKeyManagementParams": SseAwsKeyManagementParams,
        "SinkIamRoleArn": SinkIamRoleArn,
    }
    return made_pipeline(call, CAPTURE, given(asked), ClientRequestToken, Tags, {"Meetings": [meeting_id]})


def _check_sink_role(call: Call, role_arn: str, *, is_encrypted: bool) -> None:
    if not is_encrypted:
        raise bad_request("SinkIamRoleArn needs SseAwsKeyManagementParams.")
    trust = call.policies.trust(call.db, role_arn)
    if trust is None or trust.role.entity.account_id != call.account_id:
        raise bad_request("SinkIamRoleArn must be the ARN of a role of this account.")


def _permissions_to_concatenate(call: Call, parameters: Parameters) -> Sequence[Permission]:
    destinations = [each["S3BucketSinkConfiguration"]["Destination"] for each in parameters["Sinks"]]
    buckets = [bucket_of(destination) or "*" for destination in destinations]
    return with_dependent_actions(call, parameters, {"s3:GetBucketPolicy": buckets})


@operation(SERVICE, "CreateMediaConcatenationPipeline", permissions=_permissions_to_concatenate)
def create_media_concatenation_pipeline(
    call: Call,
    *,
    Sources: Sequence[Document],
    Sinks: Sequence[Document],
    ClientRequestToken: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """The source is a capture pipeline, also one that was deleted within the last day.

    The pipeline stops after its source. AWS's answer to any other source is not recorded.
    """
    before = made_before(call, CONCATENATION, ClientRequestToken)
    if before is not None:
        return before
    for sink in Sinks:
        check_bucket("Destination", sink["S3BucketSinkConfiguration"]["Destination"])
    [source_arn] = [each["MediaCapturePipelineSourceConfiguration"]["MediaPipelineArn"] for each in Sources]
    capture_id = PIPELINE.id_of(source_arn)
    if capture_id == "" or source_arn != PIPELINE.arn(call, capture_id):
        raise bad_request("MediaPipelineArn must be the ARN of a media capture pipeline.")
    capture = resources.find(call.db, PIPELINE.place(call), capture_id)
    if capture is None or CAPTURE not in capture.content:
        raise absent(call, f"Media capture pipeline {source_arn} was not found.")
    asked = {"Sources": list(Sources), "Sinks": list(Sinks)}
    return made_pipeline(call, CONCATENATION, asked, ClientRequestToken, Tags, {"Capture": capture_id})


@operation(SERVICE, "CreateMediaLiveConnectorPipeline")
def create_media_live_connector_pipeline(
    call: Call,
    *,
    Sources: Sequence[Document],
    Sinks: Sequence[Document],
    ClientRequestToken: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """Nothing is sent to the address. The Developer Guide has addresses of RTMP and RTMPS."""
    before = made_before(call, LIVE_CONNECTOR, ClientRequestToken)
    if before is not None:
        return before
    for sink in Sinks:
        if not sink["RTMPConfiguration"]["Url"].startswith(("rtmp://", "rtmps://")):
            raise bad_request("Url must begin with rtmp:// or rtmps://.")
    meetings = [meeting_of(call, each["ChimeSdkMeetingLiveConnectorConfiguration"]["Arn"]) for each in Sources]
    asked = {"Sources": list(Sources), "Sinks": list(Sinks)}
    return made_pipeline(call, LIVE_CONNECTOR, asked, ClientRequestToken, Tags, {"Meetings": meetings})


class StreamSource(TypedDict):
    """A meeting whose audio is streamed."""

    SourceType: str
    SourceArn: str


class StreamSink(TypedDict):
    """A pool that takes one type of audio."""

    SinkArn: str
    SinkType: str
    ReservedStreamCapacity: int
    MediaStreamType: str


def _permissions_to_stream(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the caller also needs actions on the streams of the pool."""
    found = [resources.find(call.db, POOL.place(call), POOL.id_of(each["SinkArn"])) for each in parameters["Sinks"]]
    regions = dict.fromkeys(pool.content["StreamConfiguration"]["Region"] for pool in found if pool is not None)
    streams = [arn for region in regions or (call.region,) for arn in streams_of_pools(call, region)]
    names = ("DescribeStream", "GetDataEndpoint", "PutMedia")
    return with_dependent_actions(call, parameters, {f"kinesisvideo:{name}": streams for name in names})


@operation(SERVICE, "CreateMediaStreamPipeline", permissions=_permissions_to_stream)
def create_media_stream_pipeline(
    call: Call,
    *,
    Sources: Sequence[StreamSource],
    Sinks: Sequence[StreamSink],
    ClientRequestToken: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """Developer Guide: for both types of audio there are two sinks, one for each. The pools must be active."""
    before = made_before(call, STREAM, ClientRequestToken)
    if before is not None:
        return before
    types = [sink["MediaStreamType"] for sink in Sinks]
    if len(set(types)) < len(types):
        raise bad_request("Sinks must not have the same MediaStreamType twice.")
    meetings = [meeting_of(call, source["SourceArn"]) for source in Sources]
    opt_in = {media_region(call, meeting) for meeting in meetings} - REGIONS_OF_EVERY_ACCOUNT
    for sink in Sinks:
        arn = sink["SinkArn"]
        pool_name = POOL.id_of(arn)
        if pool_name == "" or arn != POOL.arn(call, pool_name):
            raise bad_request("SinkArn must be the ARN of a Kinesis video stream pool.")
        pool = POOL.kept.find(call, POOL, (pool_name,), locked=True)
        if pool is None:
            raise absent(call, f"Kinesis video stream pool {arn} was not found.")
        if pool.content["PoolStatus"] not in ("ACTIVE", "UPDATING"):
            raise bad_request(f"Kinesis video stream pool {pool_name} is {pool.content['PoolStatus']}.")
        # API reference, CreateMediaPipelineKinesisVideoStreamPool. AWS's message is not recorded.
        if opt_in - {pool.content["StreamConfiguration"]["Region"]}:
            raise bad_request(
                f"Kinesis video stream pool {pool_name} must be in the opt-in MediaRegion of the meeting."
            )
    asked = {"Sources": list(Sources), "Sinks": list(Sinks)}
    return made_pipeline(call, STREAM, asked, ClientRequestToken, Tags, {"Meetings": meetings})

"""Media insights pipelines and their pauses. Nothing is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from rolecall.access.permission import Permission
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_media_pipelines.configurations import configuration_of
from rolecall.services.chime_sdk_media_pipelines.elements import RECORDING
from rolecall.services.chime_sdk_media_pipelines.pipelines import (
    INSIGHTS,
    SERVICE,
    PipelineStore,
    made_before,
    made_pipeline,
)
from rolecall.services.chime_sdk_media_pipelines.sources import check_bucket, with_dependent_actions
from rolecall.services.kinds import Ids, Kind
from rolecall.services.members import Document, Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.verbs import existing
from rolecall.storage import resources
from rolecall.storage.resources import Resource

STREAMED = "KinesisVideoStreamSourceRuntimeConfiguration"
RECORDED = "KinesisVideoStreamRecordingSourceRuntimeConfiguration"


class InsightsStore(PipelineStore):
    """Pipelines without the other four kinds."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        found = super().find(call, kind, ids, locked=locked)
        return found if found is not None and INSIGHTS in found.content else None


# The same resources as those of PIPELINE. Some operations take the ARN too.
INSIGHTS_PIPELINE = Kind(SERVICE, "media-pipeline", "MediaPipelineId", kept=InsightsStore(), identified_by="Identifier")


class Channel(TypedDict, total=False):
    """Who speaks in a channel."""

    ChannelId: int
    ParticipantRole: str


class Channels(TypedDict, total=False):
    """The channels of a stream."""

    NumberOfChannels: int
    ChannelDefinitions: Sequence[Channel]


class Stream(TypedDict, total=False):
    """A Kinesis video stream that a pipeline reads."""

    StreamArn: str
    FragmentNumber: str
    StreamChannelDefinition: Channels


class StreamedSource(TypedDict):
    """Streams that are read while they are written."""

    Streams: Sequence[Stream]
    MediaEncoding: str
    MediaSampleRate: int


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the caller also reads the description of each stream."""
    streams = [
        stream["StreamArn"]
        for member in (STREAMED, RECORDED)
        for stream in (parameters.get(member) or {}).get("Streams", ())
        if "StreamArn" in stream
    ]
    return with_dependent_actions(call, parameters, {"kinesisvideo:DescribeStream": list(dict.fromkeys(streams))})


@operation(SERVICE, "CreateMediaInsightsPipeline", permissions=_permissions)
def create_media_insights_pipeline(
    call: Call,
    *,
    MediaInsightsPipelineConfigurationArn: str,
    KinesisVideoStreamSourceRuntimeConfiguration: StreamedSource | None = None,
    MediaInsightsRuntimeMetadata: Mapping[str, str] | None = None,
    KinesisVideoStreamRecordingSourceRuntimeConfiguration: Document | None = None,
    S3RecordingSinkRuntimeConfiguration: Document | None = None,
    Tags: Sequence[Tag] = (),
    ClientRequestToken: str | None = None,
) -> Answer:
    """Rolecall has no Kinesis, so the streams are not looked up."""
    before = made_before(call, INSIGHTS, ClientRequestToken)
    if before is not None:
        return before
    configuration = configuration_of(call, MediaInsightsPipelineConfigurationArn)
    types = [element["Type"] for element in configuration.content["Elements"]]
    asked: dict[str, Any] = {
        STREAMED: KinesisVideoStreamSourceRuntimeConfiguration,
        "MediaInsightsRuntimeMetadata": MediaInsightsRuntimeMetadata,
        RECORDED: KinesisVideoStreamRecordingSourceRuntimeConfiguration,
        "S3RecordingSinkRuntimeConfiguration": S3RecordingSinkRuntimeConfiguration,
    }
    given = {member: value for member, value in asked.items() if value is not None}
    _check(given, types)
    content = {
        "MediaInsightsPipelineConfigurationArn": MediaInsightsPipelineConfigurationArn,
        **given,
        "ElementStatuses": [{"Type": each} for each in types],
    }
    # The tasks of a pipeline are judged by the configuration with which it began.
    elements = {"Elements": configuration.content["Elements"]}
    return made_pipeline(call, INSIGHTS, content, ClientRequestToken, Tags, elements)


@operation(SERVICE, "UpdateMediaInsightsPipelineStatus")
def update_media_insights_pipeline_status(call: Call, *, Identifier: str, UpdateStatus: str) -> Answer:
    """Pauses a pipeline in progress, or resumes a paused one. Raises AwsError ConflictException in any other status."""
    pipeline = existing(call, INSIGHTS_PIPELINE, Identifier, locked=True)
    inner = pipeline.content[INSIGHTS]
    before, after = ("InProgress", "Paused") if UpdateStatus == "Pause" else ("Paused", "InProgress")
    if inner["Status"] != before:
        message = f"Media pipeline {pipeline.resource_id} is {inner['Status']}, not {before}."
        raise AwsError("ConflictException", message)
    changed = {**inner, "Status": after, "UpdatedTimestamp": call.now_seconds}
    resources.set_content(call.db, pipeline.key, {**pipeline.content, INSIGHTS: changed})
    return {}


def _check(given: Mapping[str, Any], types: Sequence[str]) -> None:
    """Streams or recordings, and recordings with their sink. AWS's messages are not recorded."""
    if (STREAMED in given) == (RECORDED in given):
        raise bad_request(f"There must be either {STREAMED} or {RECORDED}.")
    sink = given.get("S3RecordingSinkRuntimeConfiguration")
    if sink is not None:
        check_bucket("Destination", sink["Destination"])
    if (sink is not None or RECORDED in given) and RECORDING not in types:
        raise bad_request(f"The configuration must have an element of type {RECORDING}.")
    if RECORDED in given:
        times = given[RECORDED]["FragmentSelector"]["TimestampRange"]
        if times["StartTimestamp"] >= times["EndTimestamp"]:
            raise bad_request("EndTimestamp must be after StartTimestamp.")
    for stream in given.get(STREAMED, {}).get("Streams", ()):
        channels = stream["StreamChannelDefinition"]
        ids = [each["ChannelId"] for each in channels.get("ChannelDefinitions", ())]
        if len(set(ids)) < len(ids) or len(ids) > channels["NumberOfChannels"]:
            raise bad_request("ChannelDefinitions must be of different channels, at most NumberOfChannels of them.")

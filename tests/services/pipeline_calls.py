"""Calls that the tests of media pipelines have in common."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT = "111122223333"
SERVICE = "chime-sdk-media-pipelines"
PRINCIPAL = "mediapipelines.chime.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/analytics"
BUCKET = "arn:aws:s3:::recordings"
STREAM = f"arn:aws:kinesisvideo:us-east-1:{ACCOUNT}:stream/calls/1700000000000"
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def trusting(service: str, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def user(name: str, policy: dict[str, Any]) -> dict[str, Any]:
    keys = [{"id": f"{name}_key", "secret": f"{name}-secret"}]
    return {"name": name, "access_keys": keys, "inline_policies": {"own": policy}}


WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [user("admin", ALL), user("limited", ALL)],
                "roles": [
                    {"name": "analytics", "trust_policy": trusting(PRINCIPAL)},
                    {"name": "other", "trust_policy": trusting("ec2.amazonaws.com")},
                ],
            },
            {"id": "444455556666", "users": [user("stranger", ALL)]},
        ],
    }
)


def meeting(world: Any, name: str = "m1", **more: Any) -> dict[str, Any]:
    asked = {"ClientRequestToken": name, "MediaRegion": "us-east-1", "ExternalMeetingId": "m1", **more}
    return dict(world.client("chime-sdk-meetings", "admin").create_meeting(**asked)["Meeting"])


def capturing(source_arn: str) -> dict[str, Any]:
    return {"SourceType": "ChimeSdkMeeting", "SourceArn": source_arn, "SinkType": "S3Bucket", "SinkArn": BUCKET}


def concatenating(source_arn: str) -> dict[str, Any]:
    kinds = ("Video", "Content", "DataChannel", "TranscriptionMessages", "MeetingEvents", "CompositedVideo")
    artifacts = {"Audio": {"State": "Enabled"}, **{kind: {"State": "Disabled"} for kind in kinds}}
    source = {
        "MediaPipelineArn": source_arn,
        "ChimeSdkMeetingConfiguration": {"ArtifactsConfiguration": artifacts},
    }
    return {
        "Sources": [{"Type": "MediaCapturePipeline", "MediaCapturePipelineSourceConfiguration": source}],
        "Sinks": [{"Type": "S3Bucket", "S3BucketSinkConfiguration": {"Destination": f"{BUCKET}/whole"}}],
    }


def connecting(source_arn: str, url: str = "rtmps://live.example.com/app/key") -> dict[str, Any]:
    source = {"Arn": source_arn, "MuxType": "AudioWithActiveSpeakerVideo"}
    return {
        "Sources": [{"SourceType": "ChimeSdkMeeting", "ChimeSdkMeetingLiveConnectorConfiguration": source}],
        "Sinks": [{"SinkType": "RTMP", "RTMPConfiguration": {"Url": url}}],
    }


def streaming(source_arn: str, pool_arn: str, **more: Any) -> dict[str, Any]:
    sink = {
        "SinkArn": pool_arn,
        "SinkType": "KinesisVideoStreamPool",
        "ReservedStreamCapacity": 2,
        "MediaStreamType": "MixedAudio",
        **more,
    }
    return {"Sources": [{"SourceType": "ChimeSdkMeeting", "SourceArn": source_arn}], "Sinks": [sink]}


def analysing(configuration_arn: str) -> dict[str, Any]:
    definition = {"NumberOfChannels": 2, "ChannelDefinitions": [{"ChannelId": 0, "ParticipantRole": "AGENT"}]}
    source = {
        "Streams": [{"StreamArn": STREAM, "StreamChannelDefinition": definition}],
        "MediaEncoding": "pcm",
        "MediaSampleRate": 8000,
    }
    return {
        "MediaInsightsPipelineConfigurationArn": configuration_arn,
        "KinesisVideoStreamSourceRuntimeConfiguration": source,
    }


VOICE_ANALYTICS = {
    "Type": "VoiceAnalyticsProcessor",
    "VoiceAnalyticsProcessorConfiguration": {"SpeakerSearchStatus": "Enabled", "VoiceToneAnalysisStatus": "Disabled"},
}
SINK = {
    "Type": "KinesisDataStreamSink",
    "KinesisDataStreamSinkConfiguration": {"InsightsTarget": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/found"},
}


def configuring(name: str = "calls", *elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "MediaInsightsPipelineConfigurationName": name,
        "ResourceAccessRoleArn": ROLE,
        "Elements": list(elements) or [VOICE_ANALYTICS, SINK],
        **more,
    }

"""Media pipelines through boto3: refusals, statuses by the clock, permissions, and what depends on what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_calls import (
    ACCOUNT,
    ALL,
    BUCKET,
    PRINCIPAL,
    ROLE,
    SERVICE,
    SINK,
    STREAM,
    VOICE_ANALYTICS,
    WORLD,
    analysing,
    capturing,
    concatenating,
    configuring,
    connecting,
    meeting,
    streaming,
)

NONE = "00000000-0000-4000-8000-000000000000"
POOL = {"PoolName": "pool", "StreamConfiguration": {"Region": "us-east-1", "DataRetentionInHours": 5}}
POOL_MEMBER = "KinesisVideoStreamPoolConfiguration"
KMS_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def client(world: Any) -> Any:
    return world.client(SERVICE, "admin")


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def pool_of(client: Any, world: Any) -> str:
    arn = client.create_media_pipeline_kinesis_video_stream_pool(**POOL)[POOL_MEMBER]["PoolArn"]
    world.clock.advance(5)
    return str(arn)


def configured(client: Any, name: str = "calls", *elements: Any, **more: Any) -> str:
    made = client.create_media_insights_pipeline_configuration(**configuring(name, *elements, **more))
    return str(made["MediaInsightsPipelineConfiguration"]["MediaInsightsPipelineConfigurationArn"])


def test_all_five_kinds_share_ids_lists_and_status(world: Any, client: Any) -> None:
    pool, arn = pool_of(client, world), meeting(world)["MeetingArn"]
    capture = client.create_media_capture_pipeline(**capturing(arn))["MediaCapturePipeline"]
    found = {
        "MediaCapturePipeline": capture,
        "MediaConcatenationPipeline": client.create_media_concatenation_pipeline(
            **concatenating(capture["MediaPipelineArn"])
        )["MediaConcatenationPipeline"],
        "MediaLiveConnectorPipeline": client.create_media_live_connector_pipeline(**connecting(arn))[
            "MediaLiveConnectorPipeline"
        ],
        "MediaStreamPipeline": client.create_media_stream_pipeline(**streaming(arn, pool))["MediaStreamPipeline"],
        "MediaInsightsPipeline": client.create_media_insights_pipeline(**analysing(configured(client)))[
            "MediaInsightsPipeline"
        ],
    }
    for variant, made in found.items():
        assert made["Status"] == "Initializing"
        named = {"MediaPipelineId": made["MediaPipelineId"]}
        assert client.get_media_pipeline(**named)["MediaPipeline"] == {variant: made}
        if variant != "MediaCapturePipeline":
            assert refused(client.get_media_capture_pipeline, **named)[0] == "NotFoundException"
            assert refused(client.delete_media_capture_pipeline, **named)[0] == "NotFoundException"
    everything = client.list_media_pipelines()["MediaPipelines"]
    assert {each["MediaPipelineId"] for each in everything} == {each["MediaPipelineId"] for each in found.values()}
    summary = {name: capture[name] for name in ("MediaPipelineId", "MediaPipelineArn")}
    assert client.list_media_capture_pipelines()["MediaCapturePipelines"] == [summary]
    world.clock.advance(5)
    for variant, made in found.items():
        inner = client.get_media_pipeline(MediaPipelineId=made["MediaPipelineId"])["MediaPipeline"][variant]
        assert inner["Status"] == "InProgress"
        if "UpdatedTimestamp" in inner:
            assert inner["UpdatedTimestamp"] > made["UpdatedTimestamp"]
    for made in found.values():
        client.delete_media_pipeline(MediaPipelineId=made["MediaPipelineId"])
        assert refused(client.get_media_pipeline, MediaPipelineId=made["MediaPipelineId"])[0] == "NotFoundException"
    assert client.list_media_pipelines()["MediaPipelines"] == []


def test_pipelines_stop_with_their_meeting_and_a_concatenation_after_its_capture(world: Any, client: Any) -> None:
    made = meeting(world)
    capture = client.create_media_capture_pipeline(**capturing(made["MeetingArn"]))["MediaCapturePipeline"]
    whole = client.create_media_concatenation_pipeline(**concatenating(capture["MediaPipelineArn"]))

    def statuses() -> list[str]:
        ids = (capture["MediaPipelineId"], whole["MediaConcatenationPipeline"]["MediaPipelineId"])
        found = [client.get_media_pipeline(MediaPipelineId=each)["MediaPipeline"] for each in ids]
        return [next(iter(each.values()))["Status"] for each in found]

    world.clock.advance(10)
    assert statuses() == ["InProgress", "InProgress"]
    world.client("chime-sdk-meetings", "admin").delete_meeting(MeetingId=made["MeetingId"])
    assert statuses() == ["Stopping", "InProgress"]
    world.clock.advance(5)
    assert statuses() == ["Stopped", "Stopping"]
    world.clock.advance(5)
    assert statuses() == ["Stopped", "Stopped"]
    # The trace of the meeting is gone after a day.
    world.clock.advance(90_000)
    meeting(world, "another")
    assert statuses() == ["Stopped", "Stopped"]


def test_sources_and_sinks_must_be_the_callers(world: Any, client: Any) -> None:
    made = meeting(world)
    arn, meeting_id = made["MeetingArn"], made["MeetingId"]
    older = f"arn:aws:chime::{ACCOUNT}:meeting:{meeting_id}"
    assert client.create_media_capture_pipeline(**capturing(older))["MediaCapturePipeline"]["SourceArn"] == older
    pool = pool_of(client, world)
    wrong = (
        arn.replace(meeting_id, NONE),
        arn.replace(ACCOUNT, "444455556666"),
        arn.replace("us-east-1", "us-west-2"),
        arn.replace("arn:aws:", "arn:aws-cn:"),
        f"arn:aws:chime:us-east-1:{ACCOUNT}:vc/{meeting_id}",
        "arn-of-nothing",
    )
    for each in wrong:
        assert refused(client.create_media_capture_pipeline, **capturing(each))[0] == "BadRequestException"
        assert refused(client.create_media_live_connector_pipeline, **connecting(each))[0] == "BadRequestException"
        codes = ("NotFoundException", "BadRequestException")
        assert refused(client.create_media_stream_pipeline, **streaming(each, pool))[0] in codes
    for sink in ("arn:aws:s3:us-east-1::recordings", "arn:aws:sqs:us-east-1:111122223333:q", "arn:aws:s3:::A_B"):
        asked = {**capturing(arn), "SinkArn": sink}
        assert refused(client.create_media_capture_pipeline, **asked)[0] == "BadRequestException"
    assert refused(client.create_media_live_connector_pipeline, **connecting(arn, "https://x"))[1].startswith("Url")
    elsewhere = world.client(SERVICE, "admin", region="us-west-2")
    assert refused(elsewhere.create_media_capture_pipeline, **capturing(older))[0] == "BadRequestException"
    world.client("chime-sdk-meetings", "admin").delete_meeting(MeetingId=meeting_id)
    code, message = refused(client.create_media_capture_pipeline, **capturing(arn))
    assert (code, "was not found" in message) == ("BadRequestException", True)


def test_a_sink_role_is_a_role_of_the_account_with_a_key(world: Any, client: Any) -> None:
    asked = {**capturing(meeting(world)["MeetingArn"]), "SinkIamRoleArn": ROLE}
    assert refused(client.create_media_capture_pipeline, **asked)[0] == "BadRequestException"
    asked["SseAwsKeyManagementParams"] = {"AwsKmsKeyId": KMS_KEY}
    for role in (f"{ROLE}x", ROLE.replace(ACCOUNT, "444455556666")):
        code, message = refused(client.create_media_capture_pipeline, **{**asked, "SinkIamRoleArn": role})
        assert (code, "SinkIamRoleArn" in message) == ("BadRequestException", True)
    made = client.create_media_capture_pipeline(**asked)["MediaCapturePipeline"]
    assert (made["SinkIamRoleArn"], made["SseAwsKeyManagementParams"]) == (ROLE, {"AwsKmsKeyId": KMS_KEY})


def test_a_concatenation_reads_a_capture_also_a_deleted_one(world: Any, client: Any) -> None:
    arn = meeting(world)["MeetingArn"]
    capture = client.create_media_capture_pipeline(**capturing(arn))["MediaCapturePipeline"]
    connector = client.create_media_live_connector_pipeline(**connecting(arn))["MediaLiveConnectorPipeline"]
    for wrong in (
        connector["MediaPipelineArn"],
        capture["MediaPipelineArn"].replace(ACCOUNT, "444455556666"),
        arn,
        f"{capture['MediaPipelineArn'][:-4]}0000",
    ):
        code = refused(client.create_media_concatenation_pipeline, **concatenating(wrong))[0]
        assert code == "BadRequestException"
    client.delete_media_capture_pipeline(MediaPipelineId=capture["MediaPipelineId"])
    made = client.create_media_concatenation_pipeline(**concatenating(capture["MediaPipelineArn"]))
    named = {"MediaPipelineId": made["MediaConcatenationPipeline"]["MediaPipelineId"]}
    world.clock.advance(5)
    inner = client.get_media_pipeline(**named)["MediaPipeline"]["MediaConcatenationPipeline"]
    assert inner["Status"] == "Stopping"
    world.clock.advance(5)
    inner = client.get_media_pipeline(**named)["MediaPipeline"]["MediaConcatenationPipeline"]
    assert inner["Status"] == "Stopped"


def test_a_token_counts_within_its_operation(world: Any, client: Any) -> None:
    arn, token = meeting(world)["MeetingArn"], {"ClientRequestToken": "same"}
    capture = client.create_media_capture_pipeline(**capturing(arn), **token)["MediaCapturePipeline"]
    connector = client.create_media_live_connector_pipeline(**connecting(arn), **token)["MediaLiveConnectorPipeline"]
    assert capture["MediaPipelineId"] != connector["MediaPipelineId"]
    world.clock.advance(5)
    again = client.create_media_capture_pipeline(**capturing(arn), **token)["MediaCapturePipeline"]
    assert (again["MediaPipelineId"], again["Status"]) == (capture["MediaPipelineId"], "InProgress")


def test_ten_active_pipelines_outside_of_us_east_1(world: Any) -> None:
    """AWS General Reference, Amazon Chime SDK endpoints and quotas."""
    meetings = world.client("chime-sdk-meetings", "admin", region="us-west-2")
    client = world.client(SERVICE, "admin", region="us-west-2")
    asked = {"ClientRequestToken": "m1", "MediaRegion": "us-west-2", "ExternalMeetingId": "m1"}
    made = meetings.create_meeting(**asked)["Meeting"]
    for _ in range(10):
        client.create_media_capture_pipeline(**capturing(made["MeetingArn"]))
    code = refused(client.create_media_capture_pipeline, **capturing(made["MeetingArn"]))[0]
    assert code == "ResourceLimitExceededException"
    meetings.delete_meeting(MeetingId=made["MeetingId"])
    world.clock.advance(20)
    again = meetings.create_meeting(**{**asked, "ClientRequestToken": "m2"})["Meeting"]
    client.create_media_capture_pipeline(**capturing(again["MeetingArn"]))


def test_pages_of_captures(world: Any, client: Any) -> None:
    arn = meeting(world)["MeetingArn"]
    made = []
    for _ in range(3):
        made.append(client.create_media_capture_pipeline(**capturing(arn))["MediaCapturePipeline"]["MediaPipelineId"])
        client.create_media_live_connector_pipeline(**connecting(arn))
        world.clock.advance(1)
    first = client.list_media_capture_pipelines(MaxResults=2)
    rest = client.list_media_capture_pipelines(MaxResults=2, NextToken=first["NextToken"])
    pages = [each["MediaPipelineId"] for page in (first, rest) for each in page["MediaCapturePipelines"]]
    assert (pages, "NextToken" in rest) == (made, False)
    code = refused(client.list_media_pipelines, NextToken=first["NextToken"])[0]
    assert code == "BadRequestException"


def test_pools_follow_the_clock_and_stay_while_used(world: Any, client: Any) -> None:
    made = client.create_media_pipeline_kinesis_video_stream_pool(**POOL)[POOL_MEMBER]
    assert (made["PoolStatus"], made["PoolSize"]) == ("CREATING", 0)
    arn, named = made["PoolArn"], {"Identifier": made["PoolArn"]}
    assert arn == f"arn:aws:chime:us-east-1:{ACCOUNT}:media-pipeline-kinesis-video-stream-pool/pool"
    asked = streaming(meeting(world)["MeetingArn"], arn)
    assert refused(client.create_media_stream_pipeline, **asked)[0] == "BadRequestException"
    change = {"StreamConfiguration": {"DataRetentionInHours": 9}}
    update = client.update_media_pipeline_kinesis_video_stream_pool
    assert refused(update, **named, **change)[0] == "ConflictException"
    assert refused(client.create_media_pipeline_kinesis_video_stream_pool, **POOL)[0] == "ConflictException"
    world.clock.advance(5)

    def pool(**named: Any) -> dict[str, Any]:
        return dict(client.get_media_pipeline_kinesis_video_stream_pool(**named)[POOL_MEMBER])

    assert pool(Identifier="pool") == pool(**named)
    assert pool(**named)["PoolStatus"] == "ACTIVE"
    changed = update(Identifier="pool", **change)[POOL_MEMBER]
    assert changed["PoolStatus"] == "UPDATING"
    assert changed["StreamConfiguration"] == {"Region": "us-east-1", "DataRetentionInHours": 9}
    world.clock.advance(5)
    assert pool(**named)["PoolStatus"] == "ACTIVE"
    pipeline = client.create_media_stream_pipeline(**asked)["MediaStreamPipeline"]["MediaPipelineId"]
    assert pool(**named)["PoolSize"] == 2
    delete = client.delete_media_pipeline_kinesis_video_stream_pool
    assert refused(delete, **named)[0] == "ConflictException"
    client.delete_media_pipeline(MediaPipelineId=pipeline)
    delete(**named)
    assert pool(**named)["PoolStatus"] == "DELETING"
    assert refused(delete, **named)[0] == "ConflictException"
    assert refused(client.create_media_stream_pipeline, **asked)[0] == "BadRequestException"
    world.clock.advance(5)
    assert refused(client.get_media_pipeline_kinesis_video_stream_pool, **named)[0] == "NotFoundException"
    assert refused(client.create_media_stream_pipeline, **asked)[0] == "NotFoundException"
    client.create_media_pipeline_kinesis_video_stream_pool(**POOL)


def test_one_sink_for_each_type_of_audio_and_ten_pools(world: Any, client: Any) -> None:
    arn, pool = meeting(world)["MeetingArn"], pool_of(client, world)
    asked = streaming(arn, pool)
    twice = {**asked, "Sinks": asked["Sinks"] * 2}
    assert refused(client.create_media_stream_pipeline, **twice)[0] == "BadRequestException"
    asked["Sinks"] += streaming(arn, pool, MediaStreamType="IndividualAudio")["Sinks"]
    client.create_media_stream_pipeline(**asked)
    for number in range(9):
        client.create_media_pipeline_kinesis_video_stream_pool(**{**POOL, "PoolName": f"pool{number}"})
    code = refused(client.create_media_pipeline_kinesis_video_stream_pool, **{**POOL, "PoolName": "more"})[0]
    assert code == "ResourceLimitExceededException"


def test_a_pool_is_in_the_opt_in_region_of_the_media(world: Any, client: Any) -> None:
    """API reference: a meeting whose MediaRegion is af-south-1 needs a stream in af-south-1."""
    here = pool_of(client, world)
    there = {"PoolName": "there", "StreamConfiguration": {"Region": "af-south-1"}}
    pool = client.create_media_pipeline_kinesis_video_stream_pool(**there)[POOL_MEMBER]["PoolArn"]
    world.clock.advance(5)
    usual = meeting(world, "usual", MediaRegion="eu-north-1")["MeetingArn"]
    opt_in = meeting(world, "far", MediaRegion="af-south-1")["MeetingArn"]
    client.create_media_stream_pipeline(**streaming(usual, here))
    client.create_media_stream_pipeline(**streaming(opt_in, pool))
    assert refused(client.create_media_stream_pipeline, **streaming(opt_in, here))[0] == "BadRequestException"


@pytest.mark.parametrize(
    "elements",
    [
        [],
        [{"Type": "VoiceAnalyticsProcessor"}],
        [{**SINK, "Type": "LambdaFunctionSink"}],
        [{**SINK, **VOICE_ANALYTICS}],
        [VOICE_ANALYTICS, VOICE_ANALYTICS],
        [
            {
                "Type": "SqsQueueSink",
                "SqsQueueSinkConfiguration": {"InsightsTarget": f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"},
            }
        ],
        [{"Type": "S3RecordingSink", "S3RecordingSinkConfiguration": {"Destination": "arn:aws:sqs:us-east-1:1:q"}}],
        [{"Type": "AmazonTranscribeProcessor", "AmazonTranscribeProcessorConfiguration": {}}],
        [
            {
                "Type": "AmazonTranscribeProcessor",
                "AmazonTranscribeProcessorConfiguration": {"LanguageCode": "en-US", "IdentifyLanguage": True},
            }
        ],
        [
            {
                "Type": "AmazonTranscribeCallAnalyticsProcessor",
                "AmazonTranscribeCallAnalyticsProcessorConfiguration": {
                    "LanguageCode": "en-US",
                    "ContentIdentificationType": "PII",
                    "ContentRedactionType": "PII",
                },
            }
        ],
    ],
)
def test_elements_that_cannot_be(client: Any, elements: list[Any]) -> None:
    asked = {**configuring(), "Elements": elements}
    assert refused(client.create_media_insights_pipeline_configuration, **asked)[0] == "BadRequestException"


@pytest.mark.parametrize(
    "alerts",
    [
        {},
        {"Disabled": False},
        {"Rules": [{"Type": "Sentiment", "IssueDetectionConfiguration": {"RuleName": "one"}}]},
        {"Rules": [{"Type": "IssueDetection", "IssueDetectionConfiguration": {"RuleName": "one"}}] * 2},
    ],
)
def test_alerts_that_cannot_be(client: Any, alerts: dict[str, Any]) -> None:
    asked = configuring(RealTimeAlertConfiguration=alerts)
    assert refused(client.create_media_insights_pipeline_configuration, **asked)[0] == "BadRequestException"


def test_the_service_must_be_able_to_assume_the_role(world: Any, client: Any) -> None:
    create = client.create_media_insights_pipeline_configuration
    for role in (f"{ROLE}x", ROLE.replace("analytics", "other"), ROLE.replace(ACCOUNT, "444455556666")):
        code = refused(create, **{**configuring(), "ResourceAccessRoleArn": role})[0]
        assert code in ("ForbiddenException", "AccessDeniedException")
    statement = {"Effect": "Allow", "Principal": {"Service": PRINCIPAL}, "Action": "sts:AssumeRole"}
    for condition, is_taken in (
        ({"StringEquals": {"aws:SourceAccount": "444455556666"}}, False),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:chime:us-west-2:{ACCOUNT}:*"}}, False),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:chime:us-east-1:{ACCOUNT}:*"}}, True),
    ):
        document = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
        world.client("iam").update_assume_role_policy(RoleName="analytics", PolicyDocument=json.dumps(document))
        if is_taken:
            create(**configuring(f"n{len(json.dumps(condition))}"))
        else:
            assert refused(create, **configuring())[0] == "ForbiddenException"


def test_a_configuration_stays_while_it_is_used(world: Any, client: Any) -> None:
    arn = configured(client)
    named = {"Identifier": arn}
    pipeline = client.create_media_insights_pipeline(**analysing(arn))["MediaInsightsPipeline"]
    delete = client.delete_media_insights_pipeline_configuration
    assert refused(delete, **named)[0] == "ConflictException"
    changed = client.update_media_insights_pipeline_configuration(
        Identifier="calls", ResourceAccessRoleArn=ROLE, Elements=[SINK]
    )["MediaInsightsPipelineConfiguration"]
    assert changed["Elements"] == [SINK]
    assert client.get_media_insights_pipeline_configuration(**named)["MediaInsightsPipelineConfiguration"] == changed
    client.delete_media_pipeline(MediaPipelineId=pipeline["MediaPipelineId"])
    delete(**named)
    assert refused(client.create_media_insights_pipeline, **analysing(arn))[0] == "NotFoundException"


def test_a_voice_connector_uses_a_configuration(world: Any, client: Any) -> None:
    voice, arn = world.client("chime-sdk-voice", "admin"), configured(client)
    connector = voice.create_voice_connector(Name="c", RequireEncryption=True)["VoiceConnector"]["VoiceConnectorId"]

    def streaming_with(**insights: Any) -> dict[str, Any]:
        streaming = {"DataRetentionInHours": 1, "Disabled": False, "MediaInsightsConfiguration": insights}
        return {"VoiceConnectorId": connector, "StreamingConfiguration": streaming}

    put = voice.put_voice_connector_streaming_configuration
    assert refused(put, **streaming_with())[0] == "BadRequestException"
    assert refused(put, **streaming_with(ConfigurationArn=f"{arn}x"))[0] == "NotFoundException"
    assert refused(put, **streaming_with(ConfigurationArn=arn.replace("-1", "-2")))[0] == "NotFoundException"
    limited(world, {"Action": "chime:GetMediaInsightsPipelineConfiguration", "Resource": arn})
    other = world.client("chime-sdk-voice", "limited").put_voice_connector_streaming_configuration
    assert refused(other, **streaming_with(ConfigurationArn=arn))[0] == "AccessDeniedException"
    answer = put(**streaming_with(ConfigurationArn=arn))["StreamingConfiguration"]
    assert answer["MediaInsightsConfiguration"] == {"ConfigurationArn": arn}
    delete = client.delete_media_insights_pipeline_configuration
    assert refused(delete, Identifier=arn)[0] == "ConflictException"
    put(**streaming_with(ConfigurationArn=arn, Disabled=True))
    delete(Identifier=arn)


def test_an_insights_pipeline_has_one_source(world: Any, client: Any) -> None:
    arn = configured(client)
    asked = analysing(arn)
    recorded = {
        "Streams": [{"StreamArn": STREAM}],
        "FragmentSelector": {
            "FragmentSelectorType": "ServerTimestamp",
            "TimestampRange": {"StartTimestamp": 1_700_000_000, "EndTimestamp": 1_700_000_060},
        },
    }
    both = {**asked, "KinesisVideoStreamRecordingSourceRuntimeConfiguration": recorded}
    none = {"MediaInsightsPipelineConfigurationArn": arn}
    without_sink = {**none, "KinesisVideoStreamRecordingSourceRuntimeConfiguration": recorded}
    for wrong in (both, none, without_sink):
        assert refused(client.create_media_insights_pipeline, **wrong)[0] == "BadRequestException"
    recording = {"Type": "S3RecordingSink", "S3RecordingSinkConfiguration": {"Destination": BUCKET}}
    without_sink["MediaInsightsPipelineConfigurationArn"] = configured(client, "recordings", recording)
    made = client.create_media_insights_pipeline(**without_sink)["MediaInsightsPipeline"]
    found = client.get_media_pipeline(MediaPipelineId=made["MediaPipelineId"])["MediaPipeline"]
    assert found == {"MediaInsightsPipeline": made}
    assert made["ElementStatuses"] == [{"Type": "S3RecordingSink", "Status": "Initializing"}]
    times = recorded["FragmentSelector"]["TimestampRange"]  # type: ignore[index]
    times["EndTimestamp"] = times["StartTimestamp"]
    assert refused(client.create_media_insights_pipeline, **without_sink)[0] == "BadRequestException"
    channels = asked["KinesisVideoStreamSourceRuntimeConfiguration"]["Streams"][0]["StreamChannelDefinition"]
    channels["ChannelDefinitions"] *= 2
    assert refused(client.create_media_insights_pipeline, **asked)[0] == "BadRequestException"


def test_an_insights_pipeline_pauses_and_resumes(world: Any, client: Any) -> None:
    made = client.create_media_insights_pipeline(**analysing(configured(client)))["MediaInsightsPipeline"]
    update = client.update_media_insights_pipeline_status
    by_id, by_arn = {"Identifier": made["MediaPipelineId"]}, {"Identifier": made["MediaPipelineArn"]}

    def status() -> set[str]:
        found = client.get_media_pipeline(MediaPipelineId=made["MediaPipelineId"])["MediaPipeline"]
        inner = found["MediaInsightsPipeline"]
        return {inner["Status"], *(each["Status"] for each in inner["ElementStatuses"])}

    assert refused(update, **by_id, UpdateStatus="Pause")[0] == "ConflictException"
    world.clock.advance(5)
    assert refused(update, **by_id, UpdateStatus="Resume")[0] == "ConflictException"
    update(**by_arn, UpdateStatus="Pause")
    assert status() == {"Paused"}
    assert refused(update, **by_id, UpdateStatus="Pause")[0] == "ConflictException"
    update(**by_id, UpdateStatus="Resume")
    assert status() == {"InProgress"}
    capture = client.create_media_capture_pipeline(**capturing(meeting(world)["MeetingArn"]))["MediaCapturePipeline"]
    for identifier in (NONE, capture["MediaPipelineId"], by_arn["Identifier"].replace("us-east-1", "us-west-2")):
        assert refused(update, Identifier=identifier, UpdateStatus="Pause")[0] == "NotFoundException"


def test_tasks_run_one_at_a_time_on_a_pipeline_that_may(world: Any, client: Any) -> None:
    key = {"KmsKeyArn": KMS_KEY}
    voice = world.client("chime-sdk-voice", "admin")
    domain = voice.create_voice_profile_domain(Name="d", ServerSideEncryptionConfiguration=key)["VoiceProfileDomain"]
    made = client.create_media_insights_pipeline(**analysing(configured(client)))["MediaInsightsPipeline"]
    named = {"Identifier": made["MediaPipelineArn"]}
    asked = {**named, "VoiceProfileDomainArn": domain["VoiceProfileDomainArn"]}
    start = client.start_speaker_search_task
    assert refused(start, **asked)[0] == "ConflictException"
    world.clock.advance(5)
    # The configuration enables one of the two.
    code = refused(client.start_voice_tone_analysis_task, **named, LanguageCode="en-US")[0]
    assert code == "BadRequestException"
    for wrong in (f"{domain['VoiceProfileDomainArn'][:-4]}0000", f"arn:aws:chime:us-west-2:{ACCOUNT}:vc/1"):
        assert refused(start, **named, VoiceProfileDomainArn=wrong)[0] == "NotFoundException"
    for channel in ({"StreamArn": STREAM, "ChannelId": 0}, {"StreamArn": f"{STREAM}0", "ChannelId": 0}):
        source = {"KinesisVideoStreamSourceTaskConfiguration": channel}
        if channel["StreamArn"] != STREAM:
            assert refused(start, **asked, **source)[0] == "BadRequestException"
    task = start(**asked, ClientRequestToken="one")["SpeakerSearchTask"]
    assert task["SpeakerSearchTaskStatus"] == "Initializing"
    assert start(**asked, ClientRequestToken="one")["SpeakerSearchTask"] == task
    assert refused(start, **asked)[0] == "ConflictException"
    of_task = {"Identifier": made["MediaPipelineId"], "SpeakerSearchTaskId": task["SpeakerSearchTaskId"]}

    def status() -> str:
        return str(client.get_speaker_search_task(**of_task)["SpeakerSearchTask"]["SpeakerSearchTaskStatus"])

    world.clock.advance(5)
    assert status() == "InProgress"
    client.stop_speaker_search_task(**of_task)
    assert status() == "Stopping"
    assert refused(client.stop_speaker_search_task, **of_task)[0] == "ConflictException"
    world.clock.advance(5)
    assert status() == "Stopped"
    start(**asked)
    client.delete_media_pipeline(MediaPipelineId=made["MediaPipelineId"])
    assert refused(client.get_speaker_search_task, **of_task)[0] == "NotFoundException"
    assert refused(start, **asked)[0] == "NotFoundException"


def test_a_voice_profile_is_made_of_a_search_that_listened_long_enough(world: Any, client: Any) -> None:
    voice = world.client("chime-sdk-voice", "admin")
    key = {"KmsKeyArn": KMS_KEY}
    domain = voice.create_voice_profile_domain(Name="d", ServerSideEncryptionConfiguration=key)["VoiceProfileDomain"]
    other = voice.create_voice_profile_domain(Name="o", ServerSideEncryptionConfiguration=key)["VoiceProfileDomain"]
    made = client.create_media_insights_pipeline(**analysing(configured(client)))["MediaInsightsPipeline"]
    named = {"Identifier": made["MediaPipelineId"]}
    world.clock.advance(5)

    def search(domain_arn: str, seconds: float, channel: int = 0) -> str:
        """A search that is stopped after so many seconds."""
        source = {"StreamArn": STREAM, "ChannelId": channel}
        asked = {"VoiceProfileDomainArn": domain_arn, "KinesisVideoStreamSourceTaskConfiguration": source}
        task = str(client.start_speaker_search_task(**named, **asked)["SpeakerSearchTask"]["SpeakerSearchTaskId"])
        world.clock.advance(seconds)
        client.stop_speaker_search_task(**named, SpeakerSearchTaskId=task)
        return task

    # It initializes for 5 seconds and listens for 10.
    short, long = search(domain["VoiceProfileDomainArn"], 14), search(domain["VoiceProfileDomainArn"], 15)
    create = voice.create_voice_profile
    assert refused(create, SpeakerSearchTaskId=short)[0] == "BadRequestException"
    world.clock.advance(60)
    assert refused(create, SpeakerSearchTaskId=short)[0] == "BadRequestException"
    profile = create(SpeakerSearchTaskId=long)["VoiceProfile"]
    assert profile["VoiceProfileDomainId"] == domain["VoiceProfileDomainId"]
    assert refused(create, SpeakerSearchTaskId=long)[0] == "ConflictException"
    assert refused(create, SpeakerSearchTaskId=NONE)[0] == "NotFoundException"
    elsewhere = world.client("chime-sdk-voice", "admin", region="us-west-2")
    assert refused(elsewhere.create_voice_profile, SpeakerSearchTaskId=long)[0] == "NotFoundException"
    update, of_other = voice.update_voice_profile, search(other["VoiceProfileDomainArn"], 20, channel=1)
    code = refused(update, VoiceProfileId=profile["VoiceProfileId"], SpeakerSearchTaskId=of_other)[0]
    assert code == "BadRequestException"
    world.clock.advance(86_400)
    assert refused(create, SpeakerSearchTaskId=of_other)[0] == "GoneException"


def test_a_search_without_a_channel_listens_to_the_first_one(world: Any, client: Any) -> None:
    voice = world.client("chime-sdk-voice", "admin")
    key = {"KmsKeyArn": KMS_KEY}
    domain = voice.create_voice_profile_domain(Name="d", ServerSideEncryptionConfiguration=key)["VoiceProfileDomain"]
    made = client.create_media_insights_pipeline(**analysing(configured(client)))["MediaInsightsPipeline"]
    world.clock.advance(5)
    task = client.start_speaker_search_task(
        Identifier=made["MediaPipelineId"], VoiceProfileDomainArn=domain["VoiceProfileDomainArn"]
    )["SpeakerSearchTask"]
    # No answer shows what the search knows of the voice.
    assert "Voice" not in task
    assert (
        refused(voice.create_voice_profile, SpeakerSearchTaskId=task["SpeakerSearchTaskId"])[0] == "BadRequestException"
    )
    world.clock.advance(15)
    assert voice.create_voice_profile(SpeakerSearchTaskId=task["SpeakerSearchTaskId"])["VoiceProfile"]


def test_tone_analysis_task(world: Any, client: Any) -> None:
    both = {"SpeakerSearchStatus": "Disabled", "VoiceToneAnalysisStatus": "Enabled"}
    element = {"Type": "VoiceAnalyticsProcessor", "VoiceAnalyticsProcessorConfiguration": both}
    made = client.create_media_insights_pipeline(**analysing(configured(client, "tone", element)))
    named = {"Identifier": made["MediaInsightsPipeline"]["MediaPipelineId"]}
    world.clock.advance(5)
    source = {"StreamArn": STREAM, "ChannelId": 1}
    asked = {**named, "LanguageCode": "en-US", "KinesisVideoStreamSourceTaskConfiguration": source}
    task = client.start_voice_tone_analysis_task(**asked)["VoiceToneAnalysisTask"]
    of_task = {**named, "VoiceToneAnalysisTaskId": task["VoiceToneAnalysisTaskId"]}
    assert client.get_voice_tone_analysis_task(**of_task)["VoiceToneAnalysisTask"] == task
    client.stop_voice_tone_analysis_task(**of_task)
    wrong = {**of_task, "VoiceToneAnalysisTaskId": NONE}
    assert refused(client.stop_voice_tone_analysis_task, **wrong)[0] == "NotFoundException"


def limited(world: Any, *denied: dict[str, Any]) -> Any:
    document = {"Version": "2012-10-17", "Statement": [*ALL["Statement"], *({"Effect": "Deny", **e} for e in denied)]}
    world.client("iam").put_user_policy(UserName="limited", PolicyName="own", PolicyDocument=json.dumps(document))
    return world.client(SERVICE, "limited")


STREAMS = f"arn:aws:kinesisvideo:us-east-1:{ACCOUNT}:stream/ChimeMediaPipelines-*"


@pytest.mark.parametrize(
    ("operation", "action", "resource"),
    [
        ("create_media_capture_pipeline", "s3:GetBucketPolicy", BUCKET),
        ("create_media_concatenation_pipeline", "s3:GetBucketPolicy", BUCKET),
        ("create_media_stream_pipeline", "kinesisvideo:PutMedia", STREAMS),
        ("create_media_stream_pipeline", "kinesisvideo:DescribeStream", STREAMS),
        ("create_media_pipeline_kinesis_video_stream_pool", "kinesisvideo:CreateStream", STREAMS),
        ("create_media_pipeline_kinesis_video_stream_pool", "kinesisvideo:ListStreams", "*"),
        ("create_media_insights_pipeline", "kinesisvideo:DescribeStream", STREAM),
        ("create_media_insights_pipeline_configuration", "iam:PassRole", ROLE),
        (
            "create_media_insights_pipeline_configuration",
            "kinesis:DescribeStream",
            f"arn:aws:kinesis:*:{ACCOUNT}:stream/found",
        ),
        ("update_media_insights_pipeline_configuration", "chime:ListVoiceConnectors", "*"),
        ("update_media_insights_pipeline_configuration", "iam:PassRole", ROLE),
        ("delete_media_insights_pipeline_configuration", "chime:ListVoiceConnectors", "*"),
    ],
)
def test_dependent_actions_are_needed(world: Any, client: Any, operation: str, action: str, resource: str) -> None:
    """Service Authorization Reference, dependent actions."""
    arn, pool = meeting(world)["MeetingArn"], pool_of(client, world)
    configuration = configured(client, "used")
    capture = client.create_media_capture_pipeline(**capturing(arn))["MediaCapturePipeline"]
    asked = {
        "create_media_capture_pipeline": capturing(arn),
        "create_media_concatenation_pipeline": concatenating(capture["MediaPipelineArn"]),
        "create_media_stream_pipeline": streaming(arn, pool),
        "create_media_pipeline_kinesis_video_stream_pool": {**POOL, "PoolName": "other"},
        "create_media_insights_pipeline": analysing(configuration),
        "create_media_insights_pipeline_configuration": configuring("new"),
        "update_media_insights_pipeline_configuration": {
            "Identifier": "used",
            "ResourceAccessRoleArn": ROLE,
            "Elements": [SINK],
        },
        "delete_media_insights_pipeline_configuration": {"Identifier": "used"},
    }[operation]
    other = limited(world, {"Action": action, "Resource": resource})
    code, message = refused(getattr(other, operation), **asked)
    assert (code, action in message) == ("AccessDeniedException", True)
    getattr(limited(world, {"Action": action, "Resource": "arn:aws:s3:::none"}), operation)(**asked)


def test_passing_the_role_names_the_service(world: Any) -> None:
    condition = {"StringNotEquals": {"iam:PassedToService": PRINCIPAL}}
    other = limited(world, {"Action": "iam:PassRole", "Resource": "*", "Condition": condition})
    other.create_media_insights_pipeline_configuration(**configuring("one"))
    condition = {"StringEquals": {"iam:PassedToService": PRINCIPAL}}
    other = limited(world, {"Action": "iam:PassRole", "Resource": "*", "Condition": condition})
    assert (
        refused(other.create_media_insights_pipeline_configuration, **configuring("two"))[0] == "AccessDeniedException"
    )


def test_tags_in_a_request_are_seen(world: Any, client: Any) -> None:
    arn, tags = meeting(world)["MeetingArn"], [{"Key": "team", "Value": "blue"}]
    condition = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    other = limited(world, {"Action": "chime:Create*", "Resource": "*", "Condition": condition})
    assert refused(other.create_media_capture_pipeline, **capturing(arn), Tags=tags)[0] == "AccessDeniedException"
    other.create_media_capture_pipeline(**capturing(arn))
    # Service Authorization Reference: this one also needs chime:TagResource.
    other = limited(world, {"Action": "chime:TagResource", "Resource": "*"})
    code = refused(other.create_media_insights_pipeline_configuration, **configuring("tagged"), Tags=tags)[0]
    assert code == "AccessDeniedException"
    other.create_media_insights_pipeline_configuration(**configuring("tagged"))


def test_the_service_linked_role_stays_while_pipelines_enter_meetings(world: Any, client: Any) -> None:
    """Administrator Guide: the role is made by hand. Pipelines enter meetings with it."""
    iam = world.client("iam")
    role = iam.create_service_linked_role(AWSServiceName=PRINCIPAL)["Role"]["RoleName"]
    assert role == "AWSServiceRoleForAmazonChimeSDKMediaPipelines"
    made = client.create_media_capture_pipeline(**capturing(meeting(world)["MeetingArn"]))["MediaCapturePipeline"]

    def deletion() -> tuple[str, Any]:
        task = iam.delete_service_linked_role(RoleName=role)["DeletionTaskId"]
        answer = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
        return answer["Status"], answer.get("Reason", {}).get("RoleUsageList")

    assert deletion() == ("FAILED", [{"Region": "us-east-1", "Resources": [made["MediaPipelineArn"]]}])
    client.delete_media_pipeline(MediaPipelineId=made["MediaPipelineId"])
    assert deletion()[0] == "SUCCEEDED"

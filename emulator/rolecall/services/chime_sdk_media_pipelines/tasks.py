"""Tasks of a media insights pipeline: speaker search and analysis of the tone of voices.

Rolecall hears no voice. It knows a speaker by the channel of the stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_media_pipelines.elements import VOICE_ANALYTICS
from rolecall.services.chime_sdk_media_pipelines.insights import INSIGHTS_PIPELINE, RECORDED, STREAMED
from rolecall.services.chime_sdk_media_pipelines.pipelines import INSIGHTS, MOVE_SECONDS, SERVICE
from rolecall.services.kinds import NOT_FOUND, Ids, Kind, ResourceStore, shown
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.speaker_searches import ANALYSIS_SECONDS, SEARCH_FINDERS, FoundVoice
from rolecall.services.verbs import change_resource, existing, get, keep, made_with_token
from rolecall.storage import resources
from rolecall.storage.resources import Content, Resource

# A kind of services/chime_sdk_voice, named by its ARN and only read here.
VOICE_PROFILE_DOMAIN = Kind("chime-sdk-voice", "voice-profile-domain", "VoiceProfileDomainArn")
_NEXT = {"Initializing": "InProgress", "Stopping": "Stopped"}
_RUNNING = ("Initializing", "InProgress")


class TaskStore(ResourceStore):
    """Tasks with the status of the moment."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        found = super().find(call, kind, ids, locked=locked)
        return None if found is None else found._replace(content=_content_now(call, kind, found.content))


def _task(resource_type: str, id_member: str) -> Kind:
    return Kind(SERVICE, resource_type, id_member, kept=TaskStore(), parent=INSIGHTS_PIPELINE)


SPEAKER_SEARCH = _task("speaker-search-task", "SpeakerSearchTaskId")
VOICE_TONE = _task("voice-tone-analysis-task", "VoiceToneAnalysisTaskId")

get(SPEAKER_SEARCH, "GetSpeakerSearchTask")
get(VOICE_TONE, "GetVoiceToneAnalysisTask")


class _Channel(TypedDict):
    StreamArn: str
    ChannelId: int


class TaskSource(_Channel, total=False):
    """The channel of a stream in which the task begins."""

    FragmentNumber: str


@operation(SERVICE, "StartSpeakerSearchTask")
def start_speaker_search_task(
    call: Call,
    *,
    Identifier: str,
    VoiceProfileDomainArn: str,
    KinesisVideoStreamSourceTaskConfiguration: TaskSource | None = None,
    ClientRequestToken: str | None = None,
) -> Answer:
    """Raises AwsError NotFoundException for the pipeline and for the domain, ConflictException and BadRequestException
    for a pipeline that cannot do it.
    """
    _check_domain(call, VoiceProfileDomainArn)
    asked = {
        "VoiceProfileDomainArn": VoiceProfileDomainArn,
        "KinesisVideoStreamSourceTaskConfiguration": KinesisVideoStreamSourceTaskConfiguration,
    }
    return _started(call, SPEAKER_SEARCH, "SpeakerSearchStatus", Identifier, asked, ClientRequestToken)


@operation(SERVICE, "StartVoiceToneAnalysisTask")
def start_voice_tone_analysis_task(
    call: Call,
    *,
    Identifier: str,
    LanguageCode: str,
    KinesisVideoStreamSourceTaskConfiguration: TaskSource | None = None,
    ClientRequestToken: str | None = None,
) -> Answer:
    """Raises AwsError NotFoundException, and ConflictException and BadRequestException for a pipeline that cannot."""
    asked = {
        "LanguageCode": LanguageCode,
        "KinesisVideoStreamSourceTaskConfiguration": KinesisVideoStreamSourceTaskConfiguration,
    }
    return _started(call, VOICE_TONE, "VoiceToneAnalysisStatus", Identifier, asked, ClientRequestToken)


@operation(SERVICE, "StopSpeakerSearchTask")
def stop_speaker_search_task(call: Call, *, Identifier: str, SpeakerSearchTaskId: str) -> Answer:
    return _stopped(call, SPEAKER_SEARCH, Identifier, SpeakerSearchTaskId)


@operation(SERVICE, "StopVoiceToneAnalysisTask")
def stop_voice_tone_analysis_task(call: Call, *, Identifier: str, VoiceToneAnalysisTaskId: str) -> Answer:
    return _stopped(call, VOICE_TONE, Identifier, VoiceToneAnalysisTaskId)


def _started(
    call: Call, kind: Kind, switch: str, identifier: str, asked: Mapping[str, Any], create_token: str | None
) -> Answer:
    """A new task, or the task of the token. ``switch`` is the member of the processor that must be Enabled."""
    pipeline = existing(call, INSIGHTS_PIPELINE, identifier, locked=True)
    token = None if create_token is None else f"{pipeline.resource_id}/{create_token}"
    task = None if token is None else made_with_token(call, kind, token)
    if task is None:
        _check_pipeline(call, kind, switch, pipeline)
        given = {member: value for member, value in asked.items() if value is not None}
        _check_channel(pipeline, given.get("KinesisVideoStreamSourceTaskConfiguration"))
        task_id = call.ids.uuid()
        content = {
            kind.id_member: task_id,
            _status_member(kind): "Initializing",
            "CreatedTimestamp": call.now_seconds,
            "UpdatedTimestamp": call.now_seconds,
            **given,
            **({"Voice": _voice(pipeline, given)} if kind is SPEAKER_SEARCH else {}),
        }
        task = keep(call, kind, task_id, content, parent=pipeline, create_token=token)
    member = kind.id_member.removesuffix("Id")
    return {member: shown(call, member, _content_now(call, kind, task.content))}


def _stopped(call: Call, kind: Kind, identifier: str, task_id: str) -> Answer:
    """Raises AwsError ConflictException for a task that does not run."""
    task, member = existing(call, kind, identifier, task_id, locked=True), _status_member(kind)
    if task.content[member] not in _RUNNING:
        raise AwsError("ConflictException", f"{kind.noun} {task_id} is {task.content[member]}.")
    change_resource(call, kind, task, {member: "Stopping"})
    return {}


def _check_pipeline(call: Call, kind: Kind, switch: str, pipeline: Resource) -> None:
    """The pipeline runs, its processor may do it, and no other such task runs. AWS's messages are not recorded."""
    inner = pipeline.content[INSIGHTS]
    processors = [each for each in pipeline.content["Elements"] if each["Type"] == VOICE_ANALYTICS]
    if not any(each[f"{VOICE_ANALYTICS}Configuration"].get(switch) == "Enabled" for each in processors):
        raise bad_request(f"The configuration of media pipeline {pipeline.resource_id} does not enable {switch}.")
    if inner["Status"] != "InProgress":
        raise AwsError("ConflictException", f"Media pipeline {pipeline.resource_id} is {inner['Status']}.")
    for each in resources.children(call.db, pipeline.key, kind.name):
        if _content_now(call, kind, each.content)[_status_member(kind)] in _RUNNING:
            raise AwsError("ConflictException", f"{kind.noun} {each.resource_id} is running.")


def _check_channel(pipeline: Resource, source: Mapping[str, Any] | None) -> None:
    if source is None:
        return
    streams: Sequence[Any] = pipeline.content[INSIGHTS].get(STREAMED, {}).get("Streams", ())
    found = [each["StreamChannelDefinition"] for each in streams if each["StreamArn"] == source["StreamArn"]]
    if not found:
        raise bad_request("StreamArn must be the ARN of a stream of the media pipeline.")
    if not any(source["ChannelId"] < each["NumberOfChannels"] for each in found):
        raise bad_request("ChannelId must be a channel of the stream.")


def _voice(pipeline: Resource, given: Mapping[str, Any]) -> str:
    """Who speaks where the task listens. Without a channel in the request it is the first one of the first stream.

    AWS's choice is not recorded.
    """
    source = given.get("KinesisVideoStreamSourceTaskConfiguration")
    inner = pipeline.content[INSIGHTS]
    stream = source or (inner.get(STREAMED) or inner[RECORDED])["Streams"][0]
    return f"{stream.get('StreamArn', '')} {source['ChannelId'] if source else 0}"


def _found_voice(call: Call, task_id: str) -> FoundVoice | None:
    """What a search has found once it has listened for long enough, also if it is stopped later."""
    task = SPEAKER_SEARCH.kept.find(call, SPEAKER_SEARCH, (task_id,), locked=False)
    if task is None:
        return None
    content, status = task.content, task.content[_status_member(SPEAKER_SEARCH)]
    finished = float(content["CreatedTimestamp"]) + MOVE_SECONDS + ANALYSIS_SECONDS
    listened_until = call.now_seconds
    if status in ("Stopping", "Stopped"):
        listened_until = float(content["UpdatedTimestamp"]) - (MOVE_SECONDS if status == "Stopped" else 0)
    domain_id = content["VoiceProfileDomainArn"].rpartition("/")[2]
    return FoundVoice(domain_id, content["Voice"], finished if listened_until >= finished else None)


def _check_domain(call: Call, arn: str) -> None:
    if VOICE_PROFILE_DOMAIN.kept.find(call, VOICE_PROFILE_DOMAIN, (arn,), locked=False) is None:
        raise AwsError(NOT_FOUND, f"Voice profile domain {arn} was not found.")


def _status_member(kind: Kind) -> str:
    return f"{kind.id_member.removesuffix('Id')}Status"


def _content_now(call: Call, kind: Kind, content: Content) -> dict[str, Any]:
    member, moved = _status_member(kind), float(content["UpdatedTimestamp"]) + MOVE_SECONDS
    if content[member] not in _NEXT or call.now_seconds < moved:
        return dict(content)
    return {**content, member: _NEXT[content[member]], "UpdatedTimestamp": moved}


SEARCH_FINDERS.append(_found_voice)

"""Speaker search and voice tone analysis of a Voice Connector's calls (Amazon Chime SDK API and Developer Guide).

Rolecall hears no voice. It knows a speaker by the telephone number of the analysed leg of the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rolecall.errors import AwsError
from rolecall.services.chime_sdk_voice.sip_applications import SIP_CALL
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE, VOICE_CONNECTOR
from rolecall.services.chime_sdk_voice.voice_profile_domains import DOMAIN, PROFILE
from rolecall.services.kinds import Kind, shown
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.speaker_searches import ANALYSIS_SECONDS, SEARCH_FINDERS, FoundVoice
from rolecall.services.verbs import existing, keep, made_with_token
from rolecall.storage import resources
from rolecall.storage.resources import Resource

# By the sandbox's clock. AWS names no time.
QUEUE_SECONDS = 2
# Developer Guide, Understanding data retention for voice analytics: results are there for 7 days.
RESULTS_SECONDS = 7 * 86_400
IN_QUEUE, IN_PROGRESS, SUCCEEDED, STOPPED = "IN_QUEUE", "IN_PROGRESS", "SUCCEEDED", "STOPPED"
CALLER = "Caller"

SPEAKER_SEARCH = Kind(SERVICE, "speaker-search-task", "SpeakerSearchTaskId", parent=VOICE_CONNECTOR)
TONE_ANALYSIS = Kind(SERVICE, "voice-tone-analysis-task", "VoiceToneAnalysisTaskId", parent=VOICE_CONNECTOR)


@operation(SERVICE, "StartSpeakerSearchTask")
def start_speaker_search_task(
    call: Call,
    *,
    VoiceConnectorId: str,
    TransactionId: str,
    VoiceProfileDomainId: str,
    ClientRequestToken: str | None = None,
    CallLeg: str = CALLER,
) -> Answer:
    """The caller's leg is searched unless the request says otherwise (not recorded)."""
    domain = existing(call, DOMAIN, VoiceProfileDomainId)
    asked = {"VoiceProfileDomainId": domain.resource_id, "IsCaller": CallLeg == CALLER}
    task = _started(call, SPEAKER_SEARCH, VoiceConnectorId, TransactionId, ClientRequestToken, asked)
    return {"SpeakerSearchTask": _shown(call, SPEAKER_SEARCH, task)}


@operation(SERVICE, "StartVoiceToneAnalysisTask")
def start_voice_tone_analysis_task(
    call: Call, *, VoiceConnectorId: str, TransactionId: str, LanguageCode: str, ClientRequestToken: str | None = None
) -> Answer:
    """Both legs are analysed. GetVoiceToneAnalysisTask says which of them it is about."""
    asked = {"LanguageCode": LanguageCode}
    task = _started(call, TONE_ANALYSIS, VoiceConnectorId, TransactionId, ClientRequestToken, asked)
    return {"VoiceToneAnalysisTask": _shown(call, TONE_ANALYSIS, task)}


@operation(SERVICE, "GetSpeakerSearchTask")
def get_speaker_search_task(call: Call, *, VoiceConnectorId: str, SpeakerSearchTaskId: str) -> Answer:
    task = existing(call, SPEAKER_SEARCH, VoiceConnectorId, SpeakerSearchTaskId)
    return {"SpeakerSearchTask": _shown(call, SPEAKER_SEARCH, task)}


@operation(SERVICE, "GetVoiceToneAnalysisTask")
def get_voice_tone_analysis_task(
    call: Call, *, VoiceConnectorId: str, VoiceToneAnalysisTaskId: str, IsCaller: bool
) -> Answer:
    task = existing(call, TONE_ANALYSIS, VoiceConnectorId, VoiceToneAnalysisTaskId)
    return {"VoiceToneAnalysisTask": _shown(call, TONE_ANALYSIS, task, IsCaller=IsCaller)}


@operation(SERVICE, "StopSpeakerSearchTask")
def stop_speaker_search_task(call: Call, *, VoiceConnectorId: str, SpeakerSearchTaskId: str) -> Answer:
    return _stop(call, SPEAKER_SEARCH, VoiceConnectorId, SpeakerSearchTaskId)


@operation(SERVICE, "StopVoiceToneAnalysisTask")
def stop_voice_tone_analysis_task(call: Call, *, VoiceConnectorId: str, VoiceToneAnalysisTaskId: str) -> Answer:
    return _stop(call, TONE_ANALYSIS, VoiceConnectorId, VoiceToneAnalysisTaskId)


def _started(
    call: Call, kind: Kind, connector_id: str, transaction_id: str, token: str | None, asked: Mapping[str, Any]
) -> Resource:
    """A new task, or the task that the same call with this token started."""
    connector = existing(call, VOICE_CONNECTOR, connector_id, locked=True)
    asked = {**asked, "VoiceConnectorId": connector.resource_id, "TransactionId": transaction_id}
    known = None if token is None else made_with_token(call, kind, token, asked)
    if known is not None:
        return known
    streaming = resources.setting(call.db, connector.key, "StreamingConfiguration")
    if streaming is None or streaming["Disabled"]:
        # Developer Guide: voice analytics reads the stream of a connector. AWS's answer was not recorded.
        message = f"Voice Connector {connector.resource_id} does not stream its calls."
        raise AwsError("UnprocessableEntityException", message)
    content: dict[str, Any] = {
        **asked,
        kind.id_member: call.ids.uuid(),
        "CreatedTimestamp": call.now_seconds,
    }
    numbers = _live_call(call, transaction_id).content
    if "IsCaller" in asked:
        content["Voice"] = numbers["FromPhoneNumber" if asked["IsCaller"] else "ToPhoneNumber"]
    ends = int(call.now_seconds) + QUEUE_SECONDS + ANALYSIS_SECONDS + RESULTS_SECONDS
    return keep(
        call,
        kind,
        content[kind.id_member],
        content,
        parent=connector,
        create_token=token,
        ends_at_seconds=ends,
    )


def _live_call(call: Call, transaction_id: str) -> Resource:
    """A call of the caller's that goes on, in any Region. Raises AwsError NotFoundException."""
    for found in resources.find_anywhere(call.db, call.account_id, SIP_CALL.name, transaction_id):
        if not found.has_ended(call.now_seconds):
            return found
    raise SIP_CALL.not_found(transaction_id)


def _stop(call: Call, kind: Kind, connector_id: str, task_id: str) -> Answer:
    """AWS's refusal of a task that is over was not recorded."""
    task = existing(call, kind, connector_id, task_id, locked=True)
    status, _ = _status(task, call.now_seconds)
    if status not in (IN_QUEUE, IN_PROGRESS):
        raise AwsError("UnprocessableEntityException", f"The task has ended already: its status is {status}.")
    resources.set_content(call.db, task.key, {**task.content, "StoppedTimestamp": call.now_seconds})
    return {}


def _status(task: Resource, now_seconds: float) -> tuple[str, float]:
    """The status by the sandbox's clock, and since when the task has had it."""
    created = task.content["CreatedTimestamp"]
    if "StoppedTimestamp" in task.content:
        return STOPPED, task.content["StoppedTimestamp"]
    started = created + QUEUE_SECONDS
    if now_seconds < started:
        return IN_QUEUE, created
    if now_seconds < started + ANALYSIS_SECONDS:
        return IN_PROGRESS, started
    return SUCCEEDED, started + ANALYSIS_SECONDS


def _shown(call: Call, kind: Kind, task: Resource, **details: Any) -> Answer:
    content = task.content
    status, since = _status(task, call.now_seconds)
    started = content["CreatedTimestamp"] + QUEUE_SECONDS
    answered = kind.id_member.removesuffix("Id")
    names = ("VoiceConnectorId", "TransactionId", "IsCaller")
    answer: dict[str, Any] = {
        **content,
        f"{answered}Status": status,
        "CallDetails": {name: value for name, value in {**content, **details}.items() if name in names},
        "UpdatedTimestamp": since,
    }
    if status in (IN_PROGRESS, SUCCEEDED) or (status == STOPPED and since >= started):
        answer["StartedTimestamp"] = started
    if kind is SPEAKER_SEARCH and status == SUCCEEDED:
        answer["SpeakerSearchDetails"] = {
            "Results": _matches(call, content, since),
            "VoiceprintGenerationStatus": "VoiceprintGenerationSuccess",
        }
    return shown(call, answered, answer)


def _matches(call: Call, content: Mapping[str, Any], finished_at_seconds: float) -> list[Answer]:
    """The profiles of the domain that had the same voice when the search finished."""
    domain = DOMAIN.kept.find(call, DOMAIN, (content["VoiceProfileDomainId"],), locked=False)
    found = [] if domain is None else resources.children(call.db, domain.key, PROFILE.name)
    return [
        {"ConfidenceScore": 1.0, "VoiceProfileId": each.resource_id}
        for each in found
        if each.content["Voice"] == content["Voice"]
        and each.content["CreatedTimestamp"] < finished_at_seconds
        and not each.has_ended(call.now_seconds)
    ]


def _found_voice(call: Call, task_id: str) -> FoundVoice | None:
    task = SPEAKER_SEARCH.kept.find(call, SPEAKER_SEARCH, (task_id,), locked=False)
    if task is None:
        return None
    status, since = _status(task, call.now_seconds)
    content = task.content
    return FoundVoice(content["VoiceProfileDomainId"], content["Voice"], since if status == SUCCEEDED else None)


SEARCH_FINDERS.append(_found_voice)

"""Live transcription of meetings (Developer Guide, Using Amazon Chime SDK live transcription). No speech is read."""

from __future__ import annotations

from typing import Any

from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_meetings.meetings import MEETING, SERVICE, used_meeting
from rolecall.services.members import Document
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import replace_setting

_CONFIGURATION = "TranscriptionConfiguration"


@operation(SERVICE, "StartMeetingTranscription")
def start_meeting_transcription(call: Call, *, MeetingId: str, TranscriptionConfiguration: Document) -> Answer:
    """A running transcription continues with the new configuration."""
    _check(TranscriptionConfiguration)
    meeting = used_meeting(call, MeetingId)
    return replace_setting(call, MEETING, meeting, _CONFIGURATION, TranscriptionConfiguration)


@operation(SERVICE, "StopMeetingTranscription")
def stop_meeting_transcription(call: Call, *, MeetingId: str) -> Answer:
    """Raises AwsError UnprocessableEntityException when no transcription runs. That is not recorded."""
    meeting = used_meeting(call, MeetingId)
    if MEETING.kept.setting(call, meeting, _CONFIGURATION) is None:
        raise AwsError("UnprocessableEntityException", f"Meeting {MeetingId} has no transcription to stop.")
    MEETING.kept.remove_setting(call, meeting, _CONFIGURATION)
    return {}


def _check(configuration: dict[str, Any]) -> None:
    """The API reference's rules. AWS's messages are not recorded."""
    engines = [
        name for name in ("EngineTranscribeSettings", "EngineTranscribeMedicalSettings") if configuration.get(name)
    ]
    if len(configuration) != 1 or not engines:
        raise bad_request(
            "TranscriptionConfiguration must have either EngineTranscribeSettings or EngineTranscribeMedicalSettings."
        )
    settings = configuration.get("EngineTranscribeSettings")
    if settings is None:
        return
    identifies = bool(settings.get("IdentifyLanguage"))
    if identifies == ("LanguageCode" in settings):
        raise bad_request("EngineTranscribeSettings must have either LanguageCode or IdentifyLanguage.")
    if "LanguageOptions" in settings and not identifies:
        raise bad_request("LanguageOptions needs IdentifyLanguage.")
    if "PreferredLanguage" in settings and "LanguageOptions" not in settings:
        raise bad_request("PreferredLanguage needs IdentifyLanguage and LanguageOptions.")
    if "ContentIdentificationType" in settings and "ContentRedactionType" in settings:
        raise bad_request("ContentIdentificationType and ContentRedactionType must not be there together.")

"""Voice profiles: what a speaker search found, enrolled in its domain (Amazon Chime SDK API and Developer Guide)."""

from __future__ import annotations

from typing import Any

from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE
from rolecall.services.chime_sdk_voice.voice_profile_domains import DOMAIN, PROFILE
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.speaker_searches import FoundVoice, found_voice
from rolecall.services.verbs import answer_of, change_resource, create, delete, existing, get, list_
from rolecall.storage import resources

# Developer Guide, Understanding data retention for voice analytics: a voice embedding is deleted after 3 years, and
# can be enrolled for 24 hours.
PROFILE_SECONDS = 3 * 365 * 86_400
ENROLMENT_SECONDS = 86_400

get(PROFILE, "GetVoiceProfile")
list_(PROFILE, "ListVoiceProfiles")
delete(PROFILE, "DeleteVoiceProfile")


@operation(SERVICE, "CreateVoiceProfile")
def create_voice_profile(call: Call, *, SpeakerSearchTaskId: str) -> Answer:
    """One profile of each speaker search. AWS's answer to a second one was not recorded."""
    found = _enrollable(call, SpeakerSearchTaskId)
    domain = existing(call, DOMAIN, found.domain_id, locked=True)
    enrolled = resources.children(call.db, domain.key, PROFILE.name)
    if any(each.content["SpeakerSearchTaskId"] == SpeakerSearchTaskId for each in enrolled):
        raise AwsError("ConflictException", f"The speaker search task {SpeakerSearchTaskId} has a voice profile.")
    profile_id = call.ids.uuid()
    content = {
        "VoiceProfileId": profile_id,
        "VoiceProfileArn": PROFILE.arn(call, profile_id),
        "VoiceProfileDomainId": domain.resource_id,
        "CreatedTimestamp": call.now_seconds,
        **_enrolment(call, found, SpeakerSearchTaskId),
    }
    ends = int(content["ExpirationTimestamp"])
    return create(call, PROFILE, profile_id, content, parent=domain, ends_at_seconds=ends)


@operation(SERVICE, "UpdateVoiceProfile")
def update_voice_profile(call: Call, *, VoiceProfileId: str, SpeakerSearchTaskId: str) -> Answer:
    """The voice of another search replaces the present one, and the profile lasts three years from now."""
    profile = existing(call, PROFILE, VoiceProfileId, locked=True)
    found = _enrollable(call, SpeakerSearchTaskId)
    if found.domain_id != profile.content["VoiceProfileDomainId"]:
        raise bad_request("The speaker search task is of another voice profile domain.")
    content = change_resource(call, PROFILE, profile, _enrolment(call, found, SpeakerSearchTaskId))
    resources.set_end(call.db, profile.key, content["ExpirationTimestamp"])
    return answer_of(call, content)


def _enrollable(call: Call, task_id: str) -> FoundVoice:
    """What a search found. Raises AwsError: NotFoundException, BadRequestException before its success, GoneException.

    AWS's wording was not recorded.
    """
    found = found_voice(call, task_id)
    if found is None:
        raise AwsError("NotFoundException", f"Speaker Search Task {task_id} was not found.")
    if found.finished_at_seconds is None:
        raise bad_request(f"The speaker search task {task_id} has not succeeded.")
    if call.now_seconds >= found.finished_at_seconds + ENROLMENT_SECONDS:
        message = f"The voice embedding of the speaker search task {task_id} was deleted after 24 hours."
        raise AwsError("GoneException", message)
    return found


def _enrolment(call: Call, found: FoundVoice, task_id: str) -> dict[str, Any]:
    return {
        "Voice": found.voice,
        "SpeakerSearchTaskId": task_id,
        "UpdatedTimestamp": call.now_seconds,
        "ExpirationTimestamp": call.now_seconds + PROFILE_SECONDS,
    }

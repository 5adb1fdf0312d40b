"""What an AWS account sets for all its numbers: where call records go, and the default calling name."""

from __future__ import annotations

from typing import TypedDict

from rolecall.errors import bad_request
from rolecall.services.numbers import DAY_SECONDS
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_settings

# API reference, UpdatePhoneNumberSettings: once in seven days.
CALLING_NAME_REST_SECONDS = 7 * DAY_SECONDS


class CallRecords(TypedDict, total=False):
    """Where call detail records go."""

    CdrBucket: str


@operation("chime-sdk-voice", "GetGlobalSettings")
@operation("chime", "GetGlobalSettings")
def get_global_settings(call: Call) -> Answer:
    """One bucket for each kind of calls. The voice service shows its own alone."""
    settings = chime_settings.telephony(call.db, call.account_id)
    answer = {
        "BusinessCalling": {"CdrBucket": settings.business_calling_bucket},
        "VoiceConnector": {"CdrBucket": settings.voice_connector_bucket},
    }
    return {member: content for member, content in answer.items() if member in call.model.output_members}


@operation("chime", "UpdateGlobalSettings")
def update_global_settings(
    call: Call, *, BusinessCalling: CallRecords | None = None, VoiceConnector: CallRecords | None = None
) -> Answer:
    """Replace the settings that are given. One without a bucket turns the records off."""
    changes = {}
    if BusinessCalling is not None:
        changes["business_calling_bucket"] = BusinessCalling.get("CdrBucket")
    if VoiceConnector is not None:
        changes["voice_connector_bucket"] = VoiceConnector.get("CdrBucket")
    if not changes:
        raise bad_request("BusinessCalling or VoiceConnector must be given.")
    chime_settings.put_telephony(call.db, call.account_id, changes)
    return {}


@operation("chime-sdk-voice", "UpdateGlobalSettings")
def update_global_settings_of_voice(call: Call, *, VoiceConnector: CallRecords) -> Answer:
    changes = {"voice_connector_bucket": VoiceConnector.get("CdrBucket")}
    chime_settings.put_telephony(call.db, call.account_id, changes)
    return {}


@operation("chime-sdk-voice", "GetPhoneNumberSettings")
@operation("chime", "GetPhoneNumberSettings")
def get_phone_number_settings(call: Call) -> Answer:
    settings = chime_settings.telephony(call.db, call.account_id)
    return {
        "CallingName": settings.calling_name,
        "CallingNameUpdatedTimestamp": settings.calling_name_updated_at_seconds,
    }


@operation("chime-sdk-voice", "UpdatePhoneNumberSettings")
@operation("chime", "UpdatePhoneNumberSettings")
def update_phone_number_settings(call: Call, *, CallingName: str) -> Answer:
    """API reference: the default calling name can change once in seven days."""
    updated = chime_settings.telephony(call.db, call.account_id).calling_name_updated_at_seconds
    if updated is not None and call.now_seconds < updated + CALLING_NAME_REST_SECONDS:
        # AWS's wording was not recorded.
        raise bad_request("The default calling name can be updated once in seven days.")
    changes = {"calling_name": CallingName, "calling_name_updated_at_seconds": int(call.now_seconds)}
    chime_settings.put_telephony(call.db, call.account_id, changes)
    return {}

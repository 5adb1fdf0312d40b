"""Meetings (Amazon Chime SDK API reference; Developer Guide, Creating meetings)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.contents.meeting_features import Features, check_external_id, check_features
from rolecall.contents.meetings import LONGEST_MEETING_SECONDS, MEDIA_REGIONS, new_meeting
from rolecall.errors import AwsError, bad_request
from rolecall.services.kinds import kind_with_arn
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import delete, existing, get, keep, made_with_token
from rolecall.storage import resources
from rolecall.storage.resources import Resource

SERVICE = "chime-sdk-meetings"
# Developer Guide, Creating meetings: a meeting ends when it was not used for five minutes. No media reaches Rolecall,
# so a meeting is used by calls that change it or its attendees.
UNUSED_SECONDS = 5 * 60
# Developer Guide, Using media replication.
MAXIMUM_REPLICAS = 4

# Both messages are recorded, the first with its angle brackets: amazon-chime-sdk-js issues 786 and 1569, aws-sdk-js-v3
# issue 5705; aws-sdk-js issue 3328.
MEETING = kind_with_arn(
    SERVICE, "meeting", "MeetingId", absent_message="{noun} <{id}> not found", ended_message="The meeting has ended"
)

get(MEETING, "GetMeeting")
delete(MEETING, "DeleteMeeting")


@operation(SERVICE, "CreateMeeting")
def create_meeting(
    call: Call,
    *,
    ClientRequestToken: str,
    MediaRegion: str,
    ExternalMeetingId: str,
    MeetingHostId: str | None = None,
    MeetingFeatures: Features | None = None,
    PrimaryMeetingId: str | None = None,
    TenantIds: Sequence[str] | None = None,
    Tags: Sequence[Tag] = (),
    MediaPlacementNetworkType: str = "Ipv4Only",
) -> Answer:
    """A meeting of the endpoint's Region, or the one that this token made before.

    NotificationsConfiguration is left out, because Rolecall sends no notifications.
    """
    asked = {
        "ExternalMeetingId": ExternalMeetingId,
        "MediaRegion": MediaRegion,
        "MeetingHostId": MeetingHostId,
        "MeetingFeatures": MeetingFeatures,
        "PrimaryMeetingId": PrimaryMeetingId,
        "TenantIds": TenantIds,
    }
    meeting = made_meeting(call, ClientRequestToken, asked, MediaPlacementNetworkType, Tags)
    return {"Meeting": meeting.content}


def made_meeting(
    call: Call, create_token: str, asked: Mapping[str, Any], network_type: str, tags: Sequence[Tag]
) -> Resource:
    """A new meeting with the members that were asked for, or the meeting of the token.

    Raises AwsError BadRequestException, NotFoundException for the primary meeting, ConflictException for a token that
    made a meeting of other members. AWS's messages for these are not recorded.
    """
    given = {member: value for member, value in asked.items() if value is not None}
    before = made_with_token(call, MEETING, create_token, asked)
    if before is not None:
        return before
    _check(given)
    primary = _primary(call, given["PrimaryMeetingId"]) if "PrimaryMeetingId" in given else None
    meeting_id = call.ids.uuid()
    content = new_meeting(meeting_id, MEETING.arn(call, meeting_id), given, network_type)
    return keep(
        call,
        MEETING,
        meeting_id,
        content,
        tags,
        parent=primary,
        create_token=create_token,
        ends_at_seconds=_end(int(call.now_seconds), call.now_seconds),
    )


def used_meeting(call: Call, meeting_id: str) -> Resource:
    """The meeting, locked, for a call that changes something of it. The call counts as its use.

    Raises AwsError NotFoundException.
    """
    meeting = existing(call, MEETING, meeting_id, locked=True)
    # A meeting of the sandbox file lasts longer without use: see there.
    end = max(_end(meeting.created_at_seconds, call.now_seconds), meeting.ends_at_seconds or 0)
    resources.set_end(call.db, meeting.key, end)
    return meeting


def _end(created_at_seconds: int, now_seconds: float) -> int:
    return min(created_at_seconds + LONGEST_MEETING_SECONDS, int(now_seconds) + UNUSED_SECONDS)


def _check(given: Mapping[str, Any]) -> None:
    check_external_id("ExternalMeetingId", given["ExternalMeetingId"])
    if given["MediaRegion"] not in MEDIA_REGIONS:
        raise bad_request(f"MediaRegion must be one of {', '.join(sorted(MEDIA_REGIONS))}.")
    tenants = given.get("TenantIds", ())
    if len(set(tenants)) < len(tenants):
        raise bad_request("TenantIds must not have the same value twice.")
    check_features(given.get("MeetingFeatures", {}))


def _primary(call: Call, meeting_id: str) -> Resource:
    """The meeting whose media a new one replicates. The new one ends with it."""
    primary = existing(call, MEETING, meeting_id, locked=True)
    if "PrimaryMeetingId" in primary.content:
        raise bad_request("PrimaryMeetingId must not be the id of a replica.")
    replicas = resources.count(call.db, MEETING.place(call), now_seconds=call.now_seconds, parent_key=primary.key)
    if replicas >= MAXIMUM_REPLICAS:
        raise AwsError("LimitExceededException", f"A meeting may have at most {MAXIMUM_REPLICAS} replicas.")
    return primary

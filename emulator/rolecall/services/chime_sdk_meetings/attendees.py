"""Attendees of meetings, one by one and many at once (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from rolecall.contents.meeting_features import Features, check_capabilities, check_external_id, maximum_attendees
from rolecall.contents.meetings import attendee_token, new_attendee
from rolecall.errors import AwsError
from rolecall.services.batches import errors_of
from rolecall.services.chime_sdk_meetings.meetings import MEETING, SERVICE, made_meeting, used_meeting
from rolecall.services.kinds import Kind
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import change_resource, existing, get, keep, list_, made_with_token
from rolecall.storage import resources
from rolecall.storage.resources import BEFORE_THE_FIRST, Resource

# A client shows the JoinToken to the media servers, so it is a secret. Its pattern in the models of Chime has no "=".
ATTENDEE = Kind(
    SERVICE,
    "attendee",
    "AttendeeId",
    parent=MEETING,
    secret_member="JoinToken",  # noqa: S106 - the name of a member
    absent_message="{noun} <{id}> not found",
)

get(ATTENDEE, "GetAttendee")
list_(ATTENDEE, "ListAttendees")


class Capabilities(TypedDict):
    """What an attendee may send and receive."""

    Audio: str
    Video: str
    Content: str


class _Named(TypedDict):
    ExternalUserId: str


class NewAttendee(_Named, total=False):
    """An attendee in the request of a batch."""

    Capabilities: Capabilities


class ExcludedAttendee(TypedDict):
    """An attendee that a batch leaves out."""

    AttendeeId: str


@operation(SERVICE, "CreateAttendee")
def create_attendee(
    call: Call, *, MeetingId: str, ExternalUserId: str, Capabilities: Capabilities | None = None
) -> Answer:
    """An attendee of the meeting. An ExternalUserId that the meeting has already answers that attendee."""
    meeting = used_meeting(call, MeetingId)
    return {"Attendee": _made_attendee(call, meeting, ExternalUserId, Capabilities)}


@operation(SERVICE, "BatchCreateAttendee")
def batch_create_attendee(call: Call, *, MeetingId: str, Attendees: Sequence[NewAttendee]) -> Answer:
    """As many attendees as can be made; Errors has the others."""
    return _made_attendees(call, used_meeting(call, MeetingId), Attendees)


@operation(SERVICE, "CreateMeetingWithAttendees")
def create_meeting_with_attendees(
    call: Call,
    *,
    ClientRequestToken: str,
    MediaRegion: str,
    ExternalMeetingId: str,
    Attendees: Sequence[NewAttendee],
    MeetingHostId: str | None = None,
    MeetingFeatures: Features | None = None,
    PrimaryMeetingId: str | None = None,
    TenantIds: Sequence[str] | None = None,
    Tags: Sequence[Tag] = (),
    MediaPlacementNetworkType: str = "Ipv4Only",
) -> Answer:
    """CreateMeeting, then BatchCreateAttendee. The same token answers the same meeting and attendees."""
    asked = {
        "ExternalMeetingId": ExternalMeetingId,
        "MediaRegion": MediaRegion,
        "MeetingHostId": MeetingHostId,
        "MeetingFeatures": MeetingFeatures,
        "PrimaryMeetingId": PrimaryMeetingId,
        "TenantIds": TenantIds,
    }
    meeting = made_meeting(call, ClientRequestToken, asked, MediaPlacementNetworkType, Tags)
    return {"Meeting": meeting.content, **_made_attendees(call, meeting, Attendees)}


@operation(SERVICE, "DeleteAttendee")
def delete_attendee(call: Call, *, MeetingId: str, AttendeeId: str) -> Answer:
    used_meeting(call, MeetingId)
    resources.remove(call.db, existing(call, ATTENDEE, MeetingId, AttendeeId, locked=True).key)
    return {}


@operation(SERVICE, "UpdateAttendeeCapabilities")
def update_attendee_capabilities(call: Call, *, MeetingId: str, AttendeeId: str, Capabilities: Capabilities) -> Answer:
    meeting = used_meeting(call, MeetingId)
    attendee = existing(call, ATTENDEE, MeetingId, AttendeeId, locked=True)
    check_capabilities(_features(meeting), _texts(Capabilities))
    return {"Attendee": change_resource(call, ATTENDEE, attendee, {"Capabilities": Capabilities})}


@operation(SERVICE, "BatchUpdateAttendeeCapabilitiesExcept")
def batch_update_attendee_capabilities_except(
    call: Call, *, MeetingId: str, ExcludedAttendeeIds: Sequence[ExcludedAttendee], Capabilities: Capabilities
) -> Answer:
    """Change all attendees of the meeting except these. Ids of other meetings have no effect."""
    meeting = used_meeting(call, MeetingId)
    check_capabilities(_features(meeting), _texts(Capabilities))
    excluded = {each["AttendeeId"] for each in ExcludedAttendeeIds}
    limit = maximum_attendees(_features(meeting))
    for attendee in ATTENDEE.kept.page(call, ATTENDEE, meeting, BEFORE_THE_FIRST, limit):
        if attendee.resource_id not in excluded:
            change_resource(call, ATTENDEE, attendee, {"Capabilities": Capabilities})
    return {}


def _made_attendees(call: Call, meeting: Resource, asked: Sequence[NewAttendee]) -> Answer:
    attendees: list[Mapping[str, Any]] = []

    def make(each: NewAttendee) -> None:
        attendees.append(_made_attendee(call, meeting, each["ExternalUserId"], each.get("Capabilities")))

    errors = errors_of(asked, make, lambda each: {"ExternalUserId": each["ExternalUserId"]})
    return {"Attendees": attendees, "Errors": errors}


def _made_attendee(
    call: Call, meeting: Resource, external_user_id: str, capabilities: Capabilities | None
) -> Mapping[str, Any]:
    """Chime SDK API, CreateAttendee: ExternalUserId is an idempotency token within the meeting.

    Raises AwsError BadRequestException, LimitExceededException.
    """
    check_external_id("ExternalUserId", external_user_id)
    features = _features(meeting)
    if capabilities is not None:
        check_capabilities(features, _texts(capabilities))
    create_token = attendee_token(meeting.resource_id, external_user_id)
    before = made_with_token(call, ATTENDEE, create_token)
    if before is not None:
        return before.content
    limit = maximum_attendees(features)
    place = ATTENDEE.place(call)
    if resources.count(call.db, place, now_seconds=call.now_seconds, parent_key=meeting.key) >= limit:
        raise AwsError("LimitExceededException", f"The meeting may have at most {limit} attendees.")
    attendee_id = call.ids.uuid()
    given = None if capabilities is None else _texts(capabilities)
    content = new_attendee(attendee_id, external_user_id, call.ids.uuid(), features, given)
    return keep(call, ATTENDEE, attendee_id, content, parent=meeting, create_token=create_token).content


def _features(meeting: Resource) -> Mapping[str, Any]:
    features: Mapping[str, Any] = meeting.content.get("MeetingFeatures", {})
    return features


def _texts(capabilities: Capabilities) -> Mapping[str, str]:
    return {"Audio": capabilities["Audio"], "Video": capabilities["Video"], "Content": capabilities["Content"]}

"""CreateMeetingDialOut: a meeting of the Chime SDK calls a telephone."""

from __future__ import annotations

import hmac

from rolecall.errors import AwsError, bad_request
from rolecall.services.numbers import e164_of, number_in_inventory
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import resources
from rolecall.storage.resources import Resource

# The kinds of services/chime_sdk_meetings in the resource store.
MEETING, ATTENDEE = "chime-sdk-meetings/meeting", "chime-sdk-meetings/attendee"


@operation("chime", "CreateMeetingDialOut")
def create_meeting_dial_out(
    call: Call, *, MeetingId: str, FromPhoneNumber: str, ToPhoneNumber: str, JoinToken: str
) -> Answer:
    """A call for the attendee of the token, from a number of the caller's. No telephone rings.

    API reference: the "From" number belongs to the customer, and the token is the answer of CreateAttendee. The model
    has no NotFoundException, so all refusals are BadRequestException; AWS's words were not recorded.
    """
    meeting = _meeting(call, MeetingId)
    if meeting is None:
        raise bad_request(f"Meeting {MeetingId} was not found.")
    if not _admits(call, meeting, JoinToken):
        raise bad_request(f"JoinToken is not the token of an attendee of meeting {MeetingId}.")
    try:
        number = number_in_inventory(call, FromPhoneNumber)
    except AwsError as error:
        raise bad_request(error.message) from error
    if e164_of(ToPhoneNumber) == number.phone_number:
        raise bad_request("ToPhoneNumber must not be FromPhoneNumber.")
    return {"TransactionId": call.ids.uuid()}


def _meeting(call: Call, meeting_id: str) -> Resource | None:
    """The caller's meeting that goes on. Chime has one endpoint, and the meeting may be in any Region."""
    found = resources.find_anywhere(call.db, call.account_id, MEETING, meeting_id)
    return next((each for each in found if not each.has_ended(call.now_seconds)), None)


def _admits(call: Call, meeting: Resource, join_token: str) -> bool:
    """Whether the token is an attendee's. Each comparison takes the same time."""
    attendees = resources.children(call.db, meeting.key, ATTENDEE)
    return any(hmac.compare_digest(str(each.secret).encode(), join_token.encode()) for each in attendees)

"""A meeting of the Chime SDK with attendees, made by a real call, as most tests of a meeting begin."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SERVICE = "chime-sdk-meetings"
DEFAULT_ATTENDEES = ("attendee-1", "attendee-2")


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting as CreateMeetingWithAttendees answers it. ``attendees`` are by their external user ids."""

    meeting_id: str
    arn: str
    meeting: Mapping[str, Any]
    attendees: Mapping[str, Mapping[str, Any]]


def made_meeting(client: Any, region: str, attendees: Sequence[str], members: Mapping[str, Any]) -> Meeting:
    """A new meeting with these external user ids. Raises ClientError, ValueError for ids that AWS refuses."""
    asked = {
        "ClientRequestToken": str(uuid.uuid4()),
        "MediaRegion": region,
        "ExternalMeetingId": "rolecall",
        "Attendees": [{"ExternalUserId": name} for name in attendees or DEFAULT_ATTENDEES],
        **members,
    }
    answer = client.create_meeting_with_attendees(**asked)
    if answer.get("Errors"):
        problems = "; ".join(f"{each['ExternalUserId']}: {each['ErrorMessage']}" for each in answer["Errors"])
        raise ValueError(f"not every attendee could be made: {problems}")
    meeting = answer["Meeting"]
    return Meeting(
        meeting["MeetingId"],
        meeting["MeetingArn"],
        meeting,
        {each["ExternalUserId"]: each for each in answer["Attendees"]},
    )

"""New meetings and attendees."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from rolecall.contents.media_placement import media_placement
from rolecall.contents.meeting_features import default_capabilities

# Developer Guide, Creating meetings: a meeting ends 24 hours after it was created.
LONGEST_MEETING_SECONDS = 24 * 3600
# The prose of CreateMeeting's MediaRegion. The model has no enumeration.
_MEDIA_REGIONS = (
    "af-south-1 ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1"
    " eu-north-1 eu-south-1 eu-west-1 eu-west-2 eu-west-3 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1"
    " us-west-1 us-west-2"
)
MEDIA_REGIONS = frozenset(_MEDIA_REGIONS.split())
IPV4_ONLY = "Ipv4Only"


def new_meeting(meeting_id: str, arn: str, members: Mapping[str, Any], network_type: str = IPV4_ONLY) -> dict[str, Any]:
    """A meeting. ``members`` are the members of the request that are in the answer, such as MediaRegion."""
    return {
        "MeetingId": meeting_id,
        **members,
        "MediaPlacement": media_placement(meeting_id, members["MediaRegion"], network_type),
        "MeetingArn": arn,
    }


def new_attendee(
    attendee_id: str,
    external_user_id: str,
    noise: str,
    features: Mapping[str, Any],
    capabilities: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An attendee of a meeting with these features. ``noise`` makes its JoinToken one that cannot be guessed."""
    return {
        "ExternalUserId": external_user_id,
        "AttendeeId": attendee_id,
        "JoinToken": base64.b64encode(f"{attendee_id}:{noise}".encode()).decode("ascii").rstrip("="),
        "Capabilities": capabilities or default_capabilities(features),
    }


def attendee_token(meeting_id: str, external_user_id: str) -> str:
    """The create token of an attendee: ExternalUserId is an idempotency token within its meeting."""
    return f"{meeting_id} {external_user_id}"

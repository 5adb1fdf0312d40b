"""``sandbox.meeting``: a meeting with attendees, by a real call."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from rolecall import Rolecall


def test_a_meeting_has_two_attendees_unless_they_are_named(rolecall: Rolecall) -> None:
    made = rolecall.meeting()
    client = boto3.client("chime-sdk-meetings")
    assert client.get_meeting(MeetingId=made.meeting_id)["Meeting"] == made.meeting
    assert made.arn == made.meeting["MeetingArn"]
    listed = client.list_attendees(MeetingId=made.meeting_id)["Attendees"]
    assert {each["ExternalUserId"]: each for each in listed} == made.attendees
    assert sorted(made.attendees) == ["attendee-1", "attendee-2"]
    named = rolecall.meeting("ana", "bo", "cy", ExternalMeetingId="standup", MediaRegion="eu-west-1")
    assert sorted(named.attendees) == ["ana", "bo", "cy"]
    assert (named.meeting["ExternalMeetingId"], named.meeting["MediaRegion"]) == ("standup", "eu-west-1")
    assert named.meeting_id != made.meeting_id
    elsewhere = rolecall.meeting(region="eu-central-1")
    assert elsewhere.arn.split(":")[3] == elsewhere.meeting["MediaRegion"] == "eu-central-1"


def test_a_meeting_ends_with_the_time_of_the_sandbox(rolecall: Rolecall) -> None:
    made = rolecall.meeting("ana")
    rolecall.clock.advance(minutes=6)
    with pytest.raises(ClientError, match="The meeting has ended"):
        boto3.client("chime-sdk-meetings").get_meeting(MeetingId=made.meeting_id)


def test_the_call_is_a_real_one(rolecall: Rolecall) -> None:
    with rolecall.as_role("chime-reader"), rolecall.expect_denied("chime:CreateMeetingWithAttendees"):
        rolecall.meeting("ana")
    with pytest.raises(ValueError, match="aws:x: ExternalUserId must not begin with aws:"):
        rolecall.meeting("aws:x", "bo")
    with pytest.raises(ClientError, match="MediaRegion"):
        rolecall.meeting(MediaRegion="mars")

"""Meetings beyond what every kind has: their ends, what attendees may do, replicas, transcription, permissions."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from rolecall.contents.media_placement import short_region
from rolecall.contents.meeting_features import check_capabilities, default_capabilities
from rolecall.contents.meetings import LONGEST_MEETING_SECONDS
from rolecall.ids import Identifiers
from rolecall.wire.hosts import is_aws_host
from rolecall.worlds.snapshots import load_database, save_database

ACCOUNT = "111122223333"
UNCHECKED = Config(parameter_validation=False)
ALL = {"Audio": "SendReceive", "Video": "SendReceive", "Content": "SendReceive"}
SILENT = {"Audio": "None", "Video": "None", "Content": "None"}
DAY = 24 * 3600


def _user(name: str, *statements: dict[str, Any], attached: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "name": name,
        "access_keys": [{"id": f"{name}_key", "secret": f"{name}-secret"}],
        "attached_policies": [f"arn:aws:iam::aws:policy/{policy}" for policy in attached],
        "inline_policies": {"own": {"Version": "2012-10-17", "Statement": list(statements)}} if statements else {},
    }


def _allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [
                    _user("admin", _allow("*")),
                    _user("sdk", attached=("AmazonChimeSDK",)),
                    _user("maker", _allow("chime:*", f"arn:aws:chime:us-east-1:{ACCOUNT}:meeting/*")),
                    _user("elsewhere", _allow("chime:*", f"arn:aws:chime:eu-central-1:{ACCOUNT}:meeting/*")),
                    _user(
                        "blue",
                        _allow("chime:Create*", Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}),
                        _allow("chime:*", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}),
                    ),
                    _user("reader", _allow("chime:GetMeeting")),
                ],
            }
        ],
    }
)


class Meetings:
    """Calls by the names of operations, with a meeting's usual parameters."""

    def __init__(self, world: Any) -> None:
        self.world, self.clock = world, world.clock
        world.clock.freeze()
        self.admin = self.client("admin")

    def client(self, user: str, **arguments: Any) -> Any:
        return self.world.client("chime-sdk-meetings", user, **arguments)

    def call(self, operation: str, client: Any = None, **parameters: Any) -> dict[str, Any]:
        answer = getattr(client or self.admin, xform_name(operation))(**parameters)
        del answer["ResponseMetadata"]
        return dict(answer)

    def refused(self, operation: str, client: Any = None, **parameters: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            self.call(operation, client, **parameters)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    @staticmethod
    def asked(**more: Any) -> dict[str, Any]:
        return {"MediaRegion": "us-east-1", "ExternalMeetingId": "standup", **more}

    def made(self, client: Any = None, **more: Any) -> str:
        return str(self.call("CreateMeeting", client, **self.asked(**more))["Meeting"]["MeetingId"])

    def attendee(self, meeting_id: str, name: str = "ana", **more: Any) -> dict[str, Any]:
        parameters = {"MeetingId": meeting_id, "ExternalUserId": name, **more}
        return dict(self.call("CreateAttendee", **parameters)["Attendee"])


@pytest.fixture
def meetings(make_world: Any) -> Meetings:
    return Meetings(make_world(WORLD))


ENDED = ("NotFoundException", "The meeting has ended")


def test_an_unknown_meeting_and_an_ended_one_have_the_recorded_messages(meetings: Meetings) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    expected = ("NotFoundException", f"Meeting <{unknown}> not found")
    assert meetings.refused("GetMeeting", MeetingId=unknown) == expected
    assert meetings.refused("CreateAttendee", MeetingId=unknown, ExternalUserId="ana") == expected
    meeting_id = meetings.made()
    attendee = meetings.attendee(meeting_id)
    meetings.call("DeleteMeeting", MeetingId=meeting_id)
    for operation, more in (
        ("GetMeeting", {}),
        ("DeleteMeeting", {}),
        ("ListAttendees", {}),
        ("CreateAttendee", {"ExternalUserId": "bo"}),
        ("GetAttendee", {"AttendeeId": attendee["AttendeeId"]}),
        ("DeleteAttendee", {"AttendeeId": attendee["AttendeeId"]}),
        ("StopMeetingTranscription", {}),
    ):
        assert meetings.refused(operation, MeetingId=meeting_id, **more) == ENDED


def test_a_meeting_ends_when_it_was_not_used_for_five_minutes(meetings: Meetings) -> None:
    meeting_id = meetings.made()
    meetings.clock.advance(299)
    meetings.attendee(meeting_id)
    meetings.clock.advance(299)
    assert len(meetings.call("ListAttendees", MeetingId=meeting_id)["Attendees"]) == 1
    meetings.clock.advance(1)
    for operation in ("GetMeeting", "ListAttendees"):
        assert meetings.refused(operation, MeetingId=meeting_id) == ENDED
    assert meetings.refused("CreateAttendee", MeetingId=meeting_id, ExternalUserId="bo") == ENDED


def test_a_meeting_ends_after_a_day_however_much_it_is_used(
    meetings: Meetings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LONGEST_MEETING_SECONDS == DAY
    # A day of calls would take a second.
    monkeypatch.setattr("rolecall.services.chime_sdk_meetings.meetings.LONGEST_MEETING_SECONDS", 900)
    meeting_id = meetings.made()
    for _ in range(3):
        meetings.clock.advance(290)
        meetings.call("UpdateAttendeeCapabilities", **_first(meetings, meeting_id), Capabilities=SILENT)
    meetings.clock.advance(29)
    meetings.call("GetMeeting", MeetingId=meeting_id)
    meetings.clock.advance(1)
    assert meetings.refused("GetMeeting", MeetingId=meeting_id) == ENDED


def _first(meetings: Meetings, meeting_id: str) -> dict[str, str]:
    attendee = meetings.attendee(meeting_id)
    return {"MeetingId": meeting_id, "AttendeeId": attendee["AttendeeId"]}


def test_a_day_after_its_end_nothing_is_left_of_a_meeting(meetings: Meetings) -> None:
    meeting_id = meetings.made()
    meetings.attendee(meeting_id)
    meetings.clock.advance(DAY + 301)
    meetings.made()
    assert meetings.refused("GetMeeting", MeetingId=meeting_id)[1] == f"Meeting <{meeting_id}> not found"
    with meetings.world.database.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM resources").scalar() == 1


def test_the_token_of_an_ended_meeting_makes_a_new_one(meetings: Meetings) -> None:
    """Public demos join a meeting whose id is stale, and create it again."""
    first = meetings.made(ClientRequestToken="one")
    assert meetings.made(ClientRequestToken="one") == first
    meetings.clock.advance(300)
    second = meetings.made(ClientRequestToken="one")
    assert second != first
    assert meetings.refused("GetMeeting", MeetingId=first) == ENDED
    assert meetings.refused("CreateMeeting", **meetings.asked(ClientRequestToken="one", MediaRegion="eu-west-1")) == (
        "ConflictException",
        "ClientRequestToken was used with other parameters.",
    )
    others = {"TenantIds": ["t1"]}, {"MeetingFeatures": {"Attendee": {"MaxCount": 5}}}, {"ExternalMeetingId": "x1"}
    for more in others:
        assert meetings.refused("CreateMeeting", **meetings.asked(ClientRequestToken="one", **more))[0] == (
            "ConflictException"
        )
    # The id that the caller gave need not be unique.
    assert meetings.made(ClientRequestToken="two") not in (first, second)


def test_calls_with_one_token_at_the_same_time_make_one_meeting(meetings: Meetings) -> None:
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(meetings.made, ClientRequestToken="one") for _ in range(8)]
        made = {each.result() for each in asked}
        [meeting_id] = made
        joining = [threads.submit(meetings.attendee, meeting_id) for _ in range(8)]
        assert len({each.result()["AttendeeId"] for each in joining}) == 1
    assert len(meetings.call("ListAttendees", MeetingId=meeting_id)["Attendees"]) == 1


def test_the_addresses_of_media_have_aws_forms_and_not_its_names(meetings: Meetings) -> None:
    """Forms: amazon-chime-sdk-js, issue 1767."""
    meeting = meetings.call("CreateMeeting", **meetings.asked(MediaRegion="eu-central-1"))["Meeting"]
    meeting_id = meeting["MeetingId"]
    assert meeting["MeetingArn"] == f"arn:aws:chime:us-east-1:{ACCOUNT}:meeting/{meeting_id}"
    placement = meeting["MediaPlacement"]
    domain = "chime.rolecall.localhost"
    assert placement == {
        "AudioHostUrl": f"{meeting_id.replace('-', '')}.k.m1.ec1.app.{domain}:3478",
        "AudioFallbackUrl": f"wss://haxrp.m1.ec1.app.{domain}:443/calls/{meeting_id}",
        "SignalingUrl": f"wss://signal.m1.ec1.app.{domain}/control/{meeting_id}",
        "TurnControlUrl": f"https://ccp.cp.ec1.app.{domain}/v2/turn_sessions",
        "ScreenDataUrl": f"wss://bitpw.m1.ec1.app.{domain}:443/v2/screen/{meeting_id}",
        "ScreenViewingUrl": f"wss://bitpw.m1.ec1.app.{domain}:443/v2/screen/{meeting_id}",
        "ScreenSharingUrl": f"wss://bitpw.m1.ec1.app.{domain}:443/v2/screen/{meeting_id}",
        "EventIngestionUrl": f"https://data.svc.ec1.ingest.{domain}/v1/client-events",
    }
    both = meetings.call("CreateMeeting", **meetings.asked(MediaPlacementNetworkType="DualStack"))["Meeting"]
    for url in (*placement.values(), *both["MediaPlacement"].values()):
        host = re.sub("^[a-z]+://", "", url).partition("/")[0].partition(":")[0]
        assert not is_aws_host(host)
        assert not host.endswith(".aws")
        assert host.endswith(".localhost")
    assert ".dualstack." in both["MediaPlacement"]["AudioHostUrl"]
    assert [short_region(name) for name in ("us-east-1", "ap-southeast-2", "us-gov-west-1")] == ["ue1", "as2", "ugw1"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ExternalMeetingId": "aws:mine"}, "ExternalMeetingId must not begin with aws:"),
        ({"ExternalMeetingId": "AWS:mine"}, "ExternalMeetingId must not begin with aws:"),
        ({"MediaRegion": "mars-north-1"}, "MediaRegion must be one of af-south-1"),
        ({"TenantIds": ["ab", "ab"]}, "the same value twice"),
        ({"MeetingFeatures": {"Video": {"MaxResolution": "FHD"}}}, "Video with the resolution FHD"),
        (
            {"MeetingFeatures": {"Content": {"MaxResolution": "UHD"}, "Attendee": {"MaxCount": 26}}},
            "Content with the resolution UHD needs an Attendee MaxCount of at most 25",
        ),
        ({"MeetingFeatures": {"Attendee": {"MaxCount": 251}}}, "less than or equal to 250"),
        ({"MeetingFeatures": {"Video": {"MaxResolution": "8K"}}}, "enum value set"),
        ({"TenantIds": ["aaaa"]}, "regular expression"),
        ({"Tags": [{"Key": "aws:own", "Value": "v"}]}, "must not begin with aws:"),
    ],
)
def test_what_no_meeting_has(meetings: Meetings, more: dict[str, Any], words: str) -> None:
    for operation, with_attendees in (
        ("CreateMeeting", {}),
        ("CreateMeetingWithAttendees", {"Attendees": [{"ExternalUserId": "ana"}]}),
    ):
        code, message = meetings.refused(operation, **meetings.asked(**more), **with_attendees)
        assert (code, words in message) == ("BadRequestException", True), message


def test_notifications_are_refused_because_none_are_sent(meetings: Meetings) -> None:
    where = {"SqsQueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"}
    assert meetings.refused("CreateMeeting", **meetings.asked(NotificationsConfiguration=where)) == (
        "NotImplemented",
        "Rolecall does not emulate the parameter NotificationsConfiguration of CreateMeeting yet.",
    )


def test_the_features_are_answered_as_asked(meetings: Meetings) -> None:
    features = {
        "Audio": {"EchoReduction": "AVAILABLE"},
        "Video": {"MaxResolution": "FHD"},
        "Content": {"MaxResolution": "UHD"},
        "Attendee": {"MaxCount": 25},
    }
    more = {"MeetingFeatures": features, "TenantIds": ["ab", "cd"], "MeetingHostId": "host"}
    meeting_id = meetings.made(**more)
    meeting = meetings.call("GetMeeting", MeetingId=meeting_id)["Meeting"]
    assert {name: meeting[name] for name in more} == more


def test_a_meeting_has_no_more_attendees_than_its_features_say(meetings: Meetings) -> None:
    meeting_id = meetings.made(MeetingFeatures={"Attendee": {"MaxCount": 2}})
    first = meetings.attendee(meeting_id, "a1")
    meetings.attendee(meeting_id, "a2")
    refused = meetings.refused("CreateAttendee", MeetingId=meeting_id, ExternalUserId="a3")
    assert refused == ("LimitExceededException", "The meeting may have at most 2 attendees.")
    # The one who is there is answered again, and one who left makes room.
    assert meetings.attendee(meeting_id, "a1") == first
    meetings.call("DeleteAttendee", MeetingId=meeting_id, AttendeeId=first["AttendeeId"])
    assert meetings.attendee(meeting_id, "a3")["AttendeeId"] != first["AttendeeId"]
    with_another = [{"ExternalUserId": name} for name in ("a2", "a4")]
    answer = meetings.call("BatchCreateAttendee", MeetingId=meeting_id, Attendees=with_another)
    assert [each["ExternalUserId"] for each in answer["Attendees"]] == ["a2"]
    assert answer["Errors"] == [
        {
            "ExternalUserId": "a4",
            "ErrorCode": "LimitExceeded",
            "ErrorMessage": "The meeting may have at most 2 attendees.",
        }
    ]


def test_a_join_token_is_kept_apart_and_belongs_to_one_attendee(meetings: Meetings) -> None:
    meeting_id = meetings.made()
    ana, bo = meetings.attendee(meeting_id, "ana"), meetings.attendee(meeting_id, "bo")
    for attendee in (ana, bo):
        # Without padding, because the model of chime takes no "=" in a join token.
        token = attendee["JoinToken"]
        assert base64.b64decode(token + "=" * (-len(token) % 4)).decode().partition(":")[0] == attendee["AttendeeId"]
    assert meetings.call("GetAttendee", MeetingId=meeting_id, AttendeeId=ana["AttendeeId"])["Attendee"] == ana
    listed = meetings.call("ListAttendees", MeetingId=meeting_id)["Attendees"]
    assert sorted(listed, key=lambda each: each["ExternalUserId"]) == [ana, bo]
    changed = meetings.call(
        "UpdateAttendeeCapabilities", MeetingId=meeting_id, AttendeeId=ana["AttendeeId"], Capabilities=SILENT
    )
    assert changed["Attendee"] == {**ana, "Capabilities": SILENT}
    with meetings.world.database.snapshot() as connection:
        rows = connection.exec_driver_sql("SELECT content, secret FROM resources WHERE parent_key IS NOT NULL").all()
    assert len(rows) == 2
    assert not any(json.loads(secret) in content for content, secret in rows)


def test_an_attendee_belongs_to_one_meeting(meetings: Meetings) -> None:
    meeting_id, other = meetings.made(), meetings.made(ClientRequestToken="two")
    ana = meetings.attendee(meeting_id)
    absent = ("NotFoundException", f"Attendee <{ana['AttendeeId']}> not found")
    named = {"MeetingId": other, "AttendeeId": ana["AttendeeId"]}
    assert meetings.refused("GetAttendee", **named) == absent
    assert meetings.refused("DeleteAttendee", **named) == absent
    assert meetings.refused("UpdateAttendeeCapabilities", **named, Capabilities=SILENT) == absent
    assert meetings.attendee(other)["AttendeeId"] != ana["AttendeeId"]
    assert meetings.refused("CreateAttendee", MeetingId=other, ExternalUserId="Aws:x")[0] == "BadRequestException"


WITHOUT_VIDEO = {"Video": {"MaxResolution": "None"}}
WITHOUT_CONTENT = {"Content": {"MaxResolution": "None"}}


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({}, ALL),
        (WITHOUT_VIDEO, {**ALL, "Video": "Receive"}),
        (WITHOUT_CONTENT, {**ALL, "Content": "None"}),
        ({**WITHOUT_VIDEO, **WITHOUT_CONTENT}, {**ALL, "Video": "None", "Content": "None"}),
    ],
)
def test_capabilities_without_any_stated(
    meetings: Meetings, features: dict[str, Any], expected: dict[str, str]
) -> None:
    """Chime SDK API, AttendeeCapabilities: content that is received needs video that is received."""
    assert default_capabilities(features) == expected
    meeting_id = meetings.made(**({"MeetingFeatures": features} if features else {}))
    assert meetings.attendee(meeting_id)["Capabilities"] == expected


@pytest.mark.parametrize(
    ("features", "capabilities", "is_allowed"),
    [
        ({}, ("SendReceive", "None", "None"), True),
        ({}, ("None", "Receive", "SendReceive"), True),
        ({}, ("None", "SendReceive", "Receive"), True),
        ({}, ("None", "None", "Send"), True),
        ({}, ("None", "Send", "Send"), True),
        ({}, ("None", "None", "Receive"), False),
        ({}, ("None", "Send", "SendReceive"), False),
        ({}, ("None", "Send", "Receive"), False),
        (WITHOUT_VIDEO, ("SendReceive", "None", "Send"), True),
        (WITHOUT_VIDEO, ("SendReceive", "Receive", "SendReceive"), False),
        (WITHOUT_VIDEO, ("SendReceive", "Send", "None"), False),
        (WITHOUT_CONTENT, ("SendReceive", "SendReceive", "None"), True),
        (WITHOUT_CONTENT, ("SendReceive", "SendReceive", "Send"), False),
    ],
)
def test_capabilities_that_exclude_each_other(
    meetings: Meetings, features: dict[str, Any], capabilities: tuple[str, str, str], is_allowed: bool
) -> None:
    stated = dict(zip(("Audio", "Video", "Content"), capabilities, strict=True))
    meeting_id = meetings.made(**({"MeetingFeatures": features} if features else {}))
    named = _first(meetings, meeting_id)
    batch = [{"ExternalUserId": "bo", "Capabilities": stated}]
    everyone = {"MeetingId": meeting_id, "ExcludedAttendeeIds": [{"AttendeeId": named["AttendeeId"]}]}
    if is_allowed:
        check_capabilities(features, stated)
        assert meetings.attendee(meeting_id, "cy", Capabilities=stated)["Capabilities"] == stated
        changed = meetings.call("UpdateAttendeeCapabilities", **named, Capabilities=stated)
        assert changed["Attendee"]["Capabilities"] == stated
        made = meetings.call("BatchCreateAttendee", MeetingId=meeting_id, Attendees=batch)
        assert (made["Errors"], made["Attendees"][0]["Capabilities"]) == ([], stated)
        meetings.call("BatchUpdateAttendeeCapabilitiesExcept", **everyone, Capabilities=stated)
        return
    creating = {"MeetingId": meeting_id, "ExternalUserId": "cy"}
    for operation, parameters in (
        ("CreateAttendee", creating),
        ("UpdateAttendeeCapabilities", named),
        ("BatchUpdateAttendeeCapabilitiesExcept", everyone),
    ):
        assert meetings.refused(operation, **parameters, Capabilities=stated)[0] == "BadRequestException"
    made = meetings.call("BatchCreateAttendee", MeetingId=meeting_id, Attendees=batch)
    assert [(each["ExternalUserId"], each["ErrorCode"]) for each in made["Errors"]] == [("bo", "BadRequest")]
    assert len(meetings.call("ListAttendees", MeetingId=meeting_id)["Attendees"]) == 1


def test_a_batch_changes_everyone_but_the_named_ones(meetings: Meetings) -> None:
    meeting_id, other = meetings.made(), meetings.made(ClientRequestToken="two")
    people = [{"ExternalUserId": name} for name in ("ana", "bo", "cy")]
    made = meetings.call("BatchCreateAttendee", MeetingId=meeting_id, Attendees=people)["Attendees"]
    stranger = meetings.attendee(other)
    excluded = [{"AttendeeId": made[0]["AttendeeId"]}, {"AttendeeId": stranger["AttendeeId"]}]
    answer = meetings.call(
        "BatchUpdateAttendeeCapabilitiesExcept",
        MeetingId=meeting_id,
        ExcludedAttendeeIds=excluded,
        Capabilities=SILENT,
    )
    assert answer == {}
    listed = meetings.call("ListAttendees", MeetingId=meeting_id)["Attendees"]
    found = {each["ExternalUserId"]: each["Capabilities"] for each in listed}
    assert found == {"ana": ALL, "bo": SILENT, "cy": SILENT}
    assert meetings.call("ListAttendees", MeetingId=other)["Attendees"] == [stranger]


def test_a_meeting_is_made_with_its_attendees(meetings: Meetings) -> None:
    people = [{"ExternalUserId": "ana", "Capabilities": SILENT}, {"ExternalUserId": "aws:x"}, {"ExternalUserId": "bo"}]
    asked = meetings.asked(ClientRequestToken="one", Attendees=people, Tags=[{"Key": "team", "Value": "red"}])
    answer = meetings.call("CreateMeetingWithAttendees", **asked)
    meeting_id = answer["Meeting"]["MeetingId"]
    assert [each["ExternalUserId"] for each in answer["Attendees"]] == ["ana", "bo"]
    assert [each["Capabilities"] for each in answer["Attendees"]] == [SILENT, ALL]
    assert [(each["ExternalUserId"], each["ErrorCode"]) for each in answer["Errors"]] == [("aws:x", "BadRequest")]
    assert meetings.call("CreateMeetingWithAttendees", **asked) == answer
    assert meetings.call("GetMeeting", MeetingId=meeting_id)["Meeting"] == answer["Meeting"]
    listed = meetings.call("ListAttendees", MeetingId=meeting_id)["Attendees"]
    assert sorted(listed, key=lambda each: each["ExternalUserId"]) == answer["Attendees"]
    tags = meetings.call("ListTagsForResource", ResourceARN=answer["Meeting"]["MeetingArn"])
    assert tags == {"Tags": [{"Key": "team", "Value": "red"}]}
    many = [{"ExternalUserId": f"user {number}"} for number in range(21)]
    code, message = meetings.refused("CreateMeetingWithAttendees", **meetings.asked(Attendees=many))
    assert (code, "less than or equal to 20" in message) == ("BadRequestException", True)


def test_a_replica_ends_with_its_primary_meeting(meetings: Meetings) -> None:
    """Developer Guide, Using media replication."""
    primary = meetings.made()
    replicas = [meetings.made(PrimaryMeetingId=primary) for _ in range(4)]
    refused = meetings.refused("CreateMeeting", **meetings.asked(PrimaryMeetingId=primary))
    assert refused == ("LimitExceededException", "A meeting may have at most 4 replicas.")
    refused = meetings.refused("CreateMeeting", **meetings.asked(PrimaryMeetingId=replicas[0]))
    assert refused == ("BadRequestException", "PrimaryMeetingId must not be the id of a replica.")
    attendee = _first(meetings, replicas[1])
    meetings.call("DeleteMeeting", MeetingId=replicas[0])
    assert meetings.call("GetMeeting", MeetingId=meetings.made(PrimaryMeetingId=primary))
    meetings.call("DeleteMeeting", MeetingId=primary)
    for replica in replicas:
        assert meetings.refused("GetMeeting", MeetingId=replica) == ENDED
    assert meetings.refused("GetAttendee", **attendee) == ENDED
    assert meetings.refused("CreateMeeting", **meetings.asked(PrimaryMeetingId=primary)) == ENDED


def test_transcription_starts_and_stops(meetings: Meetings) -> None:
    meeting_id = meetings.made()
    named = {"MeetingId": meeting_id}
    assert meetings.refused("StopMeetingTranscription", **named)[0] == "UnprocessableEntityException"
    for settings in (
        {"EngineTranscribeSettings": {"LanguageCode": "en-US"}},
        {"EngineTranscribeSettings": {"IdentifyLanguage": True, "LanguageOptions": "en-US,de-DE"}},
        {
            "EngineTranscribeMedicalSettings": {
                "LanguageCode": "en-US",
                "Specialty": "CARDIOLOGY",
                "Type": "CONVERSATION",
            }
        },
    ):
        assert meetings.call("StartMeetingTranscription", **named, TranscriptionConfiguration=settings) == {}
    assert meetings.call("StopMeetingTranscription", **named) == {}
    assert meetings.refused("StopMeetingTranscription", **named)[0] == "UnprocessableEntityException"
    meetings.clock.advance(300)
    transcribing = {"TranscriptionConfiguration": {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}}
    assert meetings.refused("StartMeetingTranscription", **named, **transcribing) == ENDED


MEDICAL = {"LanguageCode": "en-US", "Specialty": "CARDIOLOGY", "Type": "CONVERSATION"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "either EngineTranscribeSettings or EngineTranscribeMedicalSettings"),
        ({"EngineTranscribeSettings": {}}, "either EngineTranscribeSettings or EngineTranscribeMedicalSettings"),
        (
            {"EngineTranscribeSettings": {"LanguageCode": "en-US"}, "EngineTranscribeMedicalSettings": MEDICAL},
            "either EngineTranscribeSettings or EngineTranscribeMedicalSettings",
        ),
        ({"EngineTranscribeSettings": {"VocabularyName": "v"}}, "either LanguageCode or IdentifyLanguage"),
        ({"EngineTranscribeSettings": {"LanguageCode": "en-US", "IdentifyLanguage": True}}, "either LanguageCode or"),
        (
            {"EngineTranscribeSettings": {"LanguageCode": "en-US", "LanguageOptions": "en-US,de-DE"}},
            "LanguageOptions needs IdentifyLanguage",
        ),
        (
            {"EngineTranscribeSettings": {"IdentifyLanguage": True, "PreferredLanguage": "en-US"}},
            "PreferredLanguage needs",
        ),
        (
            {
                "EngineTranscribeSettings": {
                    "LanguageCode": "en-US",
                    "ContentIdentificationType": "PII",
                    "ContentRedactionType": "PII",
                }
            },
            "must not be there together",
        ),
        ({"EngineTranscribeSettings": {"LanguageCode": "tlh"}}, "enum value set"),
    ],
)
def test_what_no_transcription_is(meetings: Meetings, settings: dict[str, Any], words: str) -> None:
    meeting_id = meetings.made()
    code, message = meetings.refused(
        "StartMeetingTranscription", MeetingId=meeting_id, TranscriptionConfiguration=settings
    )
    assert (code, words in message) == ("BadRequestException", True), message


def test_making_a_meeting_is_authorised_on_meetings_of_the_region(meetings: Meetings) -> None:
    """Two refusals of AWS's name the resource meeting/*."""
    for operation, more in (
        ("CreateMeeting", {}),
        ("CreateMeetingWithAttendees", {"Attendees": [{"ExternalUserId": "ana"}]}),
    ):
        assert meetings.call(operation, meetings.client("maker"), **meetings.asked(**more))
        for user in ("elsewhere", "reader", "blue"):
            code, message = meetings.refused(operation, meetings.client(user), **meetings.asked(**more))
            assert code == "AccessDeniedException"
            sentence = f"chime:{operation} on resource: arn:aws:chime:us-east-1:{ACCOUNT}:meeting/* because no"
            assert sentence in message
    elsewhere = meetings.client("elsewhere", region="eu-central-1")
    meeting_id = meetings.made(elsewhere)
    assert meetings.refused("GetMeeting", MeetingId=meeting_id)[0] == "NotFoundException"
    assert meetings.call("GetMeeting", elsewhere, MeetingId=meeting_id)


def test_tags_decide_who_may_use_a_meeting(meetings: Meetings) -> None:
    blue = meetings.client("blue")
    mine = meetings.made(blue, Tags=[{"Key": "team", "Value": "blue"}])
    other = meetings.made(Tags=[{"Key": "team", "Value": "red"}])
    assert meetings.call("CreateAttendee", blue, MeetingId=mine, ExternalUserId="ana")
    for operation, more in (("GetMeeting", {}), ("CreateAttendee", {"ExternalUserId": "ana"}), ("DeleteMeeting", {})):
        assert meetings.refused(operation, blue, MeetingId=other, **more)[0] == "AccessDeniedException"
    # Starting a transcription names no resource (Service Authorization Reference), so no tag allows it.
    transcribing = {"TranscriptionConfiguration": {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}}
    code, message = meetings.refused("StartMeetingTranscription", blue, MeetingId=mine, **transcribing)
    assert (code, "on resource" in message) == ("AccessDeniedException", False)


def test_the_managed_policy_of_the_sdk_covers_meetings(meetings: Meetings) -> None:
    sdk = meetings.client("sdk")
    meeting_id = meetings.made(sdk)
    attendee = meetings.call("CreateAttendee", sdk, MeetingId=meeting_id, ExternalUserId="ana")["Attendee"]
    meetings.call("GetAttendee", sdk, MeetingId=meeting_id, AttendeeId=attendee["AttendeeId"])
    meetings.call("DeleteMeeting", sdk, MeetingId=meeting_id)
    reader = meetings.client("reader")
    assert meetings.refused("DeleteMeeting", reader, MeetingId=meeting_id)[0] == "AccessDeniedException"


def test_an_error_has_the_recorded_body(meetings: Meetings) -> None:
    """amazon-chime-sdk-js, issue 1569: Code is the short name, the header has the whole one."""
    with pytest.raises(meetings.admin.exceptions.NotFoundException) as caught:
        meetings.call("GetMeeting", MeetingId="00000000-0000-4000-8000-000000000000")
    response = caught.value.response
    assert response["Code"] == "NotFound"
    assert response["RequestId"] == response["ResponseMetadata"]["RequestId"]
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == "NotFoundException"
    client = meetings.client("admin", config=UNCHECKED)
    code, message = meetings.refused("GetMeeting", client, MeetingId="no-uuid")
    assert (code, "regular expression" in message) == ("BadRequestException", True)


def test_a_snapshot_keeps_meetings_with_their_attendees_and_ends(meetings: Meetings, make_world: Any) -> None:
    asked = meetings.asked(ClientRequestToken="one", Attendees=[{"ExternalUserId": "ana"}, {"ExternalUserId": "bo"}])
    before = meetings.call("CreateMeetingWithAttendees", **asked)
    meeting_id = before["Meeting"]["MeetingId"]
    gone = meetings.made(ClientRequestToken="two")
    meetings.call("DeleteMeeting", MeetingId=gone)
    replica = meetings.made(PrimaryMeetingId=meeting_id)
    saved = save_database(meetings.world.database, meetings.world.declared.settings)
    other = make_world(WORLD)
    load_database(other.database, saved, other.clock.now_seconds(), Identifiers())
    moved = Meetings(other)
    moved.clock.set(meetings.clock.now_seconds())
    assert moved.call("CreateMeetingWithAttendees", **asked) == before
    assert moved.refused("GetMeeting", MeetingId=gone) == ENDED
    moved.call("GetMeeting", MeetingId=replica)
    moved.call("DeleteMeeting", MeetingId=meeting_id)
    assert moved.refused("GetMeeting", MeetingId=replica) == ENDED

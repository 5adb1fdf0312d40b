"""Resources of the Chime SDK that the sandbox file declares: what the API answers, what stays, what starts again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

from rolecall import Rolecall
from rolecall.ids import Identifiers
from rolecall.storage.engine import Database
from rolecall.storage.tables import metadata
from rolecall.worlds import chime_sdk, members
from rolecall.worlds.checking import Notes
from rolecall.worlds.declare import read_world
from rolecall.worlds.located import Located
from rolecall.worlds.setup import set_up_world

ACCOUNT = "111122223333"
DAY = 86_400
INSTANCE_ID = "0f6b8b3c-4a1e-4f5d-9c39-1d9c0c3a7f10"
INSTANCE = f"arn:aws:chime:us-east-1:{ACCOUNT}:app-instance/{INSTANCE_ID}"
LAMBDA = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:ivr"
IVR = LAMBDA.replace("us-east-1", "us-west-2")
ALIAS = f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/ABCDEFGHIJ/KLMNOPQRST"
GENERAL = {
    "id": "general",
    "name": "General",
    "mode": "UNRESTRICTED",
    "privacy": "PUBLIC",
    "metadata": "about everything",
    "tags": {"Team": "blue"},
    "members": ["ana", "ben", "helper"],
    "moderators": ["ana"],
    "banned": ["eve"],
    "messages": [
        {"sender": "ana", "content": "Hello", "metadata": "first"},
        {"sender": "ben", "content": "Hi"},
    ],
}
ACCOUNT_SECTION: dict[str, Any] = {
    "id": ACCOUNT,
    "users": [
        {
            "name": "admin",
            "access_keys": [{"id": "test", "secret": "test"}],
            "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        }
    ],
    "app_instances": [
        {
            "name": "Chat",
            "id": INSTANCE_ID,
            "metadata": "of the team",
            "tags": {"Stage": "test"},
            "users": [
                {"id": "ana", "name": "Ana", "metadata": "m", "tags": {"Team": "blue"}},
                {"id": "ben"},
                {"id": "cem"},
                {"id": "eve"},
                {"id": "root"},
                {"id": "guest", "expiration_days": 3},
            ],
            "bots": [
                {
                    "name": "helper",
                    "lex_bot_alias": ALIAS,
                    "locale": "en_US",
                    "welcome_intent": "Welcome",
                    "standard_messages": "MENTIONS",
                }
            ],
            "admins": ["root", "helper"],
            "channel_flows": [{"name": "filter", "lambda": LAMBDA, "fallback": "ABORT", "tags": {"Team": "blue"}}],
            "channels": [
                GENERAL,
                {"name": "Private", "moderators": ["root"]},
                {"name": "Filtered", "id": "filtered", "members": ["ana"], "flow": "filter"},
                {"name": "Week", "id": "week", "members": ["ana"], "expiration": {"days": 7}},
                {
                    "name": "Busy",
                    "id": "busy",
                    "members": ["ana"],
                    "expiration": {"days": 7, "criterion": "LAST_MESSAGE_TIMESTAMP"},
                },
                {
                    "name": "Hall",
                    "id": "hall",
                    "moderators": ["root"],
                    "members": ["ana", "ben", "cem"],
                    "elastic": {
                        "maximum_sub_channels": 3,
                        "target_memberships_per_sub_channel": 2,
                        "minimum_membership_percentage": 40,
                    },
                },
            ],
        }
    ],
    "meetings": [
        {
            "external_meeting_id": "daily",
            "media_region": "eu-west-1",
            "meeting_host_id": "ana",
            "tags": {"Team": "blue"},
            "attendees": [
                {"external_user_id": "ana"},
                {"external_user_id": "ben", "audio": "Receive", "video": "Receive", "content": "None"},
            ],
        }
    ],
    "voice_connectors": [
        {"name": "office", "aws_region": "us-west-2", "require_encryption": False, "tags": {"Team": "blue"}}
    ],
    "sip_media_applications": [{"name": "ivr", "region": "us-west-2", "aws_region": "us-west-2", "lambda": IVR}],
    "voice_connector_groups": [{"name": "all", "connectors": [{"connector": "office", "priority": 7}]}],
    "sip_rules": [{"name": "calls", "voice_connector": "office", "applications": [{"application": "ivr"}]}],
}


def file_of(**changed: Any) -> dict[str, Any]:
    return {"version": 1, "accounts": [{**deepcopy(ACCOUNT_SECTION), **changed}]}


@pytest.fixture
def sandbox() -> Iterator[Rolecall]:
    with Rolecall(config=file_of()) as made:
        yield made


def arn(name: str) -> str:
    return f"{INSTANCE}/user/{name}"


CHANNEL = f"{INSTANCE}/channel/general"


def members_of(messaging: Any, channel: str, as_: str = "ana") -> list[str]:
    found = messaging.list_channel_memberships(ChannelArn=channel, ChimeBearer=arn(as_))["ChannelMemberships"]
    return sorted(each["Member"].get("Name", "") for each in found)


def texts(messaging: Any, as_: str = "ana") -> list[str]:
    answer = messaging.list_channel_messages(ChannelArn=CHANNEL, ChimeBearer=arn(as_), SortOrder="ASCENDING")
    return [each["Content"] for each in answer["ChannelMessages"]]


def test_app_instances_have_their_users_bots_and_administrators(sandbox: Rolecall) -> None:
    identity = sandbox.client("chime-sdk-identity")
    instance = identity.describe_app_instance(AppInstanceArn=INSTANCE)["AppInstance"]
    assert (instance["Name"], instance["Metadata"]) == ("Chat", "of the team")
    assert identity.list_tags_for_resource(ResourceARN=INSTANCE)["Tags"] == [{"Key": "Stage", "Value": "test"}]
    users = identity.list_app_instance_users(AppInstanceArn=INSTANCE)["AppInstanceUsers"]
    # A user without a name has its id as the name.
    assert {each["AppInstanceUserArn"]: each["Name"] for each in users} == {
        arn("ana"): "Ana",
        arn("ben"): "ben",
        arn("cem"): "cem",
        arn("eve"): "eve",
        arn("guest"): "guest",
        arn("root"): "root",
    }
    user = identity.describe_app_instance_user(AppInstanceUserArn=arn("ana"))["AppInstanceUser"]
    assert user["Metadata"] == "m"
    [bot] = identity.list_app_instance_bots(AppInstanceArn=INSTANCE)["AppInstanceBots"]
    described = identity.describe_app_instance_bot(AppInstanceBotArn=bot["AppInstanceBotArn"])["AppInstanceBot"]
    assert described["Configuration"]["Lex"] == {
        "InvokedBy": {"StandardMessages": "MENTIONS", "TargetedMessages": "ALL"},
        "LexBotAliasArn": ALIAS,
        "LocaleId": "en_US",
        "WelcomeIntent": "Welcome",
    }
    admins = identity.list_app_instance_admins(AppInstanceArn=INSTANCE)["AppInstanceAdmins"]
    assert sorted(each["Admin"]["Name"] for each in admins) == ["helper", "root"]
    with pytest.raises(ClientError, match="NotFoundException"):
        identity.describe_app_instance_admin(AppInstanceArn=INSTANCE, AppInstanceAdminArn=arn("ana"))
    # What is declared counts as made: its ids are taken.
    with pytest.raises(ClientError, match="ConflictException"):
        identity.create_app_instance_user(AppInstanceArn=INSTANCE, AppInstanceUserId="ana", Name="Ana")


def test_channels_have_their_members_moderators_and_messages(sandbox: Rolecall) -> None:
    messaging = sandbox.client("chime-sdk-messaging")
    now_seconds = sandbox.clock.now.timestamp()
    channel = messaging.describe_channel(ChannelArn=CHANNEL, ChimeBearer=arn("ana"))["Channel"]
    dates = [channel.pop(f"{name}Timestamp") for name in ("Created", "LastUpdated", "LastMessage")]
    assert all(abs(date.timestamp() - now_seconds) < 60 for date in dates)
    assert channel == {
        "Name": "General",
        "ChannelArn": CHANNEL,
        "Mode": "UNRESTRICTED",
        "Privacy": "PUBLIC",
        "Metadata": "about everything",
        "CreatedBy": {"Arn": arn("ana"), "Name": "Ana"},
    }
    assert members_of(messaging, CHANNEL) == ["Ana", "ben", "helper"]
    found = messaging.list_channel_moderators(ChannelArn=CHANNEL, ChimeBearer=arn("ana"))["ChannelModerators"]
    assert [each["Moderator"]["Arn"] for each in found] == [arn("ana")]
    answer = messaging.list_channel_messages(ChannelArn=CHANNEL, ChimeBearer=arn("ana"), SortOrder="ASCENDING")
    shown = [(each["Content"], each["Sender"]["Arn"], each.get("Metadata")) for each in answer["ChannelMessages"]]
    assert shown == [("Hello", arn("ana"), "first"), ("Hi", arn("ben"), None)]
    assert all(abs(each["CreatedTimestamp"].timestamp() - now_seconds) < 60 for each in answer["ChannelMessages"])
    listed = messaging.list_channels(AppInstanceArn=INSTANCE, ChimeBearer=arn("cem"))["Channels"]
    assert [each["Name"] for each in listed] == ["General"]
    sent = messaging.send_channel_message(
        ChannelArn=CHANNEL, ChimeBearer=arn("ben"), Content="Later", Type="STANDARD", Persistence="PERSISTENT"
    )
    assert texts(messaging) == ["Hello", "Hi", "Later"]
    messaging.delete_channel_message(ChannelArn=CHANNEL, ChimeBearer=arn("root"), MessageId=sent["MessageId"])


def test_roles_in_declared_channels_are_enforced(sandbox: Rolecall) -> None:
    messaging = sandbox.client("chime-sdk-messaging")
    private = messaging.list_channels(AppInstanceArn=INSTANCE, ChimeBearer=arn("root"), Privacy="PRIVATE")["Channels"]
    [secret] = [each["ChannelArn"] for each in private if each["Name"] == "Private"]
    message = {"Content": "Hello", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    for bearer, channel in (("cem", CHANNEL), ("root", secret)):
        with pytest.raises(ClientError, match="ForbiddenException"):
            messaging.send_channel_message(ChannelArn=channel, ChimeBearer=arn(bearer), **message)
    with pytest.raises(ClientError, match="ForbiddenException"):
        messaging.describe_channel(ChannelArn=secret, ChimeBearer=arn("ana"))
    with pytest.raises(ClientError, match="ForbiddenException"):
        messaging.delete_channel(ChannelArn=CHANNEL, ChimeBearer=arn("cem"))


def test_a_declared_ban_holds_until_it_is_lifted(sandbox: Rolecall) -> None:
    messaging = sandbox.client("chime-sdk-messaging")
    named = {"ChannelArn": CHANNEL, "ChimeBearer": arn("ana"), "MemberArn": arn("eve")}
    described = messaging.describe_channel_ban(**named)["ChannelBan"]
    assert described["CreatedBy"] == {"Arn": arn("ana"), "Name": "Ana"}
    with pytest.raises(messaging.exceptions.ForbiddenException):
        messaging.create_channel_membership(**named, Type="DEFAULT")
    messaging.delete_channel_ban(**named)
    messaging.create_channel_membership(**named, Type="DEFAULT")


def test_a_declared_flow_processes_the_messages_of_its_channels(sandbox: Rolecall) -> None:
    messaging = sandbox.client("chime-sdk-messaging")
    [flow] = messaging.list_channel_flows(AppInstanceArn=INSTANCE)["ChannelFlows"]
    flow_arn = flow["ChannelFlowArn"]
    described = messaging.describe_channel_flow(ChannelFlowArn=flow_arn)["ChannelFlow"]
    [processor] = described["Processors"]
    assert processor == {
        "Name": "filter",
        "Configuration": {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}},
        "ExecutionOrder": 1,
        "FallbackAction": "ABORT",
    }
    assert messaging.list_tags_for_resource(ResourceARN=flow_arn)["Tags"] == [{"Key": "Team", "Value": "blue"}]
    [channel] = messaging.list_channels_associated_with_channel_flow(ChannelFlowArn=flow_arn)["Channels"]
    assert channel["Name"] == "Filtered"
    sent = messaging.send_channel_message(
        ChannelArn=channel["ChannelArn"],
        ChimeBearer=arn("ana"),
        Content="x",
        Type="STANDARD",
        Persistence="PERSISTENT",
    )
    assert sent["Status"]["Value"] == "PENDING"
    with pytest.raises(messaging.exceptions.ConflictException):
        messaging.delete_channel_flow(ChannelFlowArn=flow_arn)


def test_members_of_a_declared_elastic_channel_are_in_sub_channels(sandbox: Rolecall) -> None:
    messaging = sandbox.client("chime-sdk-messaging")
    hall = {"ChannelArn": f"{INSTANCE}/channel/hall", "ChimeBearer": arn("root")}
    assert messaging.describe_channel(**hall)["Channel"]["ElasticChannelConfiguration"] == {
        "MaximumSubChannels": 3,
        "TargetMembershipsPerSubChannel": 2,
        "MinimumMembershipPercentage": 40,
    }
    sub_channels = {
        each["SubChannelId"]: each["MembershipCount"] for each in messaging.list_sub_channels(**hall)["SubChannels"]
    }
    assert sorted(sub_channels.values()) == [1, 2]
    # The next member joins the sub-channel that has room.
    joined = messaging.create_channel_membership(**hall, MemberArn=arn("eve"), Type="DEFAULT")
    assert sub_channels[joined["SubChannelId"]] == 1


def test_declared_users_and_channels_expire(sandbox: Rolecall) -> None:
    identity, messaging = sandbox.client("chime-sdk-identity"), sandbox.client("chime-sdk-messaging")
    guest = identity.describe_app_instance_user(AppInstanceUserArn=arn("guest"))["AppInstanceUser"]
    assert guest["ExpirationSettings"] == {"ExpirationDays": 3, "ExpirationCriterion": "CREATED_TIMESTAMP"}
    week, busy = ({"ChannelArn": f"{INSTANCE}/channel/{name}", "ChimeBearer": arn("ana")} for name in ("week", "busy"))
    described = messaging.describe_channel(**week)["Channel"]
    assert described["ExpirationSettings"] == {"ExpirationDays": 7, "ExpirationCriterion": "CREATED_TIMESTAMP"}
    sandbox.clock.advance(seconds=3 * DAY + 60)
    with pytest.raises(ClientError, match="NotFoundException"):
        identity.describe_app_instance_user(AppInstanceUserArn=arn("guest"))
    messaging.send_channel_message(**busy, Content="x", Type="STANDARD", Persistence="PERSISTENT")
    sandbox.clock.advance(seconds=4 * DAY)
    with pytest.raises(messaging.exceptions.NotFoundException):
        messaging.describe_channel(**week)
    messaging.describe_channel(**busy)
    sandbox.clock.advance(seconds=3 * DAY)
    with pytest.raises(messaging.exceptions.NotFoundException):
        messaging.describe_channel(**busy)


def test_a_changed_file_changes_the_expiration_and_keeps_the_beginning(sandbox: Rolecall) -> None:
    messaging, database = sandbox.client("chime-sdk-messaging"), sandbox._parts.sandbox.database
    week = {"ChannelArn": f"{INSTANCE}/channel/week", "ChimeBearer": arn("ana")}
    sandbox.clock.advance(seconds=5 * DAY)
    again = file_of()
    [channel] = [each for each in again["accounts"][0]["app_instances"][0]["channels"] if each.get("id") == "week"]
    channel["expiration"] = {"days": 9}
    apply(database, again, sandbox.clock.now.timestamp())
    sandbox.clock.advance(seconds=3 * DAY)
    assert messaging.describe_channel(**week)["Channel"]["ExpirationSettings"]["ExpirationDays"] == 9
    sandbox.clock.advance(seconds=DAY + 60)
    with pytest.raises(messaging.exceptions.NotFoundException):
        messaging.describe_channel(**week)


def test_meetings_have_their_attendees_and_last_a_day(sandbox: Rolecall) -> None:
    meetings = sandbox.client("chime-sdk-meetings")
    asked = {"ClientRequestToken": "other", "MediaRegion": "eu-west-1", "ExternalMeetingId": "daily"}
    made = meetings.create_meeting(**asked)["Meeting"]
    meeting_id = declared_meeting_id(sandbox)
    declared = meetings.get_meeting(MeetingId=meeting_id)["Meeting"]
    assert (declared["ExternalMeetingId"], declared["MediaRegion"], declared["MeetingHostId"]) == (
        "daily",
        "eu-west-1",
        "ana",
    )
    # The addresses of media have the form that they have in a meeting of a call.
    mine, other = declared["MediaPlacement"], made["MediaPlacement"]
    assert mine.keys() == other.keys()
    hosts = {name: re.sub(made["MeetingId"], meeting_id, url) for name, url in other.items() if name != "AudioHostUrl"}
    assert {name: url for name, url in mine.items() if name != "AudioHostUrl"} == hosts
    assert meetings.list_tags_for_resource(ResourceARN=declared["MeetingArn"])["Tags"] == [
        {"Key": "Team", "Value": "blue"}
    ]
    attendees = {each["ExternalUserId"]: each for each in meetings.list_attendees(MeetingId=meeting_id)["Attendees"]}
    assert {name: each["Capabilities"] for name, each in attendees.items()} == {
        "ana": {"Audio": "SendReceive", "Video": "SendReceive", "Content": "SendReceive"},
        "ben": {"Audio": "Receive", "Video": "Receive", "Content": "None"},
    }
    assert len({each["JoinToken"] for each in attendees.values()}) == 2
    sandbox.clock.advance(seconds=DAY - 3600)
    with pytest.raises(ClientError, match="The meeting has ended"):
        meetings.get_meeting(MeetingId=made["MeetingId"])
    # An ExternalUserId that the meeting has answers its attendee. The call does not make the meeting shorter.
    again = meetings.create_attendee(MeetingId=meeting_id, ExternalUserId="ana")["Attendee"]
    assert again == attendees["ana"]
    sandbox.clock.advance(seconds=3000)
    meetings.get_meeting(MeetingId=meeting_id)
    sandbox.clock.advance(seconds=600)
    with pytest.raises(ClientError, match="The meeting has ended"):
        meetings.get_meeting(MeetingId=meeting_id)


def declared_meeting_id(sandbox: Rolecall) -> str:
    """The id from the snapshot: no operation lists meetings."""
    rows = [each for each in snapshot_rows(sandbox, "resources") if each["kind"] == "chime-sdk-meetings/meeting"]
    return str(next(each["resource_id"] for each in rows if each.get("create_token") is None))


def snapshot_rows(sandbox: Rolecall, table: str) -> Any:
    return read_world(sandbox.snapshot()).rows[table]


def test_voice_connectors_and_sip_applications(sandbox: Rolecall) -> None:
    [connector] = sandbox.client("chime-sdk-voice").list_voice_connectors()["VoiceConnectors"]
    assert re.fullmatch("[a-z0-9]{22}", connector["VoiceConnectorId"])
    expected = ("office", "us-west-2", False, f"{connector['VoiceConnectorId']}.voiceconnector.chime.aws")
    members = ("Name", "AwsRegion", "RequireEncryption", "OutboundHostName")
    assert tuple(connector[member] for member in members) == expected
    assert sandbox.client("chime-sdk-voice").list_sip_media_applications()["SipMediaApplications"] == []
    voice = sandbox.client("chime-sdk-voice", region="us-west-2")
    [application] = voice.list_sip_media_applications()["SipMediaApplications"]
    assert (application["Name"], application["Endpoints"]) == ("ivr", [{"LambdaArn": IVR}])
    changed = voice.update_sip_media_application(
        SipMediaApplicationId=application["SipMediaApplicationId"], Name="menu"
    )["SipMediaApplication"]
    assert changed["Name"] == "menu"


def test_groups_and_sip_rules_refer_to_what_is_declared(sandbox: Rolecall) -> None:
    voice = sandbox.client("chime-sdk-voice")
    [connector] = voice.list_voice_connectors()["VoiceConnectors"]
    [group] = voice.list_voice_connector_groups()["VoiceConnectorGroups"]
    item = {"VoiceConnectorId": connector["VoiceConnectorId"], "Priority": 7}
    assert (group["Name"], group["VoiceConnectorItems"]) == ("all", [item])
    with pytest.raises(voice.exceptions.BadRequestException):
        voice.delete_voice_connector(VoiceConnectorId=connector["VoiceConnectorId"])
    [rule] = voice.list_sip_rules()["SipRules"]
    assert (rule["TriggerType"], rule["TriggerValue"]) == ("RequestUriHostname", connector["OutboundHostName"])
    elsewhere = sandbox.client("chime-sdk-voice", region_name="us-west-2")
    [application] = elsewhere.list_sip_media_applications()["SipMediaApplications"]
    application_id = application["SipMediaApplicationId"]
    target = {"SipMediaApplicationId": application_id, "Priority": 1, "AwsRegion": "us-west-2"}
    assert (rule["TargetApplications"], rule["Disabled"]) == ([target], False)
    again = {"Name": "x", "TriggerType": "RequestUriHostname", "TriggerValue": connector["OutboundHostName"]}
    with pytest.raises(voice.exceptions.ConflictException):
        voice.create_sip_rule(**again, TargetApplications=[target])


def test_ids_are_the_same_each_time_and_a_reset_brings_everything_back(sandbox: Rolecall) -> None:
    messaging, identity = sandbox.client("chime-sdk-messaging"), sandbox.client("chime-sdk-identity")
    before = {each["resource_id"] for each in snapshot_rows(sandbox, "resources")}
    identity.delete_app_instance(AppInstanceArn=INSTANCE)
    with pytest.raises(ClientError, match="NotFoundException"):
        messaging.describe_channel(ChannelArn=CHANNEL, ChimeBearer=arn("ana"))
    sandbox.reset()
    assert texts(messaging) == ["Hello", "Hi"]
    assert {each["resource_id"] for each in snapshot_rows(sandbox, "resources")} == before
    with Rolecall(config={**file_of(), "settings": {"minimum_session_seconds": 60}}) as other:
        assert {each["resource_id"] for each in snapshot_rows(other, "resources")} == before


def test_a_snapshot_keeps_declared_resources_as_they_are_now(sandbox: Rolecall) -> None:
    messaging = sandbox.client("chime-sdk-messaging")
    messaging.update_channel(ChannelArn=CHANNEL, ChimeBearer=arn("ana"), Name="Renamed")
    messaging.create_channel_ban(ChannelArn=CHANNEL, ChimeBearer=arn("ana"), MemberArn=arn("ben"))
    snapshot = sandbox.snapshot()
    sandbox.reset()
    sandbox.load(snapshot)
    assert sandbox.snapshot() == snapshot
    assert messaging.describe_channel(ChannelArn=CHANNEL, ChimeBearer=arn("ana"))["Channel"]["Name"] == "Renamed"
    assert members_of(messaging, CHANNEL) == ["Ana", "helper"]
    with Rolecall(config=snapshot) as other:
        assert other.snapshot() == snapshot


# A changed file brings what it declares to the declared state and leaves the rest alone.


def apply(database: Database, file: dict[str, Any], at_seconds: float) -> None:
    with database.transaction() as connection:
        set_up_world(connection, read_world(json.dumps(file)), at_seconds, Identifiers())


def rows(database: Database, table: str, **wanted: Any) -> list[dict[str, Any]]:
    with database.snapshot() as connection:
        found = [dict(row._mapping) for row in connection.execute(metadata.tables[table].select())]
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def test_a_changed_file_restores_what_it_declares(sandbox: Rolecall) -> None:
    messaging, identity = sandbox.client("chime-sdk-messaging"), sandbox.client("chime-sdk-identity")
    database = sandbox._parts.sandbox.database
    now_seconds = sandbox.clock.now.timestamp()
    identity.update_app_instance(AppInstanceArn=INSTANCE, Name="Other", Metadata="other")
    identity.delete_app_instance_user(AppInstanceUserArn=arn("ben"))
    identity.delete_app_instance_admin(AppInstanceArn=INSTANCE, AppInstanceAdminArn=arn("root"))
    identity.create_app_instance_user(AppInstanceArn=INSTANCE, AppInstanceUserId="dee", Name="Dee")
    named = {"ChannelArn": CHANNEL, "ChimeBearer": arn("ana")}
    messaging.create_channel_membership(**named, MemberArn=arn("dee"), Type="DEFAULT")
    messaging.create_channel_moderator(**named, ChannelModeratorArn=arn("cem"))
    messaging.put_channel_expiration_settings(
        ChannelArn=CHANNEL,
        ChimeBearer=arn("cem"),
        ExpirationSettings={"ExpirationDays": 30, "ExpirationCriterion": "CREATED_TIMESTAMP"},
    )
    [first, _] = messaging.list_channel_messages(**named, SortOrder="ASCENDING")["ChannelMessages"]
    messaging.redact_channel_message(**named, MessageId=first["MessageId"])
    again = file_of()
    again["accounts"][0]["app_instances"][0]["users"].append({"id": "eva"})
    again["accounts"][0]["app_instances"][0]["channels"][0]["members"].append("eva")
    again["accounts"][0]["app_instances"][0]["channels"][0]["messages"].append({"sender": "eva", "content": "New"})
    apply(database, again, now_seconds)
    instance = identity.describe_app_instance(AppInstanceArn=INSTANCE)["AppInstance"]
    assert (instance["Name"], instance["Metadata"]) == ("Chat", "of the team")
    # ben is another user now, and a member again. dee was not declared, and stays.
    assert members_of(messaging, CHANNEL) == ["Ana", "Dee", "ben", "eva", "helper"]
    assert identity.describe_app_instance_admin(AppInstanceArn=INSTANCE, AppInstanceAdminArn=arn("root"))
    assert texts(messaging) == ["Hello", "Hi", "New"]
    channel = messaging.describe_channel(ChannelArn=CHANNEL, ChimeBearer=arn("cem"))["Channel"]
    assert channel["ExpirationSettings"]["ExpirationDays"] == 30
    [row] = rows(database, "resources", kind="chime-sdk-messaging/channel", resource_id=f"{INSTANCE_ID}/general")
    assert row["ends_at_seconds"] is not None


def test_a_changed_file_lets_a_banned_member_in_again_and_changes_the_privacy(sandbox: Rolecall) -> None:
    messaging = sandbox.client("chime-sdk-messaging")
    database = sandbox._parts.sandbox.database
    messaging.create_channel_ban(ChannelArn=CHANNEL, ChimeBearer=arn("ana"), MemberArn=arn("ben"))
    messaging.create_channel_ban(ChannelArn=CHANNEL, ChimeBearer=arn("ana"), MemberArn=arn("cem"))
    again = file_of()
    again["accounts"][0]["app_instances"][0]["channels"][0]["privacy"] = "PRIVATE"
    apply(database, again, sandbox.clock.now.timestamp())
    assert members_of(messaging, CHANNEL) == ["Ana", "ben", "helper"]
    bans = messaging.list_channel_bans(ChannelArn=CHANNEL, ChimeBearer=arn("ana"))["ChannelBans"]
    assert [each["Member"]["Arn"] for each in bans] == [arn("eve"), arn("cem")]
    assert messaging.list_channels(AppInstanceArn=INSTANCE, ChimeBearer=arn("cem"))["Channels"] == []
    listed = messaging.list_channels(AppInstanceArn=INSTANCE, ChimeBearer=arn("root"), Privacy="PRIVATE")["Channels"]
    assert sorted(each["Name"] for each in listed) == ["Busy", "Filtered", "General", "Hall", "Private", "Week"]


def test_a_meeting_that_has_ended_starts_again_with_a_changed_file(sandbox: Rolecall) -> None:
    meetings, meeting_id = sandbox.client("chime-sdk-meetings"), declared_meeting_id(sandbox)
    meetings.delete_meeting(MeetingId=meeting_id)
    again = file_of(name="renamed")
    apply(sandbox._parts.sandbox.database, again, sandbox.clock.now.timestamp() + 1)
    sandbox.clock.advance(seconds=2)
    assert meetings.get_meeting(MeetingId=meeting_id)["Meeting"]["ExternalMeetingId"] == "daily"
    assert len(meetings.list_attendees(MeetingId=meeting_id)["Attendees"]) == 2


def test_a_template_dates_what_its_rows_say_of_time_and_nothing_else() -> None:
    """Texts that look like an undated time stay as they are."""
    text = 'CreatedTimestamp":-1'
    file = file_of()
    file["accounts"][0]["app_instances"][0]["metadata"] = text
    with Rolecall(config=file) as sandbox:
        found = sandbox.client("chime-sdk-identity").describe_app_instance(AppInstanceArn=INSTANCE)["AppInstance"]
        assert found["Metadata"] == text
        now_seconds = sandbox.clock.now.timestamp()
        dates = []
        for table in ("resources", "channel_messages", "channel_relations"):
            for row in snapshot_rows(sandbox, table):
                dates += [row[name] / 10**6 for name in row if name.endswith("_at_micros")]
                dates += [row[name] for name in row if name.endswith("created_at_seconds")]
                members = json.loads(row.get("content", "{}"))
                dates += [value for name, value in members.items() if name.endswith("Timestamp")]
        assert len(dates) > 20
        assert [date for date in dates if abs(date - now_seconds) > 60] == []


# The values that a file may have are those of AWS's models.

_CASES: list[tuple[type, str, str, str, str]] = [
    (chime_sdk.DeclaredAppInstance, "name", "chime-sdk-identity", "CreateAppInstance", "Name"),
    (chime_sdk.DeclaredAppInstance, "metadata", "chime-sdk-identity", "CreateAppInstance", "Metadata"),
    (chime_sdk.DeclaredAppInstanceUser, "user_id", "chime-sdk-identity", "CreateAppInstanceUser", "AppInstanceUserId"),
    (chime_sdk.DeclaredAppInstanceUser, "name", "chime-sdk-identity", "CreateAppInstanceUser", "Name"),
    (
        chime_sdk.DeclaredAppInstanceBot,
        "lex_bot_alias",
        "chime-sdk-identity",
        "CreateAppInstanceBot",
        "Configuration.Lex.LexBotAliasArn",
    ),
    (
        chime_sdk.DeclaredAppInstanceBot,
        "welcome_intent",
        "chime-sdk-identity",
        "CreateAppInstanceBot",
        "Configuration.Lex.WelcomeIntent",
    ),
    (
        chime_sdk.DeclaredAppInstanceBot,
        "standard_messages",
        "chime-sdk-identity",
        "CreateAppInstanceBot",
        "Configuration.Lex.InvokedBy.StandardMessages",
    ),
    (
        chime_sdk.DeclaredAppInstanceBot,
        "targeted_messages",
        "chime-sdk-identity",
        "CreateAppInstanceBot",
        "Configuration.Lex.InvokedBy.TargetedMessages",
    ),
    (chime_sdk.DeclaredChannel, "name", "chime-sdk-messaging", "CreateChannel", "Name"),
    (chime_sdk.DeclaredChannel, "channel_id", "chime-sdk-messaging", "CreateChannel", "ChannelId"),
    (chime_sdk.DeclaredChannel, "mode", "chime-sdk-messaging", "CreateChannel", "Mode"),
    (chime_sdk.DeclaredChannel, "privacy", "chime-sdk-messaging", "CreateChannel", "Privacy"),
    (chime_sdk.DeclaredMeeting, "external_meeting_id", "chime-sdk-meetings", "CreateMeeting", "ExternalMeetingId"),
    (chime_sdk.DeclaredMeeting, "meeting_host_id", "chime-sdk-meetings", "CreateMeeting", "MeetingHostId"),
    (chime_sdk.DeclaredAttendee, "external_user_id", "chime-sdk-meetings", "CreateAttendee", "ExternalUserId"),
    (chime_sdk.DeclaredAttendee, "audio", "chime-sdk-meetings", "CreateAttendee", "Capabilities.Audio"),
    (chime_sdk.DeclaredVoiceConnector, "name", "chime-sdk-voice", "CreateVoiceConnector", "Name"),
    (chime_sdk.DeclaredVoiceConnector, "aws_region", "chime-sdk-voice", "CreateVoiceConnector", "AwsRegion"),
    (chime_sdk.DeclaredVoiceConnector, "network_type", "chime-sdk-voice", "CreateVoiceConnector", "NetworkType"),
    (chime_sdk.DeclaredSipApplication, "name", "chime-sdk-voice", "CreateSipMediaApplication", "Name"),
    (
        chime_sdk.DeclaredSipApplication,
        "lambda_arn",
        "chime-sdk-voice",
        "CreateSipMediaApplication",
        "Endpoints.LambdaArn",
    ),
    *(
        (chime_sdk.DeclaredUserEndpoint, name, "chime-sdk-identity", "RegisterAppInstanceUserEndpoint", member)
        for name, member in (
            ("name", "Name"),
            ("device_token", "EndpointAttributes.DeviceToken"),
            ("voip_device_token", "EndpointAttributes.VoipDeviceToken"),
            ("type", "Type"),
            ("allow_messages", "AllowMessages"),
        )
    ),
    *(
        (chime_sdk.DeclaredPhoneNumber, name, "chime-sdk-voice", "UpdatePhoneNumber", member)
        for name, member in (("name", "Name"), ("calling_name", "CallingName"), ("product_type", "ProductType"))
    ),
]
_TRIED = [
    *("", "a", "ab", *("x" * size for size in (64, 65, 100, 101, 256, 257, 1024, 1025, 1600, 1601))),
    *("a b", "-a", "a-", "a:b@c._-d", "é", "a\u0007b", "😀", " ", "A_b", "A__b", "a/b", "a1"),
    *(LAMBDA, f"{LAMBDA}:live", f"{LAMBDA}:$LATEST", LAMBDA.replace("lambda", "s3"), ALIAS, ALIAS.lower()),
]


def accepts(make: type, name: str, value: str) -> bool:
    check = members.members_of(make)[name].check
    notes = Notes(Located({}, {}))
    check(notes, (), value)
    return not notes.problems


def model_accepts(shape: Any, value: str) -> bool:
    facts = shape.metadata
    if facts.get("enum"):
        return value in facts["enum"]
    # The pattern of names writes characters beyond \uFFFF in a way that no engine reads as meant.
    pattern = facts.get("pattern", r"[\s\S]*").replace(r"\u10000-\u10FFFF", "\U00010000-\U0010ffff")
    return facts.get("min", 0) <= len(value) <= facts.get("max", 10**9) and bool(re.fullmatch(pattern, value))


@pytest.mark.parametrize(("make", "name", "service", "operation", "member"), _CASES, ids=lambda each: str(each)[-40:])
def test_a_value_is_accepted_as_the_model_accepts_it(
    make: type, name: str, service: str, operation: str, member: str
) -> None:
    shape = get_session().get_service_model(service).operation_model(operation).input_shape
    for part in member.split("."):
        shape = shape.member if shape.type_name == "list" else shape
        shape = shape.members[part]
    tried = [*_TRIED, *shape.metadata.get("enum", ()), "SENDRECEIVE"]
    assert [value for value in tried if accepts(make, name, value) != model_accepts(shape, value)] == []
    assert any(accepts(make, name, value) for value in tried)
    assert not all(accepts(make, name, value) for value in tried)

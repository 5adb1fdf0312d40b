"""Rooms, retention, phone numbers and devices of a sandbox file, as clients see them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rolecall import Rolecall
from rolecall.ids import Identifiers
from rolecall.storage.engine import Database
from rolecall.worlds.declare import read_world
from rolecall.worlds.setup import set_up_world

ACCOUNT, OTHER = "111122223333", "444455556666"
CORP = "aaaaaaaa-0000-4000-8000-000000000001"
ROOM = "aaaaaaaa-0000-4000-8000-000000000002"
INSTANCE_ID = "aaaaaaaa-0000-4000-8000-000000000003"
INSTANCE = f"arn:aws:chime:us-east-1:{ACCOUNT}:app-instance/{INSTANCE_ID}"
PINPOINT = f"arn:aws:mobiletargeting:us-east-1:{ACCOUNT}:apps/a1"
SEATTLE, PORTLAND, TOLL_FREE = "+12065550100", "+15035550101", "+18005550102"
DAY = 86_400
ADMIN = {
    "name": "admin",
    "access_keys": [{"id": "test", "secret": "test"}],
    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
}
FILE: dict[str, Any] = {
    "version": 1,
    "accounts": [
        {
            "id": ACCOUNT,
            "users": [ADMIN],
            "chime_accounts": [
                {
                    "name": "Corp",
                    "id": CORP,
                    "type": "EnterpriseLWA",
                    "users": [{"email": "ana@example.com"}, {"email": "ben@example.com"}, {"username": "Desk"}],
                    "rooms": [
                        {"name": "Plans", "id": ROOM, "members": ["ANA@example.com"], "administrators": ["Desk"]},
                        {"name": "Empty"},
                    ],
                    "retention": {"room_days": 30},
                }
            ],
            "voice_connectors": [{"name": "office"}],
            "voice_connector_groups": [{"name": "all", "connectors": [{"connector": "office"}]}],
            "phone_numbers": [
                {"number": SEATTLE, "name": "front", "calling_name": "Office", "voice_connector": "office"},
                {"number": PORTLAND, "voice_connector_group": "all"},
                {"number": TOLL_FREE, "product_type": "SipMediaApplicationDialIn"},
            ],
            "app_instances": [
                {
                    "name": "Chat",
                    "id": INSTANCE_ID,
                    "retention_days": 2,
                    "users": [
                        {
                            "id": "ana",
                            "endpoints": [
                                {
                                    "id": "phone",
                                    "name": "of Ana",
                                    "type": "APNS",
                                    "application": PINPOINT,
                                    "device_token": "secret-token",
                                    "voip_device_token": "other-token",
                                    "allow_messages": "NONE",
                                },
                                {"type": "GCM", "application": PINPOINT, "device_token": "tablet"},
                            ],
                        }
                    ],
                    "channels": [
                        {
                            "name": "c",
                            "id": "c",
                            "members": ["ana"],
                            "messages": [{"sender": "ana", "content": "Hello"}],
                        }
                    ],
                }
            ],
        }
    ],
}


@pytest.fixture
def sandbox() -> Iterator[Rolecall]:
    with Rolecall(config=FILE) as made:
        yield made


def apply(sandbox: Rolecall, file: dict[str, Any]) -> None:
    database: Database = sandbox._parts.sandbox.database
    world, ids = read_world(json.dumps(file)), Identifiers()
    assert database.write(lambda connection: set_up_world(connection, world, sandbox.clock.now.timestamp(), ids))


def is_recent(sandbox: Rolecall, moment: datetime) -> bool:
    """Whether it is the time of the set-up: a template of the sandbox is made earlier, at no time."""
    return timedelta(0) <= sandbox.clock.now - moment < timedelta(hours=1)


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_rooms_have_their_members(sandbox: Rolecall) -> None:
    chime = sandbox.client("chime")
    rooms = chime.list_rooms(AccountId=CORP)["Rooms"]
    assert {each["Name"] for each in rooms} == {"Plans", "Empty"}
    room = chime.get_room(AccountId=CORP, RoomId=ROOM)["Room"]
    assert (room["CreatedBy"], is_recent(sandbox, room["CreatedTimestamp"])) == (f"arn:aws:iam::{ACCOUNT}:root", True)
    members = chime.list_room_memberships(AccountId=CORP, RoomId=ROOM)["RoomMemberships"]
    assert {(each["Member"]["FullName"], each["Member"]["MemberType"], each["Role"]) for each in members} == {
        ("ana", "User", "Member"),
        ("Desk", "User", "Administrator"),
    }
    users = {each.get("PrimaryEmail"): each["UserId"] for each in chime.list_users(AccountId=CORP)["Users"]}
    ben = chime.create_room_membership(AccountId=CORP, RoomId=ROOM, MemberId=users["ben@example.com"])
    assert ben["RoomMembership"]["Role"] == "Member"
    with pytest.raises(ClientError) as caught:
        chime.create_room_membership(AccountId=CORP, RoomId=ROOM, MemberId=users["ana@example.com"])
    assert code(caught) == "ConflictException"


def test_retention_of_rooms_is_in_force_from_the_beginning(sandbox: Rolecall) -> None:
    found = sandbox.client("chime").get_retention_settings(AccountId=CORP)
    del found["ResponseMetadata"]
    assert is_recent(sandbox, found.pop("InitiateDeletionTimestamp"))
    assert found == {
        "RetentionSettings": {"RoomRetentionSettings": {"RetentionDays": 30}, "ConversationRetentionSettings": {}}
    }


def test_messages_are_kept_as_long_as_the_file_says(sandbox: Rolecall) -> None:
    identity, messaging = sandbox.client("chime-sdk-identity"), sandbox.client("chime-sdk-messaging")
    found = identity.get_app_instance_retention_settings(AppInstanceArn=INSTANCE)
    del found["ResponseMetadata"]
    # No grace period is left, so nothing is to begin at a later time.
    assert found == {"AppInstanceRetentionSettings": {"ChannelRetentionSettings": {"RetentionDays": 2}}}
    asked = {"ChannelArn": f"{INSTANCE}/channel/c", "ChimeBearer": f"{INSTANCE}/user/ana"}
    assert [each["Content"] for each in messaging.list_channel_messages(**asked)["ChannelMessages"]] == ["Hello"]
    sandbox.clock.advance(seconds=2 * DAY + 1)
    assert messaging.list_channel_messages(**asked)["ChannelMessages"] == []


def test_numbers_are_acquired_and_assigned(sandbox: Rolecall) -> None:
    voice = sandbox.client("chime-sdk-voice")
    numbers = {each["E164PhoneNumber"]: each for each in voice.list_phone_numbers()["PhoneNumbers"]}
    assert {number: each["Status"] for number, each in numbers.items()} == {
        SEATTLE: "Assigned",
        PORTLAND: "Assigned",
        TOLL_FREE: "Unassigned",
    }
    [connector] = voice.list_voice_connectors()["VoiceConnectors"]
    [group] = voice.list_voice_connector_groups()["VoiceConnectorGroups"]
    shown = voice.get_phone_number(PhoneNumberId=SEATTLE)["PhoneNumber"]
    assert (shown["Name"], shown["CallingName"], shown["CallingNameStatus"]) == ("front", "Office", "UpdateSucceeded")
    [association] = shown["Associations"]
    assert (association["Name"], association["Value"]) == ("VoiceConnectorId", connector["VoiceConnectorId"])
    assert association["AssociatedTimestamp"] == shown["CreatedTimestamp"]
    assert is_recent(sandbox, shown["CreatedTimestamp"])
    [association] = numbers[PORTLAND]["Associations"]
    assert (association["Name"], association["Value"]) == ("VoiceConnectorGroupId", group["VoiceConnectorGroupId"])
    order = voice.get_phone_number_order(PhoneNumberOrderId=shown["OrderId"])["PhoneNumberOrder"]
    assert (order["Status"], order["OrderedPhoneNumbers"]) == (
        "Successful",
        [{"E164PhoneNumber": SEATTLE, "Status": "Acquired"}],
    )
    assert SEATTLE not in voice.search_available_phone_numbers(AreaCode="206")["E164PhoneNumbers"]
    # A number in use keeps its connector, and cannot be deleted.
    for operation, asked in (
        (voice.delete_phone_number, {"PhoneNumberId": SEATTLE}),
        (voice.delete_voice_connector, {"VoiceConnectorId": connector["VoiceConnectorId"]}),
    ):
        with pytest.raises(ClientError) as caught:
            operation(**asked)
        assert code(caught) == "BadRequestException"


def test_devices_of_a_user(sandbox: Rolecall) -> None:
    identity = sandbox.client("chime-sdk-identity")
    ana = f"{INSTANCE}/user/ana"
    phone = identity.describe_app_instance_user_endpoint(AppInstanceUserArn=ana, EndpointId="phone")
    del phone["ResponseMetadata"]
    made = phone["AppInstanceUserEndpoint"].pop("CreatedTimestamp")
    assert made == phone["AppInstanceUserEndpoint"].pop("LastUpdatedTimestamp")
    assert is_recent(sandbox, made)
    assert phone == {
        "AppInstanceUserEndpoint": {
            "AppInstanceUserArn": ana,
            "EndpointId": "phone",
            "Name": "of Ana",
            "Type": "APNS",
            "ResourceArn": PINPOINT,
            "EndpointAttributes": {"DeviceToken": "secret-token", "VoipDeviceToken": "other-token"},
            "AllowMessages": "NONE",
            "EndpointState": {"Status": "ACTIVE"},
        }
    }
    listed = identity.list_app_instance_user_endpoints(AppInstanceUserArn=ana)["AppInstanceUserEndpoints"]
    assert sorted(each["Type"] for each in listed) == ["APNS", "GCM"]
    identity.deregister_app_instance_user_endpoint(AppInstanceUserArn=ana, EndpointId="phone")
    assert len(identity.list_app_instance_user_endpoints(AppInstanceUserArn=ana)["AppInstanceUserEndpoints"]) == 1
    identity.delete_app_instance_user(AppInstanceUserArn=ana)
    with pytest.raises(ClientError):
        identity.list_app_instance_user_endpoints(AppInstanceUserArn=ana)


def test_a_changed_file_restores_what_it_declares(sandbox: Rolecall) -> None:
    chime, identity, voice = (sandbox.client(name) for name in ("chime", "chime-sdk-identity", "chime-sdk-voice"))
    ana = f"{INSTANCE}/user/ana"
    chime.delete_room(AccountId=CORP, RoomId=ROOM)
    own = chime.create_room(AccountId=CORP, Name="of a call")["Room"]["RoomId"]
    voice.delete_phone_number(PhoneNumberId=TOLL_FREE)
    sandbox.clock.advance(seconds=60)
    changed = deepcopy(FILE)
    account = changed["accounts"][0]
    account["chime_accounts"][0]["rooms"][0] |= {"name": "Plan B", "members": ["ben@example.com"]}
    account["chime_accounts"][0]["retention"] = {"conversation_days": 7}
    account["phone_numbers"][1] = {"number": PORTLAND, "voice_connector": "office", "name": "back"}
    account["app_instances"][0]["retention_days"] = 9
    account["app_instances"][0]["users"][0]["endpoints"][0]["device_token"] = "new-token"
    apply(sandbox, changed)
    rooms = {each["RoomId"]: each["Name"] for each in chime.list_rooms(AccountId=CORP)["Rooms"]}
    assert (rooms[ROOM], rooms[own]) == ("Plan B", "of a call")
    members = chime.list_room_memberships(AccountId=CORP, RoomId=ROOM)["RoomMemberships"]
    assert {each["Member"]["FullName"] for each in members} == {"ben", "Desk"}
    retention = chime.get_retention_settings(AccountId=CORP)["RetentionSettings"]
    assert retention == {"RoomRetentionSettings": {}, "ConversationRetentionSettings": {"RetentionDays": 7}}
    assert voice.get_phone_number(PhoneNumberId=TOLL_FREE)["PhoneNumber"]["Status"] == "Unassigned"
    moved = voice.get_phone_number(PhoneNumberId=PORTLAND)["PhoneNumber"]
    assert [each["Name"] for each in moved["Associations"]] == ["VoiceConnectorId"]
    kept = identity.get_app_instance_retention_settings(AppInstanceArn=INSTANCE)["AppInstanceRetentionSettings"]
    assert kept["ChannelRetentionSettings"] == {"RetentionDays": 9}
    phone = identity.describe_app_instance_user_endpoint(AppInstanceUserArn=ana, EndpointId="phone")
    assert phone["AppInstanceUserEndpoint"]["EndpointAttributes"]["DeviceToken"] == "new-token"


def test_what_a_call_put_stays_while_the_file_says_the_same_days(sandbox: Rolecall) -> None:
    identity = sandbox.client("chime-sdk-identity")
    same = {"ChannelRetentionSettings": {"RetentionDays": 2}}
    put = identity.put_app_instance_retention_settings(AppInstanceArn=INSTANCE, AppInstanceRetentionSettings=same)
    changed = deepcopy(FILE)
    changed["accounts"][0]["app_instances"][0]["name"] = "Other"
    apply(sandbox, changed)
    found = identity.get_app_instance_retention_settings(AppInstanceArn=INSTANCE)
    assert found["InitiateDeletionTimestamp"] == put["InitiateDeletionTimestamp"]


def test_a_snapshot_keeps_all_of_it(sandbox: Rolecall) -> None:
    def seen() -> list[Any]:
        chime, identity, voice = (sandbox.client(name) for name in ("chime", "chime-sdk-identity", "chime-sdk-voice"))
        found = [
            chime.list_rooms(AccountId=CORP),
            chime.list_room_memberships(AccountId=CORP, RoomId=ROOM),
            chime.get_retention_settings(AccountId=CORP),
            identity.get_app_instance_retention_settings(AppInstanceArn=INSTANCE),
            identity.list_app_instance_user_endpoints(AppInstanceUserArn=f"{INSTANCE}/user/ana"),
            voice.list_phone_numbers(),
            voice.list_phone_number_orders(),
        ]
        return [{name: value for name, value in each.items() if name != "ResponseMetadata"} for each in found]

    sandbox.clock.freeze()
    before, saved = seen(), sandbox.snapshot()
    sandbox.client("chime").delete_room(AccountId=CORP, RoomId=ROOM)
    sandbox.client("chime-sdk-identity").delete_app_instance(AppInstanceArn=INSTANCE)
    sandbox.client("chime-sdk-voice").delete_phone_number(PhoneNumberId=TOLL_FREE)
    sandbox.load(saved)
    assert seen() == before

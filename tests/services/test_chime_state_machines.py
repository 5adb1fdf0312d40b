"""Random calls of Chime's services through boto3, against small models of what ought to be."""

from __future__ import annotations

from typing import Any

import pytest
from chime_worlds import ANA, BEN, CHIME_WORLD, ENTERPRISE
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from state_machines import DAY_SECONDS, PLACE, Machine, at, run_machine


class Chime(Machine):
    """Accounts with users, and rooms with members."""

    service = "chime"
    declaration = CHIME_WORLD

    def __init__(self) -> None:
        super().__init__()
        # Users by account: email address to id and license. Rooms of the Enterprise account: name, members' roles.
        self.accounts: dict[str, dict[str, tuple[str, str]]] = {}
        self.rooms: dict[str, tuple[str, dict[str, str]]] = {}
        self.tokens: dict[str, str] = {}

    @rule(name=st.sampled_from(["a", "b"]))
    def create_account(self, name: str) -> None:
        made = self.call("CreateAccount", Name=name)["Account"]
        self.accounts[made["AccountId"]] = {}

    @precondition(lambda self: self.accounts)
    @rule(place=PLACE, email=st.sampled_from(["x@example.com", "y@example.com"]))
    def create_user(self, place: int, email: str) -> None:
        account = at(self.accounts, place)
        users = self.accounts[account]
        if email in users:
            self.refused("ConflictException", "CreateUser", AccountId=account, Email=email)
        else:
            users[email] = (self.call("CreateUser", AccountId=account, Email=email)["User"]["UserId"], "Pro")

    @precondition(lambda self: any(self.accounts.values()))
    @rule(place=PLACE)
    def suspend_users(self, place: int) -> None:
        account = at([each for each, users in self.accounts.items() if users], place)
        users = self.accounts[account]
        ids = [user_id for user_id, _ in users.values()]
        assert self.call("BatchSuspendUser", AccountId=account, UserIdList=ids)["UserErrors"] == []
        # Suspending a user of a Team account takes the license away, and nothing else.
        self.accounts[account] = {email: (user_id, "Basic") for email, (user_id, _) in users.items()}

    @precondition(lambda self: self.accounts)
    @rule(place=PLACE)
    def delete_account(self, place: int) -> None:
        account = at(self.accounts, place)
        if any(license_type == "Pro" for _, license_type in self.accounts[account].values()):
            self.refused("UnprocessableEntityException", "DeleteAccount", AccountId=account)
            return
        self.call("DeleteAccount", AccountId=account)
        del self.accounts[account]
        self.refused("NotFoundException", "GetAccount", AccountId=account)

    @rule(name=st.sampled_from(["red", "blue"]), token=st.sampled_from(["token1", "token2", ""]))
    def create_room(self, name: str, token: str) -> None:
        given = {"ClientRequestToken": token} if token else {}
        made = self.call("CreateRoom", AccountId=ENTERPRISE, Name=name, **given)["Room"]["RoomId"]
        known = self.tokens.get(token)
        if known in self.rooms:
            assert made == known
            return
        assert made not in self.rooms
        self.rooms[made] = (name, {})
        if token:
            self.tokens[token] = made

    @precondition(lambda self: self.rooms)
    @rule(place=PLACE, member=st.sampled_from([ANA, BEN]), role=st.sampled_from(["Member", "Administrator"]))
    def join(self, place: int, member: str, role: str) -> None:
        room = at(self.rooms, place)
        members = self.rooms[room][1]
        given = {"AccountId": ENTERPRISE, "RoomId": room, "MemberId": member, "Role": role}
        if member in members:
            self.refused("ConflictException", "CreateRoomMembership", **given)
            self.call("UpdateRoomMembership", **given)
        else:
            self.refused("NotFoundException", "UpdateRoomMembership", **given)
            self.call("CreateRoomMembership", **given)
        members[member] = role

    @precondition(lambda self: self.rooms)
    @rule(place=PLACE, member=st.sampled_from([ANA, BEN]))
    def leave(self, place: int, member: str) -> None:
        room = at(self.rooms, place)
        given = {"AccountId": ENTERPRISE, "RoomId": room, "MemberId": member}
        if self.rooms[room][1].pop(member, None) is None:
            self.refused("NotFoundException", "DeleteRoomMembership", **given)
        else:
            self.call("DeleteRoomMembership", **given)

    @precondition(lambda self: self.rooms)
    @rule(place=PLACE)
    def delete_room(self, place: int) -> None:
        room = at(self.rooms, place)
        del self.rooms[room]
        self.call("DeleteRoom", AccountId=ENTERPRISE, RoomId=room)
        for operation in ("GetRoom", "ListRoomMemberships", "DeleteRoom"):
            self.refused("NotFoundException", operation, AccountId=ENTERPRISE, RoomId=room)

    def everything_is_as_in_the_model(self) -> None:
        listed = {each["AccountId"] for each in self.call("ListAccounts")["Accounts"]}
        assert {each for each in listed if each not in DECLARED_ACCOUNTS} == set(self.accounts)
        for account, users in self.accounts.items():
            found = self.call("ListUsers", AccountId=account)["Users"]
            present = {each["PrimaryEmail"]: (each["UserId"], each["LicenseType"]) for each in found}
            assert present == users
        rooms = self.call("ListRooms", AccountId=ENTERPRISE)["Rooms"]
        assert {each["RoomId"]: each["Name"] for each in rooms} == {
            room: name for room, (name, _) in self.rooms.items()
        }
        for room, (_, members) in self.rooms.items():
            found = self.call("ListRoomMemberships", AccountId=ENTERPRISE, RoomId=room)["RoomMemberships"]
            assert {each["Member"]["MemberId"]: each["Role"] for each in found} == members


DECLARED_ACCOUNTS = {ENTERPRISE, "22222222-2222-4222-8222-222222222222"}


class Meetings(Machine):
    """Meetings that end, with attendees and tags."""

    service = "chime-sdk-meetings"
    declaration = CHIME_WORLD
    UNUSED_SECONDS = 300

    def __init__(self) -> None:
        super().__init__()
        # By token: id, ARN, creation, last use, attendees by name, tags.
        self.meetings: dict[str, dict[str, Any]] = {}
        self.ended: list[str] = []

    def living(self) -> list[dict[str, Any]]:
        return list(self.meetings.values())

    @rule(token=st.sampled_from(["t1", "t2", "t3"]), name=st.sampled_from(["m1", "m2"]))
    def create(self, token: str, name: str) -> None:
        asked = {"ClientRequestToken": token, "MediaRegion": "us-east-1", "ExternalMeetingId": name}
        known = self.meetings.get(token)
        if known is not None and known["name"] != name:
            self.refused("ConflictException", "CreateMeeting", **asked)
            return
        made = self.call("CreateMeeting", **asked)["Meeting"]
        if known is not None:
            assert made["MeetingId"] == known["id"]
            return
        assert made["MeetingId"] not in {each["id"] for each in self.living()} | set(self.ended)
        self.meetings[token] = {
            "id": made["MeetingId"], "arn": made["MeetingArn"], "name": name,
            "made": self.now, "used": self.now, "people": {}, "tags": {},
        }  # fmt: skip

    @precondition(lambda self: self.meetings)
    @rule(place=PLACE, person=st.sampled_from(["ana", "bo"]))
    def join(self, place: int, person: str) -> None:
        meeting = at(self.living(), place)
        made = self.call("CreateAttendee", MeetingId=meeting["id"], ExternalUserId=person)["Attendee"]
        assert meeting["people"].setdefault(person, made) == made
        meeting["used"] = self.now

    @precondition(lambda self: any(each["people"] for each in self.living()))
    @rule(place=PLACE, video=st.sampled_from(["None", "Receive", "SendReceive"]))
    def change(self, place: int, video: str) -> None:
        meeting = at([each for each in self.living() if each["people"]], place)
        person = at(meeting["people"], place)
        wanted = {"Audio": "Send", "Video": video, "Content": "None"}
        named = {"MeetingId": meeting["id"], "AttendeeId": meeting["people"][person]["AttendeeId"]}
        self.call("UpdateAttendeeCapabilities", **named, Capabilities=wanted)
        meeting["people"][person] = {**meeting["people"][person], "Capabilities": wanted}
        meeting["used"] = self.now

    @precondition(lambda self: any(each["people"] for each in self.living()))
    @rule(place=PLACE)
    def leave(self, place: int) -> None:
        meeting = at([each for each in self.living() if each["people"]], place)
        gone = meeting["people"].pop(at(meeting["people"], place))
        named = {"MeetingId": meeting["id"], "AttendeeId": gone["AttendeeId"]}
        self.call("DeleteAttendee", **named)
        meeting["used"] = self.now
        self.refused("NotFoundException", "GetAttendee", **named)

    @precondition(lambda self: self.meetings)
    @rule(place=PLACE, key=st.sampled_from(["a", "b"]), value=st.sampled_from(["x", "y", None]))
    def tag(self, place: int, key: str, value: str | None) -> None:
        meeting = at(self.living(), place)
        if value is None:
            meeting["tags"].pop(key, None)
            self.call("UntagResource", ResourceARN=meeting["arn"], TagKeys=[key])
        else:
            meeting["tags"][key] = value
            self.call("TagResource", ResourceARN=meeting["arn"], Tags=[{"Key": key, "Value": value}])

    @precondition(lambda self: self.meetings)
    @rule(place=PLACE)
    def end(self, place: int) -> None:
        token = at(self.meetings, place)
        self.call("DeleteMeeting", MeetingId=self.meetings[token]["id"])
        self.ended.append(self.meetings.pop(token)["id"])

    @rule(seconds=st.sampled_from([1, 150, 299, 300]))
    def time_passes(self, seconds: int) -> None:
        self.wait(seconds)
        for token, meeting in list(self.meetings.items()):
            if self.now >= min(meeting["used"] + self.UNUSED_SECONDS, meeting["made"] + DAY_SECONDS):
                self.ended.append(self.meetings.pop(token)["id"])

    def everything_is_as_in_the_model(self) -> None:
        for meeting in self.living():
            assert self.call("GetMeeting", MeetingId=meeting["id"])["Meeting"]["MeetingArn"] == meeting["arn"]
            found = self.call("ListAttendees", MeetingId=meeting["id"])["Attendees"]
            assert {each["ExternalUserId"]: each for each in found} == meeting["people"]
            tags = self.call("ListTagsForResource", ResourceARN=meeting["arn"])["Tags"]
            assert {each["Key"]: each["Value"] for each in tags} == meeting["tags"]
        for meeting_id in self.ended[-3:]:
            self.refused("NotFoundException", "GetMeeting", MeetingId=meeting_id)
            self.refused("NotFoundException", "CreateAttendee", MeetingId=meeting_id, ExternalUserId="ana")


class Identity(Machine):
    """App instances with users, who may expire, and administrators."""

    service = "chime-sdk-identity"
    declaration = CHIME_WORLD

    def __init__(self) -> None:
        super().__init__()
        # By ARN of the app instance: users by id, with token, end and whether each is an administrator.
        self.instances: dict[str, dict[str, dict[str, Any]]] = {}
        self.tokens: dict[str, str] = {}

    @rule(token=st.sampled_from(["i1", "i2"]))
    def create_instance(self, token: str) -> None:
        made = self.call("CreateAppInstance", Name="chat", ClientRequestToken=token)["AppInstanceArn"]
        if self.tokens.get(token) in self.instances:
            assert made == self.tokens[token]
            return
        assert made not in self.instances
        self.tokens[token], self.instances[made] = made, {}

    @precondition(lambda self: self.instances)
    @rule(place=PLACE, user=st.sampled_from(["ana", "bo"]), token=st.sampled_from(["u1", "u2"]))
    def create_user(self, place: int, user: str, token: str) -> None:
        instance = at(self.instances, place)
        users = self.instances[instance]
        asked = {"AppInstanceArn": instance, "AppInstanceUserId": user, "Name": user, "ClientRequestToken": token}
        by_token = next((name for name, each in users.items() if each["token"] == token), None)
        if by_token not in (None, user) or (user in users and users[user]["token"] != token):
            self.refused("ConflictException", "CreateAppInstanceUser", **asked)
            return
        made = self.call("CreateAppInstanceUser", **asked)["AppInstanceUserArn"]
        assert made == f"{instance}/user/{user}"
        users.setdefault(user, {"token": token, "made": self.now, "end": None, "admin": False})

    def some_user(self, place: int) -> tuple[str, str]:
        return tuple(at([(one, name) for one, users in self.instances.items() for name in users], place))  # type: ignore[return-value]

    @precondition(lambda self: any(self.instances.values()))
    @rule(place=PLACE)
    def make_administrator(self, place: int) -> None:
        instance, user = self.some_user(place)
        asked = {"AppInstanceArn": instance, "AppInstanceAdminArn": f"{instance}/user/{user}"}
        if self.instances[instance][user]["admin"]:
            self.refused("ConflictException", "CreateAppInstanceAdmin", **asked)
        else:
            self.call("CreateAppInstanceAdmin", **asked)
        self.instances[instance][user]["admin"] = True

    @precondition(lambda self: any(self.instances.values()))
    @rule(place=PLACE)
    def dismiss_administrator(self, place: int) -> None:
        instance, user = self.some_user(place)
        asked = {"AppInstanceArn": instance, "AppInstanceAdminArn": f"{instance}/user/{user}"}
        if self.instances[instance][user]["admin"]:
            self.call("DeleteAppInstanceAdmin", **asked)
        else:
            self.refused("NotFoundException", "DeleteAppInstanceAdmin", **asked)
        self.instances[instance][user]["admin"] = False

    @precondition(lambda self: any(self.instances.values()))
    @rule(place=PLACE, days=st.sampled_from([1, 2]))
    def let_expire(self, place: int, days: int) -> None:
        instance, user = self.some_user(place)
        wanted = {"ExpirationDays": days, "ExpirationCriterion": "CREATED_TIMESTAMP"}
        asked = {"AppInstanceUserArn": f"{instance}/user/{user}", "ExpirationSettings": wanted}
        self.call("PutAppInstanceUserExpirationSettings", **asked)
        known = self.instances[instance][user]
        known["end"] = known["made"] + days * DAY_SECONDS
        self.time_passes(0)

    @rule(seconds=st.sampled_from([1, DAY_SECONDS // 2, DAY_SECONDS]))
    def time_passes(self, seconds: int) -> None:
        self.wait(seconds)
        for users in self.instances.values():
            for name, each in list(users.items()):
                if each["end"] is not None and each["end"] <= self.now:
                    del users[name]

    @precondition(lambda self: any(self.instances.values()))
    @rule(place=PLACE)
    def delete_user(self, place: int) -> None:
        instance, user = self.some_user(place)
        del self.instances[instance][user]
        arn = f"{instance}/user/{user}"
        self.call("DeleteAppInstanceUser", AppInstanceUserArn=arn)
        self.refused("NotFoundException", "DescribeAppInstanceUser", AppInstanceUserArn=arn)

    @precondition(lambda self: self.instances)
    @rule(place=PLACE)
    def delete_instance(self, place: int) -> None:
        instance = at(self.instances, place)
        users = self.instances.pop(instance)
        self.call("DeleteAppInstance", AppInstanceArn=instance)
        self.refused("NotFoundException", "DescribeAppInstance", AppInstanceArn=instance)
        for user in users:
            self.refused("NotFoundException", "DescribeAppInstanceUser", AppInstanceUserArn=f"{instance}/user/{user}")

    def everything_is_as_in_the_model(self) -> None:
        listed = self.call("ListAppInstances")["AppInstances"]
        assert {each["AppInstanceArn"] for each in listed} == set(self.instances)
        for instance, users in self.instances.items():
            named = {"AppInstanceArn": instance}
            found = self.call("ListAppInstanceUsers", **named)["AppInstanceUsers"]
            assert {each["AppInstanceUserArn"] for each in found} == {f"{instance}/user/{each}" for each in users}
            admins = self.call("ListAppInstanceAdmins", **named)["AppInstanceAdmins"]
            expected = {f"{instance}/user/{name}" for name, each in users.items() if each["admin"]}
            assert {each["Admin"]["Arn"] for each in admins} == expected


class Voice(Machine):
    """Connectors, groups, and the numbers that are assigned to them."""

    service = "chime-sdk-voice"
    declaration = CHIME_WORLD
    NUMBERS = ("+12065550100", "+12065550101", "+12065550102")

    def __init__(self) -> None:
        super().__init__()
        self.call("CreatePhoneNumberOrder", ProductType="VoiceConnector", E164PhoneNumbers=list(self.NUMBERS))
        self.wait(5)
        self.connectors: set[str] = set()
        self.groups: dict[str, list[str]] = {}
        # What each number is assigned to; None for nothing.
        self.numbers: dict[str, str | None] = dict.fromkeys(self.NUMBERS)

    @rule()
    def create_connector(self) -> None:
        made = self.call("CreateVoiceConnector", Name="c", RequireEncryption=True)["VoiceConnector"]
        self.connectors.add(made["VoiceConnectorId"])

    def some_connectors(self, place: int, count: int) -> list[str]:
        return sorted(self.connectors)[place : place + count]

    @rule(place=PLACE, count=st.integers(0, 4))
    def create_group(self, place: int, count: int) -> None:
        members = self.some_connectors(place, count)
        items = [{"VoiceConnectorId": each, "Priority": 1} for each in members]
        if len(members) > 3:
            self.refused(
                "ResourceLimitExceededException", "CreateVoiceConnectorGroup", Name="g", VoiceConnectorItems=items
            )
            return
        made = self.call("CreateVoiceConnectorGroup", Name="g", VoiceConnectorItems=items)["VoiceConnectorGroup"]
        self.groups[made["VoiceConnectorGroupId"]] = members

    @precondition(lambda self: self.groups)
    @rule(place=PLACE, count=st.integers(0, 3))
    def update_group(self, place: int, count: int) -> None:
        group = at(self.groups, place)
        members = self.some_connectors(place, count)
        items = [{"VoiceConnectorId": each, "Priority": 1} for each in members]
        self.call("UpdateVoiceConnectorGroup", VoiceConnectorGroupId=group, Name="g", VoiceConnectorItems=items)
        self.groups[group] = members

    @precondition(lambda self: self.connectors or self.groups)
    @rule(place=PLACE, number=st.sampled_from(NUMBERS), force=st.booleans())
    def assign(self, place: int, number: str, force: bool) -> None:
        owner = at([*sorted(self.connectors), *self.groups], place)
        given = {"E164PhoneNumbers": [number], "ForceAssociate": force}
        if owner in self.connectors:
            named, operation = {"VoiceConnectorId": owner}, "AssociatePhoneNumbersWithVoiceConnector"
        else:
            named, operation = {"VoiceConnectorGroupId": owner}, "AssociatePhoneNumbersWithVoiceConnectorGroup"
        errors = self.call(operation, **named, **given)["PhoneNumberErrors"]
        is_taken = self.numbers[number] not in (None, owner) and not force
        assert [each["PhoneNumberId"] for each in errors] == ([number] if is_taken else [])
        if not is_taken:
            self.numbers[number] = owner

    @precondition(lambda self: self.connectors)
    @rule(place=PLACE, number=st.sampled_from(NUMBERS))
    def take_away(self, place: int, number: str) -> None:
        owner = at(sorted(self.connectors), place)
        asked = {"VoiceConnectorId": owner, "E164PhoneNumbers": [number]}
        errors = self.call("DisassociatePhoneNumbersFromVoiceConnector", **asked)["PhoneNumberErrors"]
        assert bool(errors) is (self.numbers[number] != owner)
        if not errors:
            self.numbers[number] = None

    @precondition(lambda self: self.connectors)
    @rule(place=PLACE)
    def delete_connector(self, place: int) -> None:
        connector = at(sorted(self.connectors), place)
        is_grouped = any(connector in members for members in self.groups.values())
        if is_grouped or connector in self.numbers.values():
            self.refused("BadRequestException", "DeleteVoiceConnector", VoiceConnectorId=connector)
            return
        self.call("DeleteVoiceConnector", VoiceConnectorId=connector)
        self.connectors.discard(connector)
        self.refused("NotFoundException", "GetVoiceConnector", VoiceConnectorId=connector)

    @precondition(lambda self: self.groups)
    @rule(place=PLACE)
    def delete_group(self, place: int) -> None:
        group = at(self.groups, place)
        if self.groups[group] or group in self.numbers.values():
            self.refused("ConflictException", "DeleteVoiceConnectorGroup", VoiceConnectorGroupId=group)
            return
        self.call("DeleteVoiceConnectorGroup", VoiceConnectorGroupId=group)
        del self.groups[group]

    def everything_is_as_in_the_model(self) -> None:
        found = self.call("ListVoiceConnectors")["VoiceConnectors"]
        assert {each["VoiceConnectorId"] for each in found} == self.connectors
        groups = self.call("ListVoiceConnectorGroups")["VoiceConnectorGroups"]
        present = {
            each["VoiceConnectorGroupId"]: [item["VoiceConnectorId"] for item in each["VoiceConnectorItems"]]
            for each in groups
        }
        assert present == self.groups
        for each in self.call("ListPhoneNumbers")["PhoneNumbers"]:
            owner = self.numbers[each["E164PhoneNumber"]]
            assert each["Status"] == ("Unassigned" if owner is None else "Assigned")
            assert [one["Value"] for one in each["Associations"]] == ([] if owner is None else [owner])


@pytest.mark.parametrize("machine", [Chime, Meetings, Identity, Voice], ids=lambda each: each.service)
def test_random_calls_agree_with_a_model(machine: type[Machine]) -> None:
    run_machine(machine)

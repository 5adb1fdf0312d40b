"""Rooms, their members, bots, retention and sign-in delegate groups: what Enterprise accounts of Chime have."""

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from chime_calls import NOBODY, refusal
from chime_worlds import ANA, BEN, CHIME_WORLD, ENTERPRISE, FIRST, OTHERS, TEAM

from rolecall.services.chime import room_memberships, rooms

ADMIN = f"arn:aws:iam::{FIRST}:user/admin"
ACCOUNT = {"AccountId": ENTERPRISE}
LAMBDA = "arn:aws:lambda:us-east-1:111122223333:function:events"


@pytest.fixture
def world(make_world):
    return make_world(CHIME_WORLD)


@pytest.fixture
def chime(world):
    return world.client("chime", "admin")


@pytest.fixture
def room(chime):
    return {**ACCOUNT, "RoomId": chime.create_room(**ACCOUNT, Name="room")["Room"]["RoomId"]}


@pytest.fixture
def bot(chime):
    made = chime.create_bot(**ACCOUNT, DisplayName="myBot", Domain="example.com")["Bot"]
    return {**ACCOUNT, "BotId": made["BotId"]}


def test_a_room_is_made_read_changed_and_deleted(world, chime):
    made = chime.create_room(**ACCOUNT, Name="chatRoom")["Room"]
    # AWS CLI, create-room: CreatedBy is the caller's ARN.
    expected = {"Name": "chatRoom", "AccountId": ENTERPRISE, "CreatedBy": ADMIN}
    assert {name: made[name] for name in expected} == expected
    named = {**ACCOUNT, "RoomId": made["RoomId"]}
    assert chime.get_room(**named)["Room"] == made
    world.clock.advance(60)
    changed = chime.update_room(**named, Name="renamed")["Room"]
    assert chime.get_room(**named)["Room"] == changed
    assert changed["UpdatedTimestamp"] > made["UpdatedTimestamp"]
    assert {**changed, "UpdatedTimestamp": 0} == {**made, "Name": "renamed", "UpdatedTimestamp": 0}
    chime.delete_room(**named)
    for operation in ("GetRoom", "DeleteRoom", "UpdateRoom", "ListRoomMemberships"):
        assert refusal(chime, operation, **named)[0] == "NotFoundException"


def test_a_token_makes_one_room(chime):
    first = chime.create_room(**ACCOUNT, Name="one", ClientRequestToken="token-1")["Room"]
    assert chime.create_room(**ACCOUNT, Name="two", ClientRequestToken="token-1")["Room"] == first
    assert chime.create_room(**ACCOUNT, Name="two", ClientRequestToken="token-2")["Room"] != first
    assert sorted(each["Name"] for each in chime.list_rooms(**ACCOUNT)["Rooms"]) == ["one", "two"]


def test_rooms_are_listed_by_page_and_by_member(world, chime):
    made = []
    for number in range(5):
        made.append(chime.create_room(**ACCOUNT, Name=f"room {number}")["Room"])
        world.clock.advance(1)
    page = chime.list_rooms(**ACCOUNT, MaxResults=3)
    assert page["Rooms"] + chime.list_rooms(**ACCOUNT, NextToken=page["NextToken"])["Rooms"] == made
    chime.create_room_membership(**ACCOUNT, RoomId=made[3]["RoomId"], MemberId=ANA)
    assert chime.list_rooms(**ACCOUNT, MemberId=ANA)["Rooms"] == [made[3]]
    assert chime.list_rooms(**ACCOUNT, MemberId=BEN)["Rooms"] == []
    for more in ({**ACCOUNT, "MemberId": ANA}, {"AccountId": TEAM}):
        assert refusal(chime, "ListRooms", **more, NextToken=page["NextToken"])[0] == "BadRequestException"


def test_members_are_users_and_bots_of_the_account(world, chime, room, bot):
    made = chime.create_room_membership(**room, MemberId=ANA)["RoomMembership"]
    # AWS CLI, create-room-membership: the role is Member by default.
    assert {**made, "UpdatedTimestamp": None} == {
        "RoomId": room["RoomId"],
        "Member": {
            "MemberId": ANA,
            "MemberType": "User",
            "Email": "ana@example.com",
            "FullName": "ana",
            "AccountId": ENTERPRISE,
        },
        "Role": "Member",
        "InvitedBy": ADMIN,
        "UpdatedTimestamp": None,
    }
    of_bot = chime.create_room_membership(**room, MemberId=bot["BotId"], Role="Administrator")["RoomMembership"]
    assert (of_bot["Member"]["MemberType"], of_bot["Member"]["FullName"]) == ("Bot", "myBot (Bot)")
    listed = chime.list_room_memberships(**room)["RoomMemberships"]
    assert sorted(listed, key=str) == sorted([made, of_bot], key=str)
    page = chime.list_room_memberships(**room, MaxResults=1)
    rest = chime.list_room_memberships(**room, NextToken=page["NextToken"])
    assert page["RoomMemberships"] + rest["RoomMemberships"] == listed
    assert "NextToken" not in rest
    assert refusal(chime, "CreateRoomMembership", **room, MemberId=ANA)[0] == "ConflictException"
    assert refusal(chime, "CreateRoomMembership", **room, MemberId=NOBODY)[0] == "NotFoundException"


def test_the_role_of_a_user_changes(chime, room, bot):
    chime.create_room_membership(**room, MemberId=ANA)
    chime.create_room_membership(**room, MemberId=bot["BotId"])
    changed = chime.update_room_membership(**room, MemberId=ANA, Role="Administrator")["RoomMembership"]
    assert changed in chime.list_room_memberships(**room)["RoomMemberships"]
    assert changed["Role"] == "Administrator"
    parameters = {**room, "MemberId": bot["BotId"], "Role": "Administrator"}
    assert refusal(chime, "UpdateRoomMembership", **parameters)[0] == "BadRequestException"
    assert refusal(chime, "UpdateRoomMembership", **room, MemberId=BEN, Role="Member")[0] == "NotFoundException"
    chime.delete_room_membership(**room, MemberId=ANA)
    assert refusal(chime, "DeleteRoomMembership", **room, MemberId=ANA)[0] == "NotFoundException"
    assert [each["Member"]["MemberId"] for each in chime.list_room_memberships(**room)["RoomMemberships"]] == [
        bot["BotId"]
    ]


def test_a_batch_adds_whom_it_can(chime, room):
    chime.create_room_membership(**room, MemberId=BEN)
    items = [{"MemberId": NOBODY}, {"MemberId": ANA, "Role": "Administrator"}, {"MemberId": BEN}, {"MemberId": ANA}]
    errors = chime.batch_create_room_membership(**room, MembershipItemList=items)["Errors"]
    assert [(each["MemberId"], each["ErrorCode"]) for each in errors] == [
        (NOBODY, "NotFound"),
        (BEN, "Conflict"),
        (ANA, "Conflict"),
    ]
    assert errors[0]["ErrorMessage"] == f"Member {NOBODY} was not found."
    roles = {
        each["Member"]["MemberId"]: each["Role"] for each in chime.list_room_memberships(**room)["RoomMemberships"]
    }
    assert roles == {ANA: "Administrator", BEN: "Member"}
    assert refusal(chime, "BatchCreateRoomMembership", **room, MembershipItemList=[{}])[0] == "BadRequestException"


def test_there_is_a_most_of_rooms_and_of_members(chime, room, monkeypatch):
    monkeypatch.setattr(rooms, "MAXIMUM_ROOMS", 1)
    assert refusal(chime, "CreateRoom", **ACCOUNT, Name="second")[0] == "ResourceLimitExceededException"
    monkeypatch.setattr(room_memberships, "MAXIMUM_ROOM_MEMBERS", 1)
    items = [{"MemberId": ANA}, {"MemberId": BEN}]
    [error] = chime.batch_create_room_membership(**room, MembershipItemList=items)["Errors"]
    assert (error["MemberId"], error["ErrorCode"]) == (BEN, "ResourceLimitExceeded")


def test_a_bot_as_it_is_answered(world, chime):
    made = chime.create_bot(**ACCOUNT, DisplayName="myBot", Domain="example.com")["Bot"]
    # AWS CLI, create-bot.
    expected = {
        "UserId": made["BotId"],
        "DisplayName": "myBot (Bot)",
        "BotType": "ChatBot",
        "Disabled": False,
        "BotEmail": "myBot-chimebot@example.com",
    }
    assert {name: made[name] for name in expected} == expected
    assert len(made["SecurityToken"]) == 40
    named = {**ACCOUNT, "BotId": made["BotId"]}
    assert chime.get_bot(**named)["Bot"] == made
    world.clock.advance(60)
    stopped = chime.update_bot(**named, Disabled=True)["Bot"]
    assert stopped["Disabled"]
    assert stopped["UpdatedTimestamp"] > made["UpdatedTimestamp"]
    renewed = chime.regenerate_security_token(**named)["Bot"]
    assert renewed["SecurityToken"] != made["SecurityToken"]
    assert {**renewed, "SecurityToken": ""} == {**stopped, "SecurityToken": ""}
    assert chime.get_bot(**named)["Bot"] == renewed
    of_users = chime.create_bot(**ACCOUNT, DisplayName="the other one")["Bot"]
    assert of_users["BotEmail"] == "theotherone-chimebot@example.com"


@pytest.mark.parametrize(("name", "domain"), [(" ", "example.com"), ("bot", "no-dot"), ("bot", "a@b.example")])
def test_bots_that_cannot_be(chime, name, domain):
    assert refusal(chime, "CreateBot", **ACCOUNT, DisplayName=name, Domain=domain)[0] == "BadRequestException"
    assert chime.list_bots(**ACCOUNT)["Bots"] == []


def test_bots_are_listed_ten_at_a_time(world, chime):
    made = []
    for number in range(12):
        made.append(chime.create_bot(**ACCOUNT, DisplayName=f"bot{number}", Domain="example.com")["Bot"])
        world.clock.advance(1)
    page = chime.list_bots(**ACCOUNT)
    assert page["Bots"] == made[:10]
    assert chime.list_bots(**ACCOUNT, NextToken=page["NextToken"])["Bots"] == made[10:]


def test_a_bots_events_configuration(chime, bot):
    assert refusal(chime, "GetEventsConfiguration", **bot)[0] == "NotFoundException"
    url = "https://example.com:8000"
    for put in ({"OutboundEventsHTTPSEndpoint": url}, {"LambdaFunctionArn": LAMBDA}):
        answer = chime.put_events_configuration(**bot, **put)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
        expected = {"BotId": bot["BotId"], **put}
        assert answer["EventsConfiguration"] == expected
        assert chime.get_events_configuration(**bot)["EventsConfiguration"] == expected
    for put in (
        {},
        {"OutboundEventsHTTPSEndpoint": url, "LambdaFunctionArn": LAMBDA},
        {"OutboundEventsHTTPSEndpoint": "http://example.com"},
        {"OutboundEventsHTTPSEndpoint": "https://["},
        {"LambdaFunctionArn": ADMIN},
    ):
        assert refusal(chime, "PutEventsConfiguration", **bot, **put)[0] == "BadRequestException"
    chime.delete_events_configuration(**bot)
    assert refusal(chime, "GetEventsConfiguration", **bot)[0] == "NotFoundException"
    chime.delete_events_configuration(**bot)


def test_retention_is_put_read_and_turned_off(world, chime):
    nothing = {"RoomRetentionSettings": {}, "ConversationRetentionSettings": {}}
    answer = chime.get_retention_settings(**ACCOUNT)
    assert answer["RetentionSettings"] == nothing
    assert "InitiateDeletionTimestamp" not in answer
    settings = {"RoomRetentionSettings": {"RetentionDays": 365}, "ConversationRetentionSettings": {"RetentionDays": 1}}
    put = chime.put_retention_settings(**ACCOUNT, RetentionSettings=settings)
    assert put["RetentionSettings"] == settings
    answer = chime.get_retention_settings(**ACCOUNT)
    assert answer["RetentionSettings"] == settings
    grace = answer["InitiateDeletionTimestamp"].timestamp() - world.clock.now_seconds()
    assert 29 * 86_400 < grace <= 30 * 86_400
    chime.put_retention_settings(**ACCOUNT, RetentionSettings={"RoomRetentionSettings": {}})
    assert chime.get_retention_settings(**ACCOUNT)["RetentionSettings"] == nothing
    for days in (0, 5476):
        parameters = {**ACCOUNT, "RetentionSettings": {"RoomRetentionSettings": {"RetentionDays": days}}}
        with pytest.raises(Exception, match="etentionDays"):
            chime.put_retention_settings(**parameters)


def test_delegate_groups_show_in_the_account(chime):
    def groups():
        [listed] = [each for each in chime.list_accounts()["Accounts"] if each["AccountId"] == ENTERPRISE]
        account = chime.get_account(**ACCOUNT)["Account"]
        assert account == listed
        return [each["GroupName"] for each in account.get("SigninDelegateGroups", [])]

    assert groups() == []
    chime.associate_signin_delegate_groups_with_account(
        **ACCOUNT, SigninDelegateGroups=[{"GroupName": "my_users"}, {"GroupName": "a"}, {"GroupName": "a"}]
    )
    chime.associate_signin_delegate_groups_with_account(**ACCOUNT, SigninDelegateGroups=[{"GroupName": "a"}])
    assert groups() == ["a", "my_users"]
    leaving = "DisassociateSigninDelegateGroupsFromAccount"
    assert refusal(chime, leaving, **ACCOUNT, GroupNames=["a", "unknown"])[0] == "NotFoundException"
    assert groups() == ["a", "my_users"]
    chime.disassociate_signin_delegate_groups_from_account(**ACCOUNT, GroupNames=["my_users"])
    assert groups() == ["a"]
    joining = "AssociateSigninDelegateGroupsWithAccount"
    assert refusal(chime, joining, **ACCOUNT, SigninDelegateGroups=[{}])[0] == "BadRequestException"


def test_there_are_no_messages_to_redact(chime, room):
    assert refusal(chime, "RedactRoomMessage", **room, MessageId="m")[0] == "NotFoundException"
    parameters = {**ACCOUNT, "ConversationId": "c", "MessageId": "m"}
    assert refusal(chime, "RedactConversationMessage", **parameters)[0] == "NotFoundException"


# What an Enterprise account alone has, and the members that each of these calls needs.
OF_ENTERPRISES = {
    "CreateRoom": {"Name": "room"},
    "GetRoom": {"RoomId": NOBODY},
    "ListRooms": {},
    "UpdateRoom": {"RoomId": NOBODY, "Name": "room"},
    "DeleteRoom": {"RoomId": NOBODY},
    "RedactRoomMessage": {"RoomId": NOBODY, "MessageId": "m"},
    "RedactConversationMessage": {"ConversationId": "c", "MessageId": "m"},
    "CreateRoomMembership": {"RoomId": NOBODY, "MemberId": ANA},
    "BatchCreateRoomMembership": {"RoomId": NOBODY, "MembershipItemList": [{"MemberId": ANA}]},
    "ListRoomMemberships": {"RoomId": NOBODY},
    "UpdateRoomMembership": {"RoomId": NOBODY, "MemberId": ANA},
    "DeleteRoomMembership": {"RoomId": NOBODY, "MemberId": ANA},
    "CreateBot": {"DisplayName": "bot", "Domain": "example.com"},
    "GetBot": {"BotId": NOBODY},
    "ListBots": {},
    "UpdateBot": {"BotId": NOBODY},
    "RegenerateSecurityToken": {"BotId": NOBODY},
    "GetEventsConfiguration": {"BotId": NOBODY},
    "PutEventsConfiguration": {"BotId": NOBODY, "LambdaFunctionArn": LAMBDA},
    "DeleteEventsConfiguration": {"BotId": NOBODY},
    "GetRetentionSettings": {},
    "PutRetentionSettings": {"RetentionSettings": {}},
    "AssociateSigninDelegateGroupsWithAccount": {"SigninDelegateGroups": [{"GroupName": "g"}]},
    "DisassociateSigninDelegateGroupsFromAccount": {"GroupNames": ["g"]},
}


def test_a_team_account_has_none_of_these_and_another_account_is_not_found(make_shared_world):
    world = make_shared_world(CHIME_WORLD)
    chime, limited = world.client("chime", "admin"), world.client("chime", "limited")

    def refused(client, operation, account, parameters):
        with pytest.raises(ClientError) as caught:
            getattr(client, xform_name(operation))(AccountId=account, **parameters)
        return caught.value.response["Error"]

    for operation, parameters in OF_ENTERPRISES.items():
        team = refused(chime, operation, TEAM, parameters)
        assert (team["Code"], "must be an Enterprise account" in team["Message"]) == ("BadRequestException", True)
        for account in (OTHERS, NOBODY):
            error = refused(chime, operation, account, parameters)
            assert (error["Code"], error["Message"]) == ("NotFoundException", f"Account {account} was not found.")
        denied = refused(limited, operation, ENTERPRISE, parameters)
        assert (denied["Code"], f"chime:{operation}" in denied["Message"]) == ("ForbiddenException", True)


def test_what_another_account_made_is_not_found(world, room, bot):
    stranger = world.client("chime", "stranger")
    for operation, named in (("GetRoom", room), ("GetBot", bot)):
        for account in (ENTERPRISE, OTHERS):
            assert refusal(stranger, operation, **{**named, "AccountId": account})[0] == "NotFoundException"
    chime = world.client("chime", "admin")
    assert refusal(chime, "GetRoom", AccountId=OTHERS, RoomId=room["RoomId"])[0] == "NotFoundException"

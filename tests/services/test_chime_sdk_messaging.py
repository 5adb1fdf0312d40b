"""Channels and who is in them (Amazon Chime SDK API reference and Developer Guide)."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from messaging_calls import ACCOUNT, ARN, OTHER, Chat, allow, user, world_of

from rolecall.ids import Identifiers
from rolecall.services.chime_sdk_messaging import relating
from rolecall.worlds.snapshots import load_database, save_database

DAY = 86_400
# Recorded: aws/amazon-chime-sdk-js issues 1148, 1270, 1355.
BAD_BEARER = "An invalid app instance user ARN was supplied for the x-amz-chime-bearer HTTP header."
BAD_PARAMETER = "An invalid app instance user ARN was supplied for the input parameter."
ELASTIC = {"MaximumSubChannels": 2, "TargetMembershipsPerSubChannel": 2, "MinimumMembershipPercentage": 40}


@pytest.fixture
def chat(make_world: Any) -> Chat:
    return Chat(make_world(world_of()))


# Channels.


def test_a_channel_has_the_defaults_of_the_reference(chat: Chat) -> None:
    arn = chat.channel(ChannelId="c:1@x", Metadata="about")
    assert arn == f"{chat.instance}/channel/c:1@x"
    channel = chat.call("DescribeChannel", "ana", ChannelArn=arn)["Channel"]
    assert channel.pop("CreatedTimestamp") == channel.pop("LastUpdatedTimestamp")
    assert channel == {
        "Name": "general",
        "ChannelArn": arn,
        "Mode": "RESTRICTED",
        "Privacy": "PRIVATE",
        "Metadata": "about",
        "CreatedBy": {"Arn": chat.arn("ana"), "Name": "Ana"},
    }
    assert chat.members(arn) == ["ana"]
    assert chat.call("DescribeChannelModerator", "ana", ChannelArn=arn, ChannelModeratorArn="ana")


def test_a_channel_whose_id_nobody_chose_has_64_hexadecimal_digits(chat: Chat) -> None:
    """Recorded: amazon-chime-sdk-js, issue 1355."""
    made = chat.channel(), chat.channel()
    assert all(re.fullmatch(rf"{chat.instance}/channel/[0-9a-f]{{64}}", arn) for arn in made)
    assert made[0] != made[1]


def test_an_id_is_unique_in_its_app_instance_and_a_token_makes_one_channel(chat: Chat) -> None:
    arn = chat.channel(ChannelId="c1", ClientRequestToken="token")
    assert chat.channel("ben", ChannelId="c1", ClientRequestToken="token") == arn
    assert chat.channel("ben", ClientRequestToken="token") == arn
    for more in ({"ChannelId": "other"}, {"Privacy": "PUBLIC"}):
        parameters = {"AppInstanceArn": chat.instance, "Name": "x", "ClientRequestToken": "token", **more}
        assert chat.refused("CreateChannel", "ben", **parameters)[0] == "ConflictException"
    code, message = chat.refused(
        "CreateChannel", "ben", AppInstanceArn=chat.instance, Name="x", ChannelId="c1", ClientRequestToken="token2"
    )
    assert (code, "exists already" in message) == ("ConflictException", True)
    chat.call("DeleteChannel", "ana", ChannelArn=arn)
    assert chat.channel("ben", ChannelId="c1", ClientRequestToken="token") == arn


def test_two_creations_at_once_make_one_channel(chat: Chat) -> None:
    def create(number: int) -> str:
        client = chat.world.client("chime-sdk-messaging", "admin")
        parameters = {"AppInstanceArn": chat.instance, "Name": "x", "ChannelId": "same"}
        try:
            return str(chat.call("CreateChannel", "ana", client, **parameters)["ChannelArn"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(create, range(4)))
    assert sorted(found) == ["ConflictException"] * 3 + [f"{chat.instance}/channel/same"]


@pytest.mark.parametrize(
    "bearer",
    ["nobody", f"{ARN}app-instance/none/user/ana", f"arn:aws:chime:eu-central-1:{ACCOUNT}:app-instance/i/user/u"],
)
def test_another_bearer_is_refused(chat: Chat, bearer: str) -> None:
    arn = chat.channel(Privacy="PUBLIC")
    assert chat.refused("DescribeChannel", bearer, ChannelArn=arn) == ("ForbiddenException", BAD_BEARER)
    assert chat.refused("CreateChannel", bearer, AppInstanceArn=chat.instance, Name="x") == (
        "ForbiddenException",
        BAD_BEARER,
    )


def test_a_user_of_another_app_instance_is_no_bearer_and_no_member(chat: Chat) -> None:
    other = chat.identity.create_app_instance(Name="other")["AppInstanceArn"]
    stranger = chat.identity.create_app_instance_user(AppInstanceArn=other, AppInstanceUserId="ana", Name="x")
    arn, stranger_arn = chat.channel(Privacy="PUBLIC"), stranger["AppInstanceUserArn"]
    assert chat.refused("DescribeChannel", stranger_arn, ChannelArn=arn) == ("ForbiddenException", BAD_BEARER)
    refused = chat.refused("CreateChannelMembership", "ana", ChannelArn=arn, MemberArn=stranger_arn, Type="DEFAULT")
    assert refused == ("ForbiddenException", BAD_PARAMETER)


def test_a_bot_may_be_bearer_and_member(chat: Chat) -> None:
    alias = f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/ABCDEFGHIJ/KLMNOPQRST"
    lex = {"RespondsTo": "STANDARD_MESSAGES", "LexBotAliasArn": alias, "LocaleId": "en_US"}
    made = chat.identity.create_app_instance_bot(AppInstanceArn=chat.instance, Configuration={"Lex": lex})
    bot, arn = made["AppInstanceBotArn"], chat.channel()
    chat.join(arn, bot)
    chat.send(arn, bot, "beep")
    [message] = chat.call("ListChannelMessages", bot, ChannelArn=arn)["ChannelMessages"]
    assert (message["Content"], message["Sender"]) == ("beep", {"Arn": bot})


def test_what_lies_elsewhere_is_not_found(chat: Chat) -> None:
    arn = chat.channel()
    elsewhere = chat.world.client("chime-sdk-messaging", "admin", region="eu-central-1")
    assert chat.refused("DescribeChannel", "ana", elsewhere, ChannelArn=arn)[0] == "NotFoundException"
    stranger = chat.world.client("chime-sdk-messaging", "stranger")
    assert chat.refused("DescribeChannel", "ana", stranger, ChannelArn=arn)[0] == "AccessDeniedException"
    for operation, more in {
        "DescribeChannel": {},
        "SendChannelMessage": {"Content": "x", "Type": "STANDARD", "Persistence": "PERSISTENT"},
        "ListChannelMemberships": {},
        "CreateChannelBan": {"MemberArn": "ben"},
    }.items():
        assert chat.refused(operation, "ana", ChannelArn=f"{arn}x", **more)[0] == "NotFoundException"


def test_with_the_app_instance_its_channels_go(chat: Chat) -> None:
    arn = chat.channel()
    chat.send(arn)
    chat.identity.delete_app_instance(AppInstanceArn=chat.instance)
    assert chat.refused("DescribeChannel", "ana", ChannelArn=arn)[0] == "NotFoundException"
    code = chat.refused("CreateChannel", "ana", AppInstanceArn=chat.instance, Name="x")[0]
    assert code == "NotFoundException"


def test_a_deleted_user_is_no_member_any_more(chat: Chat) -> None:
    arn = chat.channel()
    chat.join(arn, "ben")
    chat.send(arn, "ben", "bye")
    chat.identity.delete_app_instance_user(AppInstanceUserArn=chat.arn("ben"))
    assert chat.members(arn) == ["ana"]
    assert chat.refused("ListChannelMessages", "ben", ChannelArn=arn) == ("ForbiddenException", BAD_BEARER)
    [message] = chat.call("ListChannelMessages", "ana", ChannelArn=arn)["ChannelMessages"]
    assert (message["Content"], message["Sender"]) == ("bye", {"Arn": chat.arn("ben")})


def test_an_update_changes_what_it_names(chat: Chat) -> None:
    arn = chat.channel(Metadata="old")
    chat.clock.advance(5)
    assert chat.call("UpdateChannel", "ana", ChannelArn=arn, Mode="UNRESTRICTED") == {"ChannelArn": arn}
    channel = chat.call("DescribeChannel", "ana", ChannelArn=arn)["Channel"]
    assert (channel["Name"], channel["Mode"], channel["Metadata"]) == ("general", "UNRESTRICTED", "old")
    assert (channel["LastUpdatedTimestamp"] - channel["CreatedTimestamp"]).total_seconds() == 5


def test_lists_of_channels(chat: Chat) -> None:
    made = {}
    for number, privacy in enumerate(["PUBLIC", "PRIVATE", "PUBLIC", "PUBLIC"]):
        made[chat.channel(Privacy=privacy, Name=f"n{number}")] = privacy
        chat.clock.advance(1)
    public = [arn for arn, privacy in made.items() if privacy == "PUBLIC"]

    def listed(as_: str, **more: Any) -> list[str]:
        answer = chat.call("ListChannels", as_, AppInstanceArn=chat.instance, **more)
        return [each["ChannelArn"] for each in answer["Channels"]]

    assert listed("dee") == listed("root", Privacy="PUBLIC") == public
    assert listed("root") == list(made)
    assert listed("root", Privacy="PRIVATE") == [arn for arn in made if arn not in public]
    code = chat.refused("ListChannels", "ana", AppInstanceArn=chat.instance, Privacy="PRIVATE")[0]
    assert code == "ForbiddenException"
    page = chat.call("ListChannels", "dee", AppInstanceArn=chat.instance, MaxResults=2)
    token = page["NextToken"]
    assert [each["ChannelArn"] for each in page["Channels"]] == public[:2]
    assert listed("dee", NextToken=token) == public[2:]
    refused = chat.refused("ListChannels", "root", AppInstanceArn=chat.instance, NextToken=token)
    assert refused[0] == "BadRequestException"


def test_a_search_finds_channels_by_their_members(chat: Chat) -> None:
    both, alone, three = (chat.channel(MemberArns=members) for members in (["ben"], ["ana"], ["ben", "cem"]))
    chat.join(alone, "ben", Type="HIDDEN")

    def found(as_: str, operator: str, *names: str, **more: Any) -> list[str]:
        values = [chat.arn(name) for name in names]
        fields = [{"Key": "MEMBERS", "Operator": operator, "Values": values}]
        return [each["ChannelArn"] for each in chat.call("SearchChannels", as_, Fields=fields, **more)["Channels"]]

    assert set(found("ana", "INCLUDES", "ben")) == {both, three}
    assert found("ana", "EQUALS", "ana", "ben") == [both]
    assert found("ana", "EQUALS", "ana") == [alone]
    assert found("cem", "INCLUDES", "ana") == [three]
    assert found("dee", "INCLUDES", "ana") == []
    assert set(found("root", "INCLUDES", "ana", "ben")) == {both, three}
    fields = [{"Key": "MEMBERS", "Operator": "INCLUDES", "Values": [chat.arn("ana")]}]
    first = chat.call("SearchChannels", "ana", Fields=fields, MaxResults=2)
    rest = chat.call("SearchChannels", "ana", Fields=fields, NextToken=first["NextToken"])
    assert {each["ChannelArn"] for each in first["Channels"] + rest["Channels"]} == {both, alone, three}
    assert chat.refused("SearchChannels", Fields=fields)[0] == "BadRequestException"
    # API reference, SearchField: the values must be ARNs of users.
    for value in ("ana", chat.instance, f"{chat.instance}/channel/c", f"{chat.instance}/bot/b"):
        fields = [{"Key": "MEMBERS", "Operator": "INCLUDES", "Values": [chat.arn("ana"), value]}]
        assert chat.refused("SearchChannels", "ana", Fields=fields)[0] == "BadRequestException"


@pytest.mark.parametrize(("criterion", "days"), [("CREATED_TIMESTAMP", 2), ("LAST_MESSAGE_TIMESTAMP", 3)])
def test_a_channel_expires(chat: Chat, criterion: str, days: int) -> None:
    expiration = {"ExpirationDays": 2, "ExpirationCriterion": criterion}
    arn = chat.channel(ExpirationSettings=expiration, ChannelId="c1")
    assert chat.call("DescribeChannel", "ana", ChannelArn=arn)["Channel"]["ExpirationSettings"] == expiration
    chat.clock.advance(DAY)
    chat.send(arn)
    chat.clock.advance((days - 1) * DAY - 1)
    assert chat.call("DescribeChannel", "ana", ChannelArn=arn)
    chat.clock.advance(1)
    assert chat.refused("DescribeChannel", "ana", ChannelArn=arn)[0] == "NotFoundException"
    assert chat.call("ListChannelMembershipsForAppInstanceUser", "ana")["ChannelMemberships"] == []
    assert chat.channel(ChannelId="c1") == arn
    assert chat.texts(arn) == []


def test_expiration_is_put_and_taken_away(chat: Chat) -> None:
    arn = chat.channel()
    expiration = {"ExpirationDays": 1, "ExpirationCriterion": "CREATED_TIMESTAMP"}
    put = chat.call("PutChannelExpirationSettings", "ana", ChannelArn=arn, ExpirationSettings=expiration)
    assert put == {"ChannelArn": arn, "ExpirationSettings": expiration}
    assert chat.refused("PutChannelExpirationSettings", ChannelArn=arn)[0] == "BadRequestException"
    assert chat.call("PutChannelExpirationSettings", "ana", ChannelArn=arn) == {"ChannelArn": arn}
    chat.clock.advance(2 * DAY)
    assert "ExpirationSettings" not in chat.call("DescribeChannel", "ana", ChannelArn=arn)["Channel"]


# Memberships.


def test_a_membership_is_described(chat: Chat) -> None:
    arn = chat.channel()
    made = chat.call("CreateChannelMembership", "ana", ChannelArn=arn, MemberArn="ben", Type="DEFAULT")
    member = {"Arn": chat.arn("ben"), "Name": "Ben"}
    assert made == {"ChannelArn": arn, "Member": member}
    described = chat.call("DescribeChannelMembership", "ben", ChannelArn=arn, MemberArn="ben")["ChannelMembership"]
    assert described.pop("CreatedTimestamp") == described.pop("LastUpdatedTimestamp")
    inviter = {"Arn": chat.arn("ana"), "Name": "Ana"}
    assert described == {"InvitedBy": inviter, "Type": "DEFAULT", "Member": member, "ChannelArn": arn}
    again = chat.refused("CreateChannelMembership", "ana", ChannelArn=arn, MemberArn="ben", Type="HIDDEN")
    assert again[0] == "ConflictException"
    chat.call("DeleteChannelMembership", "ben", ChannelArn=arn, MemberArn="ben")
    for operation in ("DescribeChannelMembership", "DeleteChannelMembership"):
        assert chat.refused(operation, "ana", ChannelArn=arn, MemberArn="ben")[0] == "NotFoundException"


def test_hidden_members_are_seen_by_moderators_alone(chat: Chat) -> None:
    arn = chat.channel(MemberArns=["ben"])
    chat.join(arn, "cem", Type="HIDDEN")
    assert sorted(chat.members(arn)) == sorted(chat.members(arn, "ben")) == ["ana", "ben"]
    assert chat.members(arn, Type="HIDDEN") == ["cem"]
    assert chat.refused("DescribeChannelMembership", "ben", ChannelArn=arn, MemberArn="cem")[0] == "NotFoundException"
    assert chat.call("DescribeChannelMembership", "cem", ChannelArn=arn, MemberArn="cem")
    # A hidden member reads and does not write.
    assert chat.texts(arn, "cem") == []
    parameters = {"Content": "x", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    assert chat.refused("SendChannelMessage", "cem", ChannelArn=arn, **parameters)[0] == "ForbiddenException"


def test_a_batch_adds_those_that_can_be_added(chat: Chat) -> None:
    arn = chat.channel(MemberArns=["ben"])
    chat.call("CreateChannelBan", "ana", ChannelArn=arn, MemberArn="dee")
    answer = chat.call(
        "BatchCreateChannelMembership", "ana", ChannelArn=arn, MemberArns=["ben", "cem", "dee", "nobody"]
    )
    batch = answer["BatchChannelMemberships"]
    assert (batch["Members"], batch["Type"]) == ([{"Arn": chat.arn("cem"), "Name": "Cem"}], "DEFAULT")
    errors = {each["MemberArn"]: each["ErrorCode"] for each in answer["Errors"]}
    assert errors == {
        chat.arn("ben"): "Conflict",
        chat.arn("dee"): "Forbidden",
        chat.arn("nobody"): "Forbidden",
    }
    assert sorted(chat.members(arn)) == ["ana", "ben", "cem"]


def test_pages_of_members(chat: Chat) -> None:
    arn = chat.channel(MemberArns=["ben", "cem", "dee", "eva"])
    first = chat.call("ListChannelMemberships", "ben", ChannelArn=arn, MaxResults=3)
    second = chat.call("ListChannelMemberships", "ben", ChannelArn=arn, NextToken=first["NextToken"])
    names = [each["Member"]["Name"] for each in first["ChannelMemberships"] + second["ChannelMemberships"]]
    assert ("NextToken" in second, sorted(names)) == (False, ["Ana", "Ben", "Cem", "Dee", "Eva"])
    token, other = first["NextToken"], chat.channel()
    for as_, arn_, more in (("ana", other, {}), ("ana", arn, {}), ("ben", arn, {"Type": "HIDDEN"})):
        code = chat.refused("ListChannelMemberships", as_, ChannelArn=arn_, NextToken=token, **more)[0]
        assert code == ("ForbiddenException" if more else "BadRequestException")


def test_quotas(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    arn, other = chat.channel(), chat.channel("ben")
    monkeypatch.setattr(relating, "MAXIMUM_MEMBERS", 2)
    monkeypatch.setattr(relating, "MAXIMUM_CHANNELS_OF_A_MEMBER", 1)
    monkeypatch.setattr(relating, "MAXIMUM_MODERATORS", 2)
    chat.join(arn, "cem")
    too_many = {"Type": "DEFAULT"}
    code = chat.refused("CreateChannelMembership", "ana", ChannelArn=arn, MemberArn="dee", **too_many)[0]
    assert code == "ResourceLimitExceededException"
    code = chat.refused("CreateChannelMembership", "ben", ChannelArn=other, MemberArn="ana", **too_many)[0]
    assert code == "ResourceLimitExceededException"
    chat.call("CreateChannelModerator", "ana", ChannelArn=arn, ChannelModeratorArn="dee")
    code = chat.refused("CreateChannelModerator", "ana", ChannelArn=arn, ChannelModeratorArn="eva")[0]
    assert code == "ResourceLimitExceededException"


def test_the_quotas_hold_for_a_new_channel(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    chat.channel("ben")
    monkeypatch.setattr(relating, "MAXIMUM_CHANNELS_OF_A_MEMBER", 1)
    new = {"AppInstanceArn": chat.instance, "Name": "x", "ChannelId": "x"}
    for as_, more in (("ben", {}), ("ana", {"MemberArns": ["ben"]})):
        assert chat.refused("CreateChannel", as_, **new, **more)[0] == "ResourceLimitExceededException"
    # A moderator need not be a member, and a refused call leaves no channel behind.
    arn = chat.channel("ana", ChannelId="x", ModeratorArns=["ben"])
    assert chat.members(arn, "ben") == ["ana"]
    monkeypatch.setattr(relating, "MAXIMUM_MODERATORS", 1)
    code = chat.refused("CreateChannel", "cem", AppInstanceArn=chat.instance, Name="x", ModeratorArns=["dee"])[0]
    assert code == "ResourceLimitExceededException"


@pytest.mark.parametrize("depth", [2, 5_000])
def test_a_filter_rule_is_a_json_object(chat: Chat, depth: int) -> None:
    arn = chat.channel()
    push = {"AllowNotifications": "FILTERED", "FilterRule": '{"a":' + "[" * depth}
    asked = {"ChannelArn": arn, "MemberArn": "ana", "Preferences": {"PushNotifications": push}}
    assert chat.refused("PutChannelMembershipPreferences", "ana", **asked)[0] == "BadRequestException"


# Developer Guide, Using filter rules to filter messages: exact texts only, 2 KB, 5 constraints in an OR, a complexity
# of 20, which is the number of keys and values. Its own example has the complexity 4.
EXAMPLE = {"type": [{"anything-but": ["Room"]}], "mention": ["Bob"]}


@pytest.mark.parametrize(
    "rule",
    [
        EXAMPLE,
        {"type": [{"anything-but": "Room"}]},
        {"or": [{f"k{number}": ["v"]} for number in range(5)]},
        {"$or": [EXAMPLE, {"type": ["Chime"]}], "mention": ["Bob"]},
        {f"k{number}": ["v"] for number in range(10)},
        {"k": [f"v{number}" for number in range(19)]},
        {"k": ["v" * 2037]},
    ],
)
def test_a_filter_rule_of_the_guide_is_kept(chat: Chat, rule: dict[str, Any]) -> None:
    push = {"AllowNotifications": "FILTERED", "FilterRule": json.dumps(rule)}
    asked = {"ChannelArn": chat.channel(), "MemberArn": "ana", "Preferences": {"PushNotifications": push}}
    assert chat.call("PutChannelMembershipPreferences", "ana", **asked)["Preferences"] == {"PushNotifications": push}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"k": "v"}, "list of texts for k"),
        ({"k": []}, "list of texts for k"),
        ({"k": {"nested": ["v"]}}, "list of texts for k"),
        ({"k": [1]}, "exact texts only"),
        ({"k": [None]}, "exact texts only"),
        ({"k": [True]}, "exact texts only"),
        ({"k": [["v"]]}, "exact texts only"),
        ({"k": [{"prefix": "v"}]}, "exact texts only"),
        ({"k": [{"exists": True}]}, "exact texts only"),
        ({"k": [{"numeric": ["=", 1]}]}, "exact texts only"),
        ({"k": [{"anything-but": {"prefix": "v"}}]}, "exact texts only"),
        ({"k": [{"anything-but": []}]}, "exact texts only"),
        ({"k": [{"anything-but": ["v"], "prefix": "v"}]}, "exact texts only"),
        ({"or": [{f"k{number}": ["v"]} for number in range(6)]}, "at most 5 constraints"),
        ({"or": ["v"]}, "list of JSON objects for or"),
        ({"or": [{"or": [{"k": ["v"]}]}]}, "exact texts only"),
        ({f"k{number}": ["v"] for number in range(11)}, "complexity of FilterRule is 22"),
        ({"k": [f"v{number}" for number in range(20)]}, "complexity of FilterRule is 21"),
        ({"or": [{"a": ["v"] * 10}, {"b": [{"anything-but": ["v"] * 10}]}]}, "complexity of FilterRule is 22"),
        ({"k": ["v" * 2038]}, "at most 2048 bytes"),
    ],
)
def test_a_filter_rule_beyond_the_guide_is_refused(chat: Chat, rule: dict[str, Any], message: str) -> None:
    push = {"AllowNotifications": "FILTERED", "FilterRule": json.dumps(rule)}
    asked = {"ChannelArn": chat.channel(), "MemberArn": "ana", "Preferences": {"PushNotifications": push}}
    refused = chat.refused("PutChannelMembershipPreferences", "ana", **asked)
    assert (refused[0], message in refused[1]) == ("BadRequestException", True), refused


def test_preferences_belong_to_the_member(chat: Chat) -> None:
    arn = chat.channel(MemberArns=["ben"])
    about_ben = {"ChannelArn": arn, "MemberArn": "ben"}
    empty = chat.call("GetChannelMembershipPreferences", "ben", **about_ben)
    assert empty == {"ChannelArn": arn, "Member": {"Arn": chat.arn("ben"), "Name": "Ben"}, "Preferences": {}}
    filtered = {"PushNotifications": {"AllowNotifications": "FILTERED", "FilterRule": '{"type": ["mention"]}'}}
    put = chat.call("PutChannelMembershipPreferences", "ben", **about_ben, Preferences=filtered)
    assert put["Preferences"] == filtered
    assert chat.call("GetChannelMembershipPreferences", "ben", **about_ben) == put
    for push in (
        {"AllowNotifications": "FILTERED"},
        {"AllowNotifications": "ALL", "FilterRule": "{}"},
        {"AllowNotifications": "FILTERED", "FilterRule": "[]"},
        {"AllowNotifications": "FILTERED", "FilterRule": "{"},
    ):
        preferences = {"PushNotifications": push}
        code = chat.refused("PutChannelMembershipPreferences", "ben", **about_ben, Preferences=preferences)[0]
        assert code == "BadRequestException"
    assert chat.call("GetChannelMembershipPreferences", "ben", **about_ben) == put


def test_the_read_marker_shows_in_the_lists_of_the_member(chat: Chat) -> None:
    arn = chat.channel(MemberArns=["ben"])
    assert chat.call("UpdateChannelReadMarker", "ben", ChannelArn=arn) == {"ChannelArn": arn}
    [of_ben] = chat.call("ListChannelMembershipsForAppInstanceUser", "ben")["ChannelMemberships"]
    summary = of_ben["AppInstanceUserMembershipSummary"]
    assert summary["ReadMarkerTimestamp"].timestamp() == pytest.approx(chat.clock.now_seconds(), abs=0.001)
    about = {"ChannelArn": arn, "AppInstanceUserArn": "ben"}
    described = chat.call("DescribeChannelMembershipForAppInstanceUser", "root", **about)["ChannelMembership"]
    assert described == of_ben
    [of_ana] = chat.call("ListChannelMembershipsForAppInstanceUser", "ana")["ChannelMemberships"]
    assert of_ana["AppInstanceUserMembershipSummary"] == {"Type": "DEFAULT"}


def test_everyone_lists_its_own_channels_and_administrators_those_of_others(chat: Chat) -> None:
    mine, both = chat.channel(), chat.channel(MemberArns=["ben"], ModeratorArns=["cem"])

    def arns(operation: str, as_: str, **more: Any) -> set[str]:
        [listed] = chat.call(operation, as_, **more).values()
        return {each["ChannelSummary"]["ChannelArn"] for each in listed}

    assert arns("ListChannelMembershipsForAppInstanceUser", "ana") == {mine, both}
    assert arns("ListChannelMembershipsForAppInstanceUser", "root", AppInstanceUserArn="ben") == {both}
    assert arns("ListChannelsModeratedByAppInstanceUser", "cem") == {both}
    assert arns("ListChannelsModeratedByAppInstanceUser", "root", AppInstanceUserArn="ana") == {mine, both}
    for operation in ("ListChannelMembershipsForAppInstanceUser", "ListChannelsModeratedByAppInstanceUser"):
        assert chat.refused(operation, "ben", AppInstanceUserArn="ana")[0] == "ForbiddenException"


# Moderators and bans.


def test_moderators(chat: Chat) -> None:
    arn = chat.channel()
    made = chat.call("CreateChannelModerator", "ana", ChannelArn=arn, ChannelModeratorArn="ben")
    assert made == {"ChannelArn": arn, "ChannelModerator": {"Arn": chat.arn("ben"), "Name": "Ben"}}
    again = chat.refused("CreateChannelModerator", "ana", ChannelArn=arn, ChannelModeratorArn="ben")
    assert again[0] == "ConflictException"
    described = chat.call("DescribeChannelModerator", "ben", ChannelArn=arn, ChannelModeratorArn="ben")
    assert described["ChannelModerator"]["CreatedBy"] == {"Arn": chat.arn("ana"), "Name": "Ana"}
    listed = chat.call("ListChannelModerators", "root", ChannelArn=arn)["ChannelModerators"]
    assert [each["Moderator"]["Name"] for each in listed] == ["Ana", "Ben"]
    chat.call("DeleteChannelModerator", "ben", ChannelArn=arn, ChannelModeratorArn="ben")
    gone = chat.refused("DeleteChannelModerator", "ana", ChannelArn=arn, ChannelModeratorArn="ben")
    assert gone[0] == "NotFoundException"


def test_a_ban_ends_the_membership_and_keeps_the_user_out(chat: Chat) -> None:
    arn = chat.channel(Mode="UNRESTRICTED", Privacy="PUBLIC", MemberArns=["ben"])
    chat.call("CreateChannelBan", "ana", ChannelArn=arn, MemberArn="ben")
    assert chat.members(arn) == ["ana"]
    assert chat.refused("CreateChannelBan", "ana", ChannelArn=arn, MemberArn="ben")[0] == "ConflictException"
    for as_ in ("ben", "ana", "root"):
        refused = chat.refused("CreateChannelMembership", as_, ChannelArn=arn, MemberArn="ben", Type="DEFAULT")
        assert (refused[0], "banned" in refused[1]) == ("ForbiddenException", True)
    refused = chat.refused("CreateChannelModerator", "ana", ChannelArn=arn, ChannelModeratorArn="ben")
    assert refused[0] == "ForbiddenException"
    [ban] = chat.call("ListChannelBans", "ana", ChannelArn=arn)["ChannelBans"]
    assert ban == {"Member": {"Arn": chat.arn("ben"), "Name": "Ben"}}
    chat.call("DeleteChannelBan", "ana", ChannelArn=arn, MemberArn="ben")
    assert chat.refused("DescribeChannelBan", "ana", ChannelArn=arn, MemberArn="ben")[0] == "NotFoundException"
    chat.join(arn, "ben", as_="ben")


@pytest.mark.parametrize("name", ["root", "cem"])
def test_administrators_and_moderators_cannot_be_banned(chat: Chat, name: str) -> None:
    arn = chat.channel(ModeratorArns=["cem"])
    assert chat.refused("CreateChannelBan", "ana", ChannelArn=arn, MemberArn=name)[0] == "ForbiddenException"


# Elastic channels.


def test_an_elastic_channel_fills_its_sub_channels(chat: Chat) -> None:
    arn = chat.channel("root", ElasticChannelConfiguration=ELASTIC)
    joined = {}
    for name in ("ana", "ben", "cem", "dee"):
        made = chat.call("CreateChannelMembership", "root", ChannelArn=arn, MemberArn=name, Type="DEFAULT")
        joined[name] = made["SubChannelId"]
        chat.clock.advance(1)
    assert joined["ana"] == joined["ben"] != joined["cem"] == joined["dee"]
    full = chat.refused("CreateChannelMembership", "root", ChannelArn=arn, MemberArn="eva", Type="DEFAULT")
    assert full[0] == "ResourceLimitExceededException"
    again = chat.refused("CreateChannelMembership", "root", ChannelArn=arn, MemberArn="ana", Type="DEFAULT")
    assert again[0] == "ConflictException"
    listed = chat.call("ListSubChannels", "root", ChannelArn=arn)["SubChannels"]
    assert listed == [{"SubChannelId": joined[name], "MembershipCount": 2} for name in ("ana", "cem")]
    page = chat.call("ListSubChannels", "root", ChannelArn=arn, MaxResults=1)
    assert (
        chat.call("ListSubChannels", "root", ChannelArn=arn, NextToken=page["NextToken"])["SubChannels"] == listed[1:]
    )
    assert chat.refused("ListSubChannels", "ana", ChannelArn=arn)[0] == "ForbiddenException"
    assert chat.members(arn, "ana", SubChannelId=joined["ana"]) == ["ana", "ben"]
    for operation in ("ListChannelMemberships", "ListChannelMessages"):
        code = chat.refused(operation, "ana", ChannelArn=arn, SubChannelId=joined["cem"])[0]
        assert code == "ForbiddenException"


def test_members_of_a_sub_channel_write_to_each_other(chat: Chat) -> None:
    arn = chat.channel("root", ElasticChannelConfiguration=ELASTIC)
    chat.join(arn, "ana", "ben", "cem", as_="root")
    subs = [each["SubChannelId"] for each in chat.call("ListSubChannels", "root", ChannelArn=arn)["SubChannels"]]
    of = {name: sub for sub in subs for name in chat.members(arn, "root", SubChannelId=sub)}
    chat.send(arn, "ana", "to ben", SubChannelId=of["ana"])
    assert chat.texts(arn, "ben", SubChannelId=of["ben"]) == ["to ben"]
    assert chat.texts(arn, "cem", SubChannelId=of["cem"]) == []
    assert chat.texts(arn, "root", SubChannelId=of["ana"]) == ["to ben"]
    message = {"ChannelArn": arn, "Content": "x", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    assert chat.refused("SendChannelMessage", "ana", **message)[0] == "BadRequestException"
    assert chat.refused("SendChannelMessage", "ana", **message, SubChannelId=of["cem"])[0] == "ForbiddenException"
    # An administrator writes where it has joined as a moderator.
    chat.join(arn, "root", as_="root", SubChannelId=of["cem"])
    chat.send(arn, "root", "hello", SubChannelId=of["cem"])
    assert chat.texts(arn, "cem", SubChannelId=of["cem"]) == ["hello"]


def test_another_sub_channel_is_closed_to_members(chat: Chat) -> None:
    """Developer Guide, Elastic channels: members read, write and list in their own sub-channel."""
    arn = chat.channel("root", ElasticChannelConfiguration=ELASTIC)
    chat.join(arn, "ana", "ben", "cem", as_="root")
    of = {
        name: chat.call("DescribeChannelMembership", name, ChannelArn=arn, MemberArn=name)["ChannelMembership"]
        for name in ("ana", "ben", "cem")
    }
    subs = {name: each["SubChannelId"] for name, each in of.items()}
    alone = next(name for name in subs if list(subs.values()).count(subs[name]) == 1)
    other = next(name for name in subs if name != alone)
    asked = {"ChannelArn": arn, "MemberArn": other}
    for more in ({}, {"SubChannelId": subs[other]}):
        assert chat.refused("DescribeChannelMembership", alone, **asked, **more)[0] == "ForbiddenException"
        assert chat.call("DescribeChannelMembership", "root", **asked, **more)
    message = {"ChannelArn": arn, "Content": "x", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    target = {"SubChannelId": subs[alone], "Target": [{"MemberArn": chat.arn(other)}]}
    assert chat.refused("SendChannelMessage", alone, **message, **target)[0] == "BadRequestException"


@pytest.mark.parametrize("operation", ["ListChannelMessages", "ListChannelMemberships"])
def test_a_sub_channel_that_is_not_there(chat: Chat, operation: str) -> None:
    arn = chat.channel("root", ElasticChannelConfiguration=ELASTIC)
    assert chat.refused(operation, "root", ChannelArn=arn, SubChannelId="0" * 64)[0] == "NotFoundException"


def test_a_sub_channel_with_too_few_members_is_dissolved(chat: Chat) -> None:
    wide = {"MaximumSubChannels": 2, "TargetMembershipsPerSubChannel": 3, "MinimumMembershipPercentage": 40}
    arn = chat.channel("root", ElasticChannelConfiguration=wide)
    for name in ("ana", "ben", "cem", "dee", "eva"):
        chat.join(arn, name, as_="root")
        chat.clock.advance(1)
    first, second = chat.call("ListSubChannels", "root", ChannelArn=arn)["SubChannels"]
    chat.send(arn, "dee", "lost", SubChannelId=second["SubChannelId"])
    chat.call("DeleteChannelMembership", "ana", ChannelArn=arn, MemberArn="ana")
    chat.events()
    # 40 % of 3 is 2: one member is too few, and the first sub-channel has room.
    chat.call("DeleteChannelMembership", "eva", ChannelArn=arn, MemberArn="eva")
    [left] = chat.call("ListSubChannels", "root", ChannelArn=arn)["SubChannels"]
    assert left == {"SubChannelId": first["SubChannelId"], "MembershipCount": 3}
    assert chat.texts(arn, "dee", SubChannelId=first["SubChannelId"]) == []
    moved = [each for each in chat.events() if each["event_type"] == "UPDATE_CHANNEL_MEMBERSHIP"]
    assert [(each["to_members"], each["user_arns"]) for each in moved] == [(False, [chat.arn("dee")])]


@pytest.mark.parametrize("more", [{"Mode": "UNRESTRICTED"}, {"MemberArns": ["ana"]}])
def test_what_an_elastic_channel_cannot_be(chat: Chat, more: dict[str, Any]) -> None:
    parameters = {"AppInstanceArn": chat.instance, "Name": "x", "ElasticChannelConfiguration": ELASTIC, **more}
    assert chat.refused("CreateChannel", "root", **parameters)[0] == "BadRequestException"


def test_what_an_elastic_channel_does_not_have(chat: Chat) -> None:
    arn = chat.channel("root", ElasticChannelConfiguration=ELASTIC)
    chat.join(arn, "ana", as_="root")
    hidden = chat.refused("CreateChannelMembership", "root", ChannelArn=arn, MemberArn="ben", Type="HIDDEN")
    assert hidden[0] == "BadRequestException"
    assert chat.refused("UpdateChannelReadMarker", "ana", ChannelArn=arn)[0] == "ForbiddenException"
    asked = chat.refused("GetChannelMembershipPreferences", "ana", ChannelArn=arn, MemberArn="ana")
    assert asked[0] == "BadRequestException"
    # A member that becomes a moderator loses its membership.
    chat.call("CreateChannelModerator", "root", ChannelArn=arn, ChannelModeratorArn="ana")
    assert chat.call("ListSubChannels", "root", ChannelArn=arn)["SubChannels"] == []
    plain = chat.channel()
    assert chat.refused("ListSubChannels", "ana", ChannelArn=plain)[0] == "BadRequestException"


# Streaming, tags, snapshots.


def test_streaming_configurations(chat: Chat) -> None:
    about = {"AppInstanceArn": chat.instance}
    assert chat.refused("GetMessagingStreamingConfigurations", **about)[0] == "NotFoundException"
    stream = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/chime-messaging-all"
    one = {"DataType": "Channel", "ResourceArn": stream}
    # Developer Guide, Streaming messaging data: a stream of the same account and Region, named chime-messaging-….
    elsewhere = [stream.replace("us-east-1", "eu-central-1"), stream.replace(ACCOUNT, OTHER)]
    for wrong in ([one, one], *([{**one, "ResourceArn": arn}] for arn in (stream.replace("chime-", ""), *elsewhere))):
        code = chat.refused("PutMessagingStreamingConfigurations", **about, StreamingConfigurations=wrong)[0]
        assert code == "BadRequestException"
    both = [one, {**one, "DataType": "ChannelMessage"}]
    put = chat.call("PutMessagingStreamingConfigurations", **about, StreamingConfigurations=both)
    assert put == chat.call("GetMessagingStreamingConfigurations", **about) == {"StreamingConfigurations": both}
    chat.call("DeleteMessagingStreamingConfigurations", **about)
    assert chat.refused("GetMessagingStreamingConfigurations", **about)[0] == "NotFoundException"


LINKED_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/messaging.chime.amazonaws.com"
LINKED_ROLE += "/AWSServiceRoleForChimeSDKMessaging"
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/chime-messaging-all"
STREAMED = [{"DataType": "Channel", "ResourceArn": STREAM}]


def test_streaming_makes_the_service_linked_role_and_keeps_it(chat: Chat) -> None:
    iam = chat.world.client("iam", "admin")
    about = {"AppInstanceArn": chat.instance}

    def deletion() -> tuple[str, list[str]]:
        task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForChimeSDKMessaging")["DeletionTaskId"]
        answer = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
        usages = answer.get("Reason", {}).get("RoleUsageList", [])
        return answer["Status"], [arn for usage in usages for arn in usage["Resources"]]

    wrong = [{"DataType": "Channel", "ResourceArn": STREAM.replace("chime-", "")}]
    assert chat.refused("PutMessagingStreamingConfigurations", **about, StreamingConfigurations=wrong)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_role(RoleName="AWSServiceRoleForChimeSDKMessaging")
    chat.call("PutMessagingStreamingConfigurations", **about, StreamingConfigurations=STREAMED)
    assert iam.get_role(RoleName="AWSServiceRoleForChimeSDKMessaging")["Role"]["Arn"] == LINKED_ROLE
    assert deletion() == ("FAILED", [chat.instance])
    chat.call("DeleteMessagingStreamingConfigurations", **about)
    assert deletion() == ("SUCCEEDED", [])
    chat.call("PutMessagingStreamingConfigurations", **about, StreamingConfigurations=STREAMED)
    chat.identity.delete_app_instance(AppInstanceArn=chat.instance)
    assert deletion() == ("SUCCEEDED", [])


def test_streaming_needs_rights_on_the_streams_and_on_the_role(make_world: Any) -> None:
    put = allow("chime:PutMessagingStreamingConfigurations")
    streams = allow("kinesis:DescribeStream", "kinesis:PutRecord", "kinesis:PutRecords", resource=STREAM)
    making = allow("iam:CreateServiceLinkedRole", resource=LINKED_ROLE)
    making["Condition"] = {"StringEquals": {"iam:AWSServiceName": "messaging.chime.amazonaws.com"}}
    users = {"bare": [put], "blind": [put, making], "whole": [put, streams, making], "later": [put, streams]}
    chat = Chat(make_world(world_of(*(user(name, *statements) for name, statements in users.items()))))
    asked = {"AppInstanceArn": chat.instance, "StreamingConfigurations": STREAMED}

    def refusal(name: str) -> str:
        client = chat.world.client("chime-sdk-messaging", name)
        return chat.refused("PutMessagingStreamingConfigurations", None, client, **asked)[1]

    for name, missing in (("bare", "kinesis:DescribeStream"), ("blind", "kinesis:DescribeStream")):
        assert missing in refusal(name)
    assert "iam:CreateServiceLinkedRole" in refusal("later")
    chat.call("PutMessagingStreamingConfigurations", None, chat.world.client("chime-sdk-messaging", "whole"), **asked)
    # The account has the role now.
    chat.call("PutMessagingStreamingConfigurations", None, chat.world.client("chime-sdk-messaging", "later"), **asked)


def test_a_snapshot_keeps_channels_and_messages(chat: Chat, make_world: Any) -> None:
    arn = chat.channel(MemberArns=["ben"])
    chat.send(arn, "ben", "kept", Target=[{"MemberArn": chat.arn("ana")}])
    chat.call("UpdateChannelReadMarker", "ana", ChannelArn=arn)
    other = make_world(world_of())
    saved = save_database(chat.world.database, chat.world.declared.settings)
    load_database(other.database, saved, other.clock.now_seconds(), Identifiers())
    restored = Chat.__new__(Chat)
    restored.messaging, restored.instance = other.client("chime-sdk-messaging", "admin"), chat.instance
    for operation in ("DescribeChannel", "ListChannelMessages", "ListChannelMemberships", "ListChannelModerators"):
        before = chat.call(operation, "ana", ChannelArn=arn)
        assert restored.call(operation, "ana", ChannelArn=arn) == before
    memberships = chat.call("ListChannelMembershipsForAppInstanceUser", "ana")
    assert restored.call("ListChannelMembershipsForAppInstanceUser", "ana") == memberships

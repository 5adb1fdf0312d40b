"""Messages of channels, what flows do with them, and what is announced (Amazon Chime SDK Developer Guide)."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from messaging_calls import ACCOUNT, Chat, world_of

from rolecall.caches import BoundedCache
from rolecall.errors import AwsError
from rolecall.services.chime_sdk_messaging import flows, messages
from rolecall.services.chime_sdk_messaging.message_shapes import checked_attributes
from rolecall.storage import messaging_events
from rolecall.storage import tables as t

DAY = 86_400
LAMBDA = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:moderate"
STANDARD = {"Type": "STANDARD", "Persistence": "PERSISTENT"}


@pytest.fixture
def chat(make_world: Any) -> Chat:
    return Chat(make_world(world_of()))


@pytest.fixture
def channel(chat: Chat) -> str:
    arn = chat.channel(MemberArns=["ben", "cem"])
    chat.events()
    return arn


# Sending and reading.


def test_a_message_is_answered_as_it_was_sent(chat: Chat, channel: str) -> None:
    attributes = {"kind": {"StringValues": ["news", "sport"]}}
    sent = chat.call(
        "SendChannelMessage",
        "ben",
        ChannelArn=channel,
        Content="hello",
        Metadata='{"a": 1}',
        ContentType="text/plain",
        MessageAttributes=attributes,
        PushNotification={"Title": "t", "Body": "b", "Type": "DEFAULT"},
        **STANDARD,
    )
    message_id = sent["MessageId"]
    assert sent == {"ChannelArn": channel, "MessageId": message_id, "Status": {"Value": "SENT"}}
    message = chat.call("GetChannelMessage", "cem", ChannelArn=channel, MessageId=message_id)["ChannelMessage"]
    created = message.pop("CreatedTimestamp")
    assert created == message.pop("LastUpdatedTimestamp")
    assert message == {
        "ChannelArn": channel,
        "MessageId": message_id,
        "Content": "hello",
        "Metadata": '{"a": 1}',
        "ContentType": "text/plain",
        "MessageAttributes": attributes,
        "Type": "STANDARD",
        "Persistence": "PERSISTENT",
        "Redacted": False,
        "Sender": {"Arn": chat.arn("ben"), "Name": "Ben"},
        "Status": {"Value": "SENT"},
    }
    answer = chat.call("ListChannelMessages", "cem", ChannelArn=channel)
    [listed] = answer["ChannelMessages"]
    assert answer["ChannelArn"] == channel
    assert listed == {
        **{name: value for name, value in message.items() if name not in ("ChannelArn", "Persistence")},
        "CreatedTimestamp": created,
        "LastUpdatedTimestamp": created,
    }
    last = chat.call("DescribeChannel", "ana", ChannelArn=channel)["Channel"]["LastMessageTimestamp"]
    assert last == created


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Content": "é" * 2048}, ""),
        ({"Content": "é" * 2048 + "x"}, "BadRequestException"),
        ({"Type": "CONTROL", "Content": "x" * 30}, ""),
        ({"Type": "CONTROL", "Content": "x" * 31}, "BadRequestException"),
        ({"Type": "CONTROL", "Metadata": "m"}, "BadRequestException"),
        (
            {"Type": "CONTROL", "PushNotification": {"Title": "t", "Body": "b", "Type": "DEFAULT"}},
            "BadRequestException",
        ),
        ({"SubChannelId": "s1"}, "BadRequestException"),
        ({"Target": [{"MemberArn": "dee"}]}, "BadRequestException"),
        ({"Target": [{"MemberArn": "nobody"}]}, "ForbiddenException"),
    ],
)
def test_what_a_message_may_be(chat: Chat, channel: str, parameters: dict[str, Any], code: str) -> None:
    given = {"Content": "x", **STANDARD, **parameters}
    for target in given.get("Target", []):
        target["MemberArn"] = chat.arn(target["MemberArn"])
    assert chat.code("SendChannelMessage", "ana", ChannelArn=channel, **given) == code
    assert len(chat.texts(channel)) == (code == "")


def test_a_token_sends_once(chat: Chat, channel: str) -> None:
    for persistence in ("PERSISTENT", "NON_PERSISTENT"):
        given = {"Persistence": persistence, "ClientRequestToken": f"token-{persistence}"}
        first = chat.send(channel, "ana", "one", **given)
        assert chat.send(channel, "ana", "two", **given) == first
        assert chat.send(channel, "ben", "three", **given) != first
        again = {**STANDARD, **given, "Type": "CONTROL"}
        refused = chat.refused("SendChannelMessage", "ana", ChannelArn=channel, Content="x", **again)
        assert refused[0] == "ConflictException"
    assert chat.texts(channel) == ["three", "one"]
    assert len(chat.events()) == 4


def test_non_persistent_messages_are_announced_and_not_kept(chat: Chat, channel: str) -> None:
    message_id = chat.send(channel, "ana", "soon gone", Persistence="NON_PERSISTENT")
    assert chat.texts(channel) == []
    about = {"ChannelArn": channel, "MessageId": message_id}
    for operation, more in {"GetChannelMessage": {}, "UpdateChannelMessage": {"Content": "x"}}.items():
        assert chat.refused(operation, "ana", **about, **more)[0] == "NotFoundException"
    assert "LastMessageTimestamp" not in chat.call("DescribeChannel", "ana", ChannelArn=channel)["Channel"]
    [event] = chat.events()
    assert (event["event_type"], event["payload"]["Content"]) == ("CREATE_CHANNEL_MESSAGE", "soon gone")
    chat.clock.advance(3601)
    chat.send(channel, "ana", "another", Persistence="NON_PERSISTENT")
    with chat.world.database.snapshot() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.channel_messages)).scalar_one() == 1


def test_a_newer_member_of_an_attribute_is_not_ignored() -> None:
    call: Any = SimpleNamespace(operation="SendChannelMessage")
    checked_attributes(call, {"a": {"StringValues": ["b"]}})
    with pytest.raises(AwsError, match=r"MessageAttributes\.NumberValues"):
        checked_attributes(call, {"a": {"NumberValues": [1]}})


def test_attributes_have_a_kibibyte_together(chat: Chat) -> None:
    """Developer Guide, Using filter rules to filter messages: a total message attribute size of 1KB."""
    channel = chat.channel()
    most = {"a": {"StringValues": ["é" * 256, "b" * 255]}, "cd": {"StringValues": ["e" * 254]}}
    assert chat.send(channel, "ana", MessageAttributes=most)
    more = {**most, "f": {"StringValues": []}}
    asked = {"ChannelArn": channel, "Content": "x", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    refused = chat.refused("SendChannelMessage", "ana", **asked, ClientRequestToken="more", MessageAttributes=more)
    assert (refused[0], "1024 bytes" in refused[1]) == ("BadRequestException", True)


def test_lists_go_by_time(chat: Chat, channel: str) -> None:
    start = int(chat.clock.now_seconds()) + 1
    for number in range(6):
        chat.clock.set(start + number // 2)
        chat.send(channel, "ana", str(number))
    assert chat.texts(channel) == ["5", "4", "3", "2", "1", "0"]
    assert chat.texts(channel, SortOrder="ASCENDING") == ["0", "1", "2", "3", "4", "5"]
    second = datetime.fromtimestamp(start + 1, UTC)
    assert chat.texts(channel, NotBefore=second) == ["5", "4", "3", "2"]
    assert chat.texts(channel, NotAfter=second) == ["3", "2", "1", "0"]
    assert chat.texts(channel, NotBefore=second, NotAfter=second) == ["3", "2"]
    for order, expected in (("DESCENDING", ["5", "4", "3", "2"]), ("ASCENDING", ["2", "3", "4", "5"])):
        found: list[str] = []
        more: dict[str, Any] = {"SortOrder": order, "NotBefore": second, "MaxResults": 3}
        for size in (3, 1):
            page = chat.call("ListChannelMessages", "ana", ChannelArn=channel, **more)
            assert len(page["ChannelMessages"]) == size
            found += [each["Content"] for each in page["ChannelMessages"]]
            more["NextToken"] = page.get("NextToken")
        assert (found, more["NextToken"]) == (expected, None)
    token = chat.call("ListChannelMessages", "ana", ChannelArn=channel, MaxResults=1)["NextToken"]
    other = chat.channel()
    for as_, arn, wrong in (("ana", other, {}), ("ana", channel, {"SortOrder": "ASCENDING"}), ("ben", channel, {})):
        code = chat.refused("ListChannelMessages", as_, ChannelArn=arn, NextToken=token, **wrong)[0]
        assert code == "BadRequestException"


def test_messages_keep_their_order_when_the_clock_is_set_back(chat: Chat, channel: str) -> None:
    chat.send(channel, "ana", "first")
    chat.clock.advance(-60)
    chat.send(channel, "ana", "second")
    assert chat.texts(channel) == ["second", "first"]


def test_targeted_messages_are_for_two(chat: Chat, channel: str) -> None:
    message_id = chat.send(channel, "ben", "psst", Target=[{"MemberArn": chat.arn("cem")}])
    about = {"ChannelArn": channel, "MessageId": message_id}
    for as_ in ("ben", "cem"):
        assert chat.texts(channel, as_) == ["psst"]
        target = chat.call("GetChannelMessage", as_, **about)["ChannelMessage"]["Target"]
        assert target == [{"MemberArn": chat.arn("cem")}]
    # Neither a moderator nor an administrator sees it.
    for as_ in ("ana", "root"):
        assert chat.texts(channel, as_) == []
        for operation in ("GetChannelMessage", "RedactChannelMessage"):
            assert chat.refused(operation, as_, **about)[0] == "NotFoundException"
    [event] = chat.events()
    assert (event["to_members"], event["user_arns"]) == (False, [chat.arn("ben"), chat.arn("cem")])
    # But an administrator deletes it.
    chat.call("DeleteChannelMessage", "root", **about)
    assert chat.texts(channel, "cem") == []


def test_an_edit_replaces_what_it_names(chat: Chat, channel: str) -> None:
    message_id = chat.send(channel, "ben", "frist", Metadata="m")
    about = {"ChannelArn": channel, "MessageId": message_id}
    chat.clock.advance(5)
    answer = chat.call("UpdateChannelMessage", "ben", **about, Content="first")
    assert answer == {**about, "Status": {"Value": "SENT"}}
    message = chat.call("GetChannelMessage", "ana", **about)["ChannelMessage"]
    assert (message["Content"], message["Metadata"]) == ("first", "m")
    assert (message["LastEditedTimestamp"] - message["CreatedTimestamp"]).total_seconds() == 5
    # The last message of the channel is the one that was sent last, not edited last.
    last = chat.call("DescribeChannel", "ana", ChannelArn=channel)["Channel"]["LastMessageTimestamp"]
    assert last == message["CreatedTimestamp"]
    assert chat.refused("UpdateChannelMessage", "ben", **about, Content="é" * 3000)[0] == "BadRequestException"
    chat.call("DeleteChannelMembership", "ben", ChannelArn=channel, MemberArn="ben")
    assert chat.refused("UpdateChannelMessage", "ben", **about, Content="x")[0] == "ForbiddenException"


def test_a_redacted_message_is_empty(chat: Chat, channel: str) -> None:
    message_id = chat.send(channel, "ben", "secret", Metadata="m", MessageAttributes={"a": {"StringValues": ["b"]}})
    about = {"ChannelArn": channel, "MessageId": message_id}
    assert chat.call("RedactChannelMessage", "ana", **about) == about
    message = chat.call("GetChannelMessage", "ben", **about)["ChannelMessage"]
    assert (message["Content"], message["Redacted"]) == ("", True)
    assert {"Metadata", "MessageAttributes"}.isdisjoint(message)
    assert chat.refused("UpdateChannelMessage", "ben", **about, Content="x")[0] == "ConflictException"
    with chat.world.database.snapshot() as connection:
        assert "secret" not in str(list(connection.execute(sa.select(t.channel_messages.c.content))))


def test_a_deleted_message_is_gone(chat: Chat, channel: str) -> None:
    message_id = chat.send(channel)
    about = {"ChannelArn": channel, "MessageId": message_id}
    chat.call("DeleteChannelMessage", "root", **about)
    for operation in ("GetChannelMessage", "RedactChannelMessage", "GetChannelMessageStatus"):
        assert chat.refused(operation, "ana", **about)[0] == "NotFoundException"
    assert chat.refused("DeleteChannelMessage", "root", **about)[0] == "NotFoundException"


def test_a_message_of_another_channel_is_not_found(chat: Chat, channel: str) -> None:
    message_id = chat.send(channel)
    other = chat.channel()
    for operation, as_ in (("GetChannelMessage", "ana"), ("DeleteChannelMessage", "root")):
        assert chat.refused(operation, as_, ChannelArn=other, MessageId=message_id)[0] == "NotFoundException"


def test_old_messages_go_with_the_retention_of_the_app_instance(chat: Chat, channel: str) -> None:
    old = chat.send(channel, "ana", "old")
    settings = {"ChannelRetentionSettings": {"RetentionDays": 10}}
    chat.identity.put_app_instance_retention_settings(
        AppInstanceArn=chat.instance, AppInstanceRetentionSettings=settings
    )
    chat.clock.advance(25 * DAY)
    chat.send(channel, "ana", "new")
    # Messages stay through the grace period of 30 days.
    assert chat.texts(channel) == ["new", "old"]
    chat.clock.advance(5 * DAY)
    assert chat.texts(channel) == ["new"]
    assert chat.refused("GetChannelMessage", "ana", ChannelArn=channel, MessageId=old)[0] == "NotFoundException"


# Flows.


def _processors(fallback: str = "CONTINUE", function: str = LAMBDA, count: int = 1) -> list[dict[str, Any]]:
    configuration = {"Lambda": {"ResourceArn": function, "InvocationType": "ASYNC"}}
    return [
        {"Name": "p", "Configuration": configuration, "ExecutionOrder": order + 1, "FallbackAction": fallback}
        for order in range(count)
    ]


def _flow(chat: Chat, channel: str, fallback: str = "CONTINUE") -> str:
    parameters = {"AppInstanceArn": chat.instance, "Name": "moderation", "Processors": _processors(fallback)}
    flow = str(chat.call("CreateChannelFlow", **parameters)["ChannelFlowArn"])
    chat.call("AssociateChannelFlow", "ana", ChannelArn=channel, ChannelFlowArn=flow)
    chat.events()
    return flow


def _invocations(chat: Chat) -> list[dict[str, Any]]:
    answer = chat.world.application.test_client().get("/_rolecall/channel-flow-invocations")
    assert answer.status_code == 200
    return list(answer.json["invocations"])


def _invocation(chat: Chat) -> dict[str, Any]:
    """What the processor's function would be called with."""
    chat.events()
    [found] = _invocations(chat)
    return found


def test_a_message_is_pending_until_the_callback(chat: Chat, channel: str) -> None:
    _flow(chat, channel)
    about = {"ChannelArn": channel, "MessageId": chat.send(channel, "ben", "hello")}
    assert chat.call("GetChannelMessageStatus", "ben", **about) == {"Status": {"Value": "PENDING"}}
    assert chat.refused("GetChannelMessageStatus", "ana", **about)[0] == "ForbiddenException"
    assert chat.call("GetChannelMessage", "ben", **about)["ChannelMessage"]["Status"] == {"Value": "PENDING"}
    assert chat.refused("GetChannelMessage", "ana", **about)[0] == "NotFoundException"
    assert chat.texts(channel) == chat.texts(channel, "ben") == []
    for operation, as_ in (("RedactChannelMessage", "ben"), ("DeleteChannelMessage", "root")):
        assert chat.refused(operation, as_, **about)[0] == "ConflictException"
    invocation = _invocation(chat)
    assert invocation["EventType"] == "CHANNEL_MESSAGE_EVENT"
    message = invocation["ChannelMessage"]
    assert message["CreatedTimestamp"].endswith("Z")
    assert (message["MessageId"], message["ChannelArn"]) == (about["MessageId"], channel)
    assert (message["Content"], message["Sender"]) == ("hello", {"Arn": chat.arn("ben"), "Name": "Ben"})
    callback = {"CallbackId": invocation["CallbackId"], "ChannelArn": channel}
    changed = {"MessageId": about["MessageId"], "Content": "h****"}
    assert chat.call("ChannelFlowCallback", **callback, ChannelMessage=changed) == callback
    assert chat.texts(channel) == ["h****"]
    assert chat.call("GetChannelMessageStatus", "ben", **about) == {"Status": {"Value": "SENT"}}
    assert chat.refused("ChannelFlowCallback", **callback, ChannelMessage=changed)[0] == "ConflictException"
    assert _invocations(chat) == []
    [event] = chat.events()
    assert (event["event_type"], event["to_members"]) == ("CREATE_CHANNEL_MESSAGE", True)
    assert event["payload"]["Content"] == "h****"


def test_a_denied_message_is_not_stored(chat: Chat, channel: str) -> None:
    _flow(chat, channel)
    about = {"ChannelArn": channel, "MessageId": chat.send(channel, "ben")}
    callback = {"CallbackId": _invocation(chat)["CallbackId"], "ChannelArn": channel}
    message = {"MessageId": about["MessageId"]}
    chat.call("ChannelFlowCallback", **callback, ChannelMessage=message, DeleteResource=True)
    assert chat.texts(channel) == []
    assert chat.refused("GetChannelMessageStatus", "ben", **about)[0] == "NotFoundException"
    [event] = chat.events()
    told = (event["event_type"], event["to_members"], event["user_arns"])
    assert told == ("DENIED_CREATE_CHANNEL_MESSAGE", False, [chat.arn("ben")])


@pytest.mark.parametrize(
    ("fallback", "status", "texts", "event_type"),
    [
        ("CONTINUE", "SENT", ["hello"], "CREATE_CHANNEL_MESSAGE"),
        ("ABORT", "FAILED", [], "FAILED_CREATE_CHANNEL_MESSAGE"),
    ],
)
def test_without_a_callback_the_fallback_action_decides(
    chat: Chat, channel: str, fallback: str, status: str, texts: list[str], event_type: str
) -> None:
    flow = _flow(chat, channel, fallback)
    about = {"ChannelArn": channel, "MessageId": chat.send(channel, "ben")}
    callback = {"CallbackId": _invocation(chat)["CallbackId"], "ChannelArn": channel}
    chat.clock.advance(59)
    assert chat.texts(channel) == []
    chat.clock.advance(1)
    assert (chat.texts(channel), _invocations(chat)) == (texts, [])
    assert chat.call("GetChannelMessageStatus", "ben", **about) == {"Status": {"Value": status}}
    late = chat.refused("ChannelFlowCallback", **callback, ChannelMessage={"MessageId": about["MessageId"]})
    assert late[0] == "ForbiddenException"
    # The next write announces it.
    chat.call("DisassociateChannelFlow", "ana", ChannelArn=channel, ChannelFlowArn=flow)
    chat.send(channel, "cem", "next")
    assert [each["event_type"] for each in chat.events()] == [event_type, "CREATE_CHANNEL_MESSAGE"]
    assert chat.texts(channel) == ["next", *texts]


def test_an_edit_goes_through_the_flow_and_the_old_text_stays(chat: Chat, channel: str) -> None:
    message_id = chat.send(channel, "ben", "old")
    _flow(chat, channel)
    about = {"ChannelArn": channel, "MessageId": message_id}
    for deny, expected in ((True, "old"), (False, "new")):
        edit = chat.call("UpdateChannelMessage", "ben", **about, Content="new")
        assert edit["Status"] == {"Value": "PENDING"}
        assert chat.refused("UpdateChannelMessage", "ben", **about, Content="x")[0] == "ConflictException"
        assert chat.texts(channel) == ["old"]
        invocation = _invocation(chat)
        assert invocation["ChannelMessage"]["Content"] == "new"
        callback = {"CallbackId": invocation["CallbackId"], "ChannelArn": channel}
        given = {"ChannelMessage": {"MessageId": message_id}, "DeleteResource": deny}
        chat.call("ChannelFlowCallback", **callback, **given)
        assert chat.texts(channel) == [expected]
    assert [each["event_type"] for each in chat.events()] == ["UPDATE_CHANNEL_MESSAGE"]


def test_flows_leave_control_messages_alone_and_process_non_persistent_ones(chat: Chat, channel: str) -> None:
    _flow(chat, channel)
    chat.send(channel, "ben", "typing", Type="CONTROL")
    assert chat.texts(channel) == ["typing"]
    assert [each["event_type"] for each in chat.events()] == ["CREATE_CHANNEL_MESSAGE"]
    message_id = chat.send(channel, "ben", "brief", Persistence="NON_PERSISTENT")
    callback = {"CallbackId": _invocation(chat)["CallbackId"], "ChannelArn": channel}
    chat.call("ChannelFlowCallback", **callback, ChannelMessage={"MessageId": message_id})
    assert [each["payload"]["Content"] for each in chat.events()] == ["brief"]
    assert chat.texts(channel) == ["typing"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"CallbackId": "x" * 32}, "ForbiddenException"),
        ({"ChannelMessage": {"MessageId": "another"}}, "BadRequestException"),
        ({"ChannelMessage": {"MessageId": "", "SubChannelId": "s"}}, "BadRequestException"),
        ({"ChannelMessage": {"MessageId": "", "Content": "x" * 4097}}, "BadRequestException"),
    ],
)
def test_a_wrong_callback_changes_nothing(chat: Chat, channel: str, wrong: dict[str, Any], code: str) -> None:
    _flow(chat, channel)
    message_id = chat.send(channel, "ben")
    given = {"CallbackId": _invocation(chat)["CallbackId"], "ChannelMessage": {"MessageId": message_id}, **wrong}
    given["ChannelMessage"] = {
        **given["ChannelMessage"],
        "MessageId": given["ChannelMessage"]["MessageId"] or message_id,
    }
    assert chat.refused("ChannelFlowCallback", ChannelArn=channel, **given)[0] == code
    about = {"ChannelArn": channel, "MessageId": message_id}
    assert chat.call("GetChannelMessageStatus", "ben", **about) == {"Status": {"Value": "PENDING"}}


def test_a_callback_needs_the_permission_on_its_channel(make_world: Any) -> None:
    chat = Chat(make_world(world_of()))
    stranger = chat.world.client("chime-sdk-messaging", "stranger")
    given = {"CallbackId": "x" * 32, "ChannelMessage": {"MessageId": "m"}}
    assert chat.refused("ChannelFlowCallback", None, stranger, ChannelArn=chat.channel(), **given)[0] == (
        "AccessDeniedException"
    )


def test_a_flow_with_channels_stays(chat: Chat, channel: str) -> None:
    flow = _flow(chat, channel)
    assert chat.call("DescribeChannel", "ana", ChannelArn=channel)["Channel"]["ChannelFlowArn"] == flow
    [listed] = chat.call("ListChannelsAssociatedWithChannelFlow", ChannelFlowArn=flow)["Channels"]
    assert listed["ChannelArn"] == channel
    assert chat.refused("DeleteChannelFlow", ChannelFlowArn=flow)[0] == "ConflictException"
    both = {"ChannelArn": channel, "ChannelFlowArn": flow}
    chat.call("AssociateChannelFlow", "ana", **both)
    other = chat.call("CreateChannelFlow", AppInstanceArn=chat.instance, Name="b", Processors=_processors())
    flows = chat.call("ListChannelFlows", AppInstanceArn=chat.instance)["ChannelFlows"]
    assert {each["ChannelFlowArn"] for each in flows} == {flow, other["ChannelFlowArn"]}
    second = {"ChannelArn": channel, "ChannelFlowArn": other["ChannelFlowArn"]}
    assert chat.refused("AssociateChannelFlow", "ana", **second)[0] == "ConflictException"
    assert chat.refused("DisassociateChannelFlow", "ana", **second)[0] == "NotFoundException"
    chat.call("DisassociateChannelFlow", "ana", **both)
    assert "ChannelFlowArn" not in chat.call("DescribeChannel", "ana", ChannelArn=channel)["Channel"]
    chat.call("DeleteChannelFlow", ChannelFlowArn=flow)
    assert chat.refused("DescribeChannelFlow", ChannelFlowArn=flow)[0] == "NotFoundException"


def test_what_a_flow_may_be(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"AppInstanceArn": chat.instance, "Name": "f"}
    for processors in (
        _processors(count=2),
        _processors(function=LAMBDA.replace(ACCOUNT, "444455556666")),
        _processors(function=LAMBDA.replace("us-east-1", "eu-central-1")),
    ):
        assert chat.refused("CreateChannelFlow", **parameters, Processors=processors)[0] == "BadRequestException"
    monkeypatch.setattr(flows, "MAXIMUM_FLOWS", 0)
    refused = chat.refused("CreateChannelFlow", **parameters, Processors=_processors())
    assert refused[0] == "ResourceLimitExceededException"


# Events.


def test_every_change_is_announced_in_its_transaction(chat: Chat) -> None:
    arn = chat.channel("ana", MemberArns=["ben"])
    chat.join(arn, "cem")
    chat.call("BatchCreateChannelMembership", "ana", ChannelArn=arn, MemberArns=["dee", "eva"])
    message_id = chat.send(arn, "ben")
    about = {"ChannelArn": arn, "MessageId": message_id}
    chat.call("UpdateChannelMessage", "ben", **about, Content="b")
    chat.call("RedactChannelMessage", "ben", **about)
    chat.call("DeleteChannelMessage", "root", **about)
    chat.call("UpdateChannel", "ana", ChannelArn=arn, Name="renamed")
    chat.call("DeleteChannelMembership", "eva", ChannelArn=arn, MemberArn="eva")
    chat.call("CreateChannelBan", "ana", ChannelArn=arn, MemberArn="dee")
    assert chat.refused("UpdateChannel", "ben", ChannelArn=arn)[0] == "ForbiddenException"
    chat.call("DeleteChannel", "ana", ChannelArn=arn)
    events = chat.events()
    assert [(each["event_type"], each["message_type"], each["to_members"], each["user_arns"]) for each in events] == [
        ("CREATE_CHANNEL_MEMBERSHIP", "SYSTEM", True, []),
        ("CREATE_CHANNEL_MEMBERSHIP", "SYSTEM", True, []),
        ("CREATE_CHANNEL_MEMBERSHIP", "SYSTEM", True, [chat.arn("cem")]),
        ("BATCH_CREATE_CHANNEL_MEMBERSHIP", "SYSTEM", True, [chat.arn("dee"), chat.arn("eva")]),
        ("CREATE_CHANNEL_MESSAGE", "STANDARD", True, []),
        ("UPDATE_CHANNEL_MESSAGE", "STANDARD", True, []),
        ("REDACT_CHANNEL_MESSAGE", "STANDARD", True, []),
        ("DELETE_CHANNEL_MESSAGE", "STANDARD", True, []),
        ("UPDATE_CHANNEL", "SYSTEM", True, []),
        ("DELETE_CHANNEL_MEMBERSHIP", "SYSTEM", True, [chat.arn("eva")]),
        ("DELETE_CHANNEL_MEMBERSHIP", "SYSTEM", True, [chat.arn("dee")]),
        ("DELETE_CHANNEL", "SYSTEM", False, [chat.arn("ana"), chat.arn("ben"), chat.arn("cem")]),
    ]
    ids = [each["event_id"] for each in events]
    assert ids == sorted(set(ids))
    assert {(each["account_id"], each["region"], each["channel_arn"]) for each in events} == {
        (ACCOUNT, "us-east-1", arn)
    }
    sent = events[4]["payload"]
    now = datetime.fromtimestamp(chat.clock.now_seconds(), UTC).isoformat(timespec="milliseconds")
    assert sent["CreatedTimestamp"] == now.replace("+00:00", "Z")
    assert (sent["MessageId"], sent["Sender"]["Name"], sent["Content"]) == (message_id, "Ben", "hello")
    assert (events[6]["payload"]["Content"], events[6]["payload"]["Redacted"]) == ("", True)
    # Ids are not given twice, although the rows are gone.
    chat.channel()
    assert chat.events()[0]["event_id"] > ids[-1]


def test_others_do_not_learn_of_a_hidden_member(chat: Chat, channel: str) -> None:
    chat.join(channel, "dee", Type="HIDDEN")
    chat.call("DeleteChannelMembership", "ana", ChannelArn=channel, MemberArn="dee")
    assert [(each["to_members"], each["user_arns"]) for each in chat.events()] == [(False, [chat.arn("dee")])] * 2


def test_events_that_nobody_reads_do_not_pile_up(chat: Chat, channel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messaging_events, "_EVENTS_KEPT", 3)
    monkeypatch.setattr(messaging_events, "_INSERTS_BETWEEN_DELETES", 1)
    for number in range(5):
        chat.send(channel, "ana", str(number))
    assert [each["payload"]["Content"] for each in chat.events()] == ["2", "3", "4"]


def test_a_remembered_message_is_shown_as_it_is_now(chat: Chat) -> None:
    """Lists remember messages. What changes about one, or about its sender, changes the next list."""
    channel = chat.channel(MemberArns=["ben"])
    message = chat.send(channel, "ana", "first", Metadata="m")

    def shown(as_: str) -> dict[str, Any]:
        [found] = chat.call("ListChannelMessages", as_, ChannelArn=channel)["ChannelMessages"]
        return dict(found)

    for _ in range(2):
        assert (shown("ana")["Content"], shown("ben")["Sender"]["Name"]) == ("first", "Ana")
    chat.call("UpdateChannelMessage", "ana", ChannelArn=channel, MessageId=message, Content="second", Metadata="n")
    assert (shown("ana")["Content"], shown("ben")["Metadata"]) == ("second", "n")
    chat.identity.update_app_instance_user(AppInstanceUserArn=chat.arn("ana"), Name="Anna", Metadata="")
    assert (shown("ana")["Sender"]["Name"], shown("ben")["Sender"]["Name"]) == ("Anna", "Anna")
    chat.identity.delete_app_instance_user(AppInstanceUserArn=chat.arn("ana"))
    assert shown("ben")["Sender"] == {"Arn": chat.arn("ana")}
    chat.call("RedactChannelMessage", "root", ChannelArn=channel, MessageId=message)
    assert shown("ben")["Redacted"] is True
    assert "Content" not in shown("ben") or shown("ben")["Content"] == ""


def test_only_so_many_messages_of_a_small_size_are_remembered(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: BoundedCache[Any, Any] = BoundedCache(2)
    monkeypatch.setattr(messages, "_summaries", kept)
    channel = chat.channel()
    for text in ("a", "x" * 1024, "b", "c"):
        chat.send(channel, text=text)
    for _ in range(2):
        assert chat.texts(channel) == ["c", "b", "x" * 1024, "a"]
    assert len(kept) == 2

"""Which open session receives which event, and which session is over."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from messaging_calls import Chat, allow, user, world_of
from pushed_messages import http_request, presigned

from rolecall.gateway import pushed_events
from rolecall.gateway.connect import PushSession, connect
from rolecall.gateway.pushed_events import Ending, Follower
from rolecall.storage import channel_relations, messaging_events, resources
from rolecall.storage import tables as t

EVENTS = t.messaging_events
NAMES = ("root", "ana", "ben", "cem", "dee", "eva")
KEYS = {"admin": ("admin_key", "admin-secret"), "leaver": ("AKIAROLECALLLEAVER00", "leaver-secret")}


class Pushed:
    """Open sessions, and a process that follows the events for them."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.sandbox = chat.world.application.sandbox
        self.follower = Follower(self.sandbox)
        self.sessions: dict[str, PushSession] = {}

    def connect(self, name: str, keys: tuple[str, ...] = KEYS["admin"], session: str = "") -> None:
        url = presigned("http://rolecall.localhost", self.chat.arn(name), keys)
        self.sessions[session or name] = connect(self.sandbox, http_request(url))

    def read(self) -> tuple[list[tuple[str, list[str]]], dict[str, Ending]]:
        """Types of events with the names of their receivers, and the sessions that are over: these are closed."""
        news = self.follower.read(list(self.sessions.values()))
        self.follower.remove_old()
        names = {session: name for name, session in self.sessions.items()}
        endings = {names[session]: ending for session, ending in news.endings.items()}
        for name in endings:
            del self.sessions[name]
        deliveries = []
        for each in news.deliveries:
            frame = json.loads(each.text)
            assert isinstance(frame["Payload"], str)
            json.loads(frame["Payload"])
            deliveries.append((frame["Headers"]["x-amz-chime-event-type"], sorted(names[one] for one in each.sessions)))
        return deliveries, endings

    def received(self) -> list[tuple[str, list[str]]]:
        deliveries, endings = self.read()
        assert endings == {}
        return deliveries


@pytest.fixture
def chat(make_world: Any) -> Chat:
    leaver = {**user("leaver", allow("*")), "access_keys": [{"id": KEYS["leaver"][0], "secret": KEYS["leaver"][1]}]}
    return Chat(make_world(world_of(leaver)))


@pytest.fixture
def channel(chat: Chat) -> str:
    """Ana's channel, with ben."""
    made = chat.channel()
    chat.join(made, "ben")
    return made


@pytest.fixture
def pushed(chat: Chat, channel: str) -> Pushed:
    """Every user has a session. The channel is older, so nobody receives its making."""
    made = Pushed(chat)
    for name in NAMES:
        made.connect(name)
    assert made.received() == []
    return made


@pytest.fixture(autouse=True)
def _every_reading_looks_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed_events, "_CHECK_SECONDS", 0.0)


def test_members_receive_messages_and_others_do_not(chat: Chat, channel: str, pushed: Pushed) -> None:
    # Root is an administrator, and dee becomes a moderator: without a membership both receive nothing.
    chat.call("CreateChannelModerator", "ana", ChannelArn=channel, ChannelModeratorArn="dee")
    message = chat.send(channel)
    chat.call("UpdateChannelMessage", "ana", ChannelArn=channel, MessageId=message, Content="new")
    chat.call("RedactChannelMessage", "ana", ChannelArn=channel, MessageId=message)
    chat.call("DeleteChannelMessage", "root", ChannelArn=channel, MessageId=message)
    chat.send(channel, Persistence="NON_PERSISTENT", Type="CONTROL", text="typing")
    kinds = ("CREATE", "UPDATE", "REDACT", "DELETE", "CREATE")
    assert pushed.received() == [(f"{kind}_CHANNEL_MESSAGE", ["ana", "ben"]) for kind in kinds]
    assert pushed.received() == []


def test_the_text_has_the_headers_and_the_payload_of_the_guide(chat: Chat, channel: str, pushed: Pushed) -> None:
    message = chat.send(channel, text='"soup" für cem', Metadata="m")
    chat.send(channel, text="typing", Type="CONTROL", Persistence="NON_PERSISTENT")
    news = pushed.follower.read(list(pushed.sessions.values()))
    standard, control = (json.loads(each.text) for each in news.deliveries)
    assert set(standard) == {"Headers", "Payload"}
    assert standard["Headers"] == {
        "x-amz-chime-event-type": "CREATE_CHANNEL_MESSAGE",
        "x-amz-chime-message-type": "STANDARD",
    }
    assert control["Headers"]["x-amz-chime-message-type"] == "CONTROL"
    payload = json.loads(standard["Payload"])
    assert (payload["MessageId"], payload["Content"], payload["Metadata"]) == (message, '"soup" für cem', "m")
    assert payload["Sender"] == {"Arn": chat.arn("ana"), "Name": "Ana"}
    assert payload["ChannelArn"] == channel


def test_a_targeted_message_goes_to_sender_and_target(chat: Chat, channel: str, pushed: Pushed) -> None:
    chat.join(channel, "cem")
    pushed.received()
    chat.send(channel, Target=[{"MemberArn": chat.arn("cem")}])
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana", "cem"])]


def test_changes_of_memberships_go_to_members_and_the_one_concerned(chat: Chat, channel: str, pushed: Pushed) -> None:
    chat.join(channel, "cem")
    assert pushed.received() == [("CREATE_CHANNEL_MEMBERSHIP", ["ana", "ben", "cem"])]
    chat.call("BatchCreateChannelMembership", "ana", ChannelArn=channel, MemberArns=["dee"])
    assert pushed.received() == [("BATCH_CREATE_CHANNEL_MEMBERSHIP", ["ana", "ben", "cem", "dee"])]
    chat.call("DeleteChannelMembership", "ana", ChannelArn=channel, MemberArn="dee")
    chat.send(channel)
    assert pushed.received() == [
        ("DELETE_CHANNEL_MEMBERSHIP", ["ana", "ben", "cem", "dee"]),
        ("CREATE_CHANNEL_MESSAGE", ["ana", "ben", "cem"]),
    ]
    chat.join(channel, "eva", Type="HIDDEN")
    assert pushed.received() == [("CREATE_CHANNEL_MEMBERSHIP", ["eva"])]


def test_a_banned_user_receives_nothing_more(chat: Chat, channel: str, pushed: Pushed) -> None:
    chat.call("CreateChannelBan", "ana", ChannelArn=channel, MemberArn="ben")
    chat.send(channel)
    found = pushed.received()
    assert [names for event, names in found if event == "CREATE_CHANNEL_MESSAGE"] == [["ana"]]


def test_a_message_that_was_not_read_before_the_ban_is_not_delivered_after_it(
    chat: Chat, channel: str, pushed: Pushed
) -> None:
    chat.send(channel)
    chat.call("CreateChannelBan", "ana", ChannelArn=channel, MemberArn="ben")
    assert pushed.received()[0] == ("CREATE_CHANNEL_MESSAGE", ["ana"])


def test_a_deleted_channel_tells_those_who_were_members(chat: Chat, channel: str, pushed: Pushed) -> None:
    chat.call("UpdateChannel", "ana", ChannelArn=channel, Name="new")
    chat.call("DeleteChannel", "ana", ChannelArn=channel)
    assert pushed.received() == [("DELETE_CHANNEL", ["ana", "ben"])]


def test_an_update_of_a_channel_goes_to_members(chat: Chat, channel: str, pushed: Pushed) -> None:
    chat.call("UpdateChannel", "ana", ChannelArn=channel, Name="new")
    assert pushed.received() == [("UPDATE_CHANNEL", ["ana", "ben"])]


def test_every_session_of_a_user_receives(chat: Chat, channel: str, pushed: Pushed) -> None:
    pushed.connect("ben", session="ben's phone")
    chat.send(channel)
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana", "ben", "ben's phone"])]


def test_members_of_another_sub_channel_receive_nothing(chat: Chat, pushed: Pushed) -> None:
    elastic = {"MaximumSubChannels": 2, "TargetMembershipsPerSubChannel": 2, "MinimumMembershipPercentage": 40}
    channel = chat.channel("root", ElasticChannelConfiguration=elastic)
    subs: dict[str, str] = {}
    for name in ("ana", "ben", "cem", "dee"):
        answer = chat.call("CreateChannelMembership", "root", ChannelArn=channel, MemberArn=name, Type="DEFAULT")
        subs[name] = answer["SubChannelId"]
    assert subs["ana"] == subs["ben"] != subs["cem"]
    pushed.received()
    chat.send(channel, "cem", SubChannelId=subs["cem"])
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["cem", "dee"])]


def test_a_moderator_learns_why_its_membership_of_a_sub_channel_ends(chat: Chat, pushed: Pushed) -> None:
    """Developer Guide, Understanding message structures: the one event with a reason."""
    wide = {"MaximumSubChannels": 2, "TargetMembershipsPerSubChannel": 3, "MinimumMembershipPercentage": 40}
    arn = chat.channel("root", ElasticChannelConfiguration=wide)
    for name in ("ana", "ben", "cem", "dee", "eva"):
        chat.join(arn, name, as_="root")
        chat.clock.advance(1)
    second = chat.call("ListSubChannels", "root", ChannelArn=arn)["SubChannels"][1]["SubChannelId"]
    chat.join(arn, "root", as_="root", SubChannelId=second)
    pushed.connect("root")
    chat.call("DeleteChannelMembership", "ana", ChannelArn=arn, MemberArn="ana")
    pushed.received()
    chat.call("DeleteChannelMembership", "eva", ChannelArn=arn, MemberArn="eva")
    root = pushed.sessions["root"]
    found = [
        (json.loads(each.text), each.sessions) for each in pushed.follower.read([*pushed.sessions.values()]).deliveries
    ]
    [(told, sessions)] = [each for each in found if "x-amz-chime-event-reason" in each[0]["Headers"]]
    assert list(sessions) == [root]
    assert told["Headers"] == {
        "x-amz-chime-event-type": "DELETE_CHANNEL_MEMBERSHIP",
        "x-amz-chime-message-type": "SYSTEM",
        "x-amz-chime-event-reason": "subchannel_DELETED",
    }
    payload = json.loads(told["Payload"])
    assert (payload["SubChannelId"], payload["Member"]["Arn"]) == (second, chat.arn("root"))
    # The members are moved, and lose nothing.
    others = [each["Headers"]["x-amz-chime-event-type"] for each, _ in found if each is not told]
    assert sorted(set(others)) == ["DELETE_CHANNEL_MEMBERSHIP", "UPDATE_CHANNEL_MEMBERSHIP"]


def test_the_sender_alone_learns_what_a_flow_does(chat: Chat, channel: str, pushed: Pushed) -> None:
    flow = chat.call(
        "CreateChannelFlow",
        AppInstanceArn=chat.instance,
        Name="filter",
        Processors=[
            {
                "Name": "p",
                "ExecutionOrder": 1,
                "FallbackAction": "ABORT",
                "Configuration": {
                    "Lambda": {
                        "ResourceArn": "arn:aws:lambda:us-east-1:111122223333:function:f",
                        "InvocationType": "ASYNC",
                    }
                },
            }
        ],
    )["ChannelFlowArn"]
    chat.call("AssociateChannelFlow", "ana", ChannelArn=channel, ChannelFlowArn=flow)
    pushed.received()
    chat.send(channel)
    assert pushed.received() == [("PENDING_CREATE_CHANNEL_MESSAGE", ["ana"])]


# Beginnings.


def test_what_was_before_the_connect_is_not_received(chat: Chat, channel: str) -> None:
    pushed = Pushed(chat)
    chat.send(channel)
    pushed.connect("ana")
    assert pushed.received() == []
    chat.send(channel)
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana"])]


def test_what_came_between_a_connect_and_the_next_reading_is_received_by_it_alone(
    chat: Chat, channel: str, pushed: Pushed
) -> None:
    others = dict(pushed.sessions)
    pushed.connect("ben", session="late")
    chat.send(channel)
    late = pushed.sessions.pop("late")
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana", "ben"])]
    assert others == pushed.sessions
    pushed.sessions["late"] = late
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["late"])]
    assert pushed.received() == []


def test_after_a_rest_the_reading_begins_where_the_new_session_does(chat: Chat, channel: str, pushed: Pushed) -> None:
    pushed.follower.stop()
    pushed.sessions.clear()
    chat.send(channel)
    pushed.connect("ben")
    chat.send(channel)
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ben"])]


def test_every_process_reads_all_events(chat: Chat, channel: str, pushed: Pushed) -> None:
    other = Pushed(chat)
    other.connect("ben")
    chat.send(channel)
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana", "ben"])]
    assert other.received() == [("CREATE_CHANNEL_MESSAGE", ["ben"])]


def hidden(chat: Chat, back: int) -> dict[str, Any]:
    """Remove an event: the one before the newest for ``back=1``. It is there again after :func:`shown`."""
    with chat.world.database.transaction() as connection:
        newest_id = connection.execute(sa.select(sa.func.max(EVENTS.c.event_id))).scalar_one()
        is_wanted = EVENTS.c.event_id == newest_id - back
        row = dict(connection.execute(sa.select(EVENTS).where(is_wanted)).one()._mapping)
        connection.execute(sa.delete(EVENTS).where(is_wanted))
    return row


def shown(chat: Chat, row: dict[str, Any]) -> None:
    with chat.world.database.transaction() as connection:
        connection.execute(sa.insert(EVENTS).values(**row))


def test_an_event_that_becomes_visible_late_is_not_lost(chat: Chat, channel: str, pushed: Pushed) -> None:
    """PostgreSQL gives ids before the commit: another transaction may commit a later id first."""
    chat.send(channel, text="first")
    chat.send(channel, text="second")
    late = hidden(chat, 1)
    assert len(pushed.received()) == 1
    shown(chat, late)
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana", "ben"])]
    assert pushed.received() == []


@pytest.mark.parametrize("when", ["before the reading", "after it", "after the reading of others"])
def test_an_event_that_a_connect_could_not_see_yet_is_not_lost(chat: Chat, channel: str, when: str) -> None:
    for text in ("seen", "late", "newest"):
        chat.send(channel, text=text)
    late = hidden(chat, 1)
    pushed = Pushed(chat)
    pushed.connect("ana")
    if when == "after it":
        assert pushed.received() == []
    ana = pushed.sessions.pop("ana")
    if when == "after the reading of others":
        pushed.connect("ben")
        assert pushed.received() == []
    shown(chat, late)
    if when == "after the reading of others":
        assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ben"])]
    pushed.sessions["ana"] = ana
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana"])]
    assert pushed.received() == []


def test_a_reading_that_fails_loses_nothing(
    chat: Chat, channel: str, pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = chat.world.client("iam", "admin")
    pushed.connect("ben", KEYS["leaver"], "leaver")
    chat.send(channel)
    iam.delete_access_key(UserName="leaver", AccessKeyId=KEYS["leaver"][0])
    for module, name in ((channel_relations, "member_keys"), (resources, "living"), (pushed_events, "resolve")):

        def fails(*_arguments: Any, **_options: Any) -> None:
            raise sa.exc.OperationalError("SELECT", {}, Exception("locked"))

        with monkeypatch.context() as patch:
            patch.setattr(module, name, fails)
            with pytest.raises(sa.exc.OperationalError):
                pushed.read()
    assert pushed.read() == ([("CREATE_CHANNEL_MESSAGE", ["ana", "ben"])], {"leaver": Ending.CREDENTIALS})
    assert pushed.received() == []


def test_a_failed_reading_ends_the_same_sessions_again(
    chat: Chat, pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first session was found without a key, and then the database failed for the next one."""
    gone = Pushed(chat)
    for name in ("ben", "cem"):
        gone.connect(name, KEYS["leaver"])
    chat.world.client("iam", "admin").delete_access_key(UserName="leaver", AccessKeyId=KEYS["leaver"][0])
    resolve, calls = pushed_events.resolve, []

    def fails_once(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise sa.exc.OperationalError("SELECT", {}, Exception("locked"))
        return resolve(*arguments)

    monkeypatch.setattr(pushed_events, "resolve", fails_once)
    with pytest.raises(sa.exc.OperationalError):
        gone.read()
    assert gone.read() == ([], {"ben": Ending.CREDENTIALS, "cem": Ending.CREDENTIALS})


def test_what_many_connects_have_seen_is_not_pushed_to_them(
    chat: Chat, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session may be connected long after the last event that its process has read."""
    monkeypatch.setattr(pushed_events, "_EVENTS_AT_ONCE", 2)
    pushed = Pushed(chat)
    pushed.connect("ana")
    for _ in range(5):
        chat.send(channel)
    pushed.connect("ben")
    chat.send(channel)
    found = [names for _ in range(4) for _, names in pushed.received()]
    assert found == [["ana"]] * 5 + [["ana", "ben"]]


def test_many_events_are_read_in_parts_and_in_order(
    chat: Chat, channel: str, pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushed_events, "_EVENTS_AT_ONCE", 2)
    sent = [chat.send(channel) for _ in range(5)]
    found = []
    for _ in range(3):
        news = pushed.follower.read(list(pushed.sessions.values()))
        found += [json.loads(json.loads(each.text)["Payload"])["MessageId"] for each in news.deliveries]
    assert found == sent


def test_read_events_are_deleted_after_a_while(
    chat: Chat, channel: str, pushed: Pushed, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr(pushed_events, "monotonic_seconds", lambda: now[0])
    pushed.received()
    chat.send(channel)
    pushed.received()
    # What was read a minute ago is deleted, and the event was read after that.
    now[0] += 61
    pushed.received()
    assert newest(chat) > 0
    now[0] += 59
    pushed.received()
    assert newest(chat) > 0
    now[0] += 2
    pushed.received()
    assert newest(chat) == 0
    chat.send(channel)
    assert pushed.received() == [("CREATE_CHANNEL_MESSAGE", ["ana", "ben"])]


def newest(chat: Chat) -> int:
    with chat.world.database.snapshot() as connection:
        return messaging_events.newest(connection)[0]


# Endings.


def test_a_session_ends_with_its_user(chat: Chat, channel: str, pushed: Pushed) -> None:
    chat.send(channel)
    chat.identity.delete_app_instance_user(AppInstanceUserArn=chat.arn("ben"))
    assert pushed.read() == ([("CREATE_CHANNEL_MESSAGE", ["ana"])], {"ben": Ending.USER})


def test_the_session_of_a_deleted_user_does_not_receive_for_a_new_one(chat: Chat, channel: str, pushed: Pushed) -> None:
    chat.identity.delete_app_instance_user(AppInstanceUserArn=chat.arn("ben"))
    chat.identity.create_app_instance_user(AppInstanceArn=chat.instance, AppInstanceUserId="ben", Name="New")
    chat.join(channel, "ben")
    chat.send(channel, Target=[{"MemberArn": chat.arn("ben")}])
    deliveries, endings = pushed.read()
    assert endings == {"ben": Ending.USER}
    assert [names for _, names in deliveries] == [["ana"], ["ana"]]


def test_a_session_ends_with_an_expired_user(chat: Chat, pushed: Pushed) -> None:
    chat.identity.put_app_instance_user_expiration_settings(
        AppInstanceUserArn=chat.arn("dee"),
        ExpirationSettings={"ExpirationDays": 1, "ExpirationCriterion": "CREATED_TIMESTAMP"},
    )
    assert pushed.received() == []
    chat.clock.advance(86_401)
    assert pushed.read() == ([], {"dee": Ending.USER})


def test_a_session_ends_with_its_credentials(chat: Chat, channel: str, pushed: Pushed) -> None:
    sts = chat.world.client("sts", "admin")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow("chime:Connect")]})
    issued = sts.get_federation_token(Name="ana", Policy=policy, DurationSeconds=900)["Credentials"]
    pushed.connect("ben", (issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]), "short")
    assert pushed.received() == []
    chat.clock.advance(900)
    chat.send(channel)
    assert pushed.read() == ([("CREATE_CHANNEL_MESSAGE", ["ana", "ben"])], {"short": Ending.CREDENTIALS})


@pytest.mark.parametrize("how", ["inactive", "deleted"])
def test_a_session_ends_with_its_key(chat: Chat, channel: str, pushed: Pushed, how: str) -> None:
    pushed.connect("ben", KEYS["leaver"], "leaver")
    iam = chat.world.client("iam", "admin")
    # A change that is not about the key ends nothing, and neither does a change of policies.
    iam.create_user(UserName="somebody")
    iam.delete_user_policy(UserName="leaver", PolicyName="own")
    assert pushed.received() == []
    if how == "inactive":
        iam.update_access_key(UserName="leaver", AccessKeyId=KEYS["leaver"][0], Status="Inactive")
    else:
        iam.delete_access_key(UserName="leaver", AccessKeyId=KEYS["leaver"][0])
    chat.send(channel)
    assert pushed.read() == ([("CREATE_CHANNEL_MESSAGE", ["ana", "ben"])], {"leaver": Ending.CREDENTIALS})


def test_a_reset_ends_all_sessions(chat: Chat, pushed: Pushed) -> None:
    pushed.sandbox.reset()
    assert pushed.read() == ([], dict.fromkeys(NAMES, Ending.USER))

"""What was read of resources is kept until something changes it. Two processes write in turn.

After each write both answer as a third one does that remembers nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from iam_calls import identity
from processes import Process, processes
from sent_statements import sent_statements
from world_handle import WorldHandle

from rolecall.storage import resources as store
from rolecall.storage.kept_reads import ANYTHING, MISSING, NEW, KeptReads, View

# Stands for the app instance, whose id is made up in each run.
INSTANCE = "arn:aws:chime:us-east-1:111122223333:app-instance/aaaa"
ANA, BEA, CAT = (f"{INSTANCE}/user/{name}" for name in ("ana", "bea", "cat"))
GENERAL, OTHER = (f"{INSTANCE}/channel/{name}" for name in ("general", "other"))
BLUE = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
NOT_RED = {"StringNotEquals": {"aws:ResourceTag/team": "red"}}
DAY_SECONDS = 86_400

Write = tuple[str, str, dict[str, Any]]


def sent(text: str, token: str, channel: str = GENERAL, by: str = ANA, **more: Any) -> Write:
    asked = {"ChannelArn": channel, "ChimeBearer": by, "Content": text, "ClientRequestToken": f"token-{token}"}
    kept = {"Type": "STANDARD", "Persistence": "PERSISTENT"}
    return "messaging", "send_channel_message", {**asked, **kept, **more}


def in_channel(name: str, by: str = ANA, channel: str = GENERAL, **more: Any) -> Write:
    return "messaging", name, {"ChannelArn": channel, "ChimeBearer": by, **more}


def tagged(arn: str, value: str, service: str = "messaging") -> Write:
    return service, "tag_resource", {"ResourceARN": arn, "Tags": [{"Key": "team", "Value": value}]}


def created(channel_id: str) -> Write:
    asked = {"AppInstanceArn": INSTANCE, "Name": channel_id, "ChannelId": channel_id, "ChimeBearer": ANA}
    return "messaging", "create_channel", {**asked, "ClientRequestToken": f"{channel_id}-again"}


# In this order. The clock moves where the service is "clock".
WRITES: list[Write] = [
    sent("one", "1"),
    sent("two", "2"),
    in_channel("create_channel_membership", MemberArn=BEA, Type="DEFAULT"),
    sent("three", "3", by=BEA),
    sent("for bea", "4", Target=[{"MemberArn": BEA}]),
    sent("passing", "5", Persistence="NON_PERSISTENT"),
    ("identity", "update_app_instance_user", {"AppInstanceUserArn": BEA, "Name": "Beatrice", "Metadata": "m"}),
    in_channel("update_channel", Name="renamed", Mode="UNRESTRICTED"),
    tagged(GENERAL, "blue"),
    tagged(GENERAL, "red"),
    tagged(GENERAL, "blue"),
    tagged(ANA, "red", "identity"),
    tagged(ANA, "blue", "identity"),
    ("messaging", "untag_resource", {"ResourceARN": GENERAL, "TagKeys": ["team"]}),
    ("identity", "create_app_instance_admin", {"AppInstanceArn": INSTANCE, "AppInstanceAdminArn": CAT}),
    ("identity", "delete_app_instance_admin", {"AppInstanceArn": INSTANCE, "AppInstanceAdminArn": CAT}),
    in_channel("create_channel_moderator", ChannelModeratorArn=CAT),
    in_channel("delete_channel_moderator", ChannelModeratorArn=CAT),
    created("other"),
    sent("elsewhere", "6", channel=OTHER),
    in_channel("create_channel_ban", MemberArn=BEA),
    in_channel("delete_channel_ban", MemberArn=BEA),
    in_channel("create_channel_membership", MemberArn=BEA, Type="HIDDEN"),
    in_channel("delete_channel_membership", MemberArn=BEA),
    in_channel(
        "put_channel_expiration_settings",
        ExpirationSettings={"ExpirationDays": 3, "ExpirationCriterion": "LAST_MESSAGE_TIMESTAMP"},
    ),
    ("clock", "advance", {"seconds": DAY_SECONDS}),
    sent("still here", "7"),
    (
        "identity",
        "put_app_instance_retention_settings",
        {
            "AppInstanceArn": INSTANCE,
            "AppInstanceRetentionSettings": {"ChannelRetentionSettings": {"RetentionDays": 1}},
        },
    ),
    ("clock", "advance", {"seconds": DAY_SECONDS * 2}),
    sent("late", "8"),
    ("identity", "delete_app_instance_user", {"AppInstanceUserArn": BEA}),
    (
        "identity",
        "create_app_instance_user",
        {"AppInstanceArn": INSTANCE, "AppInstanceUserId": "bea", "Name": "Another", "ClientRequestToken": "again"},
    ),
    (
        "identity",
        "put_app_instance_user_expiration_settings",
        {
            "AppInstanceUserArn": BEA,
            "ExpirationSettings": {"ExpirationDays": 1, "ExpirationCriterion": "CREATED_TIMESTAMP"},
        },
    ),
    ("clock", "advance", {"seconds": DAY_SECONDS + 1}),
    in_channel("delete_channel"),
    created("general"),
    sent("anew", "9"),
    ("clock", "advance", {"seconds": DAY_SECONDS * 4}),
    ("identity", "delete_app_instance", {"AppInstanceArn": INSTANCE}),
]


def answer(call: Callable[[], dict[str, Any]]) -> Any:
    try:
        found = call()
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message'].partition(' Go to ')[0]}"
    found.pop("ResponseMetadata")
    found.pop("NextToken", None)
    return found


def make_role(world: WorldHandle, name: str) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)


class Callers:
    """An administrator's clients at one process, and clients of a session that may only touch blue channels.

    Its bearer may not be red.
    """

    def __init__(self, process: Process, issued: dict[str, Any], real: Callable[[Any], Any]) -> None:
        self.process = process
        self.real = real
        self.clients = {noun: process.client(f"chime-sdk-{noun}") for noun in ("identity", "messaging", "meetings")}
        self.blue = process.client("chime-sdk-messaging", credentials=issued)

    def write(self, service: str, name: str, arguments: dict[str, Any]) -> Any:
        target = self.process.sandbox.clock if service == "clock" else self.clients[service]
        return getattr(target, name)(**arguments)

    def seen(self) -> list[Any]:
        messaging, people = self.clients["messaging"], self.clients["identity"]
        found: list[Any] = []
        [ana, bea, cat], [general, other] = self.real([ANA, BEA, CAT]), self.real([GENERAL, OTHER])
        for bearer, channel in ((ana, other), (bea, general), (cat, general), (ana, general)):
            named = {"ChannelArn": channel, "ChimeBearer": bearer}
            found.append(answer(partial(messaging.describe_channel, **named)))
            found.append(answer(partial(messaging.list_channel_messages, **named)))
        found.append(answer(partial(messaging.list_channel_messages, **named, MaxResults=1)))
        found.append(answer(partial(messaging.list_tags_for_resource, ResourceARN=general)))
        found.append(answer(partial(people.describe_app_instance_user, AppInstanceUserArn=bea)))
        found.append(answer(partial(self.blue.describe_channel, **named)))
        return found


@pytest.mark.parametrize("first", [0, 1])
def test_two_processes_answer_as_one_that_remembers_nothing(world: WorldHandle, tmp_path: Path, first: int) -> None:
    make_role(world, "blue")
    allowed = identity("chime:*")
    allowed["Statement"] = [
        {"Effect": "Allow", "Action": "chime:*", "Resource": f"{INSTANCE}/user/*", "Condition": NOT_RED},
        {"Effect": "Allow", "Action": "chime:*", "Resource": f"{INSTANCE}/channel/*", "Condition": BLUE},
    ]
    issued = world.assume("blue", DurationSeconds=3600)
    people = world.client("chime-sdk-identity")
    instance = people.create_app_instance(Name="chat")["AppInstanceArn"]
    for name in ("ana", "bea", "cat"):
        people.create_app_instance_user(AppInstanceArn=instance, AppInstanceUserId=name, Name=name.title())
    world.clock.freeze()

    def real(value: Any) -> Any:
        return json.loads(json.dumps(value).replace(INSTANCE, instance))

    allowed = real(allowed)
    world.client("iam").put_role_policy(RoleName="blue", PolicyName="blue", PolicyDocument=json.dumps(allowed))
    with processes(world, tmp_path, 3) as (one, other, forgetful):
        callers = [Callers(each, issued, real) for each in (one, other, forgetful)]
        before: set[str] = set()
        for number, (service, name, arguments) in enumerate([("messaging", *created("general")[1:]), *WRITES]):
            callers[(number + first) % 2].write(service, name, real(arguments))
            forgetful.forget()
            expected = callers[2].seen()
            for each in callers[:2]:
                assert each.seen() == expected, (number, name)
            before.add(str(expected))
        # Most writes change an answer.
        assert len(before) > 20


def statements_of(process: Process, call: Callable[[], object]) -> str:
    with sent_statements(process.database) as found:
        call()
    return "\n".join(found)


@pytest.mark.sqlite_driver
def test_a_sent_message_makes_the_next_call_read_neither_rights_nor_other_resources(
    world: WorldHandle, tmp_path: Path
) -> None:
    people, messaging = world.client("chime-sdk-identity"), world.client("chime-sdk-messaging")
    instance = people.create_app_instance(Name="chat")["AppInstanceArn"]
    asked = {"AppInstanceArn": instance, "AppInstanceUserId": "ana", "Name": "Ana"}
    ana = people.create_app_instance_user(**asked)["AppInstanceUserArn"]
    channels = [
        messaging.create_channel(AppInstanceArn=instance, Name=name, ChimeBearer=ana)["ChannelArn"] for name in "ab"
    ]
    with processes(world, tmp_path, 2) as (one, other):
        here, there = (each.client("chime-sdk-messaging") for each in (one, other))
        named = [{"ChannelArn": channel, "ChimeBearer": ana} for channel in channels]
        message = {"Content": "Hello", "Type": "STANDARD", "Persistence": "PERSISTENT"}

        def read(channel: int) -> None:
            here.describe_channel(**named[channel])
            here.list_channel_messages(**named[channel])

        read(0)
        read(1)
        here.send_channel_message(**named[0], **message)
        about_the_other = statements_of(one, lambda: read(1))
        assert about_the_other.count("FROM") == 2 * about_the_other.count("BEGIN")  # both generations in one select
        assert "resources" not in about_the_other
        about_this = statements_of(one, lambda: read(0))
        assert "access_keys" not in about_this
        assert "policies" not in about_this
        assert about_this.count("FROM resources") == 1  # the channel, which knows the time of its last message
        assert "resource_tags" not in about_this
        assert "channel_relations" not in about_this
        there.send_channel_message(**named[0], **message)
        after_another_process = statements_of(one, lambda: read(1))
        assert "resources" in after_another_process
        assert "access_keys" not in after_another_process


@pytest.mark.sqlite_driver
def test_a_transaction_that_wrote_reads_what_it_wrote(world: WorldHandle) -> None:
    """Also after reading it before, and nothing of it is kept when the transaction fails."""
    place = store.Place("111122223333", "us-east-1", "chime-sdk-identity/app-instance")
    resource = store.Resource("key", "id", 1, {"Name": "old"})

    def named(connection: Any) -> Any:
        found = store.find(connection, place, "id")
        return None if found is None else found.content["Name"]

    def add(connection: Any) -> list[Any]:
        return [named(connection), store.add(connection, place, resource), named(connection)]

    def fail(connection: Any) -> None:
        assert named(connection) == "old"
        store.set_content(connection, "key", {"Name": "new"})
        assert named(connection) == "new"
        raise RuntimeError

    assert world.database.write(add) == [None, None, "old"]
    with world.database.snapshot() as connection:
        assert named(connection) == "old"
    with pytest.raises(RuntimeError):
        world.database.write(fail)
    with world.database.snapshot() as connection:
        assert named(connection) == "old"


@pytest.mark.sqlite_driver
def test_what_is_derived_reads_nothing_but_kept_values(world: WorldHandle, tmp_path: Path) -> None:
    """Otherwise a change of what it reads besides would not end it."""
    people, messaging = world.client("chime-sdk-identity"), world.client("chime-sdk-messaging")
    instance = people.create_app_instance(Name="chat")["AppInstanceArn"]
    asked = {"AppInstanceArn": instance, "AppInstanceUserId": "ana", "Name": "Ana"}
    ana = people.create_app_instance_user(**asked)["AppInstanceUserArn"]
    channel = messaging.create_channel(AppInstanceArn=instance, Name="a", ChimeBearer=ana)["ChannelArn"]
    with processes(world, tmp_path, 1) as [one]:
        here, derived = one.client("chime-sdk-messaging"), set[Any]()
        keep = View.derived

        def noting(self: View, key: Any, *arguments: Any, **more: Any) -> Any:
            derived.add(key)
            return keep(self, key, *arguments, **more)

        def read() -> None:
            here.describe_channel(ChannelArn=channel, ChimeBearer=ana)
            here.list_channel_messages(ChannelArn=channel, ChimeBearer=ana)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(View, "derived", noting)
            read()
        assert len(derived) == 3  # the permissions of two operations, and what the bearer is in the channel
        values = one.database._kept._values
        for key in derived:
            assert values._entries.pop(key) is not None
        again = statements_of(one, read)
        assert again.count("FROM") == 2 * again.count("BEGIN") == 4
        assert derived <= values._entries.keys()


def is_shown(client: Any, named: dict[str, str]) -> bool:
    """Whether DescribeChannel is allowed. A refusal is a text."""
    return isinstance(answer(partial(client.describe_channel, **named)), dict)


def test_a_decision_that_depends_on_the_moment_is_made_anew(world: WorldHandle) -> None:
    """The permissions are kept. A condition on the time or on the program is asked at every call."""
    people, messaging = world.client("chime-sdk-identity"), world.client("chime-sdk-messaging")
    instance = people.create_app_instance(Name="chat")["AppInstanceArn"]
    asked = {"AppInstanceArn": instance, "AppInstanceUserId": "ana", "Name": "Ana"}
    ana = people.create_app_instance_user(**asked)["AppInstanceUserArn"]
    channel = messaging.create_channel(AppInstanceArn=instance, Name="a", ChimeBearer=ana)["ChannelArn"]
    world.clock.freeze()
    until = datetime.fromtimestamp(world.clock.now_seconds() + 60, UTC).isoformat()
    for name, condition in {
        "early": {"DateLessThan": {"aws:CurrentTime": until}},
        "phone": {"StringLike": {"aws:UserAgent": "phone*"}},
    }.items():
        allowed = identity("chime:*")
        allowed["Statement"][0]["Condition"] = condition
        make_role(world, name)
        world.client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(allowed))
    named = {"ChannelArn": channel, "ChimeBearer": ana}
    early = world.client("chime-sdk-messaging", credentials=world.assume("early"))
    issued = world.assume("phone")
    phone, other = (
        world.client("chime-sdk-messaging", credentials=issued, config=Config(user_agent=agent))
        for agent in ("phone/1", "other/1")
    )
    denied = "AccessDeniedException"
    for _ in range(2):
        assert is_shown(early, named)
        assert is_shown(phone, named)
        assert answer(partial(other.describe_channel, **named)).startswith(denied)
    world.clock.advance(seconds=61)
    assert answer(partial(early.describe_channel, **named)).startswith(denied)


def test_a_kept_decision_ends_with_the_rights_that_it_was_made_from(world: WorldHandle) -> None:
    people, messaging = world.client("chime-sdk-identity"), world.client("chime-sdk-messaging")
    iam = world.client("iam")
    instance = people.create_app_instance(Name="chat")["AppInstanceArn"]
    asked = {"AppInstanceArn": instance, "AppInstanceUserId": "ana", "Name": "Ana"}
    ana = people.create_app_instance_user(**asked)["AppInstanceUserArn"]
    channel = messaging.create_channel(AppInstanceArn=instance, Name="a", ChimeBearer=ana)["ChannelArn"]
    clients = {}
    for name in ("one", "other"):
        make_role(world, name)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(identity("chime:*")))
        clients[name] = world.client("chime-sdk-messaging", credentials=world.assume(name))

    def may() -> list[bool]:
        asked = {"ChannelArn": channel, "ChimeBearer": ana}
        return [is_shown(clients[name], asked) for name in ("one", "other")]

    assert may() == may() == [True, True]
    # Of one of the two resources, of an action, and of everything.
    for denied in (identity("chime:*", channel), identity("chime:*", ana), identity("chime:DescribeChannel")):
        denied["Statement"][0]["Effect"] = "Deny"
        iam.put_role_policy(RoleName="one", PolicyName="denied", PolicyDocument=json.dumps(denied))
        assert may() == may() == [False, True]
        iam.delete_role_policy(RoleName="one", PolicyName="denied")
        assert may() == may() == [True, True]
    iam.delete_role_policy(RoleName="one", PolicyName="own")
    assert may() == may() == [False, True]


def view(kept: KeptReads, generation: int) -> View:
    found = View(kept, lambda: generation)
    found.open()
    return found


def test_a_value_holds_until_a_part_of_it_changes() -> None:
    kept = KeptReads()
    first = view(kept, 4)
    assert first.get("key") is MISSING
    first.put("key", "value", "a", "b")
    assert view(kept, 4).get("key") == "value"
    kept.changed(5, {"c"})
    assert view(kept, 5).get("key") == "value"
    kept.changed(6, {"b"})
    assert view(kept, 6).get("key") is MISSING
    # A snapshot from before may still be open. What it reads does not hold now.
    assert first.get("other") is MISSING
    first.put("key", "value", "b")
    assert view(kept, 6).get("key") is MISSING


def test_a_derived_value_holds_until_a_part_changes_of_anything_that_it_was_made_from() -> None:
    kept, made = KeptReads(), list[str]()

    def part(found: View, name: str) -> str:
        known = found.get(name)
        if known is not MISSING:
            return f"{known} again"
        found.put(name, f"{name} read", name)
        return f"{name} read"

    def inner(found: View) -> str:
        return found.derived("inner", lambda: part(found, "b"))

    def outer(generation: int) -> str:
        found = view(kept, generation)
        made.clear()

        def make() -> str:
            made.append("made")
            return f"{part(found, 'a')}, {inner(found)}"

        return found.derived("outer", make)

    assert (outer(4), made) == ("a read, b read", ["made"])
    kept.changed(5, {"c"})
    assert (outer(5), made) == ("a read, b read", [])
    # Of what is there already, and of what another derived value was made from.
    kept.changed(6, {"a"})
    assert (outer(6), made) == ("a read, b read", ["made"])
    kept.changed(7, {"b"})
    assert (outer(7), made) == ("a read again, b read", ["made"])
    assert (outer(7), made) == ("a read again, b read", [])


def test_a_derived_value_that_does_not_last_is_not_kept_and_neither_is_what_is_made_from_it() -> None:
    kept, made = KeptReads(), list[str]()
    found = view(kept, 4)

    def inner() -> str:
        made.append("inner")
        return "inner"

    def outer() -> str:
        made.append("outer")
        return found.derived("inner", inner, lasts=lambda value: value != "inner")

    for _ in range(2):
        assert found.derived("outer", outer) == "inner"
    assert made == ["outer", "inner"] * 2
    # One beside it is kept, and a failure leaves nothing behind.
    with pytest.raises(ZeroDivisionError):
        found.derived("failing", lambda: str(1 // 0))
    assert found.derived("beside", lambda: "one") == found.derived("beside", lambda: "two") == "one"


@pytest.mark.parametrize("parts", [{ANYTHING}, {"a", ANYTHING}])
def test_a_change_of_anything_ends_everything(parts: set[str]) -> None:
    kept = KeptReads()
    view(kept, 4).get("key")
    first = view(kept, 4)
    first.get("key")
    first.put("key", "value", "b")
    kept.changed(5, parts)
    assert view(kept, 5).get("key") is MISSING


def test_a_change_by_another_process_ends_everything() -> None:
    kept = KeptReads()
    first = view(kept, 4)
    first.get("key")
    first.put("key", "value", "a")
    # Another process made generation 5.
    kept.changed(6, {"c"})
    assert view(kept, 6).get("key") is MISSING
    later = view(kept, 6)
    later.get("key")
    later.put("key", "value", "a")
    assert view(kept, 8).get("key") is MISSING
    # This process made 7, and hears of it after a snapshot of 8.
    kept.changed(7, {"a"})
    assert view(kept, 8).get("key") is MISSING


def test_a_newer_value_is_not_for_an_older_snapshot() -> None:
    kept = KeptReads()
    older = view(kept, 4)
    older.get("key")
    kept.changed(5, {"a"})
    newer = view(kept, 5)
    newer.get("key")
    newer.put("key", "new", "a")
    assert older.get("key") is MISSING
    assert newer.get("key") == "new"


def test_nothing_is_kept_of_a_closed_view() -> None:
    kept = KeptReads()
    closed = view(kept, 4)
    closed.get("key")
    closed.close()
    closed.put("key", "value", NEW)
    assert closed.get("key") is MISSING
    assert view(kept, 4).get("key") is MISSING


def test_threads_that_change_and_read_never_see_an_old_value() -> None:
    """One thread makes generations, each with the value of its number. The others read at the one that they saw."""
    kept, current, wrong = KeptReads(), [0], list[tuple[int, Any]]()

    def change() -> None:
        for generation in range(1, 2000):
            current[0] = generation
            kept.changed(generation, {"a"} if generation % 7 else {ANYTHING})

    def read() -> None:
        while current[0] < 1999:
            generation = current[0]
            mine = view(kept, generation)
            found = mine.get("key")
            if found is MISSING:
                mine.put("key", generation, "a")
            elif found != generation:
                wrong.append((generation, found))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    change()
    for thread in threads:
        thread.join()
    assert wrong == []

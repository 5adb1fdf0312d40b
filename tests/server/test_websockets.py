"""Websockets of the server: limits for clients that send too much, read too slowly or are silent, and orderly ends.

Every test shows an order of events. No test measures time.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from messaging_calls import Chat, allow, user, world_of
from pushed_messages import PATIENCE_SECONDS, Socket, presigned
from server_in_thread import InThread, served_in_thread
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close, Frame, Opcode

from rolecall.gateway import pushed_events
from rolecall.gateway.pushed_events import Follower
from rolecall.server import pushing, websocket
from rolecall.storage import tables as t

KEYS = ("admin_key", "admin-secret")
RESTARTS, TRY_LATER = (1012, "Service restart"), (1013, "Try again later")
UNAUTHORIZED = (4401, "Unauthorized")
MESSAGE = "CREATE_CHANNEL_MESSAGE"


@pytest.fixture
def chat(make_world: Any) -> Chat:
    return Chat(make_world(world_of(user("nothing", allow("chime:GetMessagingSessionEndpoint")))))


@pytest.fixture
def channel(chat: Chat) -> str:
    made = chat.channel()
    chat.join(made, "ben")
    return made


@pytest.fixture
def served(chat: Chat) -> Iterator[InThread]:
    with served_in_thread(chat.world.application, maximum_sockets=12) as running:
        yield running


@pytest.fixture(autouse=True)
def _every_reading_looks_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed_events, "_CHECK_SECONDS", 0.0)


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as opened:
        yield opened


class Opening:
    """Opens websockets of the users of the chat."""

    def __init__(self, chat: Chat, served: InThread, stack: contextlib.ExitStack) -> None:
        self.chat, self.served, self.stack = chat, served, stack

    def url(self, name: str, keys: tuple[str, ...] = KEYS, **more: str) -> str:
        return presigned(self.served.url, self.chat.arn(name), keys, **more)

    def socket(self, name: str, keys: tuple[str, ...] = KEYS, **options: Any) -> Socket:
        made = Socket(self.url(name, keys), **options)
        self.stack.callback(made.close)
        return made

    def established(self, name: str, **options: Any) -> Socket:
        made = self.socket(name, **options)
        assert made.event() == ("SESSION_ESTABLISHED", None)
        return made

    def raw(self, name: str) -> socket.socket:
        """A connection that has sent its handshake and read the server's, and SESSION_ESTABLISHED."""
        parts = urlsplit(self.url(name))
        connection = self.stack.enter_context(
            socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_SECONDS)
        )
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        connection.sendall(
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        seen = b""
        while b"SESSION_ESTABLISHED" not in seen:
            some = connection.recv(65_536)
            assert some, seen
            seen += some
        # RFC 6455, 1.3, has this key with its answer.
        assert seen.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in seen
        return connection

    def open_count(self) -> int:
        return int(self.served.on_loop(self.served.upgrades.open_count))

    def on_loop(self, method: str) -> None:
        self.served.on_loop(getattr(self.served.upgrades._pushing, method))


@pytest.fixture
def opening(chat: Chat, served: InThread, stack: contextlib.ExitStack) -> Opening:
    return Opening(chat, served, stack)


def frames(*parts: tuple[Opcode, bytes, bool]) -> bytes:
    return b"".join(Frame(opcode, data, fin=fin).serialize(mask=True) for opcode, data, fin in parts)


def closing(connection: socket.socket) -> Close:
    """The close that the server sends on a raw connection, after other bytes, before it ends the connection."""
    seen = b""
    with contextlib.suppress(ConnectionResetError):
        while some := connection.recv(65_536):
            seen = (seen + some)[-1000:]
    at = max(seen.rfind(bytes([0x88, length])) for length in range(2, 126))
    assert at >= 0, seen
    return Close.parse(seen[at + 2 :])


# Who is let in.


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("X-Amz-Signature=", "X-Amz-Signature=0"),
        lambda url: url.partition("?")[0],
        lambda url: url.replace("user%2Fana", "user%2Fben"),
    ],
    ids=["tampered", "unsigned", "another user"],
)
def test_a_refused_connect_is_closed_after_the_handshake(opening: Opening, change: Any) -> None:
    refused = Socket(change(opening.url("ana")))
    assert refused.closing() == UNAUTHORIZED


def test_a_caller_without_permission_receives_nothing(chat: Chat, channel: str, opening: Opening) -> None:
    ben = opening.established("ben")
    refused = opening.socket("ana", ("nothing_key", "nothing-secret"))
    chat.send(channel)
    assert ben.event()[0] == MESSAGE
    # No text comes before the close.
    with pytest.raises(ConnectionClosedError) as caught:
        refused.connection.recv(PATIENCE_SECONDS)
    assert caught.value.rcvd == Close(*UNAUTHORIZED)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://attacker.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-WebSocket-Version": "7"}, 400),
    ],
    ids=["another site", "another site without a name", "version"],
)
def test_a_handshake_of_another_site_or_version_fails(opening: Opening, headers: dict[str, str], status: int) -> None:
    parts = urlsplit(opening.url("ana"))
    sent = {"Host": parts.netloc, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    sent |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\n{lines}\r\n".encode())
        assert connection.recv(65_536).startswith(f"HTTP/1.1 {status} ".encode())


def test_other_paths_have_no_websocket(opening: Opening) -> None:
    with pytest.raises(InvalidStatus) as caught:
        Socket(opening.url("ana").replace("/connect?", "/other?"))
    assert caught.value.response.status_code in (403, 404)


def test_a_user_has_ten_websockets_and_the_server_a_limit(opening: Opening) -> None:
    ana = [opening.established("ana") for _ in range(10)]
    assert opening.socket("ana").closing() == TRY_LATER
    opening.established("ben")
    opening.established("cem")
    assert opening.open_count() == 12
    assert opening.socket("dee").closing() == TRY_LATER
    ana[0].close()
    while opening.open_count() == 12:
        pass
    opening.established("ana")


# What a client may send.


def test_a_client_may_send_small_messages_and_pings(chat: Chat, channel: str, opening: Opening) -> None:
    ben = opening.established("ben")
    ben.connection.send("hello")
    ben.connection.send(["a" * 1000, "b" * 1000])
    assert ben.connection.ping().wait(PATIENCE_SECONDS)
    chat.send(channel)
    assert ben.event()[0] == MESSAGE


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frames((Opcode.TEXT, b"x" * 40_000, True)), 1009),
        # The length alone, as the head of a frame of one tebibyte has it.
        (b"\x81\xff" + (2**40).to_bytes(8, "big") + b"mask", 1009),
        (frames((Opcode.TEXT, b"x" * 20_000, False), (Opcode.CONT, b"x" * 20_000, True)), 1009),
        (frames((Opcode.PING, b"", True)) * 2000, 1008),
        (frames((Opcode.TEXT, b"", True)) * 2000, 1008),
        (frames((Opcode.TEXT, b"", False)) + frames((Opcode.CONT, b"", False)) * 2000, 1008),
        (frames((Opcode.TEXT, b"\xff\xfe", True)) + b"\x83\x80mask", 1002),
        # A frame without a mask.
        (b"\x81\x02hi", 1002),
        (frames((Opcode.CONT, b"x", True)), 1002),
        (frames((Opcode.CLOSE, b"\x03\xe8bye", True)), 1000),
    ],
    ids=[
        "large",
        "very large",
        "large in parts",
        "pings",
        "texts",
        "parts",
        "unknown opcode",
        "no mask",
        "no beginning",
        "close",
    ],
)
def test_what_a_client_must_not_send_ends_its_websocket_alone(
    chat: Chat, channel: str, opening: Opening, sent: bytes, code: int
) -> None:
    ana, ben = opening.raw("ana"), opening.established("ben")
    ana.sendall(sent)
    assert closing(ana).code == code
    chat.send(channel)
    assert ben.event()[0] == MESSAGE
    ana.close()
    while opening.open_count() > 1:
        pass


# Clients that do not read, or are gone.


def test_a_client_that_does_not_read_is_dropped_and_holds_up_nobody(
    chat: Chat, channel: str, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAXIMUM_UNSENT_BYTES", 20_000)
    ana, ben = opening.raw("ana"), opening.established("ben")
    sent = 0
    # The buffers of the system take some megabytes at most.
    while opening.open_count() == 2:
        rows = [
            {**_event(chat, channel), "payload": json.dumps({"number": sent + each, "text": "x" * 100_000})}
            for each in range(10)
        ]
        with chat.world.database.transaction() as connection:
            connection.execute(sa.insert(t.messaging_events), rows)
        for each in range(10):
            assert ben.event()[1]["number"] == sent + each
        sent += 10
        assert sent < 1000
    assert opening.open_count() == 1
    del ana
    chat.send(channel)
    assert ben.event()[0] == MESSAGE


def test_a_client_that_answers_no_ping_is_dropped(opening: Opening) -> None:
    silent, ben = opening.raw("ana"), opening.established("ben")
    opening.on_loop("_ask")
    assert ben.connection.ping().wait(PATIENCE_SECONDS)
    assert opening.open_count() == 2
    opening.on_loop("_ask")
    with contextlib.suppress(ConnectionResetError):
        while silent.recv(65_536):
            pass
    while opening.open_count() == 2:
        pass
    assert ben.connection.ping().wait(PATIENCE_SECONDS)


def test_a_client_that_goes_without_a_close_is_forgotten(chat: Chat, channel: str, opening: Opening) -> None:
    gone, ben = opening.raw("ana"), opening.established("ben")
    gone.close()
    while opening.open_count() == 2:
        pass
    chat.send(channel)
    assert ben.event()[0] == MESSAGE


def test_a_client_that_does_not_answer_a_close_is_dropped(
    chat: Chat, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_CLOSING_SECONDS", 0.01)
    ana = opening.raw("ana")
    chat.identity.delete_app_instance_user(AppInstanceUserArn=chat.arn("ana"))
    assert closing(ana).code == 4003
    while opening.open_count():
        pass


# Ends.


def test_the_deleted_user_and_expired_credentials_are_told(chat: Chat, opening: Opening) -> None:
    sts = chat.world.client("sts", "admin")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow("chime:Connect")]})
    issued = sts.get_federation_token(Name="ana", Policy=policy, DurationSeconds=900)["Credentials"]
    ana = opening.socket("ana", (issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]))
    assert ana.event()[0] == "SESSION_ESTABLISHED"
    ben, cem = opening.established("ben"), opening.established("cem")
    chat.clock.advance(901)
    assert ana.closing() == (1001, "Normal closure")
    chat.identity.delete_app_instance_user(AppInstanceUserArn=chat.arn("ben"))
    assert ben.closing() == (4003, "Forbidden")
    assert cem.connection.ping().wait(PATIENCE_SECONDS)


def test_a_failing_database_holds_events_back_and_loses_none(
    chat: Chat, channel: str, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "_FAILED_READ_SECONDS", 0.01)
    ben = opening.established("ben")
    read, failures = Follower.read, [sa.exc.OperationalError("SELECT", {}, Exception("locked")), KeyError("a mistake")]

    def fails_twice(self: Follower, sessions: Any) -> Any:
        if failures:
            raise failures.pop()
        return read(self, sessions)

    monkeypatch.setattr(Follower, "read", fails_twice)
    chat.send(channel)
    assert ben.event()[0] == MESSAGE
    assert failures == []


def test_a_connect_that_the_database_does_not_answer_may_be_tried_again(
    chat: Chat, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: Any) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("locked"))

    monkeypatch.setattr(type(chat.world.application.sandbox.generations), "current", fails)
    assert opening.socket("ana").closing() == (1011, "Internal server error")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ThrottledClientException", TRY_LATER),
        ("ServiceUnavailableException", (1011, "Internal server error")),
        ("ForbiddenException", UNAUTHORIZED),
    ],
)
def test_a_fault_rule_closes_a_websocket(chat: Chat, opening: Opening, code: str, expected: tuple[int, str]) -> None:
    """Clients connect again after a quota and a failure, and not after a refusal."""
    chat.world.application.sandbox.faults.add(service="chime-sdk-messaging", operation="Connect", error=code, times=1)
    assert opening.socket("ana").closing() == expected
    opening.established("ana")


def test_a_fault_rule_drops_a_websocket(chat: Chat, opening: Opening) -> None:
    chat.world.application.sandbox.faults.add(operation="Connect", kind="drop", times=1)
    with pytest.raises(ConnectionClosedError) as caught:
        opening.socket("ana").event()
    assert caught.value.rcvd is None
    opening.established("ana")


def test_delayed_connects_hold_up_no_other(chat: Chat, opening: Opening) -> None:
    """More connects wait than threads judge them. Another user's connect is established meanwhile."""
    faults = chat.world.application.sandbox.faults
    rule = faults.add(service="chime-sdk-messaging", operation="Connect", delay_seconds=60)
    waiting = [opening.socket("ana") for _ in range(3)]
    while faults.rules[0]["hits"] < len(waiting):
        time.sleep(0.01)
    faults.remove(rule)
    opening.established("ben")


def test_the_end_of_the_server_closes_every_websocket(chat: Chat, stack: contextlib.ExitStack) -> None:
    with served_in_thread(chat.world.application) as running:
        opening = Opening(chat, running, stack)
        sockets = [opening.established(name) for name in ("ana", "ben", "cem")]
        slow = opening.raw("dee")
    assert [each.closing() for each in sockets] == [RESTARTS] * 3
    assert closing(slow).code == 1012


def _event(chat: Chat, channel: str) -> dict[str, Any]:
    """A row of an event for the members of the channel."""
    with chat.world.database.snapshot() as connection:
        columns = [each for each in t.messaging_events.c if each.name != "event_id"]
        found = connection.execute(
            sa.select(*columns)
            .where(t.messaging_events.c.channel_arn == channel)
            .order_by(t.messaging_events.c.event_id.desc())
        ).first()
    assert found is not None
    return {**found._mapping, "to_members": True, "user_arns": "[]", "event_type": MESSAGE}

"""Pushed messages of a served sandbox: from every worker to every client, over ws and wss, until the server ends."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_served import ServedChat
from pushed_messages import Socket
from served import Server

Make = Callable[..., Server]
MESSAGE = "CREATE_CHANNEL_MESSAGE"
RESTARTS = (1012, "Service restart")


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as opened:
        yield opened


def established(stack: contextlib.ExitStack, url: str, **options: Any) -> Socket:
    made = Socket(url, **options)
    stack.callback(made.close)
    assert made.event() == ("SESSION_ESTABLISHED", None)
    return made


def contents(socket: Socket, number: int) -> list[str]:
    """Of so many messages; nothing else comes in between."""
    found = [socket.event() for _ in range(number)]
    assert {event for event, _ in found} == {MESSAGE}
    return [payload["Content"] for _, payload in found]


def test_each_worker_pushes_what_any_worker_is_sent(make_server: Make, stack: contextlib.ExitStack) -> None:
    server = make_server("--workers", "2")
    chat = ServedChat(server)
    keys = chat.credentials_of("ben")
    sockets = [established(stack, chat.url("ben", keys)) for _ in range(8)]
    cem = established(stack, chat.url("cem"))
    # Connections of their own, so that both workers get some.
    clients = [chat.client("chime-sdk-messaging") for _ in range(8)]
    texts = [f"message {number}" for number in range(8)]
    for client, text in zip(clients, texts, strict=True):
        chat.send(text, client)
    assert [contents(socket, 8) for socket in sockets] == [texts] * 8
    # Cem is no member. He is only told when he becomes one.
    chat.client("chime-sdk-messaging").create_channel_membership(
        ChannelArn=chat.channel, MemberArn=chat.arn("cem"), Type="DEFAULT", ChimeBearer=chat.arn("ana")
    )
    assert cem.event()[0] == "CREATE_CHANNEL_MEMBERSHIP"
    server.stop()
    assert [socket.closing() for socket in [*sockets, cem]] == [RESTARTS] * 9


def test_two_servers_with_one_database_push_for_each_other(
    tmp_path: Path, make_server: Make, stack: contextlib.ExitStack
) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    one = make_server("--database", database)
    chat = ServedChat(one)
    ben = established(stack, chat.url("ben"))
    other = make_server("--database", database)
    chat.server = other
    chat.send("from the other one")
    assert contents(ben, 1) == ["from the other one"]


def test_websockets_are_secure_with_the_servers_own_authority(
    tmp_path: Path, make_server: Make, stack: contextlib.ExitStack
) -> None:
    server = make_server("--tls", "self-signed", XDG_DATA_HOME=str(tmp_path))
    [bundle] = re.findall(r"^export AWS_CA_BUNDLE=(.+)$", server.output(), re.MULTILINE)
    chat = ServedChat(server, bundle)
    url = chat.url("ben", prefetch_on="connect")
    assert url.startswith("wss://")
    with pytest.raises(ssl.SSLCertVerificationError):
        Socket(url)
    ben = established(stack, url, ssl=ssl.create_default_context(cafile=bundle))
    event, details = ben.event()
    assert (event, details["Channel"]["Name"]) == ("CHANNEL_DETAILS", "lunch")
    chat.send("secret")
    assert contents(ben, 1) == ["secret"]
    server.stop()
    assert ben.closing() == RESTARTS


def test_a_refused_connect_is_explained(make_server: Make) -> None:
    server = make_server()
    chat = ServedChat(server)
    # Cem's credentials may act as Cem alone.
    assert Socket(chat.url("ben", chat.credentials_of("cem"))).closing() == (4401, "Unauthorized")
    status, answer = server.control("GET", "decisions?action=chime:Connect")
    assert status == 200
    [decision] = answer["decisions"]
    assert decision["outcome"] == "ImplicitDeny"
    assert (decision["service"], decision["operation"]) == ("chime-sdk-messaging", "Connect")
    assert chat.arn("ben") in str(decision)

"""The front in this process, over real sockets: which connections make room, and how websockets take over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from served import PATIENCE_SECONDS, eventually

from rolecall.app import application_over, open_database
from rolecall.clock import Clock
from rolecall.server import front
from rolecall.server.front import Front
from rolecall.server.loops import new_event_loop
from rolecall.web.application import RolecallApplication
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

HEALTH = b"GET /_rolecall/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
ROOM = 6


@pytest.fixture(scope="module")
def application() -> RolecallApplication:
    world, clock = read_world_file(str(builtin_world_path())), Clock()
    return application_over(open_database("sqlite://", world, clock), world, clock)


@pytest.fixture(params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def fronts() -> list[Any]:
    """The fronts that a test has made, each with its asyncio server."""
    return []


@pytest.fixture
def port_of(
    application: RolecallApplication, loop: asyncio.AbstractEventLoop, fronts: list[Any]
) -> Iterator[Callable[..., int]]:
    """Starts a front with the given options in a thread, and returns its port."""
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def serve(options: dict[str, Any]) -> int:
        made = Front(**{"application": application, "threads": 1, "maximum_body_bytes": 1000, **options})
        server = await loop.create_server(made.factory, "127.0.0.1", 0)
        fronts.append((made, server))
        return int(server.sockets[0].getsockname()[1])

    async def stop() -> None:
        for made, server in fronts:
            server.close()
            await made.stop(1.0)

    yield lambda **options: asyncio.run_coroutine_threadsafe(serve(options), loop).result(PATIENCE_SECONDS)
    asyncio.run_coroutine_threadsafe(stop(), loop).result(PATIENCE_SECONDS)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE_SECONDS)


class Client:
    """One connection, and whether its calls are answered."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)

    def asks(self) -> bool:
        try:
            self.socket.sendall(HEALTH)
            return self.socket.recv(65536).startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Callable[[int], Client]:
    def make(port: int) -> Client:
        made = Client(port)
        request.addfinalizer(made.socket.close)
        return made

    return make


def test_the_connection_that_was_idle_for_longest_makes_room(
    port_of: Callable[..., int], client: Callable[[int], Client]
) -> None:
    port = port_of(maximum_connections=ROOM)
    kept = [client(port) for _ in range(ROOM)]
    assert all(each.asks() for each in kept)
    # The first was used a moment ago, so the second has been idle for longest.
    assert kept[0].asks()
    newcomer = client(port)
    assert newcomer.asks()
    assert kept[1].socket.recv(100) == b"" if not _was_reset(kept[1]) else True
    assert [each.asks() for each in (kept[0], *kept[2:], newcomer)] == [True] * ROOM


def _was_reset(client: Client) -> bool:
    try:
        client.socket.recv(1, socket.MSG_PEEK)
    except ConnectionResetError:
        return True
    return False


def test_idle_connections_up_to_the_limit_keep_no_new_one_out(
    port_of: Callable[..., int], client: Callable[[int], Client]
) -> None:
    port = port_of(maximum_connections=ROOM)
    idle = [client(port) for _ in range(ROOM * 4)]
    half = [client(port) for _ in range(ROOM * 4)]
    for each in half:
        each.socket.sendall(HEALTH[:20])
    assert client(port).asks()
    assert idle


def test_requests_that_came_together_are_answered_in_their_order(
    port_of: Callable[..., int], client: Callable[[int], Client]
) -> None:
    asking = client(port_of(maximum_connections=ROOM))
    unknown = b"GET /?Action=Unknown%d&Version=2011-06-15 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    asking.socket.sendall(b"".join(unknown % number + HEALTH for number in range(30)) + b"nonsense\r\n\r\n")
    received = b""
    while chunk := asking.socket.recv(65536):
        received += chunk
    marks = []
    for part in received.split(b"HTTP/1.1 ")[1:]:
        marks.append(
            "health"
            if b'"status":"ok"' in part
            else part.split(b"Unknown")[1].split(b" ")[0].decode()
            if b"Unknown" in part
            else part[:3].decode()
        )
    expected = [mark for number in range(30) for mark in (str(number), "health")]
    assert marks == [*expected, "400"]


class Large:
    """An application whose answers fill every buffer on the way."""

    BODY = b"x" * 8_000_000

    @classmethod
    def wsgi_app(cls, _environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [cls.BODY]

    aws = refuse = wsgi_app

    @staticmethod
    def is_page(_environ: dict[str, Any]) -> bool:
        return False


@pytest.mark.parametrize("ends", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_a_slow_reader_gets_all_of_its_answer(
    port_of: Callable[..., int], client: Callable[[int], Client], monkeypatch: pytest.MonkeyPatch, ends: bytes
) -> None:
    monkeypatch.setattr(front, "ENDING_SECONDS", 0.2)
    port = port_of(maximum_connections=ROOM, receive_seconds=0.2, application=Large)
    slow = client(port).socket
    slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + ends + b"\r\n")
    received = 0
    wanted = len(Large.BODY)
    pause = threading.Event()
    while received < wanted:
        chunk = slow.recv(400_000)
        assert chunk, f"cut off after {received} bytes"
        received += len(chunk)
        pause.wait(0.04)


def test_a_client_that_never_reads_is_disconnected(
    port_of: Callable[..., int],
    fronts: list[Any],
    client: Callable[[int], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(front, "ENDING_SECONDS", 0.1)
    port = port_of(maximum_connections=ROOM, receive_seconds=0.1, application=Large)
    [(served, _)] = fronts
    for ends in (b"", b"Connection: close\r\n"):
        not_reading = client(port).socket
        not_reading.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + ends + b"\r\n")
        # The answer begins to arrive, and then the server closes the connection.
        assert not_reading.recv(1, socket.MSG_PEEK) == b"H"
        assert eventually(lambda: not served._phases)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while chunk := not_reading.recv(1_000_000):
                received += len(chunk)
        assert received < len(Large.BODY)


class Slow:
    """An application that answers a path when the test lets it."""

    def __init__(self) -> None:
        self.began = {path: threading.Event() for path in ("/first", "/second")}
        self.may_end = {path: threading.Event() for path in self.began}

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.began[environ["PATH_INFO"]].set()
        assert self.may_end[environ["PATH_INFO"]].wait(PATIENCE_SECONDS)
        start_response("200 OK", [])
        return [b"done"]

    @staticmethod
    def is_page(_environ: dict[str, Any]) -> bool:
        return True

    @staticmethod
    def body_limit(_environ: dict[str, Any], usual: int) -> int:
        return usual


def test_a_connection_ends_with_its_answer_while_the_front_still_waits_for_another(
    port_of: Callable[..., int], client: Callable[[int], Client], loop: asyncio.AbstractEventLoop, fronts: list[Any]
) -> None:
    application = Slow()
    port = port_of(maximum_connections=ROOM, application=application)
    first, second = client(port), client(port)
    for each, path in ((first, "/first"), (second, "/second")):
        each.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert application.began[path].wait(PATIENCE_SECONDS)
    stopping = asyncio.run_coroutine_threadsafe(fronts[0][0].stop(PATIENCE_SECONDS), loop)
    # The loop takes these in their order.
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(PATIENCE_SECONDS)
    # It would be answered, if it were read.
    first.socket.sendall(b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n")
    application.may_end["/first"].set()
    received = b""
    while chunk := first.socket.recv(65536):
        received += chunk
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in received.lower()
    assert not stopping.done()
    application.may_end["/second"].set()
    assert second.socket.recv(65536).endswith(b"done")
    stopping.result(PATIENCE_SECONDS)


class Echo(asyncio.Protocol):
    """Another protocol than HTTP."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())


def test_a_websocket_takes_the_connection_over(port_of: Callable[..., int], client: Callable[[int], Client]) -> None:
    port = port_of(
        maximum_connections=ROOM, upgrade_handler=lambda environ: Echo() if environ["PATH_INFO"] == "/connect" else None
    )
    asking = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    upgraded = client(port)
    upgraded.socket.sendall(asking % b"/connect" + b"early ")
    received = b""
    while not received.endswith(b"EARLY "):
        received += upgraded.socket.recv(100)
    assert received.startswith(b"HTTP/1.1 101 ")
    upgraded.socket.sendall(b"late")
    assert upgraded.socket.recv(100) == b"LATE"
    refused = client(port)
    refused.socket.sendall(asking % b"/accounts")
    assert refused.socket.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_the_room_follows_the_machine() -> None:
    # One process, because the start takes a second: its limit can be lowered, but not raised.
    program = (
        "import resource\n"
        "from rolecall.server.ports import room_for_connections\n"
        "for files in (4000, 1000, 300):\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (200, files))\n"
        "    print(room_for_connections())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3744", "744", "150"]

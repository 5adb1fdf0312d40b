"""What a connection has received is free when it ends. The garbage collector would free it much later."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hostile_doors import _Host, _Wire
from websockets.frames import Frame, Opcode

from rolecall.server.connection import Connection
from rolecall.server.websocket import WebSocket

ASKED = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
HALF_FRAME = Frame(Opcode.TEXT, b"a" * 1000).serialize(mask=True)[:500]


@pytest.fixture
def collector_rests() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Owner:
    def opened(self, socket: WebSocket) -> None: ...

    def ended(self, socket: WebSocket) -> None: ...

    def lost(self, socket: WebSocket) -> None: ...


class Host(_Host):
    def upgrade(self, environ: Any) -> Any:
        return WebSocket(environ, Owner(), asyncio.get_running_loop())

    def body_limit(self, environ: Any) -> int:
        return 1000


async def ended(content: bytes) -> list[weakref.ref[Any]]:
    """The objects of a connection that was lost after it had received this."""
    wire = _Wire()
    first = Connection(Host(None))
    wire.set_protocol(first)
    first.connection_made(wire)
    first.data_received(content)
    await asyncio.sleep(0)
    found: list[weakref.ref[Any]] = [weakref.ref(first), weakref.ref(wire.protocol)]
    if isinstance(wire.protocol, WebSocket):
        wire.protocol.data_received(HALF_FRAME)
        found.append(weakref.ref(wire.protocol._frames))
    wire.protocol.connection_lost(None)
    wire.protocol = None
    return found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        "\r\n".join(["GET / HTTP/1.1", *map(": ".join, ASKED.items()), "", ""]).encode() + HALF_FRAME,
        "\r\n".join(["POST / HTTP/1.1", *map(": ".join, ASKED.items()), "", ""]).encode(),
    ],
    ids=["nothing", "half a head", "half a body", "websocket", "refused websocket"],
)
@pytest.mark.usefixtures("collector_rests")
def test_a_connection_is_free_when_it_ends(content: bytes) -> None:
    assert [each() for each in asyncio.run(ended(content))].count(None) == (3 if b"websocket" in content else 2)

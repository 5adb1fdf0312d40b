"""The server of this process in a thread of its own, so that tests see and change what it does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rolecall.server.front import Front
from rolecall.server.loops import new_event_loop
from rolecall.server.upgrades import Upgrades


@dataclass
class InThread:
    """A running server. ``upgrades`` belongs to the loop."""

    url: str
    loop: asyncio.AbstractEventLoop
    upgrades: Upgrades

    def on_loop(self, function: Callable[[], Any]) -> Any:
        """What the function returns when the loop calls it."""

        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(60)


@contextlib.contextmanager
def served_in_thread(application: Any, maximum_sockets: int = 100) -> Iterator[InThread]:
    """Serves until the end of the ``with`` statement."""
    listener = socket.create_server(("127.0.0.1", 0))
    loop = new_event_loop()
    parts: list[Any] = []
    ready, ended = threading.Event(), asyncio.Event()

    async def main() -> None:
        upgrades = Upgrades(application, maximum_sockets)
        database = application.sandbox.database
        front = Front(
            application,
            threads=2,
            maximum_body_bytes=1_048_576,
            maximum_connections=1000,
            upgrade_handler=upgrades.protocol_for,
            upgraded=upgrades.open_count,
            together=database.together if database.gains_together else None,
            stream_handler=upgrades.stream_for,
        )
        server = await loop.create_server(front.factory, sock=listener)
        parts.append(upgrades)
        ready.set()
        await ended.wait()
        server.close()
        upgrades.stop()
        await front.stop(1.0)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    assert ready.wait(60)
    try:
        yield InThread(f"http://127.0.0.1:{listener.getsockname()[1]}", loop, parts[0])
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        loop.close()

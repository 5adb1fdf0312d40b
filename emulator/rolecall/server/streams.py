"""Answers that stay open, for browsers that follow the log of calls: who has one, and the thread that reads for them.

One thread reads for all of them, and rests while none is open. The loop only writes. A browser that does not read loses
its connection, and asks again for what it has missed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from rolecall.web.application import RolecallApplication
from rolecall.web.console.live_calls import Follower, LogUnavailableError, news

log = logging.getLogger("rolecall.server")

# Of one worker. A further browser gets answers that end, and asks again every two seconds.
MAXIMUM_STREAMS = 100
# After this time the browser asks again, and proves again that it may.
STREAM_SECONDS = 300.0
# Proxies close a connection that is silent, and a write shows that a browser is gone.
_COMMENT_SECONDS = 15.0
_COMMENT = b":\n\n"
_READ_SECONDS = 0.2
_FAILED_READ_SECONDS = 2.0
# The pause between two readings is at least this many times as long as the reading, so that calls come first.
_PAUSE_FOR_READING = 4
_MAXIMUM_UNSENT_BYTES = 1_048_576
# A browser sends nothing after its request.
_MAXIMUM_RECEIVED_BYTES = 65_536


class Stream(asyncio.Protocol):
    """The connection of one browser, from the end of the answer's beginning."""

    # Set by connection_made.
    transport: asyncio.Transport

    def __init__(self, follower: Follower, streams: Streams, loop: asyncio.AbstractEventLoop) -> None:
        self.follower = follower
        self._streams = streams
        self._loop = loop
        self._received_bytes = 0
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._end = self._loop.call_later(STREAM_SECONDS, self.transport.close)
        self._streams.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        self._streams.lost(self)

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self._received_bytes > _MAXIMUM_RECEIVED_BYTES:
            self.transport.abort()

    def send(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > _MAXIMUM_UNSENT_BYTES:
            self.transport.abort()


class Streams:
    """The streams of an event loop. Every method runs on the loop, except for the one that the thread runs."""

    def __init__(self, application: RolecallApplication, loop: asyncio.AbstractEventLoop) -> None:
        self._application = application
        self._loop = loop
        self._streams: dict[Follower, Stream] = {}
        self._has_streams, self._is_stopped = threading.Event(), threading.Event()
        self._commenting = loop.call_later(_COMMENT_SECONDS, self._comment)
        threading.Thread(target=self._follow, name="rolecall-streams", daemon=True).start()

    def stream_for(self, follower: Follower) -> asyncio.Protocol | None:
        """The protocol for a connection whose answer stays open. None: as many are open as may be."""
        if len(self._streams) >= MAXIMUM_STREAMS or self._is_stopped.is_set():
            return None
        return Stream(follower, self, self._loop)

    def open_count(self) -> int:
        return len(self._streams)

    def stop(self) -> None:
        """End every stream. The browsers ask again."""
        self._is_stopped.set()
        self._has_streams.set()
        self._commenting.cancel()
        for stream in list(self._streams.values()):
            stream.transport.abort()

    def opened(self, stream: Stream) -> None:
        self._streams[stream.follower] = stream
        self._has_streams.set()

    def lost(self, stream: Stream) -> None:
        self._streams.pop(stream.follower, None)
        if not self._streams and not self._is_stopped.is_set():
            self._has_streams.clear()

    def _follow(self) -> None:
        pause_seconds = 0.0
        while not self._is_stopped.wait(pause_seconds):
            followers = list(self._streams)
            if not followers:
                self._has_streams.wait()
                continue
            begun = time.perf_counter()
            try:
                for events, members in news(self._application, self._application.sandbox, followers):
                    self._from_thread(self._deliver, events, members)
                pause_seconds = max(_READ_SECONDS, _PAUSE_FOR_READING * (time.perf_counter() - begun))
            except LogUnavailableError as error:
                log.warning("the log of calls could not be read: %s", type(error).__name__)
                pause_seconds = _FAILED_READ_SECONDS
            except Exception:
                if self._is_stopped.is_set():
                    # The log may be closed already.
                    return
                log.exception("the log of calls could not be read")
                pause_seconds = _FAILED_READ_SECONDS

    def _from_thread(self, function: Callable[[bytes, list[Follower]], None], data: bytes, to: list[Follower]) -> None:
        try:
            self._loop.call_soon_threadsafe(function, data, to)
        except RuntimeError:
            # The loop is closed, and with it every connection.
            return

    def _deliver(self, events: bytes, followers: list[Follower]) -> None:
        for follower in followers:
            stream = self._streams.get(follower)
            if stream is not None:
                stream.send(events)

    def _comment(self) -> None:
        for stream in list(self._streams.values()):
            stream.send(_COMMENT)
        self._commenting = self._loop.call_later(_COMMENT_SECONDS, self._comment)

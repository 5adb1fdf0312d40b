"""One websocket: bytes to frames and back. The library websockets knows the protocol (RFC 6455).

Clients of messaging send nothing but pongs and a close. What else they send is read within limits, and ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol as Frames
from websockets.protocol import Side, State
from websockets.server import ServerProtocol

from rolecall.server.requests import Environ
from rolecall.web.aws import HEADERS_KEY

# Of a message in all its fragments.
MAXIMUM_MESSAGE_BYTES = 32_768
# That a client may send between two pings of the server. Clients of messaging send two or three.
MAXIMUM_FRAMES = 1000
# A client that reads more slowly than events come loses its connection, and connects again.
MAXIMUM_UNSENT_BYTES = 1_048_576
# How long a client may take to answer a close, and to read what was sent before it.
_CLOSING_SECONDS = 5.0
# Read at once. So a client of many tiny frames is stopped before it keeps others waiting.
_SLICE_BYTES = 4096
_SWITCHING_PROTOCOLS = 101
_TOO_MANY = (1008, "Too many messages")


class Owner(Protocol):
    """What a websocket tells the object that serves it."""

    def opened(self, socket: WebSocket) -> None:
        """The handshake is over."""

    def ended(self, socket: WebSocket) -> None:
        """The websocket sends nothing more. Called once, also when it was never opened."""

    def lost(self, socket: WebSocket) -> None:
        """The connection is over, after :meth:`ended`."""


def text_frame(text: str) -> bytes:
    """The bytes of a text for any number of websockets: a server's frames are not masked."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


class WebSocket(asyncio.Protocol):
    """A connection from its handshake to its end. ``environ`` is the request that asked for it."""

    # Set by connection_made.
    transport: asyncio.Transport

    def __init__(self, environ: Environ, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.environ = environ
        self._owner = owner
        self._loop = loop
        self._frames = Frames(Side.SERVER, max_size=MAXIMUM_MESSAGE_BYTES)
        self._maximum_unsent_bytes = MAXIMUM_UNSENT_BYTES
        # What the client has sent since it was last asked. The first time it need not have sent anything.
        self._was_heard, self._frame_count = True, 0
        self._has_ended = False
        # Ends the connection of a client that does not answer a close.
        self._last_wait: asyncio.TimerHandle | None = None

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        environ = self.environ
        headers = Headers()
        for name, value in environ[HEADERS_KEY].items():
            headers[name] = value
        handshake = ServerProtocol()
        response = handshake.accept(Request(environ["RAW_URI"], headers))
        if environ["REQUEST_METHOD"] != "GET" or environ["SERVER_PROTOCOL"] != "HTTP/1.1":
            response = handshake.reject(400, "A websocket needs GET and HTTP/1.1.\n")
        _free(handshake)
        self.transport.write(response.serialize())
        if response.status_code == _SWITCHING_PROTOCOLS:
            self._owner.opened(self)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._last_wait is not None:
            # Otherwise it would keep this object for its whole time.
            self._last_wait.cancel()
        self._end()
        _free(self._frames)
        self._owner.lost(self)

    def data_received(self, data: bytes) -> None:
        self._was_heard = True
        for start in range(0, len(data), _SLICE_BYTES):
            self._frames.receive_data(data[start : start + _SLICE_BYTES])
            # Pings are answered and a close is repeated by the library. There is nothing else to answer.
            self._frame_count += len(self._frames.events_received())
            if self._frame_count > MAXIMUM_FRAMES and self.is_open:
                self._frames.fail(*_TOO_MANY)
        self._write()

    def eof_received(self) -> bool:
        self._frames.receive_eof()
        return False

    def pause_writing(self) -> None:
        # A client that does not read gets no answers to more pings, either.
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    # Called by the owner.

    @property
    def is_open(self) -> bool:
        return not self._has_ended and self._frames.state is State.OPEN

    def greet(self, frames: Sequence[bytes]) -> None:
        """Send the first frames. They may be many: they do not count as unread."""
        self._maximum_unsent_bytes += sum(map(len, frames))
        for frame in frames:
            self.send(frame)

    def send(self, frame: bytes) -> None:
        """Send bytes of :func:`text_frame`. Ends the connection of a client that does not read them."""
        if not self.is_open:
            return
        self.transport.write(frame)
        if self.transport.get_write_buffer_size() > self._maximum_unsent_bytes:
            self.drop()

    def drop(self) -> None:
        """End the connection without a word."""
        self.transport.abort()
        self._end()

    def close(self, code: int, reason: str) -> None:
        """Begin to close. The connection ends when the client answers, or after a few seconds."""
        if self.is_open:
            self._frames.send_close(code, reason)
            self._write()

    def close_now(self, code: int, reason: str) -> None:
        """Close without waiting for the client's answer."""
        self.close(code, reason)
        self.transport.close()

    def ask(self) -> None:
        """Ping the client, or end the connection if it has not sent anything since it was last asked."""
        if not self.is_open:
            return
        if not self._was_heard:
            self.drop()
            return
        self._was_heard, self._frame_count = False, 0
        self._frames.send_ping(b"")
        self._write()

    def _write(self) -> None:
        is_last = False
        for data in self._frames.data_to_send():
            if self.transport.is_closing():
                return
            if data:
                self.transport.write(data)
            else:
                # Empty bytes stand for the end of what is sent.
                is_last = True
        if self._frames.state is State.OPEN:
            return
        if not self._has_ended:
            self._last_wait = self._loop.call_later(_CLOSING_SECONDS, self.transport.abort)
            self._end()
        if is_last:
            self._finish()

    def _finish(self) -> None:
        """Nothing more is sent. A client that is still sending reads the close only after that."""
        if self._frames.close_rcvd is None and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._owner.ended(self)


def _free(frames: Frames) -> None:
    """Free what has arrived. The library's object refers to itself, so the garbage collector would do it much later."""
    frames.parser.close()
    vars(frames).clear()

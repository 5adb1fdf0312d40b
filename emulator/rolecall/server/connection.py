"""One client's connection: turns bytes into requests, one after the other, and answers into bytes.

httptools reads HTTP. This module does what no measured server can be configured to do (docs/architecture.md): limit
how long a request may take to arrive, choose which connection makes room for a new one, and leave a request unanswered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Protocol

import httptools

from rolecall.server.answers import ServedAnswer
from rolecall.server.requests import Environ, add_header, base_environ, set_first_line, set_target
from rolecall.web.aws import BODY_KEY, HEADERS_KEY, PROBLEM_KEY, Problem

MAXIMUM_HEAD_BYTES = 131_072
MAXIMUM_HEADERS = 256
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# How much a refused client may still send. It would not read the answer if the connection were cut before that.
_DISCARDED_BYTES = 16_777_216


class Phase(Enum):
    """What a connection waits for."""

    IDLE = "the next request"
    HEAD = "the rest of a request's head"
    BODY = "the rest of a request's body"
    ANSWERING = "an answer"
    WRITING = "a client that does not read its answers"
    ENDING = "the client's end of the connection"


class Host(Protocol):
    """What a connection needs from its front."""

    scheme: str

    def body_limit(self, environ: Environ) -> int:
        """The highest number of bytes of a request's body."""

    def moved(self, connection: Connection, phase: Phase, *, restarts: bool) -> None:
        """The connection is in this phase now. ``restarts``: if it was already, its time limit starts again."""

    def left(self, connection: Connection) -> None:
        """The connection is over."""

    def gather(self, connection: Connection) -> bool:
        """Whether :meth:`Connection.answer_next` comes in a moment, with other requests that have arrived by then."""

    def answer(self, connection: Connection, environ: Environ) -> ServedAnswer | None:
        """The answer. None: the answer comes later, through :meth:`Connection.answered`."""

    def upgrade(self, environ: Environ) -> asyncio.Protocol | None:
        """The protocol that takes the connection over from HTTP for this request. None: the request stays HTTP."""


class Connection(asyncio.Protocol):
    """A connection, from its first byte to its last."""

    # Set by connection_made.
    transport: asyncio.Transport

    def __init__(self, front: Host) -> None:
        self._front = front
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._base: Environ = {}
        # Requests that have arrived. The truth value says whether the connection stays open after the answer.
        self._arrived: deque[tuple[Environ, bool]] = deque()
        self._answering: Environ | None = None
        self._keep_alive = True
        # True: the bytes that still arrive are no requests.
        self._ignores_input = False
        self._ending = False
        # True: no further requests come, and the connection ends after the last answer.
        self._finishing = self._client_ended = False
        self._reading = self._writable = True
        self._discarded_bytes = self._unsent_bytes = 0
        self._after_upgrade = b""
        # State of the request that is arriving.
        self._environ: Environ | None = None
        self._in_head = self._began = False
        self._head_bytes = self._header_count = self._body_bytes = self._body_limit = 0
        self._headers: dict[str, str] = {}
        self._target = b""
        self._body: list[bytes] = []

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        server = transport.get_extra_info("sockname") or ("", 0)
        client = transport.get_extra_info("peername") or ("", 0)
        self._base = base_environ(self._front.scheme, server[:2], client[:2])
        self._front.moved(self, Phase.IDLE, restarts=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ignores_input = self._ending = True
        self._arrived.clear()
        self._front.left(self)
        self._free()

    def data_received(self, data: bytes) -> None:
        if self._ignores_input or self._parser is None:
            self._discard(len(data))
            return
        was_in_head, was_arriving = self._in_head, self._environ is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade = data[upgrade.args[0] :]
            self._ignores_input = True
        except httptools.HttpParserError:
            if not self._ignores_input:
                self._refuse(Problem.MALFORMED, b"" if was_arriving else data.partition(b"\r\n")[0])
        else:
            if self._in_head:
                self._head_bytes += len(data) if was_in_head else 0
                if self._head_bytes > MAXIMUM_HEAD_BYTES or self._header_count > MAXIMUM_HEADERS:
                    self._refuse(Problem.LARGE_HEAD)
        if not (self._arrived and self._answering is None and self._front.gather(self)):
            self._next()

    def eof_received(self) -> bool:
        """Whether the connection stays open: True while a request is still unanswered."""
        self._client_ended = True
        self.finish()
        return self._answering is not None or bool(self._arrived)

    def pause_writing(self) -> None:
        self._writable = False
        self._settle()

    def resume_writing(self) -> None:
        self._writable = True
        self._next()

    # Called by the parser.

    def on_message_begin(self) -> None:
        if not self._ignores_input:
            self._headers = {}
            self._environ = {**self._base, HEADERS_KEY: self._headers}
            self._in_head = self._began = True
            self._head_bytes = self._header_count = self._body_bytes = 0
            self._target = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._environ is not None and self._header_count <= MAXIMUM_HEADERS:
            add_header(self._environ, self._headers, name, value)

    def on_headers_complete(self) -> None:
        environ, parser = self._environ, self._parser
        if environ is None or parser is None:
            return
        environ["REQUEST_METHOD"] = parser.get_method().decode("latin-1")
        environ["SERVER_PROTOCOL"] = f"HTTP/{parser.get_http_version()}"
        set_target(environ, self._target)
        if self._header_count > MAXIMUM_HEADERS:
            self._refuse(Problem.LARGE_HEAD)
            return
        self._in_head = False
        self._body_limit = self._front.body_limit(environ)
        length = environ.get("CONTENT_LENGTH", "")
        if length.isdecimal() and int(length) > self._body_limit:
            # The announced length is enough to refuse the request. Its body is not read.
            self._arrive(environ, keep_alive=False)
        elif environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self.transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._environ is not None:
            self._body_bytes += len(body)
            self._body.append(body)
            if self._body_bytes > self._body_limit:
                self._arrive(self._environ, keep_alive=False)

    def on_message_complete(self) -> None:
        if self._environ is not None and self._parser is not None:
            self._arrive(self._environ, keep_alive=self._parser.should_keep_alive())

    def _arrive(self, environ: Environ, *, keep_alive: bool) -> None:
        """Queue the request: it is complete, or no more of it will be read."""
        environ[BODY_KEY] = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self._environ = None
        self._in_head = False
        self._arrived.append((environ, keep_alive))
        if not keep_alive:
            self._ignores_input = True

    def _refuse(self, problem: Problem, first_line: bytes = b"") -> None:
        """Queue a refusal of the request that is arriving. Later requests of the connection get no answer."""
        environ = self._environ or {**self._base, HEADERS_KEY: {}}
        if "REQUEST_METHOD" not in environ:
            set_first_line(environ, first_line)
        environ[PROBLEM_KEY] = problem
        self._arrive(environ, keep_alive=False)

    # One request after the other.

    def _next(self) -> None:
        """Answer the oldest request, if no other is being answered. The next request waits for the loop's next turn."""
        if self._arrived and self._answering is None and self._writable and not self._ending:
            environ, self._keep_alive = self._arrived.popleft()
            if self._finishing and not self._arrived:
                self._keep_alive = False
            if self._ignores_input and not self._arrived and self._hand_over(environ):
                return
            self._answering = environ
            answer = self._front.answer(self, environ)
            if answer is not None:
                self._send(answer)
        self._settle()

    def answer_next(self) -> None:
        """Answer the request for which the front has gathered this connection, if the connection is still there."""
        self._next()

    def answered(self, answer: ServedAnswer) -> None:
        """Send the answer to a request that had to wait."""
        self._send(answer)
        self._settle()

    def stream(self, answer: ServedAnswer, protocol: asyncio.Protocol) -> None:
        """Send the beginning of an answer that stays open, and hand the connection over to ``protocol``."""
        if self._client_ended:
            # The end of such a client could not be seen.
            self.answered(answer)
            return
        environ, self._answering = self._answering, None
        if self._ending or environ is None:
            return
        self._arrived.clear()
        self.transport.write(answer.beginning_of_stream())
        self._give(protocol)

    def _send(self, answer: ServedAnswer) -> None:
        environ, self._answering = self._answering, None
        if self._ending or environ is None:
            return
        if answer.drops:
            self._ending = True
            self.transport.close()
            return
        self.transport.write(answer.as_bytes(environ, keep_alive=self._keep_alive))
        if not self._keep_alive:
            self._end()

    def _settle(self) -> None:
        """Report the phase to the front. Read on, unless a request is waiting already."""
        if self._ending:
            return
        if self._arrived and self._answering is None and self._writable:
            asyncio.get_running_loop().call_soon(self._next)
        reads = self._writable and not self._arrived
        if reads is not self._reading and not self.transport.is_closing():
            self._reading = reads
            if reads:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()
        phase = self._phase()
        self._front.moved(self, phase, restarts=self._began or phase is Phase.IDLE)
        self._began = False

    def _phase(self) -> Phase:
        if not self._writable:
            return Phase.WRITING
        if self._answering is not None or self._arrived:
            return Phase.ANSWERING
        if self._environ is None:
            return Phase.IDLE
        return Phase.HEAD if self._in_head else Phase.BODY

    # The end.

    def finish(self) -> None:
        """Answer the requests that have arrived, and then end the connection. Later ones are not read."""
        self._finishing = self._ignores_input = True
        self._environ = None
        if self._answering is not None and not self._arrived:
            self._keep_alive = False

    def timed_out(self, phase: Phase) -> None:
        """The time limit of the phase is over."""
        unsent_bytes = self.transport.get_write_buffer_size() if phase in (Phase.WRITING, Phase.ENDING) else 0
        if unsent_bytes and unsent_bytes != self._unsent_bytes:
            # The client still reads, if slowly.
            self._unsent_bytes = unsent_bytes
            self._front.moved(self, phase, restarts=True)
        elif self._environ is not None and self._writable and not self._ending:
            self._refuse(Problem.LATE)
            self._next()
        else:
            self.abort()

    def close(self) -> None:
        """End an idle connection."""
        self._ignores_input = self._ending = True
        self.transport.close()

    def abort(self) -> None:
        """End the connection at once, in any phase."""
        self._ignores_input = self._ending = True
        self.transport.abort()

    def _end(self) -> None:
        """Answer nothing more. The client may still be sending, and reads its answer only after that."""
        self._ignores_input = self._ending = True
        self._arrived.clear()
        self._environ = None
        if self._client_ended or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()
        self._front.moved(self, Phase.ENDING, restarts=True)

    def _discard(self, size: int) -> None:
        self._discarded_bytes += size
        if self._discarded_bytes > _DISCARDED_BYTES:
            self.abort()

    def _hand_over(self, environ: Environ) -> bool:
        """Hand the connection over to another protocol, if the request asks for one. Returns whether it did."""
        protocol = self._front.upgrade(environ) if "HTTP_UPGRADE" in environ else None
        if protocol is None:
            return False
        content, self._after_upgrade = self._after_upgrade, b""
        self._give(protocol)
        if content:
            protocol.data_received(content)
        return True

    def _give(self, protocol: asyncio.Protocol) -> None:
        self._ending = True
        self._front.left(self)
        if not self._reading:
            self.transport.resume_reading()
        self.transport.set_protocol(protocol)
        self._free()
        protocol.connection_made(self.transport)

    def _free(self) -> None:
        """Free what has arrived. The parser refers back to this object, so the garbage collector would do it late."""
        self._parser = None
        self._environ = None
        self._body, self._headers = [], {}

"""The open websockets of a worker: who has one, and the thread that follows the events for them.

The loop only writes to sockets. A connect is judged in a thread, because it may read many channels. One more thread
reads the events while a socket is open, and rests otherwise. A slow client holds up no other: its bytes wait in its own
connection.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rolecall.errors import AwsError
from rolecall.server.requests import Environ
from rolecall.server.websocket import WebSocket, text_frame
from rolecall.waits import Pause, Steps
from rolecall.web.application import RolecallApplication
from rolecall.web.pushing import (
    DatabaseError,
    DroppedConnectionError,
    Ending,
    News,
    PushSession,
    connecting,
    established,
    follower,
    status_of,
)

log = logging.getLogger("rolecall.server")

# AWS General Reference, Amazon Chime SDK endpoints and quotas. Each worker counts for itself.
MAXIMUM_SOCKETS_OF_A_USER = 10
# Recorded of AWS for every kind of refusal, such as a wrong user: amazon-chime-sdk-js, issue 943. It comes after the
# handshake, because a page cannot see the status of a refused handshake.
UNAUTHORIZED = (4401, "Unauthorized")
# Developer Guide, Handling disconnects, has these codes and reasons. For which events AWS sends which is not recorded.
FORBIDDEN = (4003, "Forbidden")
EXPIRED = (1001, "Normal closure")
FAILED = (1011, "Internal server error")
RESTARTS = (1012, "Service restart")
TRY_LATER = (1013, "Try again later")
# A client connects again after a failure and after a quota, and not after a refusal.
_FIRST_FAILURE_STATUS, _THROTTLED_STATUS = 500, 429
_CODES = {Ending.CREDENTIALS: EXPIRED, Ending.USER: FORBIDDEN}
# AWS's interval is not recorded.
_ASK_SECONDS = 30.0
_READ_SECONDS = 0.02
_FAILED_READ_SECONDS = 1.0
_CONNECT_THREADS = 2
_SOCKETS_AT_ONCE = 100


class Pushing:
    """The websockets of an event loop. Every method runs on the loop, except for the two that threads run."""

    def __init__(self, application: RolecallApplication, loop: asyncio.AbstractEventLoop, maximum_sockets: int) -> None:
        self._application = application
        self._loop = loop
        self._maximum_sockets = maximum_sockets
        self._sockets: set[WebSocket] = set()
        self._sessions: dict[PushSession, WebSocket] = {}
        self._of_socket: dict[WebSocket, PushSession] = {}
        self._of_user: dict[str, int] = {}
        # Frames that are still to be written, each with the sockets that have not got it yet.
        self._outgoing: deque[tuple[bytes, Iterator[PushSession]]] = deque()
        self._connects = ThreadPoolExecutor(_CONNECT_THREADS, "rolecall-connect")
        self._has_sessions, self._is_stopped = threading.Event(), threading.Event()
        self._follower = follower(application)
        threading.Thread(target=self._follow, name="rolecall-events", daemon=True).start()
        self._asking = loop.call_later(_ASK_SECONDS, self._ask)

    def socket_for(self, environ: Environ) -> asyncio.Protocol:
        """The protocol for a request that asks for a websocket."""
        return WebSocket(environ, self, self._loop)

    def open_count(self) -> int:
        return len(self._sockets)

    def stop(self) -> None:
        """Tell the clients that they should connect again, and read no more."""
        self._is_stopped.set()
        self._has_sessions.set()
        self._asking.cancel()
        self._connects.shutdown(wait=False, cancel_futures=True)
        for socket in list(self._sockets):
            socket.close_now(*RESTARTS)

    # Called by a websocket.

    def opened(self, socket: WebSocket) -> None:
        self._sockets.add(socket)
        if self._is_stopped.is_set():
            socket.close_now(*RESTARTS)
        elif len(self._sockets) > self._maximum_sockets:
            socket.close_now(*TRY_LATER)
        else:
            self._connects.submit(self._judge, socket, connecting(self._application, socket.environ))

    def lost(self, socket: WebSocket) -> None:
        self._sockets.discard(socket)

    def ended(self, socket: WebSocket) -> None:
        session = self._of_socket.pop(socket, None)
        if session is None:
            return
        del self._sessions[session]
        self._of_user[session.user_key] -= 1
        if not self._of_user[session.user_key]:
            del self._of_user[session.user_key]
        if not self._sessions:
            self._has_sessions.clear()

    # Run by threads.

    def _judge(self, socket: WebSocket, steps: Steps[PushSession]) -> None:
        """Whether the client of the socket may receive events. A connect that a fault rule delays leaves its thread."""
        answer: PushSession | AwsError | DroppedConnectionError | None
        try:
            wait = next(steps)
            self._from_thread(self._pause, socket, steps, wait.seconds if isinstance(wait, Pause) else 0)
            return
        except StopIteration as ended:
            answer = ended.value
        except (AwsError, DroppedConnectionError) as error:
            answer = error
        except Exception:
            log.exception("a connect failed unexpectedly")
            answer = None
        self._from_thread(self._judged, socket, answer)

    def _follow(self) -> None:
        """Read events while a session is open."""
        pause_seconds = 0.0
        while not self._is_stopped.wait(pause_seconds):
            sessions = list(self._sessions)
            if not sessions:
                self._follower.stop()
                self._has_sessions.wait()
                pause_seconds = 0.0
                continue
            pause_seconds = _READ_SECONDS
            try:
                news = self._follower.read(sessions)
                if news.endings or news.deliveries:
                    self._from_thread(self._deliver, news)
                self._follower.remove_old()
            except DatabaseError as error:
                log.warning("the events of messaging could not be read: %s", type(error).__name__)
                pause_seconds = _FAILED_READ_SECONDS
            except Exception:
                if self._is_stopped.is_set():
                    # The database may be closed already.
                    return
                log.exception("the events of messaging could not be read")
                pause_seconds = _FAILED_READ_SECONDS

    def _from_thread(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop is closed, and with it every connection.
            return

    # On the loop again.

    def _pause(self, socket: WebSocket, steps: Steps[PushSession], seconds: float) -> None:
        self._loop.call_later(seconds, self._go_on, socket, steps)

    def _go_on(self, socket: WebSocket, steps: Steps[PushSession]) -> None:
        if not self._is_stopped.is_set():
            self._connects.submit(self._judge, socket, steps)

    def _judged(self, socket: WebSocket, answer: PushSession | AwsError | DroppedConnectionError | None) -> None:
        # It holds the credentials.
        socket.environ = {}
        if not socket.is_open:
            return
        if isinstance(answer, PushSession):
            self._establish(socket, answer)
        elif isinstance(answer, DroppedConnectionError):
            socket.drop()
        elif answer is None or status_of(answer) >= _FIRST_FAILURE_STATUS:
            socket.close(*FAILED)
        elif status_of(answer) == _THROTTLED_STATUS:
            socket.close(*TRY_LATER)
        else:
            socket.close(*UNAUTHORIZED)

    def _establish(self, socket: WebSocket, session: PushSession) -> None:
        open_before = self._of_user.get(session.user_key, 0)
        if open_before >= MAXIMUM_SOCKETS_OF_A_USER:
            socket.close(*TRY_LATER)
            return
        self._of_user[session.user_key] = open_before + 1
        self._sessions[session] = socket
        self._of_socket[socket] = session
        texts, session.details = (established(), *session.details), ()
        socket.greet([text_frame(text) for text in texts])
        self._has_sessions.set()

    def _deliver(self, news: News) -> None:
        for session, ending in news.endings.items():
            socket = self._sessions.get(session)
            if socket is not None:
                socket.close(*_CODES[ending])
        is_writing = bool(self._outgoing)
        self._outgoing.extend((text_frame(each.text), iter(each.sessions)) for each in news.deliveries)
        if not is_writing:
            self._write()

    def _write(self) -> None:
        """Write to some sockets in each turn of the loop, so that calls are answered in between."""
        left = _SOCKETS_AT_ONCE
        while self._outgoing and left:
            frame, sessions = self._outgoing[0]
            for session in sessions:
                socket = self._sessions.get(session)
                if socket is not None:
                    socket.send(frame)
                left -= 1
                if not left:
                    break
            else:
                self._outgoing.popleft()
        if self._outgoing:
            self._loop.call_soon(self._write)

    def _ask(self) -> None:
        for socket in list(self._sockets):
            socket.ask()
        self._asking = self._loop.call_later(_ASK_SECONDS, self._ask)

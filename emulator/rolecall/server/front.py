"""What the connections of one worker share: the application, its event loop, and the calls that wait.

The loop answers a call, because that costs least, until the call has to wait. A pause is a timer. A thread of its own
fetches an issuer's keys. A call that writes or computes for long goes on in one of a few threads. Pages and control
endpoints have their own threads, so they answer while every other thread waits.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rolecall.http import DroppedConnectionError
from rolecall.server.answers import ServedAnswer, dropped_answer, failed_answer
from rolecall.server.connection import Connection, Phase
from rolecall.server.posted_writes import PostedWrites
from rolecall.server.requests import Environ
from rolecall.settings import DEFAULT_RECEIVE_SECONDS
from rolecall.waits import Fetch, Pause, Write
from rolecall.web.application import RolecallApplication
from rolecall.web.aws import BODY_KEY, PROBLEM_KEY, WAITS_KEY, Unfinished, WsgiApplication
from rolecall.web.streamed import STREAM_KEY

log = logging.getLogger("rolecall.server")

UpgradeHandler = Callable[[Environ], asyncio.Protocol | None]
StreamHandler = Callable[[Any], asyncio.Protocol | None]

# How long a refused client may go on sending.
ENDING_SECONDS = 2.0
_PAGE_THREADS = 4
# The number of issuers that may be slow at the same time. A thread is made only when it is needed.
_FETCHING_THREADS = 256
# A larger body takes so long to parse that other calls should not wait for it.
_LARGE_BODY_BYTES = 65_536
_TIMED = (Phase.HEAD, Phase.BODY, Phase.WRITING, Phase.ENDING)


class Front:
    """Answers the requests of every connection of an event loop; ``factory`` makes the loop's protocols.

    ``threads`` is how many calls may wait for the database or compute for long at the same time. A request gets 408
    when its head is not there ``receive_seconds`` after its first byte, or its body ``receive_seconds`` after its head.
    With ``together``, the calls that have arrived in one turn of the loop are answered inside such a block.
    ``upgrade_handler`` gives the protocol that takes a connection over from HTTP, for websockets. ``stream_handler``
    gives the one for an answer that stays open, by what its page put under ``STREAM_KEY``. ``upgraded`` is how many
    such connections are open.
    """

    def __init__(
        self,
        application: RolecallApplication,
        *,
        threads: int,
        maximum_body_bytes: int,
        maximum_connections: int,
        receive_seconds: float = DEFAULT_RECEIVE_SECONDS,
        scheme: str = "http",
        upgrade_handler: UpgradeHandler | None = None,
        upgraded: Callable[[], int] = int,
        together: Callable[[], AbstractContextManager[None]] | None = None,
        stream_handler: StreamHandler | None = None,
    ) -> None:
        self.scheme = scheme
        self.maximum_body_bytes = maximum_body_bytes
        self._application = application
        self._maximum_connections = maximum_connections
        self._upgrade_handler = upgrade_handler
        self._upgraded = upgraded
        self._together = together
        # Connections with a request that is answered in the next turn of the loop.
        self._gathered: dict[Connection, None] = {}
        self._stream_handler = stream_handler
        self._loop = asyncio.get_running_loop()
        self._phases: dict[Connection, Phase] = {}
        # The connections in each phase, in the order in which they entered it, with the time of entry.
        self._members: dict[Phase, dict[Connection, float]] = {phase: {} for phase in Phase}
        self._patience_seconds = dict.fromkeys(_TIMED, receive_seconds) | {Phase.ENDING: ENDING_SECONDS}
        self._fetching: dict[str, list[tuple[Connection, ServedAnswer, Unfinished]]] = {}
        self._calls = ThreadPoolExecutor(threads, "rolecall-call")
        self._pages = ThreadPoolExecutor(_PAGE_THREADS, "rolecall-page")
        self._fetches = ThreadPoolExecutor(_FETCHING_THREADS, "rolecall-fetch")
        self._writes = PostedWrites(self._loop)
        self._check_seconds = min(1.0, receive_seconds / 4)
        self._loop.call_later(self._check_seconds, self._end_late_phases)

    def body_limit(self, environ: Environ) -> int:
        return self._application.body_limit(environ, self.maximum_body_bytes)

    def factory(self) -> Connection:
        return Connection(self)

    # Connections and their phases.

    def moved(self, connection: Connection, phase: Phase, *, restarts: bool) -> None:
        before = self._phases.get(connection)
        if before is phase:
            if restarts:
                members = self._members[phase]
                del members[connection]
                members[connection] = 0.0 if phase is Phase.IDLE else self._loop.time()
            return
        if before is None:
            self._make_room()
        else:
            del self._members[before][connection]
        self._phases[connection] = phase
        self._members[phase][connection] = self._loop.time()

    def left(self, connection: Connection) -> None:
        phase = self._phases.pop(connection, None)
        if phase is not None:
            del self._members[phase][connection]

    def _make_room(self) -> None:
        """Close the connection that has been idle or slow for longest, when the limit is reached."""
        if len(self._phases) + self._upgraded() < self._maximum_connections:
            return
        for phase in (Phase.IDLE, Phase.ENDING, Phase.HEAD, Phase.BODY, Phase.WRITING):
            for connection in self._members[phase]:
                if connection in self._gathered:
                    continue
                self.left(connection)
                if phase is Phase.IDLE:
                    connection.close()
                else:
                    connection.abort()
                return

    def _end_late_phases(self) -> None:
        now = self._loop.time()
        for phase, patience_seconds in self._patience_seconds.items():
            members = self._members[phase]
            late = []
            for connection, since in members.items():
                if now - since < patience_seconds:
                    break
                late.append(connection)
            for connection in late:
                if connection not in self._gathered:
                    connection.timed_out(phase)
        self._loop.call_later(self._check_seconds, self._end_late_phases)

    # Answers.

    def answer(self, connection: Connection, environ: Environ) -> ServedAnswer | None:
        application, answer = self._application, ServedAnswer()
        problem = environ.get(PROBLEM_KEY)
        if application.is_page(environ):
            if problem is not None:
                return failed_answer(problem.status_line)
            environ["wsgi.input"] = io.BytesIO(environ[BODY_KEY])
            self._pages.submit(self._answer_page, connection, answer, environ)
            return None
        if problem is not None:
            return self._take(connection, answer, _attempt(application.refuse, environ, answer.start))
        environ[WAITS_KEY] = True
        if len(environ[BODY_KEY]) > _LARGE_BODY_BYTES:
            self._in_thread(self._calls, connection, answer, application.aws, environ, answer.start)
            return None
        return self._take(connection, answer, _attempt(application.aws, environ, answer.start))

    def gather(self, connection: Connection) -> bool:
        if self._together is None:
            return False
        if not self._gathered:
            # The loop first reads from all clients that have sent something.
            self._loop.call_soon(self._answer_gathered)
        self._gathered[connection] = None
        return True

    def _answer_gathered(self) -> None:
        gathered, self._gathered = self._gathered, {}
        with self._together() if self._together is not None and len(gathered) > 1 else nullcontext():
            for connection in gathered:
                try:
                    connection.answer_next()
                except Exception:
                    # As the loop does it, without harm to the others.
                    log.exception("a connection failed unexpectedly")
                    connection.abort()

    def _answer_page(self, connection: Connection, answer: ServedAnswer, environ: Environ) -> None:
        """Run by a thread."""
        if self._stream_handler is not None:
            environ[STREAM_KEY] = None
        body = _attempt(self._application.wsgi_app, environ, answer.start)
        self._from_thread(self._finish_page, connection, answer, body, environ.get(STREAM_KEY))

    def _finish_page(self, connection: Connection, answer: ServedAnswer, body: Any, followed: Any) -> None:
        protocol = None
        if followed is not None and self._stream_handler is not None and isinstance(body, bytes):
            protocol = self._stream_handler(followed)
        if protocol is None:
            self._finish(connection, answer, body)
            return
        answer.body = body
        connection.stream(answer, protocol)

    def answer_with(
        self, application: WsgiApplication, connection: Connection, environ: Environ
    ) -> ServedAnswer | None:
        """As :meth:`answer`, from an application whose requests all may have to wait."""
        answer, problem = ServedAnswer(), environ.get(PROBLEM_KEY)
        if problem is not None:
            return failed_answer(problem.status_line)
        environ[WAITS_KEY] = True
        return self._take(connection, answer, _attempt(application, environ, answer.start))

    def upgrade(self, environ: Environ) -> asyncio.Protocol | None:
        return None if self._upgrade_handler is None else self._upgrade_handler(environ)

    def _take(self, connection: Connection, answer: ServedAnswer, body: Any) -> ServedAnswer | None:
        """The finished answer; None when the call has to wait first."""
        if isinstance(body, Unfinished):
            self._wait(connection, answer, body)
            return None
        if isinstance(body, ServedAnswer):
            return body
        answer.body = body
        return answer

    def _wait(self, connection: Connection, answer: ServedAnswer, call: Unfinished) -> None:
        wait = call.wait
        if isinstance(wait, Pause):
            self._loop.call_later(wait.seconds, self._go_on, connection, answer, call)
        elif isinstance(wait, Fetch):
            waiting = self._fetching.get(wait.source)
            if waiting is not None:
                waiting.append((connection, answer, call))
                return
            self._fetching[wait.source] = [(connection, answer, call)]
            self._fetches.submit(self._fetch, wait)
        elif isinstance(wait, Write):
            self._write(connection, answer, call, wait)
        else:
            self._in_thread(self._calls, connection, answer, call.go_on)

    def _write(self, connection: Connection, answer: ServedAnswer, call: Unfinished, write: Write[Any]) -> None:
        def written(outcome: Callable[[], Any]) -> None:
            write.outcome = outcome
            self._go_on(connection, answer, call)

        shared = write.database.shared
        if shared is not None:
            self._writes.add(shared, write.work, written)
        elif write.database.in_memory:
            # There is no disk to wait for.
            self._go_on(connection, answer, call)
        else:
            self._in_thread(self._calls, connection, answer, call.go_on)

    def _go_on(self, connection: Connection, answer: ServedAnswer, call: Unfinished) -> None:
        self._finish(connection, answer, _attempt(call.go_on))

    def _finish(self, connection: Connection, answer: ServedAnswer, body: Any) -> None:
        finished = self._take(connection, answer, body)
        if finished is not None:
            connection.answered(finished)

    def _in_thread(
        self,
        pool: ThreadPoolExecutor,
        connection: Connection,
        answer: ServedAnswer,
        work: Callable[..., Any],
        *arguments: Any,
    ) -> None:
        def run() -> None:
            body = _attempt(work, *arguments)
            while isinstance(body, Unfinished) and isinstance(body.wait, Write):
                # This thread may wait for the database.
                body = _attempt(body.go_on)
            self._from_thread(self._finish, connection, answer, body)

        pool.submit(run)

    def _fetch(self, wait: Fetch) -> None:
        try:
            wait.work()
        except Exception:
            log.exception("%s could not be fetched", wait.source)
        self._from_thread(self._fetched, wait.source)

    def _fetched(self, source: str) -> None:
        self._go_on_in_turn(deque(self._fetching.pop(source, ())))

    def _go_on_in_turn(self, calls: deque[tuple[Connection, ServedAnswer, Unfinished]]) -> None:
        """Continue one call in each turn of the loop, so that other calls are answered in between."""
        if calls:
            self._go_on(*calls.popleft())
            self._loop.call_soon(self._go_on_in_turn, calls)

    def _from_thread(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop is closed, and with it every connection.
            return

    # The end.

    async def stop(self, patience_seconds: float) -> None:
        """Wait up to ``patience_seconds`` for calls that are being answered. Then close everything.

        A connection takes no further calls: otherwise its client would make them for as long as another call lasts.
        """
        self._answer_gathered()
        for connection in [*self._members[Phase.ANSWERING], *self._members[Phase.WRITING]]:
            connection.finish()
        for connection in [*self._members[Phase.IDLE], *self._members[Phase.HEAD], *self._members[Phase.BODY]]:
            connection.close()
        deadline = self._loop.time() + patience_seconds
        while self._members[Phase.ANSWERING] and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self._phases):
            connection.abort()
        self._writes.stop()
        for pool in (self._calls, self._pages, self._fetches):
            pool.shutdown(wait=False, cancel_futures=True)


def _attempt(work: Callable[..., Any], *arguments: Any) -> Any:
    """The body of the application's answer, or Unfinished. A ServedAnswer when the application raised an exception."""
    try:
        body = work(*arguments)
        if type(body) is list:
            return body[0] if len(body) == 1 else b"".join(body)
        if isinstance(body, Unfinished):
            return body
        parts = b"".join(body)
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return parts
    except DroppedConnectionError:
        return dropped_answer()
    except Exception:
        log.exception("a request failed unexpectedly")
        return failed_answer()

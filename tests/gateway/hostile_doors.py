"""Every front door, with hostile requests for it (``hostile_requests``).

A door is a function that sends one request and returns the status of its answer: 0 when the connection was closed
without one, 101 for a websocket that opened. It raises whatever the server's code raises. All of it runs in the
caller's thread.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable, Mapping
from typing import Any

from hostile_requests import (
    INSTANCE,
    KEYS,
    POD,
    SCALARS,
    TASK,
    asked_websocket,
    bytes_of,
    call,
    clean,
    damaged,
    frames,
    page,
    parts_of,
    plain_bytes_of,
)
from raw_calls import Sent, send

from rolecall.delivery.containers import credentials_id, own_token
from rolecall.delivery.imds import TOKEN_HEADER, TTL_HEADER
from rolecall.delivery.pods import pod_token
from rolecall.errors import AwsError
from rolecall.http import DroppedConnectionError
from rolecall.inprocess import ENDPOINT_URL
from rolecall.server.answers import ServedAnswer, failed_answer
from rolecall.server.connection import Connection
from rolecall.server.upgrades import CONNECT_PATH
from rolecall.server.websocket import WebSocket, text_frame
from rolecall.waits import wait_here
from rolecall.web.attach_endpoint import Minting
from rolecall.web.aws import BODY_KEY, PROBLEM_KEY
from rolecall.web.pushing import connecting, established

Door = Callable[[random.Random], int]


def doors(calls: Any, pages: Any, runner: asyncio.Runner) -> Mapping[str, Door]:
    """Every door, of two sandboxes with ``DECLARED``. Pages have one of their own, because they can move its clock."""
    application = calls.application
    user = _app_instance_user(calls)
    rules = [rule for rule in pages.application.url_map.iter_rules() if rule.rule.startswith("/")]

    def wsgi(found: Any, make: Callable[[random.Random], Sent]) -> Door:
        return lambda rng: send(found, make(rng)).status

    makers: Mapping[str, Callable[[random.Random], Sent]] = {
        "query": lambda rng: call("query", rng),
        "json": lambda rng: call("json", rng),
        "rest": lambda rng: call("rest-json", rng),
        "pages": lambda rng: page(rules, rng),
    }

    def wire(rng: random.Random) -> int:
        made = [makers[rng.choice(list(makers))](rng) for _ in range(rng.choice((1, 1, 1, 3)))]
        return runner.run(_exchange(pages.application, b"".join(bytes_of(sent, rng) for sent in made), rng))

    def websocket(rng: random.Random) -> int:
        sent = asked_websocket(user, rng)
        content = bytes_of(sent, rng) if rng.random() < 0.3 else plain_bytes_of(sent)
        return runner.run(_exchange(application, content + frames(rng), rng))

    return {
        **{name: wsgi(pages.application if name == "pages" else application, make) for name, make in makers.items()},
        "attachments": attachments(calls),
        "wire": wire,
        "websockets": websocket,
    }


def attachments(world: Any) -> Door:
    """The addresses of an instance, a task and a pod. Many requests have what the address asks for."""
    sandbox = world._sandbox
    found = {each.attachment_id: each for each in sandbox.attachments.list()}
    minting = Minting(sandbox, ENDPOINT_URL)
    task, task_token = found[TASK], own_token(minting.keys.newest, found[TASK])
    kinds = (
        (INSTANCE, ("/latest/api/token", "/latest/meta-data/iam/security-credentials/app", "/latest/meta-data/"), ""),
        (TASK, (f"/v2/credentials/{credentials_id(task)}", "/v2/credentials", "/"), task_token),
        (POD, ("/v1/credentials", "/healthz"), pod_token(found[POD], minting)),
    )

    def send_one(rng: random.Random) -> int:
        attachment_id, paths, token = rng.choice(kinds)
        application = world.application.delivery(attachment_id)
        sent = Sent(rng.choice(("GET", "GET", "PUT", "POST", "HEAD")), rng.choice(paths), "", {}, b"")
        if attachment_id == INSTANCE:
            asked = Sent("PUT", "/latest/api/token", "", {TTL_HEADER: "60"}, b"")
            token = send(application, asked).body.decode()
            sent = sent.with_header(TTL_HEADER, clean(rng.choice((*SCALARS, "21600"))))
        header = TOKEN_HEADER if attachment_id == INSTANCE else "Authorization"
        sent = sent.with_header(header, token if rng.random() < 0.7 else clean(rng.choice(SCALARS)))
        try:
            return send(application, sent if rng.random() < 0.6 else damaged(sent, rng)).status
        except DroppedConnectionError:
            return 0

    return send_one


def _refuse_to_pause(_seconds: float) -> None:
    raise AssertionError("nothing in this sandbox delays a call")


class _Wire(asyncio.Transport):
    """What a client sees of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.protocol: Any = None
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close


class _Host:
    """The host of one connection. It answers in this thread, and opens websockets."""

    scheme = "http"

    def __init__(self, application: Any) -> None:
        self._application = application

    def body_limit(self, environ: Any) -> int:
        return int(self._application.body_limit(environ, 1_048_576))

    def moved(self, connection: Any, phase: Any, *, restarts: bool) -> None: ...

    def left(self, connection: Any) -> None: ...

    def gather(self, _connection: Any) -> bool:
        return False

    def answer(self, _connection: Any, environ: Any) -> ServedAnswer:
        answer, problem = ServedAnswer(), environ.get(PROBLEM_KEY)
        application = self._application
        if application.is_page(environ):
            if problem is not None:
                return failed_answer(problem.status_line)
            environ["wsgi.input"] = io.BytesIO(environ[BODY_KEY])
        answer.body = b"".join((application if problem is None else application.refuse)(environ, answer.start))
        return answer

    def upgrade(self, environ: Any) -> Any:
        is_connect = environ["PATH_INFO"] == CONNECT_PATH and environ["HTTP_UPGRADE"].lower() == "websocket"
        if not is_connect or not self._application.admits(environ):
            return None
        return WebSocket(environ, self, asyncio.get_running_loop())

    def opened(self, socket: WebSocket) -> None:
        try:
            wait_here(connecting(self._application, socket.environ), _refuse_to_pause)
        except AwsError as error:
            if error.code in ("InternalFailure", "ServiceUnavailable"):
                raise
            socket.close(4401, "Unauthorized")
        else:
            socket.send(text_frame(established()))

    def ended(self, socket: WebSocket) -> None: ...

    def lost(self, socket: WebSocket) -> None: ...


async def _exchange(application: Any, content: bytes, rng: random.Random) -> int:
    """Send the bytes over one connection, in pieces. The worst status of all answers."""
    wire = _Wire()
    wire.set_protocol(Connection(_Host(application)))
    wire.protocol.connection_made(wire)
    for part in parts_of(content, rng.choice((1 << 20, 1 << 20, 1000, max(1, len(content) // 9)))):
        if not wire.is_closed:
            wire.protocol.data_received(part)
            await asyncio.sleep(0)
    if not wire.is_closed:
        wire.protocol.eof_received()
        # Requests that were sent at once are answered one in each turn of the loop.
        for _ in range(5):
            await asyncio.sleep(0)
    wire.protocol.connection_lost(None)
    found = [int(part[:3]) for part in bytes(wire.sent).split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]
    return max((status for status in found if status != 100), default=0)


def _app_instance_user(world: Any) -> str:
    identity = world.client("chime-sdk-identity", keys=KEYS)
    instance = identity.create_app_instance(Name="chat")["AppInstanceArn"]
    made = identity.create_app_instance_user(AppInstanceArn=instance, AppInstanceUserId="ana", Name="Ana")
    return str(made["AppInstanceUserArn"])

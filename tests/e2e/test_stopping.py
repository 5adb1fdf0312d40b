"""A server that is stopped under load ends in time, whatever is open, and keeps what it acknowledged."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable

import pytest
from botocore.exceptions import ConnectionError, HTTPClientError
from chat_served import ServedChat
from pushed_messages import Socket
from served import PATIENCE_SECONDS, Server, stops_as_promised

WRITERS = 3
# Both have more to come, which never comes.
HALF_SENT = (
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nAction=Get",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le",
)
STREAM = b"GET /_rolecall/console/decisions/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Writers:
    """Threads that create groups until the server ends. It must end every answer that it began."""

    def __init__(self, server: Server) -> None:
        self.acknowledged: set[str] = set()
        self._began = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._write, args=(server.client("iam"), f"{server.port}-{number}"))
            for number in range(WRITERS)
        ]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        for _ in range(3 * WRITERS):
            assert self._began.acquire(timeout=PATIENCE_SECONDS)
        return self

    def __exit__(self, *_exception: object) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _write(self, iam: object, prefix: str) -> None:
        number = 0
        with contextlib.suppress(ConnectionError, HTTPClientError):
            while True:
                name = f"{prefix}-{number}"
                iam.create_group(GroupName=name)  # type: ignore[attr-defined]
                self.acknowledged.add(name)
                self._began.release()
                number += 1


def delayed_call(server: Server, ended: list[Exception]) -> threading.Thread:
    """A call that a fault delays for longer than the server may take."""
    rule = json.dumps({"delay_seconds": 60, "operation": "ListUsers"}).encode()
    assert server.request("PUT", "/_rolecall/faults", rule).status == 200

    def call() -> None:
        try:
            server.client("iam").list_users()
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not server.control("GET", "faults")[1]["rules"][0]["hits"]:
        assert thread.is_alive()
    return thread


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_with_everything_open_ends_in_time(make_server: Callable[..., Server], workers: str) -> None:
    def attempt() -> bool:
        server = make_server("--workers", workers)
        chat = ServedChat(server)
        ended: list[Exception] = []
        with contextlib.ExitStack() as stack:
            pushed = Socket(chat.url("ben"))
            stack.callback(pushed.close)
            assert pushed.event() == ("SESSION_ESTABLISHED", None)
            opened = []
            for content in (STREAM, *HALF_SENT):
                connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
                opened.append(stack.enter_context(connection))
                connection.sendall(content)
            assert opened[0].recv(4096).startswith(b"HTTP/1.1 200 ")
            delayed = delayed_call(server, ended)
            with Writers(server) as writers:
                took_seconds = server.stop()
            delayed.join(PATIENCE_SECONDS)
            assert pushed.closing() == (1012, "Service restart")
            for connection in opened:
                while connection.recv(4096):
                    pass
        assert [isinstance(error, ConnectionError | HTTPClientError) for error in ended] == [True]
        server.restart()
        pages = server.client("iam").get_paginator("list_groups").paginate()
        assert writers.acknowledged <= {group["GroupName"] for page in pages for group in page["Groups"]}
        return took_seconds < server.promised_stop_seconds

    assert stops_as_promised(attempt)

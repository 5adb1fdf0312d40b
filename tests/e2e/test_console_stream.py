"""The live list of a served sandbox: calls of every worker arrive, nobody waits for a stream, and it ends in time."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from console_visits import CONSOLE
from served import PATIENCE_SECONDS, Server, stops_as_promised

from rolecall.server import streams

Make = Callable[..., Server]
STREAM = f"{CONSOLE}/decisions/stream"


class Following:
    """A browser's connection to the stream, from the end of the head."""

    def __init__(self, port: int, query: str = "", **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        self._connection.request("GET", f"{STREAM}{query}", headers=headers)
        self._answer = self._connection.getresponse()
        self.status, self.headers = self._answer.status, self._answer.headers
        self.last_id = ""

    def calls(self) -> list[str]:
        """The request ids of the next event; [] when the stream has ended."""
        found: list[str] = []
        while line := self._answer.readline():
            if line.startswith(b"id: "):
                self.last_id = line[4:].decode().strip()
            found += re.findall(r'data-call="([^"]*)"', line.decode())
            if line == b"\n" and found:
                return found
        return []

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as opened:
        yield opened


def following(stack: contextlib.ExitStack, server: Server, query: str = "", **headers: str) -> Following:
    made = Following(server.port, query, **headers)
    stack.callback(made.close)
    return made


def call(server: Server) -> str:
    """The request id of a call on a connection of its own, so that any worker may answer it."""
    return str(server.client("sts").get_caller_identity()["ResponseMetadata"]["RequestId"])


def test_calls_of_every_worker_come_to_every_browser_and_are_not_lost_in_between(
    make_server: Make, stack: contextlib.ExitStack
) -> None:
    server = make_server("--workers", "2")
    browsers = [following(stack, server) for _ in range(4)]
    assert {each.status for each in browsers} == {200}
    assert {each.headers["Content-Length"] for each in browsers} == {None}
    wanted = {call(server) for _ in range(8)}
    for browser in browsers:
        seen: list[str] = []
        while len(seen) < len(wanted):
            seen += browser.calls()
        assert set(seen) == wanted
        assert len(seen) == len(wanted)
    last = browsers[0].last_id
    browsers[0].close()
    missed = call(server)
    again = following(stack, server, **{"Last-Event-ID": last})
    assert again.calls() == [missed]


def test_open_streams_hold_no_thread_and_a_further_one_gets_an_answer_that_ends(
    make_server: Make, stack: contextlib.ExitStack
) -> None:
    server = make_server()
    browsers = [following(stack, server) for _ in range(streams.MAXIMUM_STREAMS)]
    # Four threads answer pages: with one each, this would wait for ever.
    assert server.request("GET", f"{CONSOLE}/decisions").status == 200
    further = server.request("GET", STREAM)
    assert (further.status, further.body[:11]) == (200, b"retry: 2000")
    assert further.headers["content-length"] == str(len(further.body))
    made = call(server)
    assert [browser.calls() for browser in browsers] == [[made]] * len(browsers)
    # A head request has no stream.
    assert server.request("HEAD", STREAM).body == b""
    browsers[0].close()


def test_the_server_ends_in_time_with_open_streams(make_server: Make, stack: contextlib.ExitStack) -> None:
    server = make_server()

    def attempt() -> bool:
        browser = following(stack, server)
        made = call(server)
        assert browser.calls() == [made]
        took = server.stop()
        with contextlib.suppress(ConnectionError):
            assert browser.calls() == []
        if took >= server.promised_stop_seconds:
            server.restart()
            return False
        return True

    assert stops_as_promised(attempt)


def test_a_browser_that_sends_more_than_its_request_is_cut_off(make_server: Make) -> None:
    server = make_server()
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as raw:
        raw.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        assert b"200 OK" in raw.recv(65536)
        ended: Any = None
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                raw.sendall(b"x" * 65536)
            while ended != b"":
                ended = raw.recv(65536)
    assert call(server)


def test_the_first_page_names_the_sandbox_file(make_server: Make, tmp_path: Any) -> None:
    assert b"<dd>the built-in one</dd>" in make_server().request("GET", CONSOLE).body
    file = tmp_path / "mine.yaml"
    file.write_text('version: 1\naccounts: [{id: "111122223333"}]\n', encoding="utf-8")
    assert f"<dd>{file}</dd>".encode() in make_server("--config", str(file)).request("GET", CONSOLE).body

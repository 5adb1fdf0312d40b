"""Faults of served sandboxes: over real sockets, from several workers, and by ``rolecall faults``."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from reserved_ports import reserved_port
from served import ADMIN, FIRST_ACCOUNT, PATIENCE_SECONDS, Server, boto3_session, run_rolecall, stops_as_promised

Make = Callable[..., Server]


@pytest.fixture
def clean(server: Server) -> Iterator[Server]:
    yield server
    assert put(server, []) == []


def put(server: Server, rules: Any) -> Any:
    answer = server.request("PUT", "/_rolecall/faults", json.dumps(rules).encode())
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["rules"]


def rules(server: Server) -> Any:
    status, shown = server.control("GET", "faults")
    assert status == 200
    return shown["rules"]


def exchanged(server: Server) -> bytes:
    """The whole answer to a good call on its own connection; empty if the connection is just closed."""
    url = urlsplit(server.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET"))
    head = f"GET /?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one worker", "two workers"])
def test_a_dropped_connection_is_closed_without_an_answer(make_server: Make, options: tuple[str, ...]) -> None:
    server = make_server(*options)
    assert exchanged(server).startswith(b"HTTP/1.1 200 ")
    put(server, [{"kind": "drop", "service": "sts", "times": 2}])
    assert exchanged(server) == b""
    with pytest.raises(ConnectionClosedError):
        server.client("sts").get_caller_identity()
    assert exchanged(server).startswith(b"HTTP/1.1 200 ")
    put(server, [{"kind": "drop_answer", "service": "iam", "operation": "CreateUser"}])
    with pytest.raises(ConnectionClosedError):
        server.client("iam").create_user(UserName="new")
    assert server.client("iam").get_user(UserName="new")["User"]["UserName"] == "new"
    # A requested fault is no crash.
    assert "Traceback" not in server.output() + server.errors()
    assert "DroppedConnection" not in server.output() + server.errors()


def test_boto3_tries_again_after_a_dropped_connection(clean: Server) -> None:
    put(clean, [{"kind": "drop", "service": "sts", "times": 1}])
    sts = boto3_session().client(
        "sts",
        endpoint_url=clean.url,
        aws_access_key_id=ADMIN[0],
        aws_secret_access_key=ADMIN[1],
        config=Config(retries={"total_max_attempts": 2, "mode": "standard"}),
    )
    assert sts.get_caller_identity()["ResponseMetadata"]["RetryAttempts"] == 1


def test_workers_count_together(make_server: Make) -> None:
    server = make_server("--workers", "2")
    put(server, [{"service": "sts", "error": "Throttling", "nth": 4, "times": 5}])
    failed: list[str] = []

    def call() -> None:
        for _ in range(8):
            try:
                # Each client opens its own connection, which either worker may accept.
                server.client("sts").get_caller_identity()
            except ClientError as error:
                failed.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == ["Throttling"] * 5
    assert [(rule["calls"], rule["hits"]) for rule in rules(server)] == [(32, 5)]
    server.stop()
    server.restart()
    assert [(rule["calls"], rule["hits"]) for rule in rules(server)] == [(32, 5)]


def test_a_server_in_the_middle_of_a_delay_ends_in_time(make_server: Make) -> None:
    def attempt() -> bool:
        server = make_server("--threads", "1")
        put(server, [{"delay_seconds": 60}])
        closed: list[ConnectionClosedError] = []

        def call() -> None:
            try:
                server.client("sts").get_caller_identity()
            except ConnectionClosedError as error:
                closed.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        while rules(server)[0]["hits"] == 0:
            assert thread.is_alive()
        took_seconds = server.stop()
        thread.join(PATIENCE_SECONDS)
        assert len(closed) == 1
        return took_seconds < server.promised_stop_seconds

    assert stops_as_promised(attempt)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_ends_answers_the_calls_that_it_has(make_server: Make, workers: str) -> None:
    server = make_server("--workers", workers)
    put(server, [{"delay_seconds": 1.5}])
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(server.client("sts").get_caller_identity()["Account"]))
    thread.start()
    while rules(server)[0]["hits"] == 0:
        assert thread.is_alive()
    server.stop()
    thread.join(PATIENCE_SECONDS)
    assert found == [FIRST_ACCOUNT]


# The command.


def faults(server: Server, *arguments: str) -> str:
    done = run_rolecall(server.folder, "faults", *arguments, "--port", str(server.port))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_rules_are_set_shown_and_cleared(clean: Server) -> None:
    assert faults(clean, "show") == "There are no fault rules.\n"
    rule = {"service": "sts", "operation": "AssumeRole", "error": "ThrottlingException", "times": 2}
    [line] = faults(clean, "set", json.dumps(rule)).splitlines()
    assert json.loads(line) | rule == json.loads(line)
    with pytest.raises(ClientError):
        clean.assume("chime-reader")
    assert json.loads(faults(clean, "show"))["hits"] == 1
    (clean.folder / "faults.json").write_text(json.dumps({"rules": [rule, {"kind": "drop", "service": "iam"}]}))
    assert len(faults(clean, "set", "faults.json").splitlines()) == 2
    assert faults(clean, "clear") == faults(clean, "show") == "There are no fault rules.\n"
    clean.assume("chime-reader")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "absent.json"], "cannot read absent.json: No such file or directory"),
        (["set", "{"], "the argument is not JSON: "),
        (["set", '{"error": "Throttling", "times": 0}'], "Rule 1: times must be a number from 1"),
        (["set", '[{"error": "Throttling"}, {"kind": "odd"}]'], "Rule 2: kind must be one of error, delay, "),
    ],
)
def test_rules_that_cannot_be_used(clean: Server, arguments: list[str], words: str) -> None:
    done = run_rolecall(clean.folder, "faults", *arguments, "--endpoint", clean.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rolecall: {words}")
    assert rules(clean) == []


def test_without_a_server(clean: Server) -> None:
    for arguments in (["show"], ["clear"], ["set", "[]"]):
        done = run_rolecall(clean.folder, "faults", *arguments, "--port", str(reserved_port()))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("rolecall: Rolecall does not answer at http://127.0.0.1:")

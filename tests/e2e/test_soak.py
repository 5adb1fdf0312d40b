"""A server under a mixed load keeps its memory, its open files and its log within bounds."""

from __future__ import annotations

import contextlib
import http.client
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from served import ADMIN, DEVELOPER, FIRST_ACCOUNT, PATIENCE_SECONDS, Server

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
CLIENTS = 4
# Of the short run: before it, caches fill and threads get their connections.
WARM_UP_ROUNDS, ROUNDS = 30, 60
LONG_SECONDS, LONG_WARM_UP_SECONDS = 600, 180
# The log in the database keeps 50,000 calls and their explanations.
LOG_BYTES = 400_000_000
GROWTH_BYTES = 12_000_000
HELD_CONNECTIONS = 1000
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"AWS": FIRST_ACCOUNT}, "Action": "sts:AssumeRole"},
    }
)
Call = tuple[str, tuple[str, str], dict[str, str], int]


def calls(client: int, number: int) -> Iterator[Call]:
    """Service, key, parameters and expected status of the calls of one round. They leave nothing behind."""
    name = f"soak-{client}-{number}"
    sts, iam = {"Version": "2011-06-15"}, {"Version": "2010-05-08"}
    role = f"arn:aws:iam::{FIRST_ACCOUNT}:role/{name}"
    yield "sts", ADMIN, {"Action": "GetCallerIdentity", **sts}, 200
    yield "iam", ADMIN, {"Action": "CreateRole", "RoleName": name, "AssumeRolePolicyDocument": TRUST, **iam}, 200
    yield "sts", ADMIN, {"Action": "AssumeRole", "RoleArn": role, "RoleSessionName": name, **sts}, 200
    yield "iam", ADMIN, {"Action": "GetRole", "RoleName": name, **iam}, 200
    yield "iam", DEVELOPER, {"Action": "CreateUser", "UserName": name, **iam}, 403
    yield "sts", (f"AKIA{number:016d}", "no-secret"), {"Action": "GetCallerIdentity", **sts}, 403
    yield "iam", ADMIN, {"Action": "GetUser", "UserName": f"nobody-{name}", **iam}, 404
    yield "iam", ADMIN, {"Action": "CreateRole", "RoleName": "%" * 70, "AssumeRolePolicyDocument": name, **iam}, 400
    yield "iam", ADMIN, {"Action": "DeleteRole", "RoleName": name, **iam}, 200


def send_round(server: Server, connection: http.client.HTTPConnection, client: int, number: int) -> None:
    for service, key, parameters, expected in calls(client, number):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{server.url}/", headers, urlencode(parameters))
        SigV4Auth(Credentials(*key), service, "us-east-1").add_auth(request)
        connection.request("POST", "/", request.data, dict(request.headers.items()))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == expected, (parameters, body)


def load(server: Server, goes_on: Callable[[int], bool]) -> None:
    """The clients send rounds, each on a connection of its own, while ``goes_on`` says so for their number."""
    problems: list[BaseException] = []

    def send(client: int) -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
            with contextlib.closing(connection):
                number = 0
                while goes_on(number):
                    send_round(server, connection, client, number)
                    number += 1
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=send, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def resident_bytes(server: Server) -> int:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def open_files(server: Server) -> int:
    """Of files and pipes. A connection that a client has just closed may still be open."""
    found = 0
    for each in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += not str(each.readlink()).startswith("socket:")
    return found


def check_flat(server: Server, warm_up: Callable[[int], bool], goes_on: Callable[[int], bool]) -> None:
    load(server, warm_up)
    memory, files = resident_bytes(server), open_files(server)
    load(server, goes_on)
    assert resident_bytes(server) - memory < GROWTH_BYTES
    # A thread opens its connections to the database when it first needs them.
    assert open_files(server) - files <= 6
    log = sum(each.stat().st_size for each in server.folder.glob("*decisions.db*"))
    assert 0 < log < LOG_BYTES
    assert "Traceback" not in server.errors()


def test_memory_and_files_stay_flat(make_server: Callable[..., Server]) -> None:
    check_flat(make_server(), lambda number: number < WARM_UP_ROUNDS, lambda number: number < ROUNDS)


@pytest.mark.optional
def test_memory_and_files_stay_flat_for_ten_minutes(make_server: Callable[..., Server]) -> None:
    server = make_server()
    begun = time.monotonic()
    check_flat(
        server,
        lambda _number: time.monotonic() - begun < LONG_WARM_UP_SECONDS,
        lambda _number: time.monotonic() - begun < LONG_SECONDS,
    )


@pytest.mark.optional
def test_a_thousand_connections_are_held(make_server: Callable[..., Server]) -> None:
    """Each is answered, stays open, and is answered again."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * HELD_CONNECTIONS:
        pytest.skip(f"needs {2 * HELD_CONNECTIONS} open files")
    server = make_server()
    request = b"GET /_rolecall/probe/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS))
            for _ in range(HELD_CONNECTIONS)
        ]
        for _ in range(2):
            for connection in held:
                connection.sendall(request)
            for connection in held:
                assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")

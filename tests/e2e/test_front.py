"""The front never waits: while one party is slow, the server answers everyone else.

Every test shows an order of events: another call is answered while the slow party is still slow. No test measures time.
"""

from __future__ import annotations

import contextlib
import json
import resource
import select
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from served import FIRST_ACCOUNT, PATIENCE_SECONDS, Server, start, stops_as_promised

Make = Callable[..., Server]
HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
# More connections than most servers accept by default.
MANY = 1100


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives requests an hour to arrive, so that slow clients stay connected."""
    served = start(tmp_path_factory.mktemp("patient"), "--receive-timeout", "3600")
    yield served
    try:
        served.stop()
    finally:
        served.kill()


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)


def is_waiting(connection: socket.socket) -> bool:
    """Whether the server has neither answered nor closed."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return not poll.poll(0)


def others_are_answered(server: Server) -> None:
    """A call on a new connection, a page, and a call that writes."""
    assert server.client("sts").get_caller_identity()["Account"] == FIRST_ACCOUNT
    assert server.control("GET", "health")[0] == 200
    server.client("iam").update_account_password_policy(MinimumPasswordLength=9)


def received(connection: socket.socket) -> bytes:
    """All bytes until the server closes the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            data += chunk
    return data


SLOW = {
    "half a body": HEAD + b"Content-Length: 500\r\n\r\nAction=GetCaller",
    "no body at all": HEAD + b"Content-Length: 43\r\n\r\n",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nAction=",
    "a body for a page": HEAD.replace(b"POST / ", b"PUT /_rolecall/faults ") + b"Content-Length: 500\r\n\r\n[",
    "half a head": HEAD + b"X-Half: ye",
    "half a request line": b"POS",
    "permission not used": HEAD + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_sender_delays_no_other_call(patient: Server, kind: str) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(patient)) for _ in range(12)]
        for connection in slow:
            connection.sendall(SLOW[kind])
        if b"100-continue" in SLOW[kind]:
            assert all(connection.recv(99).startswith(b"HTTP/1.1 100 ") for connection in slow)
        others_are_answered(patient)
        assert all(is_waiting(connection) for connection in slow)


def test_a_client_that_does_not_read_delays_no_other_call(patient: Server) -> None:
    request = b"GET /?Action=Nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 400 + b"\r\n\r\n"
    with connected(patient) as not_reading:
        not_reading.setblocking(False)
        # Send until no more fits: the unread answers then fill every buffer on the way.
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                not_reading.send(request * 20)
        others_are_answered(patient)


def test_more_idle_connections_than_most_servers_accept(patient: Server) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], MANY + 200), before[1]))
    try:
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(connected(patient)) for _ in range(MANY)]
            others_are_answered(patient)
            assert all(is_waiting(connection) for connection in idle)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_request_that_does_not_arrive_in_time_is_refused(make_server: Make) -> None:
    server = make_server("--receive-timeout", "0.2")
    for kind in ("half a body", "half a chunk", "half a head", "half a request line"):
        with connected(server) as slow:
            slow.sendall(SLOW[kind])
            answer = received(slow)
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), kind
            assert b"<Code>RequestTimeout</Code>" in answer
            assert b"connection: close" in answer
    with connected(server) as slow:
        slow.sendall(SLOW["a body for a page"])
        assert received(slow).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    listed = server.control("GET", "decisions?limit=10")[1]["decisions"]
    assert [decision["outcome"] for decision in listed] == ["RequestTimeout"] * 4
    others_are_answered(server)


def test_a_byte_now_and_then_is_no_progress(make_server: Make) -> None:
    server = make_server("--receive-timeout", "0.2")
    with connected(server) as slow:
        slow.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while is_waiting(slow):
                slow.sendall(b"A")
                select.select([slow], [], [], 0.01)
        assert received(slow).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_kept(make_server: Make) -> None:
    server = make_server("--receive-timeout", "0.1")
    with connected(server) as idle, connected(server) as slow:
        slow.sendall(b"POST")
        assert received(slow).startswith(b"HTTP/1.1 408 ")
        # This connection is older than the slow one, and the server has kept it.
        idle.sendall(b"GET /_rolecall/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")


# Faults and the database.


@contextlib.contextmanager
def in_the_background(call: Callable[[], Any]) -> Iterator[tuple[threading.Thread, list[Any]]]:
    """A call in a thread of its own, and a list that will hold its result or its exception."""
    outcomes: list[Any] = []

    def run() -> None:
        try:
            outcomes.append(call())
        except Exception as error:
            outcomes.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield thread, outcomes
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def put(server: Server, rules: Any) -> None:
    assert server.request("PUT", "/_rolecall/faults", json.dumps(rules).encode()).status == 200


def test_a_delay_delays_its_own_call_only(make_server: Make) -> None:
    def attempt() -> bool:
        server = make_server("--threads", "1")
        put(server, [{"kind": "delay", "delay_seconds": 60, "operation": "ListUsers"}])
        with contextlib.ExitStack() as stack:
            delayed = [stack.enter_context(in_the_background(server.client("iam").list_users)) for _ in range(6)]
            # More delayed calls than the server has threads of any kind.
            while server.control("GET", "faults")[1]["rules"][0]["hits"] < 6:
                assert all(thread.is_alive() for thread, _ in delayed)
            others_are_answered(server)
            assert all(thread.is_alive() for thread, _ in delayed)
            took_seconds = server.stop()
        return took_seconds < server.promised_stop_seconds

    assert stops_as_promised(attempt)


def test_a_busy_database_delays_only_calls_that_write(make_server: Make) -> None:
    server = make_server("--threads", "1")
    iam = server.client("iam")
    other = sqlite3.connect(server.folder / "rolecall.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with in_the_background(lambda: iam.create_user(UserName="waits")) as (thread, outcomes):
        assert server.client("sts").get_caller_identity()["Account"] == FIRST_ACCOUNT
        assert server.assume("chime-reader")["AccessKeyId"].startswith("ASIA")
        assert server.control("GET", "health")[0] == 200
        assert thread.is_alive()
        assert [user["UserName"] for user in server.client("iam").list_users()["Users"]].count("waits") == 0
        other.execute("ROLLBACK")
        other.close()
    assert outcomes[0]["User"]["UserName"] == "waits"


# Issuers.


class SlowIssuer:
    """A server on this machine that accepts one connection and lets ``serve`` handle it."""

    def __init__(self, serve: Callable[[socket.socket, threading.Event], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked = threading.Event()
        self.ended = threading.Event()
        self._serve = serve
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(65536)
                self.asked.set()
                self._serve(connection, self.ended)

    def end(self) -> None:
        self.ended.set()
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)


def never_answers(_connection: socket.socket, ended: threading.Event) -> None:
    ended.wait(PATIENCE_SECONDS)


def drips(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n{")
    while not ended.wait(0.05):
        connection.sendall(b" ")


def drips_its_head(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not ended.wait(0.05):
        connection.sendall(b"x")


def trusting(issuers: list[str]) -> str:
    """A sandbox whose role trusts these issuers' tokens."""
    providers = [issuer.partition("//")[2] for issuer in issuers]
    trust = [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{FIRST_ACCOUNT}:oidc-provider/{provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{provider}:aud": "me"}},
        }
        for provider in providers
    ]
    account = {
        "id": FIRST_ACCOUNT,
        "users": [
            {
                "name": "admin",
                "access_keys": [{"id": "test", "secret": "test"}],
                "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
            }
        ],
        "roles": [
            {"name": "web", "trust_policy": {"Version": "2012-10-17", "Statement": trust}},
            {
                "name": "chime-reader",
                "trust_policy": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
                },
            },
        ],
        "oidc_providers": [{"url": issuer, "client_ids": ["me"]} for issuer in issuers],
    }
    return json.dumps({"version": 1, "accounts": [account]})


def token_of(issuer: str) -> str:
    """A token that only the issuer's keys can verify."""
    claims = {"iss": issuer, "sub": "someone", "aud": "me", "iat": 1_700_000_000, "exp": 4_000_000_000}
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims, key, "ES256", headers={"kid": "1"})


@pytest.mark.parametrize("behaviour", [never_answers, drips, drips_its_head])
def test_a_slow_issuer_delays_its_own_callers_only(
    make_server: Make, tmp_path: Path, behaviour: Callable[[socket.socket, threading.Event], None]
) -> None:
    issuers = [SlowIssuer(behaviour) for _ in range(3)]
    try:
        config = tmp_path / "sandbox.json"
        config.write_text(trusting([issuer.url for issuer in issuers]), encoding="utf-8")
        server = make_server("--config", str(config), "--threads", "1")
        with contextlib.ExitStack() as stack:
            calls = []
            for issuer in issuers:
                arguments = {
                    "RoleArn": f"arn:aws:iam::{FIRST_ACCOUNT}:role/web",
                    "RoleSessionName": "slow",
                    "WebIdentityToken": token_of(issuer.url),
                }
                call = lambda given=arguments: server.client("sts").assume_role_with_web_identity(**given)  # noqa: E731
                calls.append(stack.enter_context(in_the_background(call)))
            # All issuers are asked at once: no issuer's callers wait for another issuer.
            assert all(issuer.asked.wait(PATIENCE_SECONDS) for issuer in issuers)
            others_are_answered(server)
            assert all(thread.is_alive() for thread, _ in calls)
            for issuer in issuers:
                issuer.ended.set()
        for _, [error] in calls:
            assert isinstance(error, ClientError)
            assert error.response["Error"]["Code"] in ("IDPCommunicationError", "InvalidIdentityToken")
    finally:
        for issuer in issuers:
            issuer.end()

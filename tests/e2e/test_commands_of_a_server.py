"""Commands that ask a running server with ``--endpoint`` say what they say beside its database."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from served import FIRST_ACCOUNT, Server, run_rolecall, start

TOKEN = "a-token-of-the-tests"
ROLE = "arn:aws:iam::444455556666:role/chime-partner"
ADMIN = f"arn:aws:iam::{FIRST_ACCOUNT}:user/admin"
Make = Callable[..., Server]


def database(folder: Path) -> str:
    return f"sqlite:///{(folder / 'rolecall.db').as_posix()}"


def with_two_calls(server: Server) -> Server:
    """A server with one allowed call and one refused call."""
    server.client("iam").list_users()
    with pytest.raises(ClientError):
        server.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="abc")
    # Before it answers, the server writes the log entries that it has not yet written.
    assert server.control("GET", "decisions")[0] == 200
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For the tests that change nothing: they ask no more of AWS's operations."""
    served = start(tmp_path_factory.mktemp("served"), "--control-token", TOKEN)
    try:
        yield with_two_calls(served)
        served.stop()
    finally:
        served.kill()


def read(printed: str) -> Any:
    """What a command printed: JSON, or a JSON value in each line, or text."""
    for texts in ([printed], printed.splitlines()):
        with contextlib.suppress(ValueError):
            return [json.loads(text) for text in texts]
    return printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "--last"],
        ["explain", "--last", "--json"],
        ["decisions"],
        ["decisions", "--outcome", "Refused", "--limit", "1", "--since", "1h"],
        ["decisions", "--format", "json"],
        ["decisions", "--format", "cloudtrail"],
        ["policy", "--principal", ADMIN],
        ["policy", "--principal", ADMIN, "--include-refused"],
        ["policy", "--principal", ADMIN, "--unused"],
        ["snapshot", "save", "-"],
        ["snapshot", "save", "-", "--no-last-used"],
    ],
    ids=" ".join,
)
def test_a_server_and_its_database_say_the_same(server: Server, arguments: list[str]) -> None:
    # First the server, which writes what it has not yet written.
    of_server = run_rolecall(server.folder, *arguments, "--endpoint", server.url)
    assert (of_server.returncode, bool(of_server.stdout)) == (0, True), of_server.stderr
    of_database = run_rolecall(server.folder, *arguments, "--database", database(server.folder))
    assert of_database.returncode == 0
    printed = of_server.stdout
    if arguments == ["explain", "--last"]:
        # A server shows the call in its console, too.
        printed, _, console = printed.rstrip("\n").rpartition("\n")
        assert console.startswith(f"console           {server.url}/_rolecall/console/decisions/")
        printed += "\n"
    assert read(printed) == read(of_database.stdout)
    assert of_server.stderr == of_database.stderr
    if arguments[0] == "policy":
        assert of_server.stdout == of_database.stdout
    by_variable = run_rolecall(server.folder, *arguments, ROLECALL_ENDPOINT=server.url)
    assert by_variable.stdout == of_server.stdout


def test_one_call_is_explained_by_its_ids(server: Server) -> None:
    refused, allowed = server.control("GET", "decisions")[1]["decisions"]
    explained = run_rolecall(server.folder, "explain", refused["request_id"], "--json", "--endpoint", server.url)
    shown = json.loads(explained.stdout)
    assert shown["request_id"] == refused["request_id"]
    again = run_rolecall(server.folder, "explain", shown["authorization_id"], "--json", "--endpoint", server.url)
    assert json.loads(again.stdout) == shown
    assert (
        "iam ListUsers"
        in run_rolecall(server.folder, "explain", allowed["request_id"], "--endpoint", server.url).stdout
    )


def test_a_snapshot_is_loaded_into_the_server(make_server: Make) -> None:
    server = with_two_calls(make_server("--control-token", TOKEN))
    saved = run_rolecall(server.folder, "snapshot", "save", "before.yaml", "--endpoint", server.url)
    assert saved.returncode == 0
    assert (server.folder / "before.yaml").stat().st_mode & 0o777 == 0o600
    server.client("iam").create_user(UserName="later")
    loaded = run_rolecall(server.folder, "snapshot", "load", "before.yaml", "--endpoint", server.url)
    assert (loaded.returncode, loaded.stdout, loaded.stderr) == (0, "", "")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        server.client("iam").get_user(UserName="later")
    (server.folder / "bad.yaml").write_text("version: 1\n")
    refused = run_rolecall(server.folder, "snapshot", "load", "bad.yaml", "--endpoint", server.url)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == ["rolecall: bad.yaml cannot be loaded:", "bad.yaml:1: lacks accounts"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "00000000-0000-0000-0000-000000000000"], "has no call with this request id"),
        (["explain", "../health"], "rolecall: "),
        (["decisions", "--limit", "5000"], "limit must be a number from 1 to 1000"),
        (["decisions", "--action", "nonsense"], "action must be a service prefix and a name"),
        (["policy", "--principal", "nonsense"], "principal"),
        (["policy", "--principal", f"{ADMIN}2"], f"has no call of {ADMIN}2"),
        (["policy", "--principal", f"{ADMIN}2", "--unused"], "there is no"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refusals_of_a_server(server: Server, arguments: list[str], said: str) -> None:
    done = run_rolecall(server.folder, *arguments, "--endpoint", server.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_line_counts_for_more_than_the_environment(server: Server) -> None:
    nowhere: dict[str, Any] = {"ROLECALL_ENDPOINT": "http://127.0.0.1:9"}
    done = run_rolecall(server.folder, "decisions", "--database", database(server.folder), **nowhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert run_rolecall(server.folder, "decisions", "--endpoint", server.url, **nowhere).returncode == 0
    assert "does not answer" in run_rolecall(server.folder, "decisions", **nowhere).stderr
    both = run_rolecall(server.folder, "decisions", "--endpoint", server.url, "--database", "sqlite://")
    assert both.returncode == 2
    assert "Give --endpoint or --database." in both.stderr


def test_commands_send_the_control_token(server: Server) -> None:
    """A client behind a proxy on this machine counts as another machine."""
    assert server.control("GET", "clock")[0] == 200
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    assert server.request("GET", "/_rolecall/clock", headers=forwarded).status == 401
    proven = forwarded | {"Authorization": f"Bearer {TOKEN}"}
    assert server.request("GET", "/_rolecall/clock", headers=proven).status == 200
    assert TOKEN not in server.output() + server.errors()


class _Proxy(BaseHTTPRequestHandler):
    """Sends requests on to a server, as a balancer in front of it does."""

    target: Server

    def do_GET(self) -> None:
        token = self.headers.get("Authorization")
        sent_on = {"X-Forwarded-For": "192.0.2.1"} | ({"Authorization": token} if token else {})
        answer = self.target.request("GET", self.path, headers=sent_on)
        self.send_response(answer.status)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


def test_a_command_proves_the_token_through_a_balancer(server: Server) -> None:
    handler = type("Handler", (_Proxy,), {"target": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_port}"
        refused = run_rolecall(server.folder, "decisions", "--endpoint", url)
        assert (refused.returncode, "control token" in refused.stderr) == (2, True), refused.stderr
        wrong = run_rolecall(server.folder, "decisions", "--endpoint", url, ROLECALL_CONTROL_TOKEN=f"{TOKEN}x")
        assert (wrong.returncode, TOKEN in wrong.stderr) == (2, False)
        listed = run_rolecall(server.folder, "decisions", "--endpoint", url, ROLECALL_CONTROL_TOKEN=TOKEN)
        assert (listed.returncode, "iam:ListUsers" in listed.stdout) == (0, True)
        proxy.shutdown()

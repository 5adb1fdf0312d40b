"""The guard of names and web pages at a real socket, and the files that a stopped server leaves."""

from __future__ import annotations

import json
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from served import PATIENCE_SECONDS, Server

from rolecall.cli import main

Make = Callable[..., Server]
APP = "http://localhost:3000"


def raw_status(server: Server, request: str) -> int:
    """The status of the answer to a request as it is written here; 0 for none."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode("latin-1"))
        answer = connection.recv(65536).split(b" ")
    return int(answer[1]) if len(answer) > 1 else 0


@pytest.mark.parametrize("path", ["/_rolecall/snapshot", "/_rolecall/session", "/", "/accounts"])
@pytest.mark.parametrize(
    "lines",
    [
        "GET {path} HTTP/1.1\nHost: a_b.evil.example\n",
        "GET {path} HTTP/1.1\nHost: a~b.evil.example\n",
        "GET {path} HTTP/1.1\nHost: [::1].evil.example\n",
        "GET {path} HTTP/1.1\nHost:\n",
        "GET {path} HTTP/1.1\nHost: localhost evil.example\n",
        "GET {path} HTTP/1.0\n",
        "GET http://evil.example{path} HTTP/1.1\nHost: evil.example\n",
        # With two names it is unknown which one counts.
        "GET {path} HTTP/1.1\nHost: localhost\nHost: evil.example\n",
        "GET {path} HTTP/1.1\nHost: evil.example\nHost: localhost\n",
    ],
)
def test_no_name_but_this_machine_s_is_answered(server: Server, lines: str, path: str) -> None:
    status = raw_status(server, lines.replace("{path}", path) + "Connection: close\n\n")
    assert status in (0, 400, 403)


def test_permitted_names_and_origins(make_server: Make) -> None:
    server = make_server("--allow-host", "rolecall.lan", "--allow-origin", APP)
    assert server.control("GET", "health", Host="rolecall.lan:4580")[0] == 200
    assert server.control("GET", "health", Host="other.lan")[0] == 403
    asked = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = server.request("OPTIONS", "/accounts", headers=asked)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, APP)
    refused = server.request("GET", "/accounts", headers={"Origin": "https://evil.example"})
    assert (refused.status, json.loads(refused.body)["Code"]) == (403, "AccessDenied")
    # Unsigned, but admitted.
    let_in = server.request("GET", "/accounts", headers={"Origin": APP})
    assert (let_in.status, let_in.headers["access-control-allow-origin"]) == (403, APP)
    assert b"AccessDenied" not in let_in.body


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_a_stopped_server_leaves_is_private_and_whole(make_server: Make, workers: str) -> None:
    server = make_server("--workers", workers)
    server.client("iam").create_user(UserName="last")
    made = [path for path in server.folder.rglob("rolecall*.db*") if path.is_file()]
    assert {path.name for path in made} >= {"rolecall.db", "rolecall.db-wal", "rolecall.db-shm"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    server.stop()
    [database] = server.folder.rglob("rolecall.db")
    copy = Path(server.folder) / "copy.db"
    copy.write_bytes(database.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM users WHERE name = 'last'").fetchone() == (1,)


@pytest.mark.parametrize(
    ("option", "variable", "given", "wrong"),
    [
        ("--allow-host", "ROLECALL_ALLOW_HOST", "rolecall.lan http://x", "'http://x' is not a host name"),
        ("--allow-origin", "ROLECALL_ALLOW_ORIGIN", "http://localhost:3000 *", "'*' is not the origin of a page"),
    ],
)
def test_an_invalid_name_or_origin_is_reported(option: str, variable: str, given: str, wrong: str) -> None:
    runner = CliRunner()
    for done in (
        runner.invoke(main, ["serve", "--database", "sqlite://", option, given.split()[1]]),
        runner.invoke(main, ["serve", "--database", "sqlite://"], env={variable: given}),
    ):
        assert done.exit_code == 2
        assert wrong in done.output

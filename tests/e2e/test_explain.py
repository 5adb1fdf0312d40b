"""``rolecall explain`` beside a served process: while it runs, after it stopped, after it was killed."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from served import ADMIN, FIRST_ACCOUNT, Server, eventually, run_rolecall, stops_as_promised

ROLE = "arn:aws:iam::444455556666:role/chime-partner"
Make = Callable[..., Server]


def refuse(server: Server) -> tuple[str, str]:
    """Request id and message of an AssumeRole that the role's trust policy refuses."""
    with pytest.raises(ClientError) as caught:
        server.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="abc")
    response = caught.value.response
    return response["ResponseMetadata"]["RequestId"], response["Error"]["Message"]


def is_written(server: Server, request_id: str) -> bool:
    """Whether the log has the call in the end. The worker that answered writes it on its own."""
    return eventually(lambda: server.control("GET", f"decisions/{request_id}")[0] == 200)


def explain(server: Server, *arguments: str) -> str:
    done = run_rolecall(server.folder, "explain", *arguments, "--database", database(server.folder))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def database(folder: Path) -> str:
    return f"sqlite:///{(folder / 'rolecall.db').as_posix()}"


def test_a_refusal_is_explained_while_the_server_runs_and_afterwards(make_server: Make) -> None:
    server = make_server()
    made, message = refuse(server)
    assert is_written(server, made)
    text = explain(server, made)
    assert message in text
    assert "StringEquals sts:ExternalId [partner-id]: the request has no such key: not met" in text
    assert explain(server, "--last") == text
    server.stop()
    assert explain(server, made) == text
    server.restart()
    assert explain(server, "--last") == text


def test_json_is_what_the_endpoint_answers(server: Server) -> None:
    made, _ = refuse(server)
    assert is_written(server, made)
    shown = json.loads(explain(server, made, "--json"))
    assert shown["principal"] == f"arn:aws:iam::{FIRST_ACCOUNT}:user/admin"
    status, answered = server.control("GET", f"decisions/{made}")
    assert (status, answered) == (200, shown)
    assert json.loads(explain(server, shown["authorization_id"], "--json")) == shown
    decoded = server.client("sts").decode_authorization_message(EncodedMessage=shown["encoded_message"])
    assert json.loads(decoded["DecodedMessage"])["context"]["resource"] == ROLE
    toolbox = server.client("iam-toolbox").get_request_authorization_details(authorizationId=shown["authorization_id"])
    assert toolbox["evaluations"][0]["evaluatedEffect"] == "IMPLICIT_DENY"


def test_an_allowed_call_is_explained(server: Server) -> None:
    made = server.client("chime").list_accounts()["ResponseMetadata"]["RequestId"]
    assert is_written(server, made)
    text = explain(server, made)
    assert "answered 200" in text
    assert "by the identity-based policies: arn:aws:iam::aws:policy/AdministratorAccess / statement 0" in text


def test_several_workers_write_one_log(make_server: Make) -> None:
    server = make_server("--workers", "2")
    made = [refuse(server)[0] for _ in range(20)]
    for request_id in made:
        assert is_written(server, request_id)
    _, listed = server.control("GET", "decisions?outcome=Refused&limit=1000")
    assert [entry["request_id"] for entry in listed["decisions"]] == list(reversed(made))

    def attempt() -> bool:
        # Each on its own connection, so that both workers still have entries to write when they stop.
        last = [refuse(server)[0] for _ in range(10)]
        server.stop()
        listed = run_rolecall(server.folder, "decisions", "--format", "json", "--database", database(server.folder))
        server.restart()
        return set(last) <= {json.loads(line)["request_id"] for line in listed.stdout.splitlines()}

    assert stops_as_promised(attempt)


def test_what_was_written_survives_a_kill(make_server: Make) -> None:
    server = make_server()
    made, _ = refuse(server)
    assert server.control("GET", f"decisions/{made}")[0] == 200
    server.kill()
    assert made in explain(server, "--last")
    server.restart()
    assert server.control("GET", f"decisions/{made}")[0] == 200


def test_reset_empties_the_log(make_server: Make) -> None:
    server = make_server()
    made, _ = refuse(server)
    assert server.control("GET", f"decisions/{made}")[0] == 200
    assert server.control("POST", "reset")[0] == 200
    assert server.control("GET", f"decisions/{made}")[0] == 404
    assert server.control("GET", "decisions")[1]["decisions"] == []


def test_issuing_credentials_writes_nothing_but_when_keys_were_used(make_server: Make) -> None:
    server = make_server()
    server.assume("chime-reader")
    before = _content(server.folder / "rolecall.db")
    assert before["generations"]
    for _ in range(5):
        server.assume("chime-reader")
        refuse(server)
    server.control("GET", "decisions")
    assert _content(server.folder / "rolecall.db") == before


def _content(file: Path) -> dict[str, Any]:
    """The rows of every table except last uses, which AWS keeps too."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    content = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
        kept = ", ".join(f'"{name}"' for name in columns if not name.startswith("last_used"))
        content[table] = sorted(connection.execute(f'SELECT {kept} FROM "{table}"').fetchall(), key=repr)  # noqa: S608
    connection.close()
    return content


def test_a_log_that_cannot_be_written_disturbs_no_call(make_server: Make, tmp_path: Path) -> None:
    (tmp_path / "rolecall-decisions.db").mkdir()
    server = make_server(database=database(tmp_path))
    for _ in range(3):
        assert server.client("sts", ADMIN).get_caller_identity()["Account"] == FIRST_ACCOUNT
        server.control("GET", "decisions")
    assert server.control("GET", "decisions")[0] == 503
    server.stop()
    assert server.errors().count("the decision log cannot be written") == 1
    done = run_rolecall(tmp_path, "explain", "--last", "--database", database(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rolecall: there is no decision log ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--database", "sqlite:///absent.db"], "there is no decision log absent-decisions.db"),
        (["x", "--database", "sqlite://"], "the log of this database is in the server's memory"),
        (["x", "--database", "nonsense"], "the database URL is not valid"),
        (["x", "--last"], "Give a request id, or --last."),
        ([], "Give a request id, or --last."),
    ],
)
def test_what_cannot_be_explained(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run_rolecall(tmp_path, "explain", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("*.db*")) == []


def test_an_unknown_request_is_reported(make_server: Make) -> None:
    server = make_server()
    server.client("sts").get_caller_identity()
    server.control("GET", "decisions")
    for arguments, words in ((["--last"], "has no refused call"), (["x"], "has no call x")):
        done = run_rolecall(server.folder, "explain", *arguments, "--database", database(server.folder))
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr


def test_sigint_flushes_too(make_server: Make) -> None:
    server = make_server()
    made, _ = refuse(server)
    server.stop(signal.SIGINT)
    with sqlite3.connect(server.folder / "rolecall-decisions.db") as driver:
        assert driver.execute("SELECT count(*) FROM calls WHERE request_id = ?", (made,)).fetchone() == (1,)
    driver.close()

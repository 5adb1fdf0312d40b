"""``rolecall decisions`` beside a served process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from served import FIRST_ACCOUNT, Server, run_rolecall

ROLE = "arn:aws:iam::444455556666:role/chime-partner"
Make = Callable[..., Server]


def database(folder: Path) -> str:
    return f"sqlite:///{(folder / 'rolecall.db').as_posix()}"


def lines(server: Server, *arguments: str) -> list[str]:
    done = run_rolecall(server.folder, "decisions", *arguments, "--database", database(server.folder))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_calls_are_listed_in_every_format(make_server: Make) -> None:
    server = make_server()
    made = server.client("sts").get_caller_identity()["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError) as caught:
        server.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="abc")
    denied = caught.value.response["ResponseMetadata"]["RequestId"]
    admin = f"arn:aws:iam::{FIRST_ACCOUNT}:user/admin"
    # Before it answers, the server writes the log entries that it has not yet written.
    assert server.control("GET", "decisions")[0] == 200
    newest, oldest = lines(server)
    assert newest.endswith(f"  {denied}  ImplicitDeny (AccessDenied)  {admin}  sts:AssumeRole on {ROLE}")
    assert oldest.endswith(f"  {made}  Allowed  {admin}  sts GetCallerIdentity")
    _, answered = server.control("GET", "decisions")
    assert [json.loads(line) for line in lines(server, "--format", "json")] == answered["decisions"]
    [record] = [json.loads(line) for line in lines(server, "--format", "cloudtrail", "--outcome", "Refused")]
    assert (record["requestID"], record["eventName"], record["errorCode"]) == (denied, "AssumeRole", "AccessDenied")
    server.stop()
    assert len(lines(server, "--principal", admin, "--limit", "1")) == 1
    assert len(lines(server, "--since", "1h")) == 2
    assert lines(server, "--since", "2200-01-01") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--database", "sqlite:///absent.db"], "there is no decision log absent-decisions.db"),
        (["--database", "sqlite://"], "ask the server at /_rolecall/decisions, or start"),
        (["--action", "nonsense"], "rolecall: action must be a service prefix and a name"),
        (["--since", "yesterday"], "rolecall: since must be a time"),
        (["--since", "1h", "--database", "sqlite:///absent.db"], "there is no decision log absent-decisions.db"),
        (["--limit", "50001"], "50001 is not in the range"),
        (["--format", "xml"], "'xml' is not one of"),
    ],
)
def test_what_cannot_be_listed(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run_rolecall(tmp_path, "decisions", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("*.db*")) == []

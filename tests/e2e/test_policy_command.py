"""``rolecall policy`` beside a served process."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from served import DEVELOPER, FIRST_ACCOUNT, Server, run_rolecall

ROLE = f"arn:aws:iam::{FIRST_ACCOUNT}:role/chime-reader"
Make = Callable[..., Server]


def database(folder: Path) -> str:
    return f"sqlite:///{(folder / 'rolecall.db').as_posix()}"


def written(server: Server) -> None:
    """Before it answers this, the server writes its pending entries to the log; otherwise it does so a moment later."""
    assert server.control("GET", "decisions")[0] == 200


def test_the_policy_of_a_role_lets_another_role_do_the_same(make_server: Make) -> None:
    server = make_server()
    chime = server.client("chime", credentials=server.assume("chime-reader"))
    [account] = chime.list_accounts()["Accounts"]
    chime.list_users(AccountId=account["AccountId"])
    with pytest.raises(ClientError):
        chime.create_account(Name="x")
    written(server)
    arguments = ("policy", "--principal", ROLE, "--database", database(server.folder))
    done = run_rolecall(server.folder, *arguments)
    assert done.returncode == 0
    chime_note, refused_note, unused_note = done.stderr.splitlines()
    assert chime_note.startswith("rolecall: chime: its actions support no resource ARNs")
    assert refused_note == "rolecall: calls that policies refused are left out unless you include them: 1."
    assert unused_note == (
        "rolecall: the current policies grant more than the calls used: 114 actions, 0 resources of other actions, "
        "0 whole policies; see --unused"
    )
    iam = server.client("iam")
    iam.detach_role_policy(RoleName="chime-reader", PolicyArn="arn:aws:iam::aws:policy/AmazonChimeReadOnly")
    with pytest.raises(ClientError):
        chime.list_accounts()
    iam.put_role_policy(RoleName="chime-reader", PolicyName="smallest", PolicyDocument=done.stdout)
    assert chime.list_accounts()["Accounts"]
    assert chime.list_users(AccountId=account["AccountId"])["Users"]
    with pytest.raises(ClientError):
        chime.get_account(AccountId=account["AccountId"])
    with_refused = json.loads(run_rolecall(server.folder, *arguments, "--include-refused").stdout)
    assert "chime:CreateAccount" in with_refused["Statement"][0]["Action"]
    with_path = run_rolecall(
        server.folder, *arguments[:1], "--principal", ROLE.replace("role/", "role/some/path/"), *arguments[3:]
    )
    assert with_path.stderr.endswith(f"role/some/path/chime-reader; it has calls of {ROLE}\n")
    unused = run_rolecall(server.folder, *arguments, "--unused")
    assert (unused.returncode, unused.stderr) == (0, "")
    assert json.loads(unused.stdout) == {"actions": {}, "resources": {}, "policies": [], "reaches_further": False}
    status, answered = server.control("GET", f"policy?principal={ROLE}&unused=true")
    assert (status, answered["policy"]) == (200, json.loads(done.stdout))


def test_since_counts_back_by_the_clock_of_the_sandbox(make_server: Make) -> None:
    server = make_server()
    chime = server.client("chime", credentials=server.assume("chime-reader"))
    chime.list_accounts()
    written(server)
    assert run_rolecall(server.folder, "clock", "+2h", "--port", str(server.port)).returncode == 0
    arguments = ("policy", "--principal", ROLE, "--database", database(server.folder))
    assert run_rolecall(server.folder, *arguments, "--since", "3h").returncode == 0
    done = run_rolecall(server.folder, *arguments, "--since", "1h30m")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"rolecall: the decision log has no call of {ROLE} since then\n"
    unused = run_rolecall(server.folder, *arguments, "--since", "1h30m", "--unused")
    assert "chime:ListAccounts" in json.loads(unused.stdout)["actions"]["chime"]


def test_a_log_that_has_forgotten_calls_says_so(make_server: Make) -> None:
    server = make_server()
    chime = server.client("chime", credentials=server.assume("chime-reader"))
    chime.list_accounts()
    server.stop()
    # As if the log had received as many newer calls as it keeps.
    with closing(sqlite3.connect(server.folder / "rolecall-decisions.db", isolation_level=None)) as driver:
        driver.execute("UPDATE calls SET position = position + 50005")
    arguments = ("policy", "--principal", ROLE, "--database", database(server.folder))
    for options in ((), ("--unused",)):
        done = run_rolecall(server.folder, *arguments, *options)
        assert done.returncode == 0
        assert "older calls, of all principals, are missing." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing option '--principal'"),
        (["--principal", "ana"], "rolecall: principal must be the ARN of a user, a role or a session"),
        (["--principal", f"arn:aws:sts::{FIRST_ACCOUNT}:assumed-role/chime-reader"], "give the role's own"),
        (["--principal", f"arn:aws:iam::{FIRST_ACCOUNT}:user/*"], "rolecall: principal must be the ARN of a user"),
        (["--principal", ROLE, "--since", "yesterday"], "rolecall: since must be a time such as"),
        (["--principal", ROLE, "--unused", "--include-refused"], "Give --include-refused or --unused."),
        (
            ["--principal", ROLE, "--since", "1h", "--database", "sqlite:///absent.db"],
            "there is no decision log absent",
        ),
        (["--principal", ROLE, "--database", "sqlite:///absent.db"], "there is no decision log absent-decisions.db"),
        (["--principal", ROLE, "--database", "sqlite://"], "ask the server at /_rolecall/policy"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run_rolecall(tmp_path, "policy", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("*.db*")) == []


def test_a_principal_without_calls_has_no_policy(make_server: Make) -> None:
    server = make_server()
    server.client("sts").get_caller_identity()
    server.client("sts", DEVELOPER).get_caller_identity()
    chime = server.client("chime", credentials=server.assume("chime-denied"))
    with pytest.raises(ClientError):
        chime.list_accounts()
    server.control("GET", "decisions")
    account = f"arn:aws:iam::{FIRST_ACCOUNT}"
    federated = f"arn:aws:sts::{FIRST_ACCOUNT}:federated-user/x"
    for principal, options, words in (
        (f"{account}:user/nobody", (), "has no call of"),
        (f"{account}:user/nobody", ("--unused",), "there is no user or role"),
        (f"{account}:root", ("--unused",), "a root user has no policies"),
        (federated, ("--unused",), "ask for that user"),
        (f"{account}:role/chime-denied", (), "policies refused every call of"),
        (f"{account}:user/developer", (), "no call of"),
    ):
        arguments = ("policy", "--principal", principal, "--database", database(server.folder))
        done = run_rolecall(server.folder, *arguments, *options)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        asked = ("policy", "--principal", principal, "--endpoint", server.url)
        assert run_rolecall(server.folder, *asked, *options).stderr == done.stderr

"""Text from a client cannot start a new line or move the cursor, wherever it is shown."""

from __future__ import annotations

import ast
import json
import logging
import re
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from syntax_trees import walk

from rolecall.app import application_over, decision_log, open_database
from rolecall.cli import main
from rolecall.clock import Clock
from rolecall.commands import common, running
from rolecall.commands.log_lines import TextFormatter
from rolecall.inprocess import client
from rolecall.kit import Rolecall
from rolecall.printable import printable, printable_lines
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

# A new line, a colour, the window's title, C1's own introducer, reversed writing, and Unicode's line ends.
HOSTILE = "x\n2026-01-01 FORGED\r\x1b[31m\x1b]0;t\x07\x9b31m\x85\u202eab\u2066\u2028\u2029\u200f\ufeff\x7f"
# Characters that STS's model allows in the ARN of a role.
PASSABLE = "x\n2026-01-01 FORGED\r\x85\u202eab\u2028"
DANGEROUS = [character for character in HOSTILE if character not in "x2026-01 FORGEDab[3m];t\n"]


def is_safe(text: str, lines: int | None = None) -> bool:
    """By Unicode's categories: only visible characters, spaces, and Rolecall's own line ends."""
    shown = text.split("\n")
    return (lines is None or len(shown) == lines) and not any(
        unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        for line in shown
        for character in line
    )


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    assert is_safe(printable(text), 1)
    assert printable(printable(text)) == printable(text)
    assert is_safe(printable_lines(text), text.count("\n") + 1)


def test_what_is_ordinary_stays() -> None:
    for text in ("", "arn:aws:iam::1:role/Ünïcödé", "C:\\temp", "日本語", 'it\'s "quoted"'):
        assert printable(text) == text
    assert printable("a\n\x1b[0m\u202e'\"\\") == "a\\n\\x1b[0m\\u202e'\"\\"


def test_a_log_has_one_line_for_each_record() -> None:
    formatter = TextFormatter("%(name)s %(message)s")
    record = logging.LogRecord("n", logging.INFO, "", 0, "%s", (HOSTILE,), None)
    assert is_safe(formatter.format(record), 1)
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        caught = (type(error), error, error.__traceback__)
    lines = formatter.format(logging.LogRecord("n", logging.INFO, "", 0, "told", (), caught)).split("\n")
    assert lines[0] == "n told"
    assert all(line.startswith("    ") for line in lines[1:])
    assert is_safe("\n".join(lines))


@pytest.fixture
def database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> str:
    """The URL of a sandbox in which a hostile caller has called: refused by form, denied, and allowed."""
    url = f"sqlite:///{tmp_path / 'rolecall.db'}"
    world, clock = read_world_file(str(builtin_world_path())), Clock()
    opened = open_database(url, world, clock)
    log = decision_log(url, clock)
    application = application_over(opened, world, clock, decisions=log)
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": f"chime:{HOSTILE}", "Resource": "*"},
        }
    )
    with caplog.at_level(logging.INFO, logger="rolecall"):
        for name in ("test", HOSTILE):
            sts, iam = (client(application, service, name, "test") for service in ("sts", "iam"))
            for made in (sts, iam):
                made.meta.events.register("before-sign", _with_hostile_agent)
            for call in (
                lambda made=sts: made.get_caller_identity(),
                lambda made=sts: made.assume_role(
                    RoleArn=f"arn:aws:iam::111122223333:role/{HOSTILE}", RoleSessionName="ab"
                ),
                lambda made=sts: made.assume_role(
                    RoleArn=f"arn:aws:iam::111122223333:role/{PASSABLE}", RoleSessionName="ab"
                ),
                lambda made=sts: made.assume_role(RoleArn=HOSTILE * 3, RoleSessionName=HOSTILE),
                lambda made=iam: made.create_policy(PolicyName=HOSTILE, PolicyDocument=document),
                lambda made=iam: made.create_policy(PolicyName="hostile", PolicyDocument=document),
                lambda made=iam: made.get_user(UserName=HOSTILE),
            ):
                with suppress(ClientError):
                    call()
    assert caplog.messages
    assert all(is_safe(message, 1) for message in caplog.messages)
    application.finish()
    opened.close()
    return url


def _with_hostile_agent(request: Any, **_ignored: Any) -> None:
    request.headers["User-Agent"] = HOSTILE


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.output
    return result.output


def test_commands_that_read_the_log(database: str) -> None:
    listed = shown("decisions", "--database", database)
    assert is_safe(listed)
    assert "FORGED\\r\\x85\\u202eab\\u2028" in listed
    # One line for each call, whatever its texts contain.
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in listed.splitlines())
    for shape in ("json", "cloudtrail"):
        assert is_safe(shown("decisions", "--format", shape, "--database", database))
    for line in listed.splitlines():
        identifier = line.split("  ")[1]
        assert is_safe(shown("explain", identifier, "--database", database))
        assert is_safe(shown("explain", identifier, "--json", "--database", database))
    assert is_safe(shown("explain", f"no{HOSTILE}", "--database", database))
    assert is_safe(shown("policy", "--principal", f"arn:aws:iam::111122223333:user/{HOSTILE}", "--database", database))
    assert is_safe(shown("policy", "--principal", "arn:aws:iam::111122223333:user/admin", "--database", database))


def test_commands_that_read_files(tmp_path: Path) -> None:
    file = tmp_path / "hostile.yaml"
    account = {
        "id": HOSTILE,
        HOSTILE: 1,
        "users": [{"name": HOSTILE, "groups": [HOSTILE], "attached_policies": [HOSTILE]}],
    }
    file.write_text(json.dumps({"version": 1, "accounts": [account], "settings": {"chime_denied_as": HOSTILE}}))
    url = f"sqlite:///{tmp_path / 'rolecall.db'}"
    for arguments in (
        ("check", str(file)),
        ("env", "--config", str(file)),
        ("env", "--config", f"no{HOSTILE}"),
        ("serve", "--config", str(file), "--database", url),
        ("snapshot", "load", str(file), "--database", url),
        ("snapshot", "load", f"no{HOSTILE}", "--database", url),
        ("faults", "set", f"no{HOSTILE}"),
        ("env", "--as", HOSTILE),
        ("operations", HOSTILE),
    ):
        assert is_safe(shown(*arguments)), arguments
    secret = {"id": "AKIAEXAMPLE", "secret": f"sec{DANGEROUS[1]}ret"}
    file.write_text(
        json.dumps(
            {"version": 1, "accounts": [{"id": "111122223333", "users": [{"name": "a", "access_keys": [secret]}]}]}
        )
    )
    told = shown("env", "--config", str(file))
    assert is_safe(told)
    assert "a secret of 4 to 256 characters" in told


def test_commands_that_ask_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server at an address may answer anything."""
    hostile = {
        "token": HOSTILE,
        "assertion": HOSTILE,
        "code": HOSTILE,
        "pair": [HOSTILE, HOSTILE],
        "now": HOSTILE,
        "offset_seconds": 0,
        "frozen": False,
        "rules": [{HOSTILE: HOSTILE}],
        "message": HOSTILE,
    }
    commands = (
        ("token", "--issuer", "ci"),
        ("saml-assertion", "--idp", "idp", "--role", "r", "--provider", "p", "--session-name", "s"),
        ("mfa-code", "phone"),
        ("credentials", "--role", "r", "--mfa", "phone"),
        ("clock",),
        ("faults", "show"),
    )

    class Answer:
        status = 200

        def read(self) -> bytes:
            return json.dumps(hostile).encode()

    class Connection:
        def __init__(self, *_arguments: Any, **_named: Any) -> None:
            pass

        def request(self, *_arguments: Any) -> None:
            pass

        def getresponse(self) -> Answer:
            return Answer()

        def close(self) -> None:
            pass

    monkeypatch.setattr(running.http.client, "HTTPConnection", Connection)
    for status in (200, 400):
        monkeypatch.setattr(Answer, "status", status)
        for arguments in commands:
            assert is_safe(shown(*arguments), 2), (status, arguments)


def test_the_report_of_the_test_kit() -> None:
    with Rolecall() as sandbox:
        with pytest.raises(ClientError):
            sandbox.client("sts").assume_role(
                RoleArn=f"arn:aws:iam::111122223333:role/{PASSABLE}", RoleSessionName="ab"
            )
        [refused] = sandbox.refusals
        assert is_safe(str(refused))


def test_a_failure_of_an_endpoint_is_logged_in_one_line(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("rolecall.identity_providers.oidc_tokens.discovery_document", fail)
    monkeypatch.setattr("rolecall.web.oidc_endpoints.ISSUER_NAME", re.compile(".*", re.DOTALL))
    path = f"/_rolecall/oidc/{quote(HOSTILE)}/.well-known/openid-configuration"
    assert world.application.test_client().get(path).status_code == 500
    [message] = caplog.messages
    assert is_safe(message, 1)
    assert "FORGED" in message


# ``rich_output`` lays out what ``terminal`` has made printable (tests/commands/test_terminal.py).
PRINTING = ("common.py", "terminal.py", "rich_output.py")


def test_commands_print_through_one_place() -> None:
    """A command that prints directly would print hostile text unchanged."""
    folder = Path(common.__file__).parent
    found = []
    for file in folder.glob("*.py"):
        for node in walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = node.func if isinstance(node, ast.Call) else None
            called = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""
            if called in ("echo", "secho", "print", "print_exception") and file.name not in PRINTING:
                found.append(f"{file.name}:{node.lineno}")
    assert not found
    exactly = [file.name for file in folder.glob("*.py") if "tell_exactly(" in file.read_text(encoding="utf-8")]
    # A snapshot is a file, the lines for a shell hold only checked keys, and JSON escapes control characters itself.
    told = ("common", "decisions", "env", "explain", "paths", "private_output", "schema", "verify", "who_can")
    assert sorted(exactly) == [f"{name}.py" for name in told]

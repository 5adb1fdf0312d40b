"""``rolecall credentials`` against a served sandbox: what it prints for each shell, and what the credentials may do."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from reserved_ports import reserved_port
from served import Server, boto3_session, clean_environment, role_arn, run_rolecall, script

Make = Callable[..., Server]
NAMES = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def credentials(server: Server, *arguments: str, **variables: str) -> str:
    done = run_rolecall(server.folder, "credentials", "--port", str(server.port), *arguments, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refusal(folder: Path, *arguments: str, **variables: str) -> str:
    """What the command says on stderr. It prints nothing that a shell could take."""
    done = run_rolecall(folder, "credentials", *arguments, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def client(server: Server, service: str, given: dict[str, Any]) -> Any:
    return boto3_session().client(
        service,
        endpoint_url=server.url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_a_credential_process_s_answer(server: Server) -> None:
    given = json.loads(credentials(server, "--role", "chime-reader"))
    assert sorted(given) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]
    assert given["Version"] == 1
    left = datetime.strptime(given["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - datetime.now(UTC)
    assert 3000 < left.total_seconds() <= 3600
    identity = client(server, "sts", given).get_caller_identity()
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/chime-reader/rolecall"
    # The role's permissions hold.
    chime = client(server, "chime", given)
    assert chime.list_accounts()["Accounts"]
    with pytest.raises(ClientError, match="not authorized to perform: chime:CreateAccount"):
        chime.create_account(Name="more")


def test_the_session_is_as_asked_for(server: Server) -> None:
    asked = ("--session-name", "build-7", "--duration-seconds", "900", "--role", role_arn("chime-reader"))
    given = json.loads(credentials(server, *asked))
    assert client(server, "sts", given).get_caller_identity()["Arn"].endswith(":assumed-role/chime-reader/build-7")
    expires_at = datetime.strptime(given["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert 300 < (expires_at - datetime.now(UTC)).total_seconds() <= 900


def test_a_role_of_another_account_with_an_external_id(server: Server) -> None:
    asked = ("--role", "chime-partner", "--port", str(server.port))
    message = refusal(server.folder, *asked)
    arn = role_arn("chime-partner", "444455556666")
    assert "AssumeRole was refused: AccessDenied: User: arn:aws:iam::111122223333:user/admin" in message
    assert f"not authorized to perform: sts:AssumeRole on resource: {arn}" in message
    request_id = re.search(r"^rolecall explain (\S+) says why$", message, re.M)
    assert request_id is not None
    assert server.control("GET", f"decisions/{request_id[1]}")[0] == 200
    given = json.loads(credentials(server, "--role", "chime-partner", "--external-id", "partner-id"))
    assert client(server, "sts", given).get_caller_identity()["Account"] == "444455556666"


def test_the_user_s_own_key_signs_the_call(server: Server) -> None:
    credentials(server, "--role", "chime-reader", "--as", "developer", "--session-name", "by-developer")
    _, logged = server.control("GET", "decisions?action=sts:AssumeRole&limit=1")
    assert logged["decisions"][0]["principal"] == "arn:aws:iam::111122223333:user/developer"
    arguments = ("--role", "chime-partner", "--as", "developer", "--port", str(server.port))
    message = "AccessDenied: User: arn:aws:iam::111122223333:user/developer is not authorized"
    assert message in refusal(server.folder, *arguments)


# Each shell and file format.


def shell_values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_posix_shell(server: Server, tmp_path: Path) -> None:
    printed = credentials(server, "--role", "chime-reader", "--format", "env")
    assert [shlex.split(line)[0] for line in printed.splitlines()] == ["export"] * 4
    show = "".join(f'\nprintf "%s\\n" "${name}"' for name in NAMES)
    done = subprocess.run(["sh", "-c", printed + show], capture_output=True, text=True, env={}, check=True)
    found = dict(zip(NAMES, done.stdout.splitlines(), strict=True))
    assert works(server, found)


def works(server: Server, found: dict[str, str]) -> bool:
    session = boto3.Session(
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=found["AWS_SESSION_TOKEN"],
        region_name="us-east-1",
    )
    arn = session.client("sts", endpoint_url=server.url).get_caller_identity()["Arn"]
    dated = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["AWS_CREDENTIAL_EXPIRATION"])
    return dated is not None and arn.endswith(":assumed-role/chime-reader/rolecall")


@pytest.mark.parametrize(
    ("form", "line"),
    [
        # about_Environment_Variables: $Env:NAME = 'value'; single quotes are verbatim.
        ("powershell", r"\$Env:(\w+)='([^']+)'"),
        # fish documentation: set -gx exports globally; single quotes are verbatim but for \\ and \'.
        ("fish", r"set -gx (\w+) '([^'\\]+)'"),
        # dotenv libraries and Docker Compose: single quotes are verbatim.
        ("dotenv", r"(\w+)='([^']+)'"),
        # docker run --env-file: the value is what follows =, with its quotes.
        ("docker", r"(\w+)=([^'\"\s]+)"),
    ],
)
def test_other_shells_and_files(server: Server, form: str, line: str) -> None:
    found = {}
    for text in credentials(server, "--role", "chime-reader", "--format", form).splitlines():
        read = re.fullmatch(line, text)
        assert read is not None, text
        found[read[1]] = read[2]
    assert list(found) == NAMES
    assert works(server, found)


# In ~/.aws/config.


def configured(server: Server, home: Path, *arguments: str) -> dict[str, str]:
    """An environment whose profile ``sandbox`` gets its credentials from the command."""
    process = shlex.join([*script("rolecall"), "credentials", "--port", str(server.port), *arguments])
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        f"[profile sandbox]\nregion = us-east-1\nendpoint_url = {server.url}\ncredential_process = {process}\n"
    )
    return clean_environment(home, AWS_PROFILE="sandbox")


PROGRAM = """
import boto3
print(boto3.client("sts").get_caller_identity()["Arn"])
print(boto3.Session().get_credentials().method)
"""


def test_a_credential_process_of_boto3(server: Server, tmp_path: Path) -> None:
    # The command inherits AWS_PROFILE, and must not ask for its own credentials.
    variables = configured(server, tmp_path, "--role", "chime-reader", "--session-name", "from-boto3")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=variables, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    arn, method = done.stdout.splitlines()
    assert arn == "arn:aws:sts::111122223333:assumed-role/chime-reader/from-boto3"
    assert method == "custom-process"


def test_a_credential_process_that_is_refused(server: Server, tmp_path: Path) -> None:
    variables = configured(server, tmp_path, "--role", "chime-partner", "--as", "developer")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "CredentialRetrievalError" in done.stderr
    assert "user/developer is not authorized to perform: sts:AssumeRole" in done.stderr


def test_settings_of_the_environment_do_not_disturb(server: Server) -> None:
    strange = {
        "AWS_PROFILE": "missing",
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_REGION": "nowhere",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    assert json.loads(credentials(server, "--role", "chime-reader", **strange))["Version"] == 1


# MFA, and sandbox files of one's own.


@pytest.fixture
def guarded(make_server: Make, tmp_path: Path) -> Server:
    """A role in a path, for sessions with MFA only, and a user with a device."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "111122223333"},
                "Action": "sts:AssumeRole",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            }
        ],
    }
    user = {
        "name": "ana",
        "access_keys": [{"id": "ana_key", "secret": "secret"}],
        "attached_policies": [ADMINISTRATOR],
        "mfa_devices": [{"name": "phone", "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}],
    }
    roles = [{"name": "guarded", "path": "/team/", "trust_policy": trust}]
    world = {"version": 1, "accounts": [{"id": "111122223333", "users": [user], "roles": roles}]}
    file = tmp_path / "guarded.yaml"
    file.write_text(yaml.safe_dump(world))
    return make_server("--config", str(file))


def test_mfa(guarded: Server, tmp_path: Path) -> None:
    asked = ("--config", str(tmp_path / "guarded.yaml"), "--role", "guarded", "--port", str(guarded.port))
    assert "AccessDenied" in refusal(guarded.folder, *asked)
    for device in ("phone", "arn:aws:iam::111122223333:mfa/phone"):
        given = json.loads(credentials(guarded, *asked, "--mfa", device))
        assert client(guarded, "sts", given).get_caller_identity()["Arn"].endswith(":assumed-role/guarded/rolecall")
        # The code and the next one are used after two calls.
        assert run_rolecall(guarded.folder, "clock", "+1m", "--port", str(guarded.port)).returncode == 0
    code = run_rolecall(guarded.folder, "mfa-code", "phone", "--port", str(guarded.port)).stdout.strip()
    assert credentials(guarded, *asked, "--mfa", "phone", "--mfa-code", code)
    assert "MultiFactorAuthentication failed" in refusal(
        guarded.folder, *asked, "--mfa", "phone", "--mfa-code", "000000"
    )
    assert "there is no virtual MFA device" in refusal(guarded.folder, *asked, "--mfa", "other")


# What cannot work.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing option '--role'"),
        (["--role", "chime-reader", "--mfa-code", "123456"], "--mfa-code needs --mfa."),
        (["--role", "chime-reader", "--format", "cmd"], "'cmd' is not one of"),
        (["--role", "chime-reader", "--as", "nobody"], "declares no user 'nobody' with an access key"),
        (["--role", "chime-reader", "--scope", "missing.json"], "cannot read missing.json: No such file"),
        (["--role", "chime-reader", "--scope", "/dev/zero"], "cannot read /dev/zero: longer than 1000000 bytes"),
        (["--role", "chime-reader", "--endpoint", "ftp://x"], "cannot call AssumeRole at ftp://x: "),
        (["--role", "chime-reader", "--endpoint", "nonsense"], "cannot call AssumeRole at nonsense: "),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], words: str) -> None:
    assert words in refusal(tmp_path, *arguments)


def test_no_server(tmp_path: Path) -> None:
    port = reserved_port()
    message = refusal(tmp_path, "--role", "chime-reader", "--port", str(port))
    assert message.startswith(f"rolecall: cannot call AssumeRole at http://127.0.0.1:{port}: Could not connect")
    assert message.count("\n") == 1


def test_the_server_s_refusals_are_shown(server: Server) -> None:
    port = ("--port", str(server.port))
    missing = refusal(server.folder, "--role", "no-such-role", *port)
    assert (
        "not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/no-such-role" in missing
    )
    short = refusal(server.folder, "--role", "chime-reader", "--duration-seconds", "901000", *port)
    assert "AssumeRole was refused: ValidationError: " in short
    # botocore checks the lower limit itself.
    assert "valid min value" in refusal(server.folder, "--role", "chime-reader", "--duration-seconds", "1", *port)


def answer_with(**changes: str) -> bytes:
    parts = {
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "secret",
        "SessionToken": "token",
        "Expiration": "2030-01-01T00:00:00Z",
    } | changes
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value)
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"{inner}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()


@contextmanager
def answering(*bodies: bytes, asked: list[tuple[str, str]] | None = None) -> Iterator[str]:
    """A server that answers these in turn, and is not Rolecall. ``asked`` gets the token and body of each call."""
    left = list(bodies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if asked is not None:
                asked.append((self.headers.get("X-Amz-Security-Token", ""), text))
            body = left.pop(0)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "body",
    [
        b"no XML",
        b"",
        answer_with(SessionToken="x'; touch stolen; '"),
        answer_with(AccessKeyId="a&#10;export PATH=/x"),
        answer_with(SecretAccessKey="$(touch stolen)"),
        answer_with(SessionToken=""),
        answer_with(Expiration=""),
    ],
)
def test_a_server_cannot_give_a_shell_commands(tmp_path: Path, body: bytes) -> None:
    with answering(body) as url:
        message = refusal(tmp_path, "--role", "chime-reader", "--format", "env", "--endpoint", url)
    assert message.startswith("rolecall: ")
    assert message.count("\n") == 1


def test_a_scope_narrows_the_role_s_session(tmp_path: Path) -> None:
    policy = '{"Version": "2012-10-17", "Statement": []}'
    (tmp_path / "scope.json").write_text(policy)
    narrowed = answer_with(SessionToken="narrowed").replace(b"AssumeRole", b"GetScopedCredentials")
    asked: list[tuple[str, str]] = []
    with answering(answer_with(), narrowed, asked=asked) as url:
        arguments = ("--role", "r", "--scope", "scope.json", "--format", "docker", "--endpoint", url)
        done = run_rolecall(tmp_path, "credentials", *arguments)
    assert (done.returncode, shell_values(done.stdout)["AWS_SESSION_TOKEN"]) == (0, "narrowed")
    [(no_token, assume), (token, scoped)] = asked
    assert (no_token, token) == ("", "token")
    assert parse_qs(assume)["Action"] == ["AssumeRole"]
    assert (parse_qs(scoped)["Action"], parse_qs(scoped)["Policy"]) == (["GetScopedCredentials"], [policy])


@pytest.fixture
def scoping(make_server: Make, tmp_path: Path) -> tuple[Server, tuple[str, ...]]:
    """A role that may narrow its sessions, and the arguments that name it."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    role = {
        "name": "app",
        "trust_policy": {"Version": "2012-10-17", "Statement": trust},
        "attached_policies": [ADMINISTRATOR],
    }
    user = {
        "name": "ana",
        "access_keys": [{"id": "ana_key", "secret": "secret"}],
        "attached_policies": [ADMINISTRATOR],
    }
    world = {"version": 1, "accounts": [{"id": "111122223333", "users": [user], "roles": [role]}]}
    file = tmp_path / "app.yaml"
    file.write_text(yaml.safe_dump(world))
    return make_server("--config", str(file)), ("--config", str(file), "--role", "app")


def test_narrowed_credentials_do_less(scoping: tuple[Server, tuple[str, ...]], tmp_path: Path) -> None:
    server, arguments = scoping
    statement = {"Effect": "Allow", "Action": "iam:List*", "Resource": "*"}
    policy = tmp_path / "scope.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    given = json.loads(credentials(server, *arguments, "--scope", str(policy)))
    iam = client(server, "iam", given)
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["ana"]
    with pytest.raises(ClientError, match="not authorized to perform: iam:CreateUser"):
        iam.create_user(UserName="more")
    _, logged = server.control("GET", "decisions?action=iam:CreateUser&limit=1")
    assert logged["decisions"][0]["layer_name"] == "scope-down policy 1 of 1"
    policy.write_text("{}")
    port = str(server.port)
    message = refusal(server.folder, *arguments, "--scope", str(policy), "--port", port)
    assert "GetScopedCredentials was refused: MalformedPolicyDocument: " in message


def test_a_role_that_may_not_narrow(server: Server, tmp_path: Path) -> None:
    (tmp_path / "scope.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    arguments = ("--role", "chime-reader", "--scope", str(tmp_path / "scope.json"), "--port", str(server.port))
    message = refusal(server.folder, *arguments)
    assert "GetScopedCredentials was refused: AccessDenied: User: arn:aws:sts::111122223333:assumed-role/" in message


def test_the_test_server_s_ordinary_answer_is_taken(tmp_path: Path) -> None:
    with answering(answer_with()) as url:
        done = run_rolecall(tmp_path, "credentials", "--role", "r", "--format", "docker", "--endpoint", url)
    assert shell_values(done.stdout) == dict(
        zip(NAMES, ["ASIAEXAMPLE", "secret", "token", "2030-01-01T00:00:00Z"], strict=True)
    )

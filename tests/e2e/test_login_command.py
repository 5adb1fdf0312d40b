"""``rolecall login``: what it refuses, and what SDKs make of the file that it writes."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import PATIENCE_SECONDS, clean_environment, run_rolecall
from sso_calls import FIRST, SECOND, START_URL, WORLD

from rolecall import Rolecall

PROGRAM = """
import boto3
print(boto3.client('sts').get_caller_identity()['Arn'], boto3.client('chime').list_accounts()['Accounts'])
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    config = tmp_path_factory.mktemp("login") / "rolecall.yaml"
    config.write_text(WORLD, encoding="utf-8")
    with Rolecall.start(config=str(config)) as started:
        yield started, config


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def ran(sandbox: Any, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    started, config = sandbox
    return run_rolecall(home, *arguments, "--config", str(config), "--endpoint", started.endpoint_url)


def cache_file(home: Path, session: str = "rolecall") -> Path:
    return home / ".aws" / "sso" / "cache" / f"{hashlib.sha1(session.encode()).hexdigest()}.json"  # noqa: S324


def called(home: Path, profile: str, section: str) -> subprocess.CompletedProcess[str]:
    config = home / ".aws" / "config"
    config.write_text(section, encoding="utf-8")
    variables = clean_environment(home, AWS_CONFIG_FILE=str(config), AWS_PROFILE=profile)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        cwd=home,
    )


def test_an_unknown_user(sandbox: Any, home: Path) -> None:
    done = ran(sandbox, home, "login", "--as", "nobody")
    assert (done.returncode, "no user 'nobody'" in done.stderr) == (2, True)
    assert "its users are: ana, bob, eve" in done.stderr
    assert not cache_file(home).exists()


def test_a_sandbox_without_users_to_sign_in(home: Path) -> None:
    done = run_rolecall(home, "login")
    assert (done.returncode, "declares no user of IAM Identity Center" in done.stderr) == (2, True)


def test_no_server(sandbox: Any, home: Path) -> None:
    done = run_rolecall(home, "login", "--config", str(sandbox[1]), "--endpoint", "http://127.0.0.1:9")
    assert (done.returncode, "cannot sign in at http://127.0.0.1:9" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["", "a b", "../x", "a]"])
def test_a_session_that_a_section_cannot_have(sandbox: Any, home: Path, name: str) -> None:
    assert ran(sandbox, home, "login", "--session", name).returncode == 2
    assert ran(sandbox, home, "profile", "--permission-set", "Audit", "--session", name).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--permission-set", "Unknown"], "its permission sets are: Developer, Audit"),
        (["--permission-set", "Developer", "--account", SECOND], f"it is assigned in: {FIRST}"),
        (["--permission-set", "Developer", "--role", "x"], "--permission-set goes without --role"),
        (["--permission-set", "Developer", "--as", "admin"], "--permission-set goes without --role"),
        (["--account", FIRST], "--account needs --permission-set"),
    ],
)
def test_profiles_that_could_not_work(sandbox: Any, home: Path, arguments: list[str], told: str) -> None:
    done = ran(sandbox, home, "profile", *arguments)
    assert (done.returncode, told in done.stderr) == (2, True)


def test_a_profile_works_at_once(sandbox: Any, home: Path) -> None:
    """The file is private, has what SDKs read, and the profile of `rolecall profile` finds it."""
    done = ran(sandbox, home, "login", "--as", "ANA")
    assert done.returncode == 0, done.stderr
    file = cache_file(home)
    assert done.stdout.startswith("ana is signed in until ")
    assert done.stdout.endswith(f"{file}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    cached = json.loads(file.read_text(encoding="utf-8"))
    assert (cached["startUrl"], cached["region"]) == (START_URL, "us-east-1")
    assert set(cached) == {
        "startUrl",
        "region",
        "accessToken",
        "expiresAt",
        "clientId",
        "clientSecret",
        "registrationExpiresAt",
        "refreshToken",
    }
    section = ran(sandbox, home, "profile", "--name", "sso", "--permission-set", "Developer").stdout
    answer = called(home, "sso", section)
    assert answer.stdout.startswith(f"arn:aws:sts::{FIRST}:assumed-role/AWSReservedSSO_Developer_"), answer.stderr
    assert answer.stdout.endswith("/ana []\n")
    # An expired token is refreshed at the same server.
    file.write_text(json.dumps({**cached, "expiresAt": "2020-01-01T00:00:00Z"}), encoding="utf-8")
    assert called(home, "sso", section).returncode == 0
    assert json.loads(file.read_text(encoding="utf-8"))["accessToken"] != cached["accessToken"]
    # A permission set that the user does not have.
    other = ran(sandbox, home, "login", "--as", "eve", "--session", "other")
    assert other.returncode == 0
    section = ran(sandbox, home, "profile", "--permission-set", "Audit", "--account", SECOND, "--session", "other")
    assert "No access" in called(home, "rolecall", section.stdout).stderr

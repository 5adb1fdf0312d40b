"""``rolecall profile``: what boto3 makes of the section, and what the command refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import PATIENCE_SECONDS, Server, clean_environment, run_rolecall

Make = Callable[..., Server]


def profile(server: Server, *arguments: str) -> str:
    done = run_rolecall(server.folder, "profile", "--port", str(server.port), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def used(server: Server, tmp_path: Path, section: str, name: str) -> dict[str, Any]:
    """Who calls with the profile in another process, and where two services are looked for."""
    config = tmp_path / "config"
    config.write_text(section, encoding="utf-8")
    program = (
        "import boto3, json\n"
        "print(json.dumps({'arn': boto3.client('sts').get_caller_identity()['Arn'],"
        " 'iam': boto3.client('iam').meta.endpoint_url, 's3': boto3.client('s3').meta.endpoint_url}))\n"
    )
    variables = clean_environment(tmp_path, AWS_CONFIG_FILE=str(config), AWS_PROFILE=name)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
        cwd=tmp_path,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\x00", "\u2028"])
def test_nothing_can_add_a_line_to_the_file(server: Server, character: str) -> None:
    hostile = f"x{character}[profile default]"
    for arguments in (("--role", hostile), ("--role", "r", "--as", hostile), ("--role", "r", "--mfa", hostile)):
        done = run_rolecall(server.folder, "profile", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
    assert run_rolecall(server.folder, "profile", "--name", hostile).returncode == 2


@pytest.mark.parametrize("name", ["", "a b", "a]", "[x", "ü"])
def test_a_name_that_a_section_cannot_have(server: Server, name: str) -> None:
    assert run_rolecall(server.folder, "profile", "--name", name).returncode == 2


def test_a_device_needs_a_role(server: Server) -> None:
    done = run_rolecall(server.folder, "profile", "--mfa", "phone")
    assert (done.returncode, "--mfa needs --role" in done.stderr) == (2, True)


def test_an_unknown_user(server: Server) -> None:
    done = run_rolecall(server.folder, "profile", "--as", "nobody")
    assert (done.returncode, "no user 'nobody'" in done.stderr) == (2, True)


def test_a_role_by_credential_process(server: Server, tmp_path: Path) -> None:
    section = profile(server, "--name", "reader", "--role", "chime-reader", "--as", "developer")
    found = used(server, tmp_path, section, "reader")
    assert found["arn"] == "arn:aws:sts::111122223333:assumed-role/chime-reader/rolecall"
    assert found["iam"] == server.url
    assert found["s3"].endswith(".amazonaws.com")
    _, logged = server.control("GET", "decisions?action=sts:AssumeRole&limit=1")
    assert logged["decisions"][0]["principal"] == "arn:aws:iam::111122223333:user/developer"


def test_the_users_own_key_and_every_service(server: Server, tmp_path: Path) -> None:
    found = used(server, tmp_path, profile(server, "--all"), "rolecall")
    assert found["arn"] == "arn:aws:iam::111122223333:user/admin"
    assert found["iam"] == found["s3"] == server.url

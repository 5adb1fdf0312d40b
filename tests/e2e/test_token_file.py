"""``rolecall token --file --refresh``: a file that follows the sandbox's clock, and what SDKs do with it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from served import Server, run_rolecall

Make = Callable[..., Server]
ISSUER = "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"
SUBJECT = "system:serviceaccount:shop:cart"


@pytest.fixture
def served(make_server: Make, tmp_path: Path) -> Server:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER.partition('://')[2]}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER.partition('://')[2]}:sub": SUBJECT}},
    }
    account = {
        "id": "111122223333",
        "users": [{"name": "admin", "access_keys": [{"id": "test", "secret": "test"}]}],
        "roles": [{"name": "web", "trust_policy": {"Version": "2012-10-17", "Statement": [statement]}}],
        "oidc_providers": [{"url": ISSUER, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}],
    }
    file = tmp_path / "world.yaml"
    file.write_text(yaml.safe_dump({"version": 1, "accounts": [account]}), encoding="utf-8")
    return make_server("--config", str(file))


def kept(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch, *looks: Callable[[], None], **more: str) -> Any:
    """Run the command until it has looked so often. Each look is a function that runs in place of the pause."""
    left = list(looks)

    def pause(_seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    monkeypatch.setattr("rolecall.commands.token.time", SimpleNamespace(sleep=pause))
    options = [text for name, value in more.items() for text in (f"--{name}", value)]
    arguments = ("--issuer", ISSUER, "--shape", "eks", "--file", str(file), "--refresh", *options)
    return run_rolecall(server.folder, "token", "--port", str(server.port), "--subject", SUBJECT, *arguments)


def claims(text: str) -> Any:
    part = text.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def assume(server: Server, token: str) -> str:
    arn = "arn:aws:iam::111122223333:role/web"
    arguments = {"RoleArn": arn, "RoleSessionName": "pod", "WebIdentityToken": token}
    return str(server.client("sts").assume_role_with_web_identity(**arguments)["AssumedRoleUser"]["Arn"])


def test_refreshing_needs_a_file_and_an_end(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_rolecall(served.folder, "token", "--issuer", "ci", "--refresh")
    assert (done.returncode, "--refresh needs --file" in done.stderr) == (2, True)
    file = tmp_path / "token"
    done = kept(served, file, monkeypatch, claim="exp:=null")
    assert (done.returncode, "needs a token with the claims iat and exp" in done.stderr) == (2, True)


def test_the_file_is_new_before_the_token_expires(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, seen = tmp_path / "token", []

    def look(advance: str) -> Callable[[], None]:
        def looked() -> None:
            seen.append(file.read_text(encoding="ascii"))
            assert run_rolecall(served.folder, "clock", advance, "--port", str(served.port)).returncode == 0

        return looked

    def last() -> None:
        seen.append(file.read_text(encoding="ascii"))

    # An hour: new after 48 minutes.
    kept(served, file, monkeypatch, look("+47m"), look("+2m"), last, lifetime="3600")
    first, same, second = seen
    assert first == same != second
    assert file.stat().st_mode & 0o077 == 0
    assert "\n" not in second
    assert claims(second)["iat"] - claims(first)["iat"] >= 48 * 60
    assert assume(served, second) == "arn:aws:sts::111122223333:assumed-role/web/pod"
    run_rolecall(served.folder, "clock", "+1h", "--port", str(served.port))
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        assume(served, first)


def test_a_server_that_is_away_is_told_once(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"

    def nothing() -> None:
        """Another look."""

    done = kept(served, file, monkeypatch, served.kill, nothing, nothing)
    assert done.stderr.count("Rolecall does not answer at") == 1
    assert file.read_text(encoding="ascii").count(".") == 2


def test_boto3_reads_the_file(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    done = run_rolecall(
        served.folder, "token", "--port", str(served.port), "--issuer", ISSUER, "--shape", "eks", "--subject", SUBJECT,
        "--file", str(file),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    for name, value in (
        ("AWS_WEB_IDENTITY_TOKEN_FILE", str(file)),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/web"),
        ("AWS_ENDPOINT_URL_STS", served.url),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    identity = boto3.Session().client("sts").get_caller_identity()
    assert ":assumed-role/web/" in identity["Arn"]

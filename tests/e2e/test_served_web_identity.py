"""Web identities end to end: ``rolecall serve``, tokens of ``rolecall token``, and SDKs that read them from a file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from served import PATIENCE_SECONDS, Server, clean_environment, run_rolecall, script, start

ACCOUNT = "111122223333"
EKS = "oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
SERVICE_ACCOUNT = "system:serviceaccount:prod:api"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pod"


def sandbox() -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{EKS}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{EKS}:sub": SERVICE_ACCOUNT, f"{EKS}:aud": "sts.amazonaws.com"}},
            }
        ],
    }
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    account = {
        "id": ACCOUNT,
        "users": [
            {
                "name": "admin",
                "access_keys": [{"id": "test", "secret": "test"}],
                "attached_policies": [administrator],
            }
        ],
        "roles": [{"name": "pod", "trust_policy": trust}],
        "oidc_providers": [{"url": f"https://{EKS}", "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}],
    }
    return json.dumps({"version": 1, "accounts": [account]})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("federation")
    (folder / "sandbox.json").write_text(sandbox(), encoding="utf-8")
    server = start(folder, "--config", str(folder / "sandbox.json"), "--workers", "2")
    yield server
    try:
        server.stop()
    finally:
        server.kill()


def minted(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_rolecall(server.folder, "token", "--port", str(server.port), *arguments)


def token_of(server: Server, *arguments: str) -> str:
    done = minted(server, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


def test_a_pod_gets_its_credentials_as_on_eks(served: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token_of(served, "--issuer", f"https://{EKS}", "--shape", "eks", "--subject", SERVICE_ACCOUNT))
    variables = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ROLE_ARN": ROLE,
        "AWS_ROLE_SESSION_NAME": "pod",
        "AWS_ENDPOINT_URL": served.url,
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    done = subprocess.run(
        [*script("aws"), "sts", "get-caller-identity", "--query", "Arn", "--output", "text"],
        env=clean_environment(tmp_path, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.stdout.strip() == f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/pod", done.stderr


def test_botocore_finds_the_file_by_itself_and_reads_it_again(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(token_of(served, "--issuer", f"https://{EKS}", "--shape", "eks", "--subject", SERVICE_ACCOUNT))
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
    session = boto3.Session(region_name="us-east-1")
    assert session.client("sts").get_caller_identity()["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/")
    file.write_text(
        token_of(served, "--issuer", f"https://{EKS}", "--shape", "eks", "--subject", "system:serviceaccount:prod:x")
    )
    other = boto3.Session(region_name="us-east-1").client("sts")
    with pytest.raises(Exception, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        other.get_caller_identity()


def test_a_named_issuer_is_trusted_over_http_without_asking_itself(served: Server) -> None:
    """Both workers verify what either has signed, and neither fetches anything from the other."""
    issuer = f"{served.url}/_rolecall/oidc/ci"
    iam = served.client("iam")
    arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["app"])["OpenIDConnectProviderArn"]
    trust: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"}],
    }
    role = iam.create_role(RoleName="ci", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    text = token_of(served, "--issuer", "ci", "--subject", "build", "--audience", "app", "--claim", "team=blue")
    claims = jwt.decode(text, options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["aud"], claims["team"]) == (issuer, "build", "app", "blue")
    sts = served.client("sts")
    for _ in range(10):
        answer = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="ci", WebIdentityToken=text)
        assert answer["Provider"] == arn
    status, document = served.control("GET", "oidc/ci/.well-known/openid-configuration")
    assert (status, document["issuer"]) == (200, issuer)


def test_claims_of_the_command(served: Server) -> None:
    arguments = ["--issuer", "ci", "--claim", "a=b=c", "--claim", 'https://aws.amazon.com/tags:={"principal_tags":{}}']
    arguments += [
        "--claim",
        "jti:=null",
        "--audience",
        "x",
        "--audience",
        "y",
        "--algorithm",
        "ES384",
        "--lifetime",
        "60",
    ]
    text = token_of(served, *arguments)
    claims = jwt.decode(text, options={"verify_signature": False})
    assert jwt.get_unverified_header(text)["alg"] == "ES384"
    assert (claims["a"], claims["aud"], claims["https://aws.amazon.com/tags"]) == (
        "b=c",
        ["x", "y"],
        {"principal_tags": {}},
    )
    assert claims["exp"] - claims["iat"] == 60
    assert "jti" not in claims


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--issuer", "https://other.example.com"], "rolecall: Rolecall does not sign for https://other.example.com"),
        (["--issuer", "ci", "--lifetime", "0"], "rolecall: lifetime_seconds must be a whole number from 1 to"),
        (["--issuer", "ci", "--claim", "team"], "--claim team: write it as NAME=TEXT, or as NAME:=JSON."),
        (["--issuer", "ci", "--claim", "team:=blue"], "--claim team:=blue: the value after := is not JSON."),
        (["--issuer", "ci", "--claim", ":=1"], "--claim :=1: write it as NAME=TEXT, or as NAME:=JSON."),
        (["--issuer", "ci", "--algorithm", "HS256"], "'HS256' is not one of"),
        ([], "Missing option '--issuer'"),
    ],
)
def test_what_the_command_cannot_do(served: Server, arguments: list[str], told: str) -> None:
    done = minted(served, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    done = run_rolecall(tmp_path, "token", "--issuer", "ci", "--port", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Rolecall does not answer at http://127.0.0.1:1" in done.stderr

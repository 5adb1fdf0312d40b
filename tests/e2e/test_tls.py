"""HTTPS: with a certificate of the user's, or one that the server makes; and what policies learn of it."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, SSLError
from served import FIRST_ACCOUNT, Server, boto3_session, run_rolecall, start

from rolecall.server import own_certificate, tls_context

Make = Callable[..., Server]
SECURE_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "chime:ListAccounts",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        }
    ],
}


def sandbox(folder: Path) -> str:
    account = {
        "id": FIRST_ACCOUNT,
        "users": [
            {
                "name": "careful",
                "access_keys": [{"id": "test", "secret": "test"}],
                "inline_policies": {"secure": SECURE_ONLY},
            }
        ],
    }
    (folder / "sandbox.json").write_text(json.dumps({"version": 1, "accounts": [account]}), encoding="utf-8")
    return str(folder / "sandbox.json")


def client(server: Server, service: str, verify: Any) -> Any:
    return boto3_session().client(
        service,
        endpoint_url=server.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        verify=verify,
    )


def printed_bundle(server: Server) -> str:
    [path] = re.findall(r"^export AWS_CA_BUNDLE=(.+)$", server.output(), re.MULTILINE)
    return str(path)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_makes_a_certificate_that_clients_can_believe(tmp_path: Path, make_server: Make, workers: str) -> None:
    data = str(tmp_path / "data")
    server = make_server(
        "--tls", "self-signed", "--workers", workers, "--config", sandbox(tmp_path), XDG_DATA_HOME=data
    )
    assert server.output().startswith(f"Rolecall is ready at https://127.0.0.1:{server.port}\n")
    bundle = printed_bundle(server)
    assert client(server, "sts", bundle).get_caller_identity()["Arn"] == f"arn:aws:iam::{FIRST_ACCOUNT}:user/careful"
    with pytest.raises(SSLError):
        client(server, "sts", None).get_caller_identity()
    done = run_rolecall(tmp_path, "clock", "--endpoint", server.url, AWS_CA_BUNDLE=bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert run_rolecall(tmp_path, "clock", "--endpoint", server.url).returncode == 2
    asked = ("credentials", "--role", "chime-reader", "--endpoint", server.url)
    assert "AssumeRole was refused" in run_rolecall(tmp_path, *asked, AWS_CA_BUNDLE=bundle).stderr
    assert "SSL validation failed" in run_rolecall(tmp_path, *asked).stderr
    assert {file.name: file.stat().st_mode & 0o777 for file in Path(bundle).parent.iterdir()} == {
        "authority.pem": 0o600,
        "server.pem": 0o600,
        "server-key.pem": 0o600,
    }
    before = Path(bundle).read_bytes()
    server.stop()
    server.restart()
    # Who has been pointed at the file need not be again.
    assert Path(printed_bundle(server)).read_bytes() == before
    assert client(server, "sts", bundle).get_caller_identity()["Account"] == FIRST_ACCOUNT


def test_secure_transport_is_what_the_connection_was(tmp_path: Path, make_server: Make) -> None:
    config, files = sandbox(tmp_path), own_certificate(tmp_path / "tls", "127.0.0.1")
    secure = make_server("--tls-cert", files.certificate_path, "--tls-key", files.key_path, "--config", config)
    assert client(secure, "chime", files.authority_path).list_accounts()["Accounts"] == []
    assert "AWS_CA_BUNDLE" not in secure.output()
    plain = make_server("--config", config)
    with pytest.raises(ClientError) as refused:
        client(plain, "chime", None).list_accounts()
    assert refused.value.response["Error"]["Code"] == "ForbiddenException"
    # A header claims what only the connection can be.
    claiming = client(plain, "chime", None)
    claiming.meta.events.register("before-send", claim)
    with pytest.raises(ClientError):
        claiming.list_accounts()


def claim(request: Any, **_: Any) -> None:
    request.headers["X-Forwarded-Proto"] = "https"


def test_an_own_certificate_is_made_anew_for_another_host(tmp_path: Path) -> None:
    first = Path(own_certificate(tmp_path, "127.0.0.1").certificate_path).read_bytes()
    again = own_certificate(tmp_path, "127.0.0.1")
    assert Path(again.certificate_path).read_bytes() == first
    other = own_certificate(tmp_path, "192.0.2.7")
    assert Path(other.certificate_path).read_bytes() != first
    strict = ssl.create_default_context(cafile=other.authority_path)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    assert handshake(tls_context(other), strict, "192.0.2.7") == {"DNS", "IP Address"}
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls_context(other), strict, "example.com")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> set[str]:
    """The kinds of names in the certificate, after a handshake in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return {kind for kind, _ in (ours.getpeercert() or {})["subjectAltName"]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tls-cert", "a.pem"), "--tls-cert and --tls-key belong together"),
        (("--tls-key", "a.pem"), "--tls-cert and --tls-key belong together"),
        (("--tls", "self-signed", "--tls-cert", "a.pem", "--tls-key", "b.pem"), "makes its own certificate"),
        (("--tls", "letsencrypt"), "'self-signed'"),
        (("--tls-cert", "absent.pem", "--tls-key", "absent.pem"), "cannot use the certificate absent.pem"),
    ],
)
def test_certificates_that_cannot_be_used(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = run_rolecall(tmp_path, "serve", "--database", "sqlite://", *options)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_server_without_a_log(tmp_path: Path) -> None:
    server = start(tmp_path, "--no-log")
    try:
        iam = server.client("iam")
        iam.create_user(UserName="someone")
        key = iam.create_access_key(UserName="someone")["AccessKey"]
        server.client("sts", (key["AccessKeyId"], key["SecretAccessKey"])).get_caller_identity()
        status, answer = server.control("GET", "decisions")
        assert status == 404
        assert "log" in answer["message"]
        assert [file.name for file in tmp_path.glob("*decisions*")] == []
        server.stop()
        server.restart()
        # When keys were last used is no part of the log.
        found = server.client("iam").get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
        assert found["AccessKeyLastUsed"]["ServiceName"] == "sts"
        server.stop()
    finally:
        server.kill()

"""The profile that ``aws login`` makes, over a socket: what botocore's provider sends, refreshes and reports."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import botocore.credentials
import pytest
from botocore.session import Session
from clients.curves import Curve
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from signin_calls import ACCOUNT, SAME_DEVICE, WORLD, Program, authorize_url, claims_of, needs_the_model, token_input

from rolecall import Rolecall
from rolecall.inprocess import ENDPOINT_URL
from rolecall.remote import Keys, call

pytestmark = [
    needs_the_model,
    pytest.mark.skipif(not hasattr(botocore.credentials, "LoginProvider"), reason="botocore does not know aws login"),
]
USER = f"arn:aws:iam::{ACCOUNT}:user/team/ana"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Any]:
    config = tmp_path / "rolecall.yaml"
    config.write_text(WORLD, encoding="utf-8")
    with Rolecall.start(config=str(config)) as started:
        yield started


@pytest.fixture
def signed_in(sandbox: Any, tmp_path: Path) -> Iterator[Path]:
    """The cache of a program that signed in, and the profile. Its credentials have expired."""
    program, url = Program(), sandbox.endpoint_url
    asked = authorize_url().replace(ENDPOINT_URL, url)
    body = json.dumps({"url": asked, "principal": "user/ana"}).encode()
    with urllib.request.urlopen(f"{url}/_rolecall/signin/approve", body) as approved:  # noqa: S310 - this machine
        location = json.load(approved)["location"]
    code = dict(parse_qsl(urlsplit(location).query))["code"]
    signin: Any = Session().create_client("signin", "us-east-1", endpoint_url=url)
    proof = program.proof(htu=f"{url}/v1/token")
    signin.meta.events.register(
        "before-call.signin.CreateOAuth2Token", lambda params, **_more: params["headers"].update(DPoP=proof)
    )
    answer = signin.create_oauth2_token(tokenInput=token_input(code))["tokenOutput"]
    assert claims_of(answer["idToken"])["sub"] == USER
    pem = program.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    cached = {
        "accessToken": {**answer["accessToken"], "accountId": ACCOUNT, "expiresAt": "2020-01-01T00:00:00Z"},
        "tokenType": answer["tokenType"],
        "clientId": SAME_DEVICE,
        "refreshToken": answer["refreshToken"],
        "idToken": answer["idToken"],
        "dpopKey": pem,
    }
    cache = tmp_path / f"{hashlib.sha256(USER.encode()).hexdigest()}.json"
    cache.write_text(json.dumps(cached), encoding="utf-8")
    config = tmp_path / "config"
    config.write_text(f"[profile signed-in]\nlogin_session = {USER}\nregion = us-east-1\n", encoding="utf-8")
    # A patch of its own: the fixture's is undone after the sandbox has restored the environment.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.credentials, "EC", Curve)
        patch.setenv("AWS_LOGIN_CACHE_DIRECTORY", str(tmp_path))
        patch.setenv("AWS_CONFIG_FILE", str(config))
        patch.setenv("AWS_ENDPOINT_URL", url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        yield cache


def caller() -> str:
    return str(Session(profile="signed-in").create_client("sts").get_caller_identity()["Arn"])


def test_the_provider_refreshes(sandbox: Any, signed_in: Path) -> None:
    before = json.loads(signed_in.read_text(encoding="utf-8"))["accessToken"]
    assert caller() == USER
    after = json.loads(signed_in.read_text(encoding="utf-8"))["accessToken"]
    assert after["accessKeyId"] != before["accessKeyId"]
    assert after["expiresAt"] > before["expiresAt"]


def test_what_the_provider_reports(sandbox: Any, signed_in: Path) -> None:
    """It tells AWS's reasons apart by their words."""
    sandbox.clock.advance(hours=12)
    with pytest.raises(Exception, match="Your session has expired or credentials have changed"):
        caller()
    sandbox.clock.advance(hours=-12)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "signin:*", "Resource": "*"}]}
    iam = sandbox.client("iam")
    iam.put_user_policy(UserName="ana", PolicyName="own", PolicyDocument=json.dumps(policy))
    with pytest.raises(Exception, match="signin:CreateOAuth2Token"):
        caller()
    iam.delete_user_policy(UserName="ana", PolicyName="own")
    assert caller() == USER
    cached = json.loads(signed_in.read_text(encoding="utf-8"))
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    expired = {**cached["accessToken"], "expiresAt": "2020-01-01T00:00:00Z"}
    signed_in.write_text(json.dumps({**cached, "accessToken": expired, "dpopKey": pem}), encoding="utf-8")
    with pytest.raises(Exception, match="The DPoP proof is missing or invalid"):
        caller()


def test_the_control_plane_over_a_socket(sandbox: Any) -> None:
    """botocore ignores the endpoint for these operations. The hook of docs/credential-providers.md sends them here."""
    signin: Any = Session().create_client(
        "signin",
        "us-east-1",
        endpoint_url=sandbox.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    sent: list[str] = []

    def here(params: dict[str, Any], **_more: Any) -> None:
        sent.append(params["url"])
        params["url"] = sandbox.endpoint_url + urlsplit(params["url"]).path

    signin.meta.events.register("before-call.signin", here)
    made = signin.put_resource_permission_statement(sourceIp="203.0.113.0/24")["statementId"]
    assert [each["sid"] for each in signin.list_resource_permission_statements()["permissionStatements"]] == [made]
    assert signin.list_sessions()["items"] == []
    assert {urlsplit(url).netloc for url in sent} == {"signin.us-east-1.api.aws"}
    # The program's own commands never leave the machine.
    assert call(sandbox.endpoint_url, Keys("test", "test"), "signin", "ListSessions", {})["items"] == []

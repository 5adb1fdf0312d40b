"""IAM Identity Center over a socket, as profiles with an sso-session use it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import SSOProvider
from botocore.exceptions import ClientError, UnauthorizedSSOTokenError
from botocore.session import Session
from botocore.tokens import SSOTokenProvider
from sso_calls import DEVICE_GRANT, FIRST, START_URL, WORLD

from rolecall import Rolecall
from rolecall.server.requests import add_header

PROFILE = """
[profile developer]
sso_session = sandbox
sso_account_id = {account}
sso_role_name = {role}
region = us-east-1
endpoint_url = {url}
[sso-session sandbox]
sso_start_url = {start_url}
sso_region = us-east-1
sso_registration_scopes = sso:account:access
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the cache of tokens, which botocore works out when it is loaded."""
    folder = tmp_path / ".aws" / "sso" / "cache"
    folder.mkdir(parents=True)
    for provider in (SSOTokenProvider, SSOProvider):
        monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", str(folder))
    return folder


def written(moment_seconds: float) -> str:
    return datetime.fromtimestamp(moment_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def caller(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str = "Developer") -> str:
    config = tmp_path / "config"
    config.write_text(PROFILE.format(account=FIRST, role=role, url=url, start_url=START_URL), encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    session = Session(profile="developer")
    return str(session.create_client("sts").get_caller_identity()["Arn"])


def test_a_profile_with_an_sso_session(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expired token in the cache is refreshed, the role's credentials work, and a logout ends it."""
    config = tmp_path / "portal.yaml"
    config.write_text(WORLD, encoding="utf-8")
    with Rolecall.start(config=str(config)) as sandbox:
        url = sandbox.endpoint_url
        oidc: Any = Session().create_client("sso-oidc", "us-east-1", endpoint_url=url)
        registered = oidc.register_client(clientName="e", clientType="public", scopes=["sso:account:access"])
        client = {name: registered[name] for name in ("clientId", "clientSecret")}
        device = oidc.start_device_authorization(**client, startUrl=START_URL)
        assert device["verificationUri"] == f"{url}/_rolecall/sso/device"
        sandbox.approve_device(device["userCode"], "ana")
        tokens = oidc.create_token(**client, grantType=DEVICE_GRANT, deviceCode=device["deviceCode"])
        now_seconds = datetime.now(UTC).timestamp()
        cached = home / f"{hashlib.sha1(b'sandbox').hexdigest()}.json"  # noqa: S324 - the name that SDKs give it
        cached.write_text(
            json.dumps(
                {
                    **client,
                    "startUrl": START_URL,
                    "region": "us-east-1",
                    "accessToken": tokens["accessToken"],
                    "refreshToken": tokens["refreshToken"],
                    "expiresAt": written(now_seconds - 60),
                    "registrationExpiresAt": written(registered["clientSecretExpiresAt"]),
                }
            ),
            encoding="utf-8",
        )
        arn = caller(url, tmp_path, monkeypatch)
        assert arn.startswith(f"arn:aws:sts::{FIRST}:assumed-role/AWSReservedSSO_Developer_")
        assert arn.endswith("/ana")
        refreshed = json.loads(cached.read_text(encoding="utf-8"))
        assert refreshed["accessToken"] != tokens["accessToken"]
        with pytest.raises(ClientError, match="No access"):
            caller(url, tmp_path, monkeypatch, "Unknown")
        portal: Any = Session().create_client("sso", "us-east-1", endpoint_url=url)
        portal.logout(accessToken=refreshed["accessToken"])
        with pytest.raises(UnauthorizedSSOTokenError):
            caller(url, tmp_path, monkeypatch)


def test_the_front_of_serve_passes_the_portals_header_and_no_other_with_an_underscore() -> None:
    environ: dict[str, Any] = {}
    headers: dict[str, str] = {}
    add_header(environ, headers, b"X-Amz-Sso_Bearer_Token", b"token")
    add_header(environ, headers, b"x-amz_date", b"now")
    assert headers.pop("x-amz-sso_bearer_token") == "token"
    assert environ["HTTP_X_AMZ_SSO_BEARER_TOKEN"] == "token"
    assert "HTTP_X_AMZ_DATE" not in environ
    assert "x-amz-date" not in headers

"""Clients that were made before a block, as programs make them while they are imported."""

from __future__ import annotations

import gc
import threading
from typing import Any
from weakref import ref

import boto3
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, NoCredentialsError

from rolecall import NotServedError, Rolecall
from rolecall.kit.loading import shared_loader

ADMIN = "arn:aws:iam::111122223333:user/admin"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without credentials. A request to AWS would fail, before it is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of requests that left the process."""
    left: list[str] = []

    def send(_session: Any, request: Any) -> Any:
        left.append(request.url)
        raise ConnectionError

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", send)
    return left


def made(service: str = "sts", **arguments: Any) -> Any:
    session = botocore.session.Session()
    # Parsing the models of a service costs more than the test.
    session.register_component("data_loader", shared_loader())
    return session.create_client(service, region_name="us-east-1", **arguments)


def whoami(client: Any) -> str:
    return str(client.get_caller_identity()["Arn"])


def test_outside_of_blocks_the_client_is_as_it_was() -> None:
    client = made()
    original = BaseClient._make_api_call  # type: ignore[attr-defined]
    with pytest.raises(NoCredentialsError):
        whoami(client)
    with Rolecall():
        assert whoami(client) == ADMIN
    with pytest.raises(NoCredentialsError):
        whoami(client)
    assert client._request_signer._credentials is None
    assert BaseClient._make_api_call is original  # type: ignore[attr-defined]


def test_keys_of_the_environment_do_not_reach_the_sandbox(monkeypatch: pytest.MonkeyPatch, sent: list[str]) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALREALREALREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-secret")
    client = made()
    with Rolecall() as sandbox:
        assert whoami(client) == ADMIN
        assert [decision.access_key_id for decision in sandbox.decisions] == ["test"]
    assert sent == []
    with pytest.raises(ConnectionError):
        whoami(client)
    assert "sts" in sent[0]
    assert client._request_signer._credentials.access_key == "AKIAREALREALREALREAL"


def test_keys_that_the_program_gave_stay() -> None:
    client = made(aws_access_key_id="AKIAREALREALREALREAL", aws_secret_access_key="real-secret")
    developer = made(aws_access_key_id="developer", aws_secret_access_key="developer-secret")
    with Rolecall():
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            whoami(client)
        assert whoami(developer).endswith(":user/developer")


def test_nothing_is_sent_for_services_that_are_not_served(sent: list[str]) -> None:
    client = made("s3")
    with Rolecall(), pytest.raises(NotServedError, match="does not serve s3"):
        client.list_buckets()
    assert sent == []


def test_an_address_of_its_own_is_left_alone(sent: list[str]) -> None:
    client = made("s3", endpoint_url="http://127.0.0.1:9", aws_access_key_id="x", aws_secret_access_key="y")
    with Rolecall(), pytest.raises(ConnectionError):
        client.list_buckets()
    assert sent == ["http://127.0.0.1:9/"]


def test_the_client_calls_as_the_block_of_the_moment() -> None:
    client = made()
    with Rolecall() as sandbox:
        with sandbox.as_user("developer"):
            assert whoami(client).endswith(":user/developer")
            with sandbox.as_role("chime-reader"):
                assert whoami(client).endswith(":assumed-role/chime-reader/rolecall")
        assert whoami(client) == ADMIN
        with sandbox.as_role("chime-denied"), sandbox.expect_denied("chime:ListAccounts"):
            made("chime").list_accounts()


def test_each_block_has_its_own_sandbox() -> None:
    client = made("iam")
    for _ in range(2):
        with Rolecall():
            client.create_user(UserName="once")
    with Rolecall() as outer:
        client.create_user(UserName="outer")
        with Rolecall() as inner:
            client.create_user(UserName="inner")
            assert [each["UserName"] for each in inner.client("iam").list_users()["Users"]].count("outer") == 0
        assert [each["UserName"] for each in outer.client("iam").list_users()["Users"]].count("inner") == 0


def test_a_client_of_another_sandbox_stays_there() -> None:
    with Rolecall() as first, Rolecall() as second:
        of_session = first.session().client("iam")
        explicit = first.client("iam")
        of_session.create_user(UserName="a")
        explicit.create_user(UserName="b")
        assert {"a", "b"} <= {each["UserName"] for each in first.client("iam").list_users()["Users"]}
        assert {"a", "b"}.isdisjoint(each["UserName"] for each in second.client("iam").list_users()["Users"])


def test_a_session_made_outside_of_blocks_keeps_its_sandbox() -> None:
    sandbox = Rolecall()
    client = sandbox.session().client("iam")
    with Rolecall() as other:
        client.create_user(UserName="there")
        assert "there" not in {each["UserName"] for each in other.client("iam").list_users()["Users"]}
    assert client.get_user(UserName="there")
    sandbox.close()


def test_paginators_waiters_and_resources_reach_it_too() -> None:
    iam = made("iam")
    paginator = iam.get_paginator("list_users")
    core = botocore.session.Session()
    core.register_component("data_loader", shared_loader())
    session = boto3.Session(region_name="us-east-1", botocore_session=core)
    resource = session.resource("iam")
    with Rolecall():
        assert [user["UserName"] for page in paginator.paginate() for user in page["Users"]]
        iam.get_waiter("user_exists").wait(UserName="admin")
        assert "admin" in [user.name for user in resource.users.all()]


def test_threads_of_the_program_use_it_too() -> None:
    client = made()
    found: list[str] = []
    with Rolecall():
        threads = [threading.Thread(target=lambda: found.append(whoami(client))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [ADMIN] * 4


def test_a_test_that_replaces_calls_itself_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    client = made()
    with Rolecall():
        with monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", lambda *_: {"Arn": "mine"})
            assert whoami(client) == "mine"
        assert whoami(client) == ADMIN


def test_a_found_client_does_not_live_longer() -> None:
    client = made()
    with Rolecall():
        whoami(client)
        known = ref(client)
        del client
        gc.collect()
        assert known() is None

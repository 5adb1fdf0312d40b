"""Clients of aiobotocore inside a block. aiobotocore needs its own botocore, so these run in their own environment."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import boto3
import botocore.client
import pytest
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from rolecall import NotServedError, Rolecall, SandboxEndedError

ADMINISTRATOR = "arn:aws:iam::111122223333:user/admin"
AT_ONCE = AioConfig(retries={"total_max_attempts": 1})


def world_of(account_id: str, user: str) -> dict[str, Any]:
    """A world of one account with one administrator, whose key contains its name."""
    key = {"id": f"{user}_{account_id}", "secret": f"secret-of-{user}"}
    policies = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    return {
        "version": 1,
        "accounts": [
            {"id": account_id, "users": [{"name": user, "access_keys": [key], "attached_policies": policies}]}
        ],
    }


async def me(session: AioSession | None = None, **arguments: Any) -> str:
    async with (session or get_session()).create_client("sts", **arguments) as sts:
        arn: str = (await sts.get_caller_identity())["Arn"]
        return arn


def outside() -> tuple[Any, ...]:
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return variables, boto3.DEFAULT_SESSION, botocore.client.BaseClient.__init__, threading.active_count()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_sts_of_sessions_made_before_and_inside() -> None:
    before = get_session()
    with Rolecall() as sandbox:
        assert await me() == ADMINISTRATOR
        assert await me(before, region_name="eu-west-1") == ADMINISTRATOR
        async with get_session().create_client("sts") as sts:
            answer = await sts.assume_role(RoleArn=sandbox.role("chime-reader"), RoleSessionName="s1")
        keys = answer["Credentials"]
        assumed = await me(
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        assert assumed == "arn:aws:sts::111122223333:assumed-role/chime-reader/s1"
        assert [decision.operation for decision in sandbox.decisions] == [
            "GetCallerIdentity",
            "AssumeRole",
            "GetCallerIdentity",
            "GetCallerIdentity",
        ]


async def test_iam_with_waiters_and_paginators() -> None:
    with Rolecall():
        async with get_session().create_client("iam") as iam:
            await iam.create_user(UserName="new")
            await iam.get_waiter("user_exists").wait(UserName="new")
            pages = [page async for page in iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1})]
            assert [user["UserName"] for page in pages for user in page["Users"]] == ["admin", "developer", "new"]
            with pytest.raises(iam.exceptions.NoSuchEntityException):
                await iam.get_user(UserName="nobody")


async def test_chime_allowed_and_refused() -> None:
    with Rolecall() as sandbox, sandbox.as_role("chime-reader"):
        async with get_session().create_client("chime") as chime:
            account_id = (await chime.list_accounts())["Accounts"][0]["AccountId"]
            assert len((await chime.list_users(AccountId=account_id))["Users"]) == 3
            with sandbox.expect_denied("chime:CreateUser", by="identity-based policy") as refusal:
                await chime.create_user(AccountId=account_id, Email="new@example.com")
    assert isinstance(refusal.error, ClientError)
    assert refusal.error.response["ResponseMetadata"]["HTTPStatusCode"] == 403


async def test_sessions_expire() -> None:
    with Rolecall() as sandbox, sandbox.as_role("chime-reader", DurationSeconds=900):
        async with get_session().create_client("chime") as chime:
            sandbox.clock.advance(hours=1)
            with pytest.raises(ClientError, match="ExpiredTokenException"):
                await chime.list_accounts()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"aws_access_key_id": "test", "aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"aws_access_key_id": "nobodys", "aws_secret_access_key": "wrong"}, "InvalidClientTokenId"),
    ],
)
async def test_keys_that_are_not_good_are_refused(arguments: dict[str, str], code: str) -> None:
    with Rolecall(), pytest.raises(ClientError, match=code):
        await me(**arguments)


async def test_faults_are_retried_and_connections_drop() -> None:
    with Rolecall() as sandbox:
        sandbox.faults.add(service="sts", operation="GetCallerIdentity", error="Throttling", times=2)
        assert await me() == ADMINISTRATOR
        assert [decision.outcome for decision in sandbox.decisions] == ["Allowed", "Throttling", "Throttling"]
        sandbox.faults.replace([{"service": "sts", "kind": "drop", "times": 1}])
        with pytest.raises(ConnectionClosedError):
            await me(config=AT_ONCE)
        assert await me(config=AT_ONCE) == ADMINISTRATOR


async def test_a_service_that_is_not_served_is_refused_and_not_called() -> None:
    with Rolecall():
        async with get_session().create_client("s3") as s3:
            with pytest.raises(NotServedError, match="does not serve s3"):
                await s3.get_object(Bucket="bucket", Key="key")


async def test_a_server_that_a_test_addresses_itself_is_called() -> None:
    with Rolecall(), pytest.raises(EndpointConnectionError):
        await me(endpoint_url="http://127.0.0.1:1", config=AT_ONCE)


async def test_a_library_that_answers_services_of_its_own_does_so() -> None:
    with Rolecall():
        async with get_session().create_client("s3") as s3:

            class Nothing:
                async def read(self) -> bytes:
                    return b"<ListAllMyBucketsResult/>"

            def stub(request: Any, **_ignored: Any) -> AioAWSResponse:
                return AioAWSResponse(request.url, 200, {}, Nothing())

            s3.meta.events.register("before-send", stub)
            assert (await s3.list_buckets())["ResponseMetadata"]["HTTPStatusCode"] == 200


async def test_a_client_that_outlives_its_block_sends_nothing() -> None:
    with Rolecall():
        kept = get_session().create_client("sts")
        sts = await kept.__aenter__()
    with pytest.raises(SandboxEndedError):
        await sts.get_caller_identity()
    await kept.__aexit__(None, None, None)


async def test_a_client_made_before_the_block_keeps_its_destination() -> None:
    async with get_session().create_client(
        "sts",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=AT_ONCE,
    ) as sts:
        with Rolecall(), pytest.raises(EndpointConnectionError):
            await sts.get_caller_identity()


async def test_a_socket_is_reached_too() -> None:
    with Rolecall.start() as sandbox:
        assert await me() == ADMINISTRATOR
        assert [decision.outcome for decision in sandbox.decisions] == ["Allowed"]


async def test_the_fixture_reaches_coroutines(rolecall: Rolecall) -> None:
    assert await me() == ADMINISTRATOR
    with rolecall.as_role("chime-reader"):
        assert await me() == "arn:aws:sts::111122223333:assumed-role/chime-reader/rolecall"
    assert [decision.operation for decision in rolecall.decisions][::2] == ["GetCallerIdentity", "GetCallerIdentity"]


async def test_the_server_fixture_reaches_coroutines(rolecall_server: Rolecall) -> None:
    assert await me() == ADMINISTRATOR
    assert [decision.operation for decision in rolecall_server.decisions] == ["GetCallerIdentity"]


@pytest.mark.parametrize("make", [Rolecall, Rolecall.start], ids=["in process", "socket"])
async def test_parallel_tasks_keep_apart_though_they_share_one_environment(make: Any) -> None:
    both_open, both_called = asyncio.Barrier(2), asyncio.Barrier(2)

    async def act(account_id: str, user: str) -> tuple[set[str], list[str]]:
        with make(world_of(account_id, user)) as sandbox:
            await both_open.wait()
            found = set()
            for _ in range(3):
                found.add(await me())
                await asyncio.sleep(0)
            await both_called.wait()
            return found, [decision.outcome for decision in sandbox.decisions]

    answers = await asyncio.gather(act("111111111111", "ana"), act("222222222222", "ben"))
    assert answers == [
        ({"arn:aws:iam::111111111111:user/ana"}, ["Allowed"] * 3),
        ({"arn:aws:iam::222222222222:user/ben"}, ["Allowed"] * 3),
    ]


async def test_nested_blocks() -> None:
    with Rolecall():
        with Rolecall(world_of("222222222222", "ben")):
            assert await me() == "arn:aws:iam::222222222222:user/ben"
        assert await me() == ADMINISTRATOR


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, asyncio.CancelledError])
async def test_nothing_leaks(monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "somebody's")
    with Rolecall():
        # A module stays loaded after its first use.
        await me()
    before, open_before = outside(), descriptors()
    try:
        with Rolecall() as sandbox, sandbox.as_role("chime-reader"):
            await me()
            if error is not None:
                raise error
    except BaseException as raised:
        if error is None or type(raised) is not error:
            raise
    assert outside() == before
    assert descriptors() == open_before

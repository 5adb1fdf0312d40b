"""The state inside a block and after it, and that blocks are independent of each other."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import botocore.handlers
import botocore.session
import pytest
import urllib3
from botocore.awsrequest import AWSResponse
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError, EndpointConnectionError

from rolecall import NotServedError, Rolecall, SandboxEndedError, UnknownIdentityError
from rolecall.kit import loading
from rolecall.kit.aws_hosts import is_aws_host
from rolecall.kit.blocks import MANAGED_VARIABLES, innermost


def world_of(account_id: str, *users: str) -> dict[str, Any]:
    """A world of one account whose users have keys of their own and may do everything."""
    return {
        "version": 1,
        "accounts": [
            {
                "id": account_id,
                "users": [
                    {
                        "name": name,
                        "access_keys": [{"id": f"{name}_{account_id}", "secret": f"secret-of-{name}"}],
                        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                    }
                    for name in users
                ],
                "roles": [
                    {
                        "name": "helper",
                        "trust_policy": {
                            "Version": "2012-10-17",
                            "Statement": {
                                "Effect": "Allow",
                                "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
                                "Action": "sts:AssumeRole",
                            },
                        },
                    }
                ],
            }
        ],
    }


ONE, TWO = world_of("111111111111", "ana"), world_of("222222222222", "ben")


def me(made_with: Any = boto3) -> str:
    arn: str = made_with.client("sts").get_caller_identity()["Arn"]
    return arn


def outside() -> tuple[Any, ...]:
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return variables, boto3.DEFAULT_SESSION, botocore.client.BaseClient.__init__, innermost()


def test_plain_clients_of_every_making_reach_the_sandbox() -> None:
    with Rolecall(ONE):
        ana = "arn:aws:iam::111111111111:user/ana"
        assert me() == ana
        assert me(boto3.Session()) == ana
        core = botocore.session.get_session()
        assert core.create_client("sts").get_caller_identity()["Arn"] == ana
        assert boto3.resource("iam").CurrentUser().arn == ana
        iam = boto3.client("iam")
        iam.create_user(UserName="bo")
        iam.get_waiter("user_exists").wait(UserName="bo")
        pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1})
        assert [user["UserName"] for page in pages for user in page["Users"]] == ["ana", "bo"]


def test_a_session_made_before_the_block_makes_routed_clients_inside() -> None:
    session = boto3.Session(region_name="us-east-1")
    with Rolecall(ONE):
        assert me(session).endswith("user/ana")


@pytest.mark.parametrize("leave", ["normally", "by an exception"])
def test_everything_is_as_it_was_after_the_block(monkeypatch: pytest.MonkeyPatch, leave: str) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.delenv("AWS_REGION", raising=False)
    before = outside()
    if leave == "normally":
        with Rolecall(ONE):
            assert outside() != before
            assert me().endswith("user/ana")
    else:
        with pytest.raises(ZeroDivisionError), Rolecall(ONE), Rolecall(TWO):
            raise ZeroDivisionError
    assert outside() == before


def test_an_account_of_the_environment_is_not_that_of_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID", "999999999999")
    with Rolecall(ONE):
        assert boto3.Session().get_credentials().account_id is None


def test_the_environment_of_a_block() -> None:
    with Rolecall(ONE, region="eu-central-1"):
        assert os.environ["AWS_ACCESS_KEY_ID"] == "ana_111111111111"
        assert os.environ["AWS_REGION"] == os.environ["AWS_DEFAULT_REGION"] == "eu-central-1"
        assert boto3.client("sts").meta.region_name == "eu-central-1"
        assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"} & set(os.environ)
    assert set(MANAGED_VARIABLES) >= {"AWS_ENDPOINT_URL_CHIME_SDK_VOICE", "AWS_WEB_IDENTITY_TOKEN_FILE"}


def test_a_file_that_the_test_chose_is_kept_and_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_CONFIG_FILE", raising=False)
    with Rolecall(ONE):
        assert os.environ["AWS_CONFIG_FILE"] == os.devnull
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with Rolecall(ONE):
        assert os.environ["AWS_CONFIG_FILE"] == str(tmp_path / "config")


def test_a_client_made_before_the_block_reaches_the_sandbox_with_its_own_keys() -> None:
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")

    # Botocore calls all handlers. The first answer counts, also if a later handler answers too.
    def stub(request: Any, **_ignored: Any) -> AWSResponse:
        return AWSResponse(request.url, 418, {}, None)

    client.meta.events.register("before-send", stub)
    with Rolecall(ONE) as sandbox:
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            client.get_caller_identity()
        assert [decision.outcome for decision in sandbox.decisions] == ["InvalidClientTokenId"]
    client.meta.events.unregister("before-send", stub)
    went: list[str] = []

    def unreachable(request: Any, **_ignored: Any) -> AWSResponse:
        went.append(request.url)
        raise EndpointConnectionError(endpoint_url=request.url)

    client.meta.events.register("before-send", unreachable)
    with pytest.raises(EndpointConnectionError):
        client.get_caller_identity()
    assert went


def test_a_client_that_outlives_its_block_sends_nothing() -> None:
    with Rolecall(ONE) as sandbox:
        plain, explicit, session = boto3.client("sts"), sandbox.client("sts"), sandbox.session()
    for client in (plain, explicit, session.client("sts")):
        with pytest.raises(SandboxEndedError, match="make the client inside"):
            client.get_caller_identity()
    with Rolecall(ONE), pytest.raises(SandboxEndedError):
        plain.get_caller_identity()
    for act in (lambda: sandbox.client("sts"), lambda: sandbox.decisions, sandbox.reset, sandbox.__enter__):
        with pytest.raises(SandboxEndedError):
            act()
    sandbox.close()


@pytest.mark.parametrize(
    ("service", "act"),
    [
        ("s3", lambda client: client.list_buckets()),
        ("s3", lambda client: client.get_object(Bucket="some-bucket", Key="k")),
        ("dynamodb", lambda client: client.list_tables()),
        ("ssm", lambda client: client.describe_parameters()),
        ("cognito-identity", lambda client: client.get_id(IdentityPoolId="us-east-1:pool")),
    ],
)
def test_a_service_that_is_not_served_is_refused_and_not_called(service: str, act: Callable[[Any], Any]) -> None:
    with Rolecall(ONE) as sandbox:
        for client in (boto3.client(service), sandbox.session().client(service)):
            with pytest.raises(NotServedError, match=f"does not serve {service}"):
                act(client)


def test_a_service_that_is_not_served_is_refused_on_a_socket_too() -> None:
    with Rolecall.start(), pytest.raises(NotServedError, match="does not serve s3"):
        boto3.client("s3").list_buckets()


def test_a_library_that_stubs_other_services_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def stub(request: Any, **_ignored: Any) -> AWSResponse:
        body = urllib3.HTTPResponse(io.BytesIO(b"<ListAllMyBucketsResult/>"), preload_content=False)
        return AWSResponse(request.url, 200, {}, body)

    handlers = [*botocore.handlers.BUILTIN_HANDLERS, ("before-send", stub)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    monkeypatch.setattr(loading, "BUILTIN_HANDLERS", handlers)
    with Rolecall(ONE):
        assert boto3.client("s3").list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert me() == "arn:aws:iam::111111111111:user/ana"


def test_a_server_that_a_test_addresses_itself_is_called() -> None:
    with Rolecall.start(TWO) as other:
        url = other.endpoint_url
        with Rolecall(ONE):
            # The outer block's socket, asked for by name.
            client = boto3.client("sts", endpoint_url="http://127.0.0.1:9")
            with pytest.raises(EndpointConnectionError):
                client.get_caller_identity()
        assert other.endpoint_url == url


@pytest.mark.parametrize(
    ("host", "of_aws"),
    [
        ("sts.amazonaws.com", True),
        ("STS.us-east-1.AMAZONAWS.com.", True),
        ("service.chime.aws.amazon.com", True),
        ("sts.cn-north-1.amazonaws.com.cn", True),
        ("iam.us-gov.amazonaws.com", True),
        ("bucket.s3.dualstack.eu-west-1.amazonaws.com", True),
        ("sts.us-east-1.api.aws", True),
        ("rolecall.localhost", True),
        ("localhost", False),
        ("127.0.0.1", False),
        ("amazonaws.com.example.org", False),
        ("notamazonaws.com", False),
        ("", False),
    ],
)
def test_hosts_of_aws(host: str, of_aws: bool) -> None:
    assert is_aws_host(host) is of_aws


def test_the_innermost_block_gets_plain_clients_and_explicit_ones_stay_where_they_belong() -> None:
    with Rolecall(ONE) as one:
        first = boto3.client("sts")
        with Rolecall(TWO) as two:
            assert me() == "arn:aws:iam::222222222222:user/ben"
            assert me(one).endswith("user/ana")
            assert me(one.session()).endswith("user/ana")
            assert first.get_caller_identity()["Arn"].endswith("user/ana")
            with one.as_user("ana"):
                assert me().endswith("user/ana")
                assert me(two).endswith("user/ben")
            assert me().endswith("user/ben")
        assert me().endswith("user/ana")
        assert len(one.decisions) == 5


def test_blocks_may_end_in_any_order() -> None:
    before = outside()
    one, two = Rolecall(ONE), Rolecall(TWO)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert me().endswith("user/ben")
    assert os.environ["AWS_ACCESS_KEY_ID"] == "ben_222222222222"
    two.__exit__(None, None, None)
    assert outside() == before


def test_a_block_of_the_same_sandbox_inside_its_block() -> None:
    with Rolecall(ONE) as sandbox:
        with sandbox as same:
            assert same is sandbox
        assert me().endswith("user/ana")


def in_turn(*steps: Callable[[Callable[[], None]], None]) -> None:
    """Run functions in threads of their own. Each gets a function that lets the others catch up."""
    barrier = threading.Barrier(len(steps), timeout=300)
    with ThreadPoolExecutor(len(steps)) as pool:
        for done in [pool.submit(step, lambda: barrier.wait() and None) for step in steps]:
            done.result()


def test_blocks_of_threads_keep_apart_though_they_share_one_environment() -> None:
    before = outside()
    found: dict[str, list[str]] = {"one": [], "two": []}
    turn = threading.Lock()

    def step(name: str, world: dict[str, Any]) -> Callable[[Callable[[], None]], None]:
        def run(meet: Callable[[], None]) -> None:
            meet()
            with Rolecall(world) as sandbox:
                meet()
                for made_with in (boto3, boto3.Session(), sandbox):
                    # boto3 does not promise that two threads may use its default session at once.
                    with turn:
                        found[name].append(me(made_with))
                meet()
                with sandbox.as_role("helper"):
                    meet()
                    with turn:
                        found[name].append(me())
                    meet()

        return run

    in_turn(step("one", ONE), step("two", TWO))
    for name, user, account in (("one", "ana", "111111111111"), ("two", "ben", "222222222222")):
        role = f"arn:aws:sts::{account}:assumed-role/helper/rolecall"
        assert found[name] == [*[f"arn:aws:iam::{account}:user/{user}"] * 3, role]
    assert outside() == before


def test_a_thread_without_a_block_gets_the_one_opened_last() -> None:
    with Rolecall(ONE), ThreadPoolExecutor(1) as pool:
        assert pool.submit(me).result().endswith("user/ana")


def test_a_thread_of_a_pool_does_not_get_what_another_one_opened_for_itself() -> None:
    roles = ["chime-reader", "chime-manager"]
    both_act = threading.Barrier(2, timeout=300)

    def act(sandbox: Rolecall, role: str) -> tuple[str, str]:
        both_act.wait()
        before = me()
        both_act.wait()
        if role == roles[1]:
            # Only after the first one has assumed its role, which must not be the caller here.
            both_act.wait()
        with sandbox.as_role(role):
            if role == roles[0]:
                both_act.wait()
            both_act.wait()
            return before, me()

    with Rolecall() as sandbox, ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda role: act(sandbox, role), roles))
    admin, assumed = "arn:aws:iam::111122223333:user/admin", "arn:aws:sts::111122223333:assumed-role"
    assert found == [(admin, f"{assumed}/{role}/rolecall") for role in roles]


def test_a_client_that_read_the_keys_of_a_block_that_has_just_ended_gets_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread may open or close a block while this one reads the environment."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    with Rolecall() as sandbox:
        with sandbox.as_role("chime-reader"):
            ended = {name: os.environ[name] for name in names}
        with sandbox.as_role("chime-manager"):
            for changed in (names, names[:1], names[1:2]):
                with monkeypatch.context() as patch:
                    for name in changed:
                        patch.setenv(name, ended[name])
                    assert me(boto3.Session()).endswith("/chime-manager/rolecall")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
                me(boto3.Session())


def test_tasks_have_blocks_of_their_own() -> None:
    async def task(world: dict[str, Any], begun: asyncio.Event, awaited: asyncio.Event) -> str:
        with Rolecall(world):
            begun.set()
            await awaited.wait()
            return me()

    async def both() -> list[str]:
        one, two = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(task(ONE, one, two), task(TWO, two, one))

    assert [arn.rpartition("/")[2] for arn in asyncio.run(both())] == ["ana", "ben"]


def test_roles_and_users_act_for_a_block() -> None:
    with Rolecall() as sandbox:
        with sandbox.as_user("developer") as session:
            assert me().endswith("user/developer")
            assert me(session) == me(sandbox) == me()
            # The developer may assume chime roles, and the block's caller does.
            with sandbox.as_role("chime-reader", session_name="s1"):
                assert me() == "arn:aws:sts::111122223333:assumed-role/chime-reader/s1"
                assert me(sandbox).endswith("/s1")
            assert me().endswith("user/developer")
        with sandbox.as_role("chime-partner", user="developer", ExternalId="partner-id", DurationSeconds=900):
            assert me().startswith("arn:aws:sts::444455556666:assumed-role/chime-partner/")
        with sandbox.as_user():
            assert me().endswith("user/admin")
        with sandbox.as_user("developer") as developer, sandbox.as_user("admin") as admin:
            assert me(developer).endswith("user/developer")
        # First used after its block.
        assert me(admin).endswith("user/admin")
        assert isinstance(admin, boto3.Session)
        denied = boto3.client("sts").exceptions.ClientError
        with pytest.raises(denied, match="AccessDenied"), sandbox.as_role("chime-partner"):
            pass
        credentials = boto3.client("sts").get_session_token()["Credentials"]
        with sandbox.as_credentials(credentials):
            assert os.environ["AWS_SESSION_TOKEN"] == credentials["SessionToken"]
            assert me().endswith("user/admin")
        assert "AWS_SESSION_TOKEN" not in os.environ


PROFILES = """
[profile reader]
role_arn = arn:aws:iam::111122223333:role/chime-reader
credential_source = Environment

[profile partner]
role_arn = arn:aws:iam::444455556666:role/chime-partner
external_id = partner-id
source_profile = keys

[profile keys]
aws_access_key_id = developer
aws_secret_access_key = developer-secret
"""


def test_profiles_assume_their_roles_in_the_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with Rolecall() as sandbox:
        assert ":assumed-role/chime-reader/" in me(boto3.Session(profile_name="reader"))
        assert ":assumed-role/chime-partner/" in me(boto3.Session(profile_name="partner"))
        assert [call.operation for call in sandbox.decisions] == ["GetCallerIdentity", "AssumeRole"] * 2


def test_refreshable_credentials_refresh_when_the_sandbox_says_they_are_old() -> None:
    with Rolecall() as sandbox:
        sts = sandbox.client("sts")

        def fetch() -> dict[str, str]:
            found = sts.assume_role(RoleArn=sandbox.role("chime-reader"), RoleSessionName="s1")["Credentials"]
            return {
                "access_key": found["AccessKeyId"],
                "secret_key": found["SecretAccessKey"],
                "token": found["SessionToken"],
                "expiry_time": found["Expiration"].isoformat(),
            }

        core = botocore.session.Session()
        core._credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")
        session = boto3.Session(botocore_session=core)
        first = session.get_credentials().access_key
        sandbox.clock.advance(minutes=-59)
        # Issued an hour ago by the machine's clock, which botocore reads: about to expire.
        core._credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")
        sandbox.clock.reset()
        assert ":assumed-role/chime-reader/" in me(session)
        assert session.get_credentials().access_key != first


def test_a_world_without_keys_cannot_be_a_block() -> None:
    before = outside()
    with pytest.raises(UnknownIdentityError, match="no active access key"), Rolecall(world_of("333333333333")):
        pass
    assert outside() == before


def test_without_boto3_clients_are_botocores() -> None:
    code = """
import sys
sys.modules["boto3"] = None
import botocore.session
from rolecall import Rolecall
with Rolecall() as sandbox:
    assert sandbox.client("sts").get_caller_identity()["Arn"].endswith("user/admin")
    assert botocore.session.get_session().create_client("sts").get_caller_identity()["Arn"].endswith("user/admin")
    try:
        sandbox.session()
    except ImportError as error:
        assert "pip install boto3" in str(error)
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)

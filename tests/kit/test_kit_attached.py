"""Blocks that run on an instance, in a task or in a pod: plain boto3 finds its credentials there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, MetadataRetrievalError, NoCredentialsError

from rolecall import Rolecall

ACCOUNT = "111122223333"
# The limit for events that must happen.
PATIENCE_SECONDS = 60
ISSUER = "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"


def trust(**principal: str) -> dict[str, Any]:
    action = ["sts:AssumeRoleWithWebIdentity"] if "Federated" in principal else ["sts:AssumeRole", "sts:TagSession"]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": action}]}


READING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}]}
FEDERATED = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER.partition('://')[2]}"
ROLES = {
    "app": trust(Service="ec2.amazonaws.com"),
    "task": trust(Service="ecs-tasks.amazonaws.com"),
    "pod": trust(Service="pods.eks.amazonaws.com"),
    "web": trust(Federated=FEDERATED),
}
CONFIG = {
    "version": 1,
    "settings": {"minimum_session_seconds": 1},
    "accounts": [
        {
            "id": ACCOUNT,
            "users": [
                {
                    "name": "admin",
                    "access_keys": [{"id": "test", "secret": "test"}],
                    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                }
            ],
            "roles": [
                {"name": name, "trust_policy": policy, "inline_policies": {"own": READING}}
                for name, policy in ROLES.items()
            ],
            "oidc_providers": [{"url": ISSUER, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}],
        }
    ],
}
BLOCKS: dict[str, Any] = {
    "instance": lambda sandbox, **facts: sandbox.instance("app", **facts),
    "instance, version 1": lambda sandbox, **facts: sandbox.instance("app", http_tokens="optional", **facts),
    "task": lambda sandbox, **facts: sandbox.task("task", **facts),
    "task with a token file": lambda sandbox, **facts: sandbox.task("task", token_file=True, **facts),
    "pod": lambda sandbox, **facts: sandbox.pod("pod", **facts),
    "irsa": lambda sandbox, **facts: sandbox.pod("web", irsa=True, **facts),
}
of_each = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
of_attached = pytest.mark.parametrize("block", [BLOCKS[name] for name in list(BLOCKS)[:-1]], ids=list(BLOCKS)[:-1])


@pytest.fixture
def sandbox() -> Any:
    with Rolecall(CONFIG) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits a second before it asks a container's agent again."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)


def policy(action: str, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role_of(arn: str) -> str:
    return arn.split("/")[1]


@of_each
def test_plain_boto3_finds_its_credentials(sandbox: Rolecall, block: Any) -> None:
    before = dict(os.environ)
    with block(sandbox):
        assert role_of(boto3.client("sts").get_caller_identity()["Arn"]) in ROLES
        assert boto3.client("iam").list_roles()["Roles"]
        with pytest.raises(ClientError, match="AccessDenied"):
            boto3.client("iam").list_users()
        assert role_of(sandbox.client("sts").get_caller_identity()["Arn"]) in ROLES
        assert "AWS_ACCESS_KEY_ID" not in os.environ
    assert dict(os.environ) == before
    assert boto3.client("sts").get_caller_identity()["Arn"].endswith(":user/admin")


@of_each
def test_they_are_refreshed(sandbox: Rolecall, block: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK goes by the machine's clock, which moves here as far as the sandbox's does."""
    with block(sandbox):
        credentials = boto3.Session().get_credentials()
        first = credentials.get_frozen_credentials().access_key
        assert credentials.get_frozen_credentials().access_key == first
        later = sandbox.clock.advance(hours=5, minutes=55)
        credentials._time_fetcher = lambda: later
        monkeypatch.setattr("botocore.credentials._local_now", credentials._time_fetcher)
        second = credentials.get_frozen_credentials().access_key
        assert first != second
        assert credentials.get_frozen_credentials().access_key == second
        assert role_of(boto3.client("sts").get_caller_identity()["Arn"]) in ROLES


@of_each
def test_they_are_refused_after_revocation(sandbox: Rolecall, block: Any) -> None:
    with block(sandbox):
        iam = boto3.client("iam")
        assert iam.list_roles()["Roles"]
        document = policy("*", "Deny")
        for role in ROLES:
            sandbox.client("iam", user="admin").put_role_policy(
                RoleName=role, PolicyName="revoke", PolicyDocument=document
            )
        with pytest.raises(ClientError, match="explicit deny"):
            iam.list_roles()


@of_attached
def test_faults_reach_the_sdk_and_the_log_names_the_provider(sandbox: Rolecall, block: Any) -> None:
    with block(sandbox) as attached:
        for operation in ("GetSecurityCredentials", "GetTaskCredentials", "GetPodCredentials"):
            if operation in _operations(attached.kind):
                sandbox.faults.add(service=attached.kind, operation=operation, error=_absent(attached.kind))
        with pytest.raises((NoCredentialsError, CredentialRetrievalError, MetadataRetrievalError)):
            boto3.client("sts").get_caller_identity()
        services = {record.service for record in sandbox.decisions}
        assert attached.kind in services


def _operations(kind: str) -> tuple[str, ...]:
    return {
        "imds": ("GetSecurityCredentials",),
        "ecs": ("GetTaskCredentials",),
        "eks": ("GetPodCredentials",),
    }[kind]


def _absent(kind: str) -> str:
    return {"imds": "NotFound", "ecs": "InvalidIdInRequest", "eks": "ResourceNotFoundException"}[kind]


def test_a_role_that_the_service_may_not_assume(sandbox: Rolecall) -> None:
    with sandbox.instance("task"), pytest.raises(NoCredentialsError):
        boto3.client("sts").get_caller_identity()
    with sandbox.task("app"), pytest.raises((CredentialRetrievalError, MetadataRetrievalError)):
        boto3.client("sts").get_caller_identity()
    with sandbox.pod("app"), pytest.raises((CredentialRetrievalError, MetadataRetrievalError)):
        boto3.client("sts").get_caller_identity()
    with sandbox.pod("pod", irsa=True), pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("sts").get_caller_identity()


def test_what_cannot_be_attached(sandbox: Rolecall) -> None:
    with pytest.raises(ValueError, match="no role 'nobody'"), sandbox.instance("nobody"):
        pass
    with pytest.raises(ValueError, match="prt: unknown key"), sandbox.task("task", prt=1):
        pass
    with pytest.raises(ValueError, match="lacks role or instance_profile"), sandbox.instance():
        pass
    with pytest.raises(ValueError, match="unknown key"), sandbox.pod("web", irsa=True, prt=1):
        pass


def test_irsa_needs_a_provider() -> None:
    with Rolecall() as made, pytest.raises(ValueError, match="keys: rolecall"), made.pod("chime-reader", irsa=True):
        pass


def test_a_projected_token_follows_the_clock(sandbox: Rolecall) -> None:
    with sandbox.pod("web", irsa=ISSUER) as pod:
        file = Path(pod.environment["AWS_WEB_IDENTITY_TOKEN_FILE"])
        first = file.read_text(encoding="ascii")
        assert file.stat().st_mode & 0o077 == 0
        sandbox.clock.advance(days=2)
        assert file.read_text(encoding="ascii") != first
        assert role_of(boto3.client("sts").get_caller_identity()["Arn"]) == "web"
    assert not file.exists()


def test_the_hop_limit_reaches_the_sdk(sandbox: Rolecall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token botocore falls back to version 1, which the instance refuses unless it is optional."""
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    with sandbox.instance("app", hops=2), pytest.raises(NoCredentialsError):
        boto3.client("sts").get_caller_identity()
    with sandbox.instance("app", hops=2, http_put_response_hop_limit=2):
        assert role_of(boto3.client("sts").get_caller_identity()["Arn"]) == "app"
    with sandbox.instance("app", hops=2, http_tokens="optional"):
        assert role_of(boto3.client("sts").get_caller_identity()["Arn"]) == "app"


def test_a_profile_takes_them_as_its_source(sandbox: Rolecall, tmp_path: Path, monkeypatch: Any) -> None:
    """``credential_source`` of a profile: the instance's credentials assume another role."""
    iam = sandbox.client("iam", user="admin")
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(RoleName="next", AssumeRolePolicyDocument=document)
    allowing = policy("sts:AssumeRole")
    for role in ("app", "task"):
        iam.put_role_policy(RoleName=role, PolicyName="next", PolicyDocument=allowing)
    config = tmp_path / "config"
    for source, block in (("Ec2InstanceMetadata", BLOCKS["instance"]), ("EcsContainer", BLOCKS["task"])):
        text = f"[profile next]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/next\ncredential_source = {source}\n"
        config.write_text(text, encoding="utf-8")
        with block(sandbox):
            monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
            session = boto3.Session(profile_name="next")
            assert role_of(session.client("sts").get_caller_identity()["Arn"]) == "next"


def test_a_region_of_its_own(sandbox: Rolecall) -> None:
    with sandbox.instance("app", region="eu-west-1") as instance:
        assert instance.facts["region"] == os.environ["AWS_REGION"] == "eu-west-1"
        fetcher = botocore.session.Session().create_client("sts").meta.region_name
        assert fetcher == "eu-west-1"


def test_blocks_may_be_nested(sandbox: Rolecall) -> None:
    with sandbox.instance("app"):
        with sandbox.as_user("admin"):
            assert boto3.client("sts").get_caller_identity()["Arn"].endswith(":user/admin")
            with sandbox.task("task"):
                assert role_of(boto3.client("sts").get_caller_identity()["Arn"]) == "task"
        assert role_of(boto3.client("sts").get_caller_identity()["Arn"]) == "app"


def test_nothing_listens_after_the_block(sandbox: Rolecall) -> None:
    threads = set(threading.enumerate())
    with sandbox.instance("app") as instance:
        url = instance.url
    for thread in set(threading.enumerate()) - threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        _connect(url)


def _connect(url: str) -> None:
    host, _, port = url.rpartition("//")[2].partition(":")
    socket.create_connection((host, int(port)), 1).close()


def test_a_sandbox_with_a_socket_listens_for_what_its_file_declares() -> None:
    account = {**CONFIG["accounts"][0], "instances": [{"role": "app"}]}  # type: ignore[index]
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    with Rolecall.start({**CONFIG, "accounts": [account]}) as made:
        with made.task("task") as task:
            variables = {**os.environ, **task.environment}
            done = subprocess.run(
                [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
            )
        assert role_of(done.stdout.strip()) == "task"
        [instance] = [each for each in made._parts.sandbox.attachments.list() if each.kind == "imds"]
        assert instance.bound_port is not None
        _connect(f"//127.0.0.1:{instance.bound_port}")


def test_a_client_made_before_the_block_signs_with_the_keys_of_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    older = botocore.session.Session().create_client("sts", region_name="us-east-1")
    with Rolecall(CONFIG) as sandbox:
        assert older.get_caller_identity()["Arn"].endswith(":user/admin")
        with sandbox.instance("app"):
            assert ":assumed-role/app/i-" in older.get_caller_identity()["Arn"]
        assert older.get_caller_identity()["Arn"].endswith(":user/admin")

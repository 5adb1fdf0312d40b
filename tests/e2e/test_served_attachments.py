"""Attachments of a real server: boto3 in another process, several workers, an address that is freed again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from served import PATIENCE_SECONDS, Server, clean_environment

from rolecall.server.attached import limit_hops

Make = Callable[..., Server]
ACCOUNT = "111122223333"
SERVICES = {"app": "ec2.amazonaws.com", "task": "ecs-tasks.amazonaws.com", "pod": "pods.eks.amazonaws.com"}
PROGRAM = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


@pytest.fixture
def config(tmp_path: Path) -> str:
    def trust(service: str) -> Any:
        actions = ["sts:AssumeRole", "sts:TagSession"]
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
        return {"Version": "2012-10-17", "Statement": [statement]}

    account = {
        "id": ACCOUNT,
        "users": [{"name": "admin", "access_keys": [{"id": "test", "secret": "test"}]}],
        "roles": [{"name": name, "trust_policy": trust(service)} for name, service in SERVICES.items()],
        "instances": [{"role": "app"}],
    }
    file = tmp_path / "world.yaml"
    file.write_text(yaml.safe_dump({"version": 1, "accounts": [account]}), encoding="utf-8")
    return str(file)


def control(server: Server, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
    answer = server.request(method, f"/_rolecall/attach{path}", None if body is None else json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


def caller(server: Server, environment: dict[str, str]) -> str:
    """The role that a program finds credentials of, in a process that knows nothing but these variables."""
    variables = clean_environment(
        server.folder, AWS_ENDPOINT_URL_STS=server.url, AWS_DEFAULT_REGION="us-east-1", **environment
    )
    if "AWS_EC2_METADATA_SERVICE_ENDPOINT" in environment:
        del variables["AWS_EC2_METADATA_DISABLED"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("/")[1]


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS).close()


def test_a_program_finds_its_credentials(make_server: Make, config: str) -> None:
    served = make_server("--config", config)
    [declared] = control(served, "GET")[1]["attachments"]
    assert (declared["kind"], declared["listening"]) == ("imds", True)
    assert caller(served, declared["environment"]) == "app"
    for kind, role in (("ecs", "task"), ("eks", "pod")):
        status, made = control(served, "POST", "", {"kind": kind, "role": role})
        assert status == 200
        assert caller(served, made["environment"]) == role
    assert control(served, "POST", "", {"kind": "ecs", "role": "task", "port": made["port"]})[0] == 409
    assert control(served, "DELETE", f"/{made['id']}") == (200, {"status": "ok"})
    with pytest.raises(OSError, match="refused"):
        connect(made["port"])
    assert sorted(each["kind"] for each in control(served, "GET")[1]["attachments"]) == ["ecs", "imds"]


def test_several_workers_share_what_is_attached(make_server: Make, config: str) -> None:
    served = make_server("--config", config, "--workers", "2")
    status, made = control(served, "POST", "", {"kind": "ecs", "role": "task"})
    assert status == 200
    assert caller(served, made["environment"]) == "task"
    # A connection of its own for each request: either worker answers, and each knows all of them.
    for _ in range(6):
        found = control(served, "GET")[1]["attachments"]
        assert sorted(each["kind"] for each in found) == ["ecs", "imds"]
        assert all(each["listening"] for each in found)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_answer_with_a_token_travels_only_so_far(family: socket.AddressFamily) -> None:
    with socket.socket(family) as connected:
        limit_hops(mock.Mock(get_extra_info=mock.Mock(return_value=connected)), 3)
        option = (
            (socket.IPPROTO_IP, socket.IP_TTL)
            if family == socket.AF_INET
            else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
        )
        assert connected.getsockopt(*option) == 3

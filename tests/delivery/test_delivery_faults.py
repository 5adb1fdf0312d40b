"""Fault rules and the decision log reach what instances, tasks and pods get."""

from __future__ import annotations

from typing import Any

import pytest
from attached_worlds import INSTANCE, TOKEN, TTL, ask, attached_world, caller, metadata, metadata_token
from botocore.exceptions import ClientError

from rolecall.clock import iso8601
from rolecall.faults.active import InvalidFaultError

CREDENTIALS = "/latest/meta-data/iam/security-credentials/app"


@pytest.fixture
def world(make_world: Any) -> Any:
    made = make_world(attached_world())
    made.clock.freeze()
    return made


def test_absent_credentials(world: Any) -> None:
    world._sandbox.faults.add(service="imds", operation="GetSecurityCredentials", error="NotFound", times=1)
    assert metadata(world, CREDENTIALS).status == 404
    assert metadata(world, CREDENTIALS).status == 200


@pytest.mark.parametrize(
    ("error", "status"), [("ServiceUnavailable", 503), ("InternalServerError", 500), ("Unauthorized", 401)]
)
def test_an_error_has_its_status(world: Any, error: str, status: int) -> None:
    world._sandbox.faults.add(service="imds", error=error)
    answer = ask(world, INSTANCE, "/latest/api/token", "PUT", **{TTL: "60"})
    assert answer.status == status
    assert world.outcomes[-1].error_code == error


def test_stale_credentials(world: Any) -> None:
    token = metadata_token(world)
    world._sandbox.faults.add(kind="stale_credentials", service="imds", times=1)
    stale = ask(world, INSTANCE, CREDENTIALS, **{TOKEN: token}).json
    assert (stale["Code"], stale["Expiration"]) == ("Success", iso8601(world.clock.now_seconds() - 60))
    with pytest.raises(ClientError, match="ExpiredToken"):
        caller(world, stale)
    assert caller(world, ask(world, INSTANCE, CREDENTIALS, **{TOKEN: token}).json)


def test_wrong_credentials(world: Any) -> None:
    world._sandbox.faults.add(kind="wrong_credentials", times=1)
    right_and_wrong = metadata(world, CREDENTIALS).json, metadata(world, CREDENTIALS).json
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        caller(world, right_and_wrong[0])
    assert caller(world, right_and_wrong[1])
    assert right_and_wrong[0]["AccessKeyId"] == right_and_wrong[1]["AccessKeyId"]


def test_a_slow_answer(world: Any) -> None:
    pauses: list[float] = []
    world.clock.pause = pauses.append
    world._sandbox.faults.add(service="imds", operation="GetToken", delay_seconds=7)
    assert metadata(world, CREDENTIALS).status == 200
    assert pauses == [7]


def test_a_dropped_connection(world: Any) -> None:
    world._sandbox.faults.add(service="imds", kind="drop", times=1)
    assert ask(world, INSTANCE, "/latest/api/token", "PUT", **{TTL: "60"}).status == 0
    assert world.outcomes[-1].status == 0
    assert metadata(world, CREDENTIALS).status == 200


def test_revoked_in_the_middle(world: Any) -> None:
    document = metadata(world, CREDENTIALS).json
    assert caller(world, document)
    world._sandbox.faults.add(kind="revoked_credentials", principal="arn:aws:sts::*:assumed-role/app/*")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        caller(world, document)


def test_a_rule_for_every_service_is_for_aws_services(world: Any) -> None:
    world._sandbox.faults.add(kind="drop")
    world._sandbox.faults.add(operation="Get*", kind="delay", delay_seconds=60)
    assert metadata(world, CREDENTIALS).status == 200


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"service": "imds", "error": "Nonsense"}, "Nonsense is not an error of imds"),
        ({"service": "imds", "operation": "AssumeRole", "error": "NotFound"}, "applies to no operation"),
        ({"kind": "stale_credentials", "service": "sts"}, "applies to no operation"),
        ({"kind": "stale_credentials", "service": "imds", "operation": "GetToken"}, "applies to no operation"),
        ({"service": "metadata", "error": "NotFound"}, "there is no service 'metadata'"),
    ],
)
def test_rules_that_cannot_be_used(world: Any, rule: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidFaultError, match=problem):
        world._sandbox.faults.add(**rule)


def test_the_log_names_the_provider(world: Any) -> None:
    document = metadata(world, CREDENTIALS).json
    found = [(each.service, each.operation, each.status, each.caller.principal.arn) for each in world.outcomes]
    assert found == [
        ("imds", "GetToken", 200, "ec2.amazonaws.com"),
        ("imds", "GetSecurityCredentials", 200, "ec2.amazonaws.com"),
    ]
    issued = world.outcomes[-1]
    assert (issued.access_key_id, [each.allowed for each in issued.decisions]) == (document["AccessKeyId"], [True])
    # The next request gets the same credentials, and no policy was asked.
    metadata(world, CREDENTIALS)
    assert world.outcomes[-1].decisions == ()

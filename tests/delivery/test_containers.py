"""Container credentials of ECS: the path, the token, the session, and what is refused.

Expected answers: aws/amazon-ecs-agent, the tests of its credentials endpoint: ``{"code": "NoIdInRequest", "message":
"CredentialsV2Request: No ID in the request", "HTTPErrorCode": 400}``.
"""

from __future__ import annotations

from typing import Any

import pytest
from attached_worlds import ACCOUNT, TASK, ask, attached_world, caller, trust
from botocore.exceptions import ClientError
from msgspec.structs import replace

from rolecall.web.attach_endpoint import shown

SOURCE = f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"


def environment(world: Any, attachment_id: str = TASK) -> dict[str, str]:
    """The variables of the task, as if something listened at port 4600."""
    [found] = [each for each in world._sandbox.attachments.list() if each.attachment_id == attachment_id]
    listening = replace(found, bound_port=4600)
    return shown(world._sandbox, listening, "http://127.0.0.1")["environment"]  # type: ignore[no-any-return]


def asked(world: Any, attachment_id: str = TASK, **headers: str) -> Any:
    variables = environment(world, attachment_id)
    path = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"].removeprefix("http://127.0.0.1:4600")
    own = {"authorization": variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
    return ask(world, attachment_id, path, **{**own, **headers})


def test_the_credentials_of_the_task_role(make_world: Any) -> None:
    world = make_world(attached_world())
    document = asked(world).json
    assert sorted(document) == ["AccessKeyId", "Expiration", "RoleArn", "SecretAccessKey", "Token"]
    assert document["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/task"
    assert caller(world, document) == f"arn:aws:sts::{ACCOUNT}:assumed-role/task/{TASK}"
    assert asked(world).json == document


def test_new_ones_when_it_is_time(make_world: Any) -> None:
    world = make_world(attached_world())
    world.clock.freeze()
    first = asked(world).json
    world.clock.advance(3600)
    second = asked(world).json
    assert second["AccessKeyId"] != first["AccessKeyId"]
    world.clock.advance(5 * 3600)
    with pytest.raises(ClientError, match="ExpiredToken"):
        caller(world, first)
    assert caller(world, second)


@pytest.mark.parametrize("token", ["", "x", "Bearer {token}", "{token} ", "{token}x", "\xe4"])
def test_a_wrong_token(make_world: Any, token: str) -> None:
    world = make_world(attached_world())
    own = environment(world)["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    answer = asked(world, authorization=token.format(token=own))
    assert (answer.status, answer.json["HTTPErrorCode"]) == (401, 401)
    assert own not in answer.text


def test_the_token_of_another_task(make_world: Any) -> None:
    other = "f" * 32
    world = make_world(attached_world(tasks=[{"id": TASK, "role": "task"}, {"id": other, "role": "task"}]))
    token = environment(world, other)["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert asked(world, other, authorization=token).status == 200
    assert asked(world, authorization=token).status == 401


def test_a_declared_token(make_world: Any) -> None:
    world = make_world(attached_world(tasks=[{"id": TASK, "role": "task", "authorization_token": "secret"}]))
    assert asked(world, authorization="secret").status == 200
    assert asked(world, authorization="Secret").status == 401
    assert "secret" not in str(shown(world._sandbox, world._sandbox.attachments.list()[1], "http://x"))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/credentials", 400, "NoIdInRequest"),
        ("/v2/credentials/", 400, "NoIdInRequest"),
        ("/v2/credentials/0b8d6a4e-0000-4000-8000-000000000000", 400, "InvalidIdInRequest"),
        ("/v1/credentials", 404, "NotFound"),
        ("/", 404, "NotFound"),
    ],
)
def test_another_path(make_world: Any, path: str, status: int, code: str) -> None:
    answer = ask(make_world(attached_world()), TASK, path)
    assert (answer.status, answer.json["code"], answer.json["HTTPErrorCode"]) == (status, code, status)


def test_another_method(make_world: Any) -> None:
    assert ask(make_world(attached_world()), TASK, "/v2/credentials", "POST").status == 405


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (trust("ecs-tasks.amazonaws.com", ArnLike={"aws:SourceArn": SOURCE}), True),
        (trust("ecs-tasks.amazonaws.com", StringEquals={"aws:SourceAccount": ACCOUNT}), True),
        (trust("ecs-tasks.amazonaws.com", StringEquals={"aws:SourceAccount": "444455556666"}), False),
        (trust("ecs-tasks.amazonaws.com", ArnLike={"aws:SourceArn": SOURCE.replace("us-east-1", "eu-west-1")}), False),
        (trust("ec2.amazonaws.com"), False),
        (trust("ecs.amazonaws.com"), False),
    ],
)
def test_the_trust_policy_decides(make_world: Any, policy: dict[str, Any], allowed: bool) -> None:
    """ECS Developer Guide, task IAM role: a trust policy with aws:SourceArn ``arn:aws:ecs:REGION:ACCOUNT:*``."""
    roles = [{"name": "task", "trust_policy": policy}]
    world = make_world(attached_world(roles=roles, instances=[], pods=[]))
    answer = asked(world)
    assert answer.status == (200 if allowed else 503)
    assert world.outcomes[-1].decisions[-1].allowed is allowed


def test_a_role_that_was_deleted(make_world: Any) -> None:
    world = make_world(attached_world(pods=[]))
    document = asked(world).json
    iam = world.client("iam")
    iam.delete_role_policy(RoleName="task", PolicyName="own")
    iam.delete_role(RoleName="task")
    assert asked(world).status == 503
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        caller(world, document)


def test_the_address_that_sdks_know_needs_no_url(make_world: Any) -> None:
    world = make_world(attached_world(tasks=[{"id": TASK, "role": "task", "host": "169.254.170.2", "port": 80}]))
    [found] = [each for each in world._sandbox.attachments.list() if each.attachment_id == TASK]
    variables = shown(world._sandbox, replace(found, bound_port=80), "http://127.0.0.1")["environment"]
    assert sorted(variables) == ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    assert variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"].startswith("/v2/credentials/")

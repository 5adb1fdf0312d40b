"""Sign-in sessions: who sees them, and their end. What is refused comes first."""

from __future__ import annotations

import json
from typing import Any

import pytest
from signin_calls import ACCOUNT, OTHER_ACCOUNT, SAME_DEVICE, WORLD, Program, credentials_of, needs_the_model, refused

pytestmark = needs_the_model

NOW = 1_893_456_000
ALL = f"arn:aws:iam::{ACCOUNT}:*"
ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"
APP = f"arn:aws:iam::{ACCOUNT}:role/app"
UNKNOWN = f"arn:aws:signin:us-east-1:{ACCOUNT}:session/00000000-0000-4000-8000-000000000000"
NOT_FOUND = ("ResourceNotFoundException", 404, "RESOURCE_NOT_FOUND")
INVALID = ("ValidationException", 400, "INVALID_REQUEST")


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


@pytest.fixture
def signin(world: Any) -> Any:
    return world.client("signin")


def arns(answer: dict[str, Any]) -> list[str]:
    return [each["sessionArn"] for each in answer["items"]]


def newest(signin: Any) -> str:
    found: str = signin.list_sessions(principalArn=ALL)["items"][0]["sessionArn"]
    return found


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("list_sessions", {}),
        ("get_session", {"sessionArn": UNKNOWN}),
        ("batch_revoke_sessions", {"sessionArns": [UNKNOWN]}),
    ],
)
def test_they_need_a_permission(world: Any, operation: str, parameters: Any) -> None:
    """Their actions have the names of the operations."""
    plain = world.client("signin", "plain")
    message = refused(getattr(plain, operation), "AccessDeniedException", 403, "INSUFFICIENT_PERMISSIONS", **parameters)
    action = "signin:" + "".join(word.capitalize() for word in operation.split("_"))
    assert message.endswith(f"because no identity-based policy allows the {action} action")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    iam = world.client("iam")
    iam.put_user_policy(UserName="plain", PolicyName="own", PolicyDocument=json.dumps(policy))
    if operation == "get_session":
        refused(plain.get_session, *NOT_FOUND, **parameters)
    else:
        getattr(plain, operation)(**parameters)


def test_an_unsigned_call(world: Any) -> None:
    for path in ("/list-sessions", "/get-session", "/batch-revoke-sessions"):
        answer = world.application.test_client().post(path, data="{}", headers={"Host": "signin.us-east-1.api.aws"})
        assert (answer.status_code, answer.json) == (403, {"message": "Request is missing Authentication Token"})


@pytest.mark.parametrize(
    "arn",
    [
        UNKNOWN,
        "arn:aws:signin:us-east-1:111122223333:session/x",
        "arn:aws:signin:us-east-1:111122223333:console/x",
        "x",
    ],
)
def test_a_session_that_does_not_exist(signin: Any, arn: str) -> None:
    refused(signin.get_session, *NOT_FOUND, sessionArn=arn, principalArn=ALL)


def test_a_session_of_another_identity_or_account(world: Any, signin: Any) -> None:
    """Model: it is reported as not found."""
    Program().signs_in(world)
    arn = newest(signin)
    refused(signin.get_session, *NOT_FOUND, sessionArn=arn)
    refused(signin.get_session, *NOT_FOUND, sessionArn=arn, principalArn=APP)
    refused(signin.get_session, *NOT_FOUND, sessionArn=arn, principalArn=f"arn:aws:iam::{OTHER_ACCOUNT}:*")
    refused(signin.get_session, *NOT_FOUND, sessionArn=arn.replace("us-east-1", "eu-west-1"), principalArn=ALL)
    refused(signin.get_session, *NOT_FOUND, sessionArn=arn.replace(ACCOUNT, OTHER_ACCOUNT), principalArn=ALL)
    refused(signin.list_sessions, *INVALID, principalArn=f"arn:aws:iam::{OTHER_ACCOUNT}:*")
    assert signin.list_sessions()["items"] == []


@pytest.mark.parametrize("token", ["x", "!", "", "eA=="])
def test_a_pagination_token_of_nobody(signin: Any, token: str) -> None:
    if token:
        refused(signin.list_sessions, *INVALID, nextToken=token)
    assert signin.list_sessions()["items"] == []


def test_a_session(world: Any, signin: Any) -> None:
    program = Program()
    token = program.signs_in(world)["refreshToken"]
    arn = newest(signin)
    assert arn.startswith(f"arn:aws:signin:us-east-1:{ACCOUNT}:session/")
    expected = {
        "sessionArn": arn,
        "principalArn": ANA,
        "status": "ACTIVE",
        "clientId": SAME_DEVICE,
        "clientType": "CLI",
        "issuedAt": NOW,
        "expiresAt": NOW + 43_200,
    }
    assert signin.list_sessions(principalArn=ALL)["items"] == [expected]
    found = signin.get_session(sessionArn=arn, principalArn=ANA)
    assert found["userAgent"].startswith("Boto3/")
    del found["ResponseMetadata"], found["userAgent"]
    assert found == {**expected, "issuedInRegion": "us-east-1"}
    world.clock.advance(60)
    program.refreshes(world, token)
    assert signin.get_session(sessionArn=arn, principalArn=ALL)["lastUsedAt"] == NOW + 60
    world.clock.advance(43_200)
    assert signin.list_sessions(principalArn=ALL)["items"] == []


def test_the_caller_sees_its_own_sessions(world: Any) -> None:
    program = Program()
    tokens = program.signs_in(world, "role/app")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "signin:*", "Resource": "*"}]}
    iam = world.client("iam")
    iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=json.dumps(policy))
    Program().signs_in(world)
    app = world.client("signin", credentials=credentials_of(tokens))
    [own] = app.list_sessions()["items"]
    assert (own["principalArn"], own["role"], own["expiresAt"]) == (APP, APP, NOW + 7200)
    assert app.get_session(sessionArn=own["sessionArn"])["role"] == APP
    assert len(app.list_sessions(principalArn=ALL)["items"]) == 2


def test_filters_and_pages(world: Any, signin: Any) -> None:
    for seconds in range(5):
        world.clock.set(NOW + seconds)
        Program().signs_in(world, "role/app" if seconds % 2 else "user/ana")
    every = arns(signin.list_sessions(principalArn=ALL))
    assert len(every) == 5
    assert arns(signin.list_sessions(principalArn=ANA)) == every[::2]
    assert arns(signin.list_sessions(principalArn=ALL, issuedAfter=NOW + 3)) == every[:2]
    assert arns(signin.list_sessions(principalArn=ALL, issuedBefore=NOW + 1)) == every[4:]
    assert arns(signin.list_sessions(principalArn=ALL, clientId="other")) == []
    signin.batch_revoke_sessions(principalArn=ALL, sessionArns=every[:1])
    assert arns(signin.list_sessions(principalArn=ALL, status="REVOKED")) == every[:1]
    assert arns(signin.list_sessions(principalArn=ALL, status="ACTIVE")) == every[1:]
    pages = list(signin.get_paginator("list_sessions").paginate(principalArn=ALL, maxResults=2))
    assert [arns(page) for page in pages] == [every[:2], every[2:4], every[4:]]
    token = pages[0]["nextToken"]
    assert arns(signin.list_sessions(principalArn=ALL, nextToken=token)) == every[2:]
    refused(signin.list_sessions, *INVALID, principalArn=ALL, nextToken=token, status="ACTIVE")
    refused(signin.list_sessions, *INVALID, principalArn=ANA, nextToken=token)


def test_a_revoked_session(world: Any, signin: Any) -> None:
    """Model: it cannot be refreshed, revoking it again succeeds, and a failure does not fail the call."""
    program = Program()
    tokens = program.signs_in(world)
    arn = newest(signin)
    assert signin.batch_revoke_sessions(sessionArns=[arn])["revokedSessions"] == []
    assert program.refreshes(world, tokens["refreshToken"])
    for _ in range(2):
        answer = signin.batch_revoke_sessions(principalArn=ANA, sessionArns=[arn, UNKNOWN], reason="lost laptop")
        assert answer["revokedSessions"] == [{"sessionArn": arn}]
        [error] = answer["errors"]
        assert (error["sessionArn"], error["code"]) == (UNKNOWN, "RESOURCE_NOT_FOUND")
    refused(program.refreshes, *INVALID, world, tokens["refreshToken"])
    assert signin.get_session(sessionArn=arn, principalArn=ALL)["status"] == "REVOKED"
    # Sign-In User Guide: what was issued before stays valid until it expires.
    assert world.client("sts", credentials=credentials_of(tokens)).get_caller_identity()
    refused(signin.batch_revoke_sessions, *INVALID, sessionArns=[arn] * 6)


def test_a_reset_ends_all_sessions(world: Any, signin: Any) -> None:
    program = Program()
    tokens = program.signs_in(world)
    assert world.application.test_client().post("/_rolecall/reset").status_code == 200
    assert signin.list_sessions(principalArn=ALL)["items"] == []
    refused(program.refreshes, *INVALID, world, tokens["refreshToken"])

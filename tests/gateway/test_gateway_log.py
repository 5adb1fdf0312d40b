"""The log shows the results of calls, and never a secret, a token or a signature."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from raw_calls import Keys, Sent, keys_of, query_call, send, signed

from rolecall.services import registry
from rolecall.sessions.keys import SealingKey

SECRET = "a-very-secret-access-key-of-the-administrator"
ADMIN: Keys = ("admin_key_for_tests", SECRET)
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
TRUST = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": "111122223333",
                "users": [
                    {
                        "name": "admin",
                        "access_keys": [{"id": ADMIN[0], "secret": SECRET}],
                        "inline_policies": {"own": {"Version": "2012-10-17", "Statement": [ALLOW]}},
                    },
                    {"name": "nobody", "access_keys": [{"id": "nobody_key_for_tests", "secret": SECRET + "-2"}]},
                ],
                "roles": [{"name": "target", "trust_policy": {"Version": "2012-10-17", "Statement": [TRUST]}}],
            }
        ],
    }
)


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for chatty in ("botocore", "boto3", "urllib3"):
        caplog.set_level(logging.CRITICAL, logger=chatty)
    caplog.set_level(logging.DEBUG)
    return caplog


def calls(world: Any) -> list[Sent]:
    """Calls of many kinds: allowed, refused, wrongly signed, expired, malformed."""
    assume = query_call("sts", "AssumeRole", RoleArn="arn:aws:iam::111122223333:role/target", RoleSessionName="session")
    sessions = [
        world.client("sts").get_session_token()["Credentials"],
        world.assume("target"),
        world.client("sts").get_federation_token(
            Name="fed", Policy=json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]})
        )["Credentials"],
    ]
    made = []
    for credentials in sessions:
        keys = keys_of(credentials)
        whoami = query_call("sts", "GetCallerIdentity")
        made += [
            signed(whoami, keys, "sts"),
            signed(Sent("GET", "/", whoami.body.decode()), keys, "sts", presigned_seconds=60),
            signed(query_call("iam", "ListUsers"), keys, "iam"),
            signed(Sent("GET", "/accounts"), keys, "chime"),
            signed(assume, keys, "sts"),
            signed(whoami, (keys[0], "wrong secret", *keys[2:]), "sts"),
            signed(whoami, (*keys[:2], str(keys[-1])[:-4]), "sts"),
            signed(whoami, keys, "s3"),
            signed(query_call("sts", "NoSuchAction"), keys, "sts"),
        ]
    return [
        *made,
        signed(assume, ADMIN, "sts"),
        signed(query_call("iam", "CreateAccessKey", UserName="nobody"), ADMIN, "iam"),
        signed(query_call("iam", "CreateUser", UserName="nobody"), ADMIN, "iam"),
        signed(assume, ("nobody_key_for_tests", SECRET + "-2"), "sts"),
        signed(Sent("GET", "/phone-numbers"), ADMIN, "chime"),
        query_call("sts", "GetCallerIdentity"),
    ]


def secrets_in(requests: list[Sent], answers: list[bytes]) -> set[str]:
    """Everything that must not appear in a log: secrets, tokens, signatures."""
    found = {SECRET}
    for request in requests:
        found.add(request.headers.get("X-Amz-Security-Token", SECRET))
        found.add(request.headers.get("Authorization", SECRET).rpartition("Signature=")[2])
        for part in request.query.split("&"):
            name, _, value = part.partition("=")
            if name in ("X-Amz-Signature", "X-Amz-Security-Token"):
                found.add(value)
    for answer in answers:
        for name in ("SecretAccessKey", "SessionToken"):
            for piece in answer.decode().split(f"<{name}>")[1:]:
                found.add(piece.partition("<")[0])
    return found


def test_no_secret_is_logged(make_world: Any, everything_logged: pytest.LogCaptureFixture) -> None:
    world = make_world(WORLD)
    requests = calls(world)
    answers = [send(world.application, request).body for request in requests]
    world.clock.advance(200_000)
    answers += [send(world.application, request).body for request in requests]
    text = everything_logged.text + "".join(repr(record.args) for record in everything_logged.records)
    assert text.count("AccessDenied") >= 3
    secrets = secrets_in(requests, answers)
    assert len(secrets) > 30
    for secret in secrets:
        assert secret not in text
        # Even the beginning of a token would identify it.
        assert len(secret) < 200 or secret[-40:] not in text


def test_nor_is_one_shown_by_the_values_that_describe_a_call(make_world: Any) -> None:
    world = make_world(WORLD)
    requests = calls(world)
    answers = [send(world.application, request).body for request in requests]
    # The message about a wrong signature shows the signed text to its sender, and only to its sender.
    told = [outcome for outcome in world.outcomes if outcome.error is None or "\n" not in outcome.error.message]
    assert len(told) > len(requests) - 5
    shown = repr(told) + repr(world.declared)
    assert "GetCallerIdentity" in shown
    for secret in secrets_in(requests, answers):
        assert secret not in shown
    assert "secret" not in repr(SealingKey("key", b"secret"))


def test_a_refusal_is_logged_with_its_request_id(make_world: Any, everything_logged: pytest.LogCaptureFixture) -> None:
    world = make_world(WORLD)
    request = signed(Sent("GET", "/accounts"), ("nobody_key_for_tests", SECRET + "-2"), "chime")
    received = send(world.application, request)
    [line] = [record.getMessage() for record in everything_logged.records if record.name == "rolecall.gateway"]
    assert line.startswith(f"{received.headers['x-amzn-RequestId']} ListAccounts ForbiddenException: ")


@pytest.mark.parametrize("service", ["sts", "chime"])
def test_only_the_log_shows_a_failure_inside(
    make_world: Any, service: str, monkeypatch: pytest.MonkeyPatch, everything_logged: pytest.LogCaptureFixture
) -> None:
    world = make_world(WORLD)
    name = "GetCallerIdentity" if service == "sts" else "ListAccounts"

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("details for the developer")

    operation = registry.find(service, name)
    assert operation is not None
    fields = {slot: getattr(operation, slot) for slot in operation.__slots__}
    broken_operation = registry.RegisteredOperation(**{**fields, "function": broken})
    monkeypatch.setitem(registry._operations, (service, name), broken_operation)
    request = query_call("sts", name) if service == "sts" else Sent("GET", "/accounts")
    received = send(world.application, signed(request, ADMIN, service))
    message = "The request processing has failed because of an unknown error, exception or failure."
    assert received.error == (500, "InternalFailure", message)
    assert b"details" not in received.body
    assert "details for the developer" in everything_logged.text
    assert received.headers["x-amzn-RequestId"] in everything_logged.text

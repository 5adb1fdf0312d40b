"""DecodeAuthorizationMessage: the content of encoded messages, and the callers who may read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from botocore.config import Config
from logged_worlds import keep_log, refused
from sts_calls import account, allow, declared, policy, refusal, role, role_arn, statement, trust, user, user_arn

from rolecall.app import add_sealing_key
from rolecall.call_log.writer import DecisionLog
from rolecall.storage.decision_log import CallFilter

MAXIMUM_MESSAGE_CHARACTERS = 10_240

INVALID = (400, "InvalidAuthorizationMessageException", "Message is not valid")
LATER = Config(parameter_validation=False)
NO_CREATING = policy(
    statement("chime:*"),
    statement("chime:Create*", effect="Deny", Sid="NoCreating", Condition={"Bool": {"aws:SecureTransport": "false"}}),
)
WORLD = declared(
    account(
        users=[user("nobody"), user("denied", NO_CREATING), user("decoder", allow("sts:DecodeAuthorizationMessage"))],
        roles=[role("target", trust(user_arn("decoder"), Condition={"StringEquals": {"sts:ExternalId": "one"}}))],
    ),
    account("444455556666"),
)


@pytest.fixture
def logged(make_world: Any) -> Iterator[tuple[Any, DecisionLog]]:
    world = make_world(WORLD)
    log = keep_log(world)
    yield world, log
    log.close()


def encoded(log: DecisionLog, request_id: str) -> str:
    details = log.details(request_id)
    assert details is not None
    return str(json.loads(details.explanation)["encoded_message"])


def decoded(world: Any, message: str, name: str = "decoder") -> dict[str, Any]:
    answer = world.client("sts", name).decode_authorization_message(EncodedMessage=message)
    return json.loads(answer["DecodedMessage"])  # type: ignore[no-any-return]


def conditions(message: dict[str, Any]) -> dict[str, list[str]]:
    items = message["context"]["conditions"]["items"]
    return {item["key"]: [value["value"] for value in item["values"]["items"]] for item in items}


def test_an_implicit_deny(logged: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "nobody").list_accounts)
    message = decoded(world, encoded(log, made))
    known = conditions(message)
    principal_id = known.pop("aws:userid")[0]
    assert message == {
        "allowed": False,
        "explicitDeny": False,
        "matchedStatements": {"items": []},
        "failures": {"items": []},
        "context": {
            "principal": {"id": principal_id, "name": "nobody", "arn": user_arn("nobody")},
            "action": "chime:ListAccounts",
            "resource": "*",
            "conditions": message["context"]["conditions"],
        },
    }
    assert known["aws:username"] == ["nobody"]
    assert known["aws:SourceIp"] == ["127.0.0.1"]
    assert "sts:ExternalId" not in known


def test_an_explicit_deny_shows_the_statement(logged: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "denied").create_account, Name="x")
    message = decoded(world, encoded(log, made))
    assert (message["allowed"], message["explicitDeny"]) == (False, True)
    [matched] = message["matchedStatements"]["items"]
    assert matched == {
        "statementId": "NoCreating",
        "effect": "DENY",
        "principals": {"items": [{"value": message["context"]["principal"]["id"]}]},
        "principalGroups": {"items": []},
        "actions": {"items": [{"value": "chime:Create*"}]},
        "resources": {"items": [{"value": "*"}]},
        "conditions": {"items": [{"key": "aws:SecureTransport", "values": {"items": [{"value": "false"}]}}]},
    }


def test_the_context_holds_the_keys_of_the_call(logged: Any) -> None:
    world, log = logged
    arguments = {"RoleArn": role_arn("target"), "RoleSessionName": "abc", "ExternalId": "two"}
    made, _ = refused(world.client("sts", "decoder").assume_role, **arguments)
    message = decoded(world, encoded(log, made))
    assert message["context"]["resource"] == role_arn("target")
    assert conditions(message)["sts:ExternalId"] == ["two"]
    assert conditions(message)["sts:RoleSessionName"] == ["abc"]


def test_allowed_calls_have_no_message(logged: Any) -> None:
    world, log = logged
    world.client("chime", "denied").list_accounts()
    [call] = log.calls(CallFilter())
    assert call.outcome == "Allowed"
    assert log.details(call.request_id) is None


def test_a_message_is_opened_for_a_day(logged: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "nobody").list_accounts)
    message = encoded(log, made)
    world.clock.advance(24 * 3600 - 60)
    assert decoded(world, message)["allowed"] is False
    world.clock.advance(120)
    assert refusal(world.client("sts", "decoder"), "DecodeAuthorizationMessage", EncodedMessage=message) == INVALID


def test_a_message_outlives_the_key_that_sealed_it(logged: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "nobody").list_accounts)
    message = encoded(log, made)
    add_sealing_key(world.database, world.clock)
    assert decoded(world, message)["allowed"] is False


def test_foreign_messages_are_not_valid(logged: Any, make_world: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "nobody").list_accounts)
    message = encoded(log, made)
    of_another_account = world.client("sts", "other_admin")
    assert refusal(of_another_account, "DecodeAuthorizationMessage", EncodedMessage=message) == INVALID
    of_another_sandbox = make_world(WORLD).client("sts", "decoder")
    assert refusal(of_another_sandbox, "DecodeAuthorizationMessage", EncodedMessage=message) == INVALID


@pytest.mark.parametrize("text", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\n", "ü" * 100, "." * 10_240])
def test_rubbish_is_not_valid(logged: Any, text: str) -> None:
    world, _ = logged
    assert refusal(world.client("sts", "decoder"), "DecodeAuthorizationMessage", EncodedMessage=text) == INVALID


def test_a_changed_message_is_not_valid(logged: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "nobody").list_accounts)
    header, claims, seal = encoded(log, made).split(".")
    decoder = world.client("sts", "decoder")
    changed = seal[:-2] + ("B" if seal[-2] == "A" else "A") + seal[-1]
    for text in (f"{header}.{claims}A.{seal}", f"{header}.{claims}.{changed}", f"{header}.{claims}.", claims):
        assert refusal(decoder, "DecodeAuthorizationMessage", EncodedMessage=text) == INVALID


def test_a_session_token_is_no_message(logged: Any) -> None:
    world, _ = logged
    token = world.client("sts", "decoder").get_session_token()["Credentials"]["SessionToken"]
    assert refusal(world.client("sts", "decoder"), "DecodeAuthorizationMessage", EncodedMessage=token) == INVALID


def test_a_message_is_no_session_token(logged: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "nobody").list_accounts)
    known = world.client("sts", "decoder").get_session_token()["Credentials"]
    keys = (known["AccessKeyId"], known["SecretAccessKey"], encoded(log, made))
    assert refusal(world.client("sts", keys=keys), "GetCallerIdentity")[1] == "InvalidClientTokenId"


def test_reading_needs_the_permission(logged: Any) -> None:
    world, log = logged
    made, _ = refused(world.client("chime", "nobody").list_accounts)
    message = encoded(log, made)
    status, code, text = refusal(world.client("sts", "nobody"), "DecodeAuthorizationMessage", EncodedMessage=message)
    assert (status, code) == (403, "AccessDenied")
    assert "not authorized to perform: sts:DecodeAuthorizationMessage" in text


@pytest.mark.parametrize("length", [0, MAXIMUM_MESSAGE_CHARACTERS + 1])
def test_limits_of_the_parameter(logged: Any, length: int) -> None:
    world, _ = logged
    found = refusal(
        world.client("sts", "decoder", config=LATER), "DecodeAuthorizationMessage", EncodedMessage="a" * length
    )
    assert found[:2] == (400, "ValidationError")


def test_a_message_too_long_to_be_decoded_is_left_out(make_world: Any) -> None:
    # Random-looking names, because the message is compressed.
    actions = [f"chime:{sha256(str(number).encode()).hexdigest()[:32]}" for number in range(1000)]
    everyone = user("denied", policy(statement("chime:*"), statement(["chime:CreateAccount", *actions], effect="Deny")))
    world = make_world(declared(account(users=[everyone])))
    log = keep_log(world)
    made, _ = refused(world.client("chime", "denied").create_account, Name="x")
    assert encoded(log, made) == ""
    log.close()

"""Limits of the models in AWS's words. Cases called «recorded» are answers of the real services."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.wire import check_constraints, decode, load_service, match

MAXIMUM_FAILURES = 100

CASES = json.loads((Path(__file__).parent / "cases" / "constraints.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_constraint(case: dict[str, Any]) -> None:
    operation = load_service(case["service"]).operation(case["operation"])
    if case["message"] is None:
        assert check_constraints(operation, case["parameters"]) is None
        return
    with pytest.raises(AwsError) as caught:
        check_constraints(operation, case["parameters"])
    assert caught.value.code == ("BadRequestException" if case["service"] == "chime" else "ValidationError")
    assert caught.value.message == case["message"]


def test_a_limit_is_met_at_its_border() -> None:
    operation = load_service("sts").operation("AssumeRole")
    role = "arn:aws:iam::111122223333:role/r"
    for duration, name in ((900, "ab"), (43200, "s" * 64)):
        check_constraints(operation, {"RoleArn": role, "RoleSessionName": name, "DurationSeconds": duration})
    with pytest.raises(AwsError):
        check_constraints(operation, {"RoleArn": role, "RoleSessionName": "a"})


def test_map_keys_and_values_are_checked() -> None:
    operation = load_service("chime-sdk-messaging").operation("SendChannelMessage")
    given = {
        "ChannelArn": "arn:aws:chime:us-east-1:111122223333:app-instance/a/channel/c",
        "Content": "x",
        "Type": "STANDARD",
        "Persistence": "PERSISTENT",
        "ClientRequestToken": "abc",
        "ChimeBearer": "arn:aws:chime:us-east-1:111122223333:app-instance/a/user/u",
    }
    check_constraints(operation, {**given, "MessageAttributes": {"k": {"StringValues": ["v"]}}})
    with pytest.raises(AwsError, match="Map keys must satisfy constraint"):
        check_constraints(operation, {**given, "MessageAttributes": {"k" * 65: {"StringValues": ["v"]}}})
    # The model marks the key as sensitive.
    with pytest.raises(AwsError, match=r"'messageAttributes\.HIDDEN_DUE_TO_SECURITY_REASONS\.member\.stringValues'"):
        check_constraints(operation, {**given, "MessageAttributes": {"k": {"StringValues": ["v" * 513]}}})
    with pytest.raises(AwsError, match="Map value must satisfy constraint"):
        check_constraints(operation, {**given, "MessageAttributes": {"k": None}})


def test_a_hundred_thousand_bad_elements_cost_little_and_say_little() -> None:
    body = b'{"UpdateUserRequestItems":[' + b",".join([b"{}"] * 100_000) + b"]}"
    request = HttpRequest("POST", "/accounts/a/users", "", {}, body)
    target = match(request, "chime")
    started = time.process_time()
    with pytest.raises(AwsError) as caught:
        check_constraints(target.operation, decode(target, request))
    assert caught.value.message.startswith(f"{MAXIMUM_FAILURES + 1} validation errors")
    # Processor time, which other work on the machine does not change. An explosion would take hours.
    assert time.process_time() - started < 30

"""Limits of STS's parameters: a value just inside is accepted, a value just outside is refused in AWS's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sts_calls import (
    READ_ONLY,
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
    refusal,
    role,
    role_arn,
    root_arn,
    trust,
    user,
)

from rolecall.services.catalogue import find
from rolecall.wire import load_service

CASES = json.loads((Path(__file__).parent / "cases" / "sts_limits.json").read_text(encoding="utf-8"))
LONGEST = role_arn("longest")
REQUIRED = {
    "AssumeRole": {"RoleArn": LONGEST, "RoleSessionName": "session"},
    "GetFederationToken": {"Name": "ana"},
    "GetSessionToken": {},
    "GetAccessKeyInfo": {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"},
}


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    everything = trust(root_arn(), ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])
    lowest, longest = {"max_session_duration": 3600}, {"max_session_duration": 43200}
    roles = [role("shortest", everything, **lowest), role("longest", everything, **longest)]
    return make_shared_world(declared(account(roles=roles, users=[user("nobody", allow("chime:ListUsers"))])))


@pytest.fixture
def sts(worlds: Any) -> Any:
    return worlds.client("sts", config=UNCHECKED)


def written_out(value: Any) -> Any:
    """``a × 65`` means 65 times the letter a."""
    if isinstance(value, dict):
        return {name: written_out(member) for name, member in value.items()}
    if isinstance(value, list):
        return [written_out(member) for member in value]
    if isinstance(value, str) and (long := re.fullmatch(r"(\w) × (\d+)", value)):
        return long[1] * int(long[2])
    return value


def at(parameters: dict[str, Any], path: str) -> Any:
    """The value that the error names, by the path in the error."""
    value: Any = parameters
    for step in path.replace(".member", "").split("."):
        if step.isdigit():
            value = value[int(step) - 1]
        else:
            value = value.get(step[0].upper() + step[1:], value.get(step))
    return value


@pytest.mark.parametrize(
    ("operation", "parameters", "path", "constraint"), CASES, ids=lambda value: str(value)[:40].replace(" ", "")
)
def test_a_value_beyond_its_limit_is_refused(
    sts: Any, operation: str, parameters: dict[str, Any], path: str, constraint: str
) -> None:
    parameters = written_out({**REQUIRED[operation], **parameters})
    value = at(parameters, path)
    shown = "null" if value is None else f"'{value}'"
    sent = {name: value for name, value in parameters.items() if value is not None}
    sentence = f"1 validation error detected: Value {shown} at '{path}' failed to satisfy constraint: {constraint}"
    assert refusal(sts, operation, **sent) == (400, "ValidationError", sentence)


@pytest.mark.follows_the_model
def test_a_source_identity_has_256_characters(sts: Any) -> None:
    assert answered(sts, "AssumeRole", **REQUIRED["AssumeRole"], SourceIdentity="a" * 256) == "allowed"
    value = "a" * 257
    sentence = (
        f"1 validation error detected: Value '{value}' at 'sourceIdentity' failed to satisfy constraint: "
        "Member must have length less than or equal to 256"
    )
    told = refusal(sts, "AssumeRole", **REQUIRED["AssumeRole"], SourceIdentity=value)
    assert told == (400, "ValidationError", sentence)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("AssumeRole", {"RoleSessionName": "ab"}),
        ("AssumeRole", {"RoleSessionName": "a" * 64}),
        ("AssumeRole", {"RoleSessionName": "Az09_+=,.@-"}),
        ("AssumeRole", {"DurationSeconds": 900}),
        ("AssumeRole", {"DurationSeconds": 43200}),
        ("AssumeRole", {"ExternalId": "ab"}),
        ("AssumeRole", {"ExternalId": "a" * 1224}),
        ("AssumeRole", {"ExternalId": "Az09_+=,.@:/-"}),
        ("AssumeRole", {"SourceIdentity": "a" * 64}),
        ("AssumeRole", {"Tags": [{"Key": "k" * 128, "Value": "v" * 256}]}),
        ("AssumeRole", {"Tags": [{"Key": "naïve key_.:/=+-@", "Value": ""}]}),
        ("AssumeRole", {"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(50)]}),
        ("AssumeRole", {"PolicyArns": [{"arn": READ_ONLY}] * 10}),
        ("GetFederationToken", {"Name": "ab"}),
        ("GetFederationToken", {"Name": "a" * 32}),
        ("GetFederationToken", {"DurationSeconds": 900}),
        ("GetFederationToken", {"DurationSeconds": 129600}),
        ("GetFederationToken", {"PolicyArns": [{"arn": READ_ONLY}] * 10}),
        ("GetSessionToken", {"DurationSeconds": 900}),
        ("GetSessionToken", {"DurationSeconds": 129600}),
    ],
    ids=lambda value: str(value)[:50].replace(" ", ""),
)
def test_a_value_at_its_limit_is_accepted(sts: Any, operation: str, parameters: dict[str, Any]) -> None:
    call = {"AssumeRole": sts.assume_role, "GetFederationToken": sts.get_federation_token}.get(
        operation, sts.get_session_token
    )
    credentials = call(**{**REQUIRED[operation], **parameters})["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize(
    ("operation", "parameters", "path", "limit"),
    [
        ("AssumeRole", {"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]}, "tags", 50),
        ("AssumeRole", {"TransitiveTagKeys": [f"k{n}" for n in range(51)]}, "transitiveTagKeys", 50),
        ("GetFederationToken", {"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]}, "tags", 50),
        ("AssumeRole", {"PolicyArns": [{"arn": READ_ONLY}] * 11}, "policyArns", 10),
        ("GetFederationToken", {"PolicyArns": [{"arn": READ_ONLY}] * 11}, "policyArns", 10),
    ],
)
def test_a_list_that_is_too_long_is_refused(
    sts: Any, operation: str, parameters: dict[str, Any], path: str, limit: int
) -> None:
    status, code, message = refusal(sts, operation, **REQUIRED[operation], **parameters)
    assert (status, code) == (400, "ValidationError")
    assert message.startswith("1 validation error detected: Value '[")
    end = f"]' at '{path}' failed to satisfy constraint: Member must have length less than or equal to {limit}"
    assert message.endswith(end)


def test_all_failures_are_in_one_message(sts: Any) -> None:
    status, code, message = refusal(
        sts, "AssumeRole", RoleArn=LONGEST, RoleSessionName="a:b", DurationSeconds=1, TokenCode="x"
    )
    head, _, rest = message.partition(": ")
    assert (status, code, head) == (400, "ValidationError", "4 validation errors detected")
    assert sorted(rest.split("; ")) == [
        "Value '1' at 'durationSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 900",
        "Value 'a:b' at 'roleSessionName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
        "Value 'x' at 'tokenCode' failed to satisfy constraint: Member must have length greater than or equal to 6",
        r"Value 'x' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\d]*",
    ]


def test_limits_come_before_permissions(worlds: Any) -> None:
    nobody = worlds.client("sts", "nobody", config=UNCHECKED)
    status, code, _ = refusal(nobody, "AssumeRole", RoleArn=LONGEST, RoleSessionName="a:b")
    assert (status, code) == (400, "ValidationError")
    status, code, _ = refusal(nobody, "AssumeRole", RoleArn=role_arn("no-such-role"), RoleSessionName="a:b")
    assert (status, code) == (400, "ValidationError")


@pytest.fixture
def still(worlds: Any) -> Iterator[Any]:
    """The shared sandbox while its clock stands still."""
    worlds.clock.freeze()
    yield worlds
    worlds.clock.reset()


def seconds_left(worlds: Any, credentials: dict[str, Any]) -> int:
    return int(credentials["Expiration"].timestamp()) - int(worlds.clock.now_seconds())


@pytest.mark.parametrize(
    ("user_name", "operation", "parameters", "seconds"),
    [
        ("admin", "assume_role", REQUIRED["AssumeRole"], 3600),
        ("admin", "assume_role", {**REQUIRED["AssumeRole"], "DurationSeconds": 1234}, 1234),
        ("admin", "get_session_token", {}, 43200),
        ("admin", "get_session_token", {"DurationSeconds": 1234}, 1234),
        ("admin", "get_federation_token", {"Name": "ana"}, 43200),
        ("admin", "get_federation_token", {"Name": "ana", "DurationSeconds": 1234}, 1234),
        ("root of 111122223333", "get_session_token", {}, 3600),
        ("root of 111122223333", "get_session_token", {"DurationSeconds": 129600}, 3600),
        ("root of 111122223333", "get_session_token", {"DurationSeconds": 1234}, 1234),
        ("root of 111122223333", "get_federation_token", {"Name": "ana"}, 3600),
        ("root of 111122223333", "get_federation_token", {"Name": "ana", "DurationSeconds": 129600}, 3600),
    ],
)
def test_how_long_a_session_lasts(
    still: Any, user_name: str, operation: str, parameters: dict[str, Any], seconds: int
) -> None:
    answer = getattr(still.client("sts", user_name), operation)(**parameters)
    assert seconds_left(still, answer["Credentials"]) == seconds


def test_longer_than_the_role_allows(sts: Any) -> None:
    for seconds in (3601, 43200):
        assert refusal(
            sts, "AssumeRole", RoleArn=role_arn("shortest"), RoleSessionName="session", DurationSeconds=seconds
        ) == (400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    sts.assume_role(RoleArn=role_arn("shortest"), RoleSessionName="session", DurationSeconds=3600)


@pytest.mark.parametrize("operation", sorted(REQUIRED))
def test_every_parameter_is_emulated(operation: str) -> None:
    registered = find("sts", operation)
    assert registered is not None
    assert registered.parameters == set(load_service("sts").operation(operation).input_members)

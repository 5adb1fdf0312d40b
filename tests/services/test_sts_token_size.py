"""How large session tokens are: told in the answer, and made larger on demand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sts_calls import (
    OTHER,
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
)

from rolecall.services.registry import all_operations
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.tokens import open_token, seal

TASK = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
CALLS: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleArn": role_arn("operator"), "RoleSessionName": "session"},
    "AssumeRoot": {"TargetPrincipal": OTHER, "TaskPolicyArn": TASK},
    "GetSessionToken": {},
    "GetFederationToken": {"Name": "fed"},
}
KEY = SealingKey("key", b"k" * 32)


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    organization = {"id": "o-example1234", "features": ["RootSessions"]}
    roles = [role("operator", trust(root_arn(), ["sts:AssumeRole", "sts:TagSession"]), allow("*"))]
    return make_shared_world(declared(account(roles=roles), account(OTHER), organization=organization))


def call(client: Any, operation: str, **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client._make_api_call(operation, {**CALLS[operation], **parameters})
    return answer


def test_every_operation_of_this_kind_is_tried() -> None:
    emulated = {operation.name for operation in all_operations() if "MinimumSessionTokenSize" in operation.parameters}
    assert set(CALLS) <= emulated


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("size", [0, 1, 500, 1000, 1001, 1002, 1003, 2048, 4095, 4096])
def test_a_token_has_at_least_the_size_that_is_asked_for(worlds: Any, operation: str, size: int) -> None:
    plain = call(worlds.client("sts"), operation)
    answer = call(worlds.client("sts"), operation, MinimumSessionTokenSize=size)
    token = answer["Credentials"]["SessionToken"]
    assert answer["SessionTokenSize"] == len(token)
    assert max(size, plain["SessionTokenSize"] - 2) <= len(token) <= max(size + 12, plain["SessionTokenSize"] + 2)
    assert answer["SessionTokenUtilization"] == min(100, math.ceil(100 * len(token) / 4096))
    identity = worlds.client("sts", credentials=answer["Credentials"]).get_caller_identity()
    assert identity["Arn"] == worlds.client("sts", credentials=plain["Credentials"]).get_caller_identity()["Arn"]


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("size", [-1, 4097])
def test_sizes_that_are_refused(worlds: Any, operation: str, size: int) -> None:
    sts = worlds.client("sts", config=UNCHECKED)
    status, code, message = refusal(sts, operation, **CALLS[operation], MinimumSessionTokenSize=size)
    assert (status, code) == (400, "ValidationError")
    assert f"Value '{size}' at 'minimumSessionTokenSize'" in message


def test_what_a_session_carries_fills_its_token(worlds: Any) -> None:
    sts = worlds.client("sts")
    sizes = []
    for count in (0, 3, 12):
        tags = [{"Key": f"key-{number}", "Value": f"value-{number}"} for number in range(count)]
        answer = call(sts, "AssumeRole", Tags=tags)
        sizes.append((answer["SessionTokenSize"], answer["SessionTokenUtilization"]))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


def test_a_filled_token_cannot_be_cut_or_changed(worlds: Any) -> None:
    credentials = call(worlds.client("sts"), "AssumeRole", MinimumSessionTokenSize=3000)["Credentials"]
    token = credentials["SessionToken"]
    for changed in (token[:1500] + token[1501:], token[:2000] + ("A" if token[2000] != "A" else "B") + token[2001:]):
        sts = worlds.client("sts", credentials={**credentials, "SessionToken": changed})
        assert answered(sts, "GetCallerIdentity")[1] == "InvalidClientTokenId"


@pytest.mark.parametrize("claims", [{"a": "b"}, {"text": "long " * 400}])
def test_every_size_can_be_reached_but_for_one_character(claims: dict[str, Any]) -> None:
    shortest = len(seal(KEY, "test", claims))
    for size in range(shortest + 20, shortest + 90):
        token = seal(KEY, "test", claims, minimum_characters=size)
        assert size <= len(token) <= size + 2
        assert open_token(KeyRing([KEY]), "test", token)[1] == claims


# Tokens of the global endpoint.

GLOBAL = "http://sts.amazonaws.com"


@pytest.mark.parametrize("operation", ["AssumeRole", "GetSessionToken", "GetFederationToken"])
def test_tokens_of_the_global_endpoint_are_not_good_in_every_region(make_world: Any, operation: str) -> None:
    world = make_world(declared(account(roles=[role("operator", trust(root_arn()), allow("*"))])))
    iam = world.client("iam")

    def summary() -> int:
        return iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"]  # type: ignore[no-any-return]

    def identity_in(region: str, credentials: dict[str, Any]) -> Any:
        return answered(world.client("sts", credentials=credentials, region=region), "GetCallerIdentity")

    assert summary() == 1
    first = call(world.client("sts", endpoint_url=GLOBAL), operation)["Credentials"]
    regional = call(world.client("sts"), operation)["Credentials"]
    iam.set_security_token_service_preferences(GlobalEndpointTokenVersion="v2Token")
    assert summary() == 2
    second = call(world.client("sts", endpoint_url=GLOBAL), operation)["Credentials"]
    for credentials in (first, regional, second):
        assert identity_in("us-east-1", credentials) == identity_in("eu-west-3", credentials) == "allowed"
    invalid = (403, "InvalidClientTokenId", "The security token included in the request is invalid")
    assert identity_in("ap-east-1", first) == identity_in("me-central-1", first) == invalid
    assert identity_in("ap-east-1", regional) == identity_in("ap-east-1", second) == "allowed"
    iam.set_security_token_service_preferences(GlobalEndpointTokenVersion="v1Token")
    assert summary() == 1
    assert identity_in("ap-east-1", second) == "allowed"


def test_the_version_must_be_one(worlds: Any) -> None:
    iam = worlds.client("iam", config=UNCHECKED)
    told = refusal(iam, "SetSecurityTokenServicePreferences", GlobalEndpointTokenVersion="v3Token")
    assert told[:2] == (400, "ValidationError")

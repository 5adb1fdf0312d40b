"""The size of session tokens: shown in the answer, and larger on request."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from string import ascii_letters, digits
from typing import Any

import pytest
from sts_calls import (
    ACCOUNT,
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

from rolecall.ids import Identifiers
from rolecall.principals import Principal
from rolecall.services.catalogue import all_operations
from rolecall.sessions.credentials import SessionRequest, TokenTooLargeError, issue
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.tokens import open_token, seal
from rolecall.wire import load_service

TASK = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
CALLS: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleArn": role_arn("operator"), "RoleSessionName": "session"},
    "AssumeRoot": {"TargetPrincipal": OTHER, "TaskPolicyArn": TASK},
    "GetSessionToken": {},
    "GetFederationToken": {"Name": "fed"},
}
KEY = SealingKey("0a1b2c3d", b"k" * 32)


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
    sized = {
        name
        for name in load_service("sts").operation_names
        if ("MinimumSessionTokenSize",) in load_service("sts").operation(name).input_paths
    }
    assert emulated >= sized
    # test_sts_saml, test_sts_web_identity and test_sts_scoped try these.
    elsewhere = {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetScopedCredentials"}
    assert emulated == {*CALLS, *elsewhere}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("size", [0, 1, 500, 1000, 1001, 1002, 1003, 2048, 4095, 4096])
def test_a_token_has_at_least_the_size_that_is_asked_for(worlds: Any, operation: str, size: int) -> None:
    plain = call(worlds.client("sts"), operation)
    answer = call(worlds.client("sts"), operation, MinimumSessionTokenSize=size)
    token = answer["Credentials"]["SessionToken"]
    assert answer["SessionTokenSize"] == len(token) == max(size, plain["SessionTokenSize"])
    assert answer["SessionTokenUtilization"] == math.ceil(100 * len(token) / 4096)
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


@pytest.mark.parametrize("claims", [{"a": "b"}, {"a": "bc"}, {"a": "bcd"}, {"text": "long " * 400}])
@pytest.mark.parametrize("compressed", [True, False])
def test_every_size_can_be_reached(claims: dict[str, Any], compressed: bool) -> None:
    shortest = len(seal(KEY, "test", claims, compressed=compressed))
    for size in range(shortest, shortest + 90):
        token = seal(KEY, "test", claims, minimum_characters=size, compressed=compressed)
        assert len(token) == size
        assert open_token(KeyRing([KEY]), "test", token)[1] == claims


# The one limit: 4,096 bytes.


def random_text(length: int, seed: int = 0) -> str:
    return "".join(Random(seed * 1000 + length).choices(ascii_letters + digits, k=length))


def numbered(values: Iterable[str]) -> list[dict[str, str]]:
    return [{"Key": f"key-{number}", "Value": value} for number, value in enumerate(values)]


def policy_with_arns(count: int, characters: int) -> str:
    """A session policy of so many characters that has so many random ARNs."""
    arns = [f"arn:aws:s3:::{random_text(19, number)}" for number in range(count)]
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": arns}]})
    assert len(text) <= characters
    return text.ljust(characters)


TAKEN: dict[str, dict[str, Any]] = {
    "ten tags of 64 random characters": {"Tags": numbered(random_text(64, n) for n in range(10))},
    "a policy of 1,038 characters with 25 random ARNs": {"Policy": policy_with_arns(25, 1038)},
    "a policy as long as a policy may be": {"Policy": policy_with_arns(40, 2048)},
    "nine tags of 250 random characters": {"Tags": numbered(random_text(250, n) for n in range(9))},
}
REFUSED: dict[str, dict[str, Any]] = {
    "twelve tags of 250 random characters": {"Tags": numbered(random_text(250, n) for n in range(12))},
    "twelve tags of 250 equal characters": {"Tags": numbered("a" * 250 for n in range(12))},
    "a long policy and nine tags": {
        "Policy": policy_with_arns(25, 1038),
        "Tags": numbered(random_text(250, n) for n in range(9)),
    },
}
with_policies = pytest.mark.parametrize("operation", ["AssumeRole", "GetFederationToken"])


@with_policies
@pytest.mark.parametrize("case", TAKEN)
def test_what_one_token_holds(worlds: Any, operation: str, case: str) -> None:
    answer = call(worlds.client("sts"), operation, **TAKEN[case])
    assert answer["SessionTokenSize"] == len(answer["Credentials"]["SessionToken"]) <= 4096
    assert answer["PackedPolicySize"] == answer["SessionTokenUtilization"]
    assert worlds.client("sts", credentials=answer["Credentials"]).get_caller_identity()["Account"]


@with_policies
@pytest.mark.parametrize("case", REFUSED)
def test_what_no_token_holds_is_refused_with_its_size(worlds: Any, operation: str, case: str) -> None:
    status, code, message = refusal(worlds.client("sts"), operation, **CALLS[operation], **REFUSED[case])
    assert (status, code) == (400, "PackedPolicyTooLarge")
    size = int(re.search(r"\d+", message)[0])  # type: ignore[index]
    assert 4096 < size < 8192
    assert message == f"The session token size is {size} bytes, which exceeds the maximum allowed size of 4096 bytes."


def test_the_limit_is_that_of_the_last_byte() -> None:
    """Between the longest session name that fits and the limit there is at most one character of base64."""

    def size(characters: int) -> int:
        principal = Principal("AssumedRole", ACCOUNT, "arn", "arn", "id", "id", "name")
        request = SessionRequest(
            type="AssumeRole", principal=principal, duration_seconds=900, session_name="n" * characters
        )
        return len(issue(KeyRing([KEY]), Identifiers(), 1_700_000_000, request).session_token)

    longest, fits = 4096, 0
    while not fits:
        longest -= 1
        with suppress(TokenTooLargeError):
            fits = size(longest)
    with pytest.raises(TokenTooLargeError) as refused:
        size(longest + 1)
    assert 4096 < refused.value.size_bytes <= 4098
    assert 4095 <= fits <= 4096
    assert fits - size(longest - 3) == 4


@with_policies
def test_repeats_do_not_make_a_token_shorter(worlds: Any, operation: str) -> None:
    sts = worlds.client("sts")
    equal = call(sts, operation, Tags=numbered("a" * 250 for _ in range(9)))["SessionTokenSize"]
    random = call(sts, operation, **TAKEN["nine tags of 250 random characters"])["SessionTokenSize"]
    assert equal == random


def test_a_session_without_policies_and_tags_has_no_packed_size_but_a_federated_one_has(worlds: Any) -> None:
    sts = worlds.client("sts")
    assert "PackedPolicySize" not in call(sts, "AssumeRole")
    federated = call(sts, "GetFederationToken")
    assert federated["PackedPolicySize"] == federated["SessionTokenUtilization"] > 0


def test_inherited_tags_count_on_a_hop_that_passes_none(worlds: Any) -> None:
    tags = numbered(random_text(200, n) for n in range(5))
    keys = [tag["Key"] for tag in tags]
    plain = call(worlds.client("sts"), "AssumeRole")
    first = call(worlds.client("sts"), "AssumeRole", Tags=tags, TransitiveTagKeys=keys)
    second = call(worlds.client("sts", credentials=first["Credentials"]), "AssumeRole")
    assert second["SessionTokenSize"] >= plain["SessionTokenSize"] + 5 * 200 * 4 // 3
    assert second["PackedPolicySize"] == second["SessionTokenUtilization"]
    # The inherited tags do not leave enough for nine more.
    sts = worlds.client("sts", credentials=second["Credentials"])
    more = [{"Key": f"own-{n}", "Value": random_text(250, n)} for n in range(9)]
    assert refusal(sts, "AssumeRole", **CALLS["AssumeRole"], Tags=more)[1] == "PackedPolicyTooLarge"


def test_a_long_chain_of_roles_leaves_the_room_to_what_aws_keeps(worlds: Any) -> None:
    """Rolecall's tokens name the callers who obtained them. That must not take space from policies and tags."""
    answer = call(worlds.client("sts"), "AssumeRole")
    for _ in range(12):
        answer = call(worlds.client("sts", credentials=answer["Credentials"]), "AssumeRole", DurationSeconds=900)
    sts = worlds.client("sts", credentials=answer["Credentials"])
    full = call(sts, "AssumeRole", **TAKEN["nine tags of 250 random characters"])
    assert full["SessionTokenSize"] <= 4096


def test_a_token_padded_to_the_limit_is_full(worlds: Any) -> None:
    answer = call(worlds.client("sts"), "GetFederationToken", MinimumSessionTokenSize=4096)
    assert (answer["SessionTokenSize"], answer["PackedPolicySize"]) == (4096, 100)


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

"""Hostile or meaningless bodies: every control endpoint refuses them in JSON with a message."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from amounts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HUGE = "1" + "0" * 400
DEEP = "[" * 100_000
READERS = [
    ("POST", "clock"),
    ("PUT", "faults"),
    ("POST", "oidc/ci/token"),
    ("POST", "oidc/token"),
    ("POST", "saml/corp/assertion"),
]


def send(world: Any, method: str, path: str, body: str | bytes) -> tuple[int, Any]:
    answer = world.application.test_client().open(f"/_rolecall/{path}", method=method, data=body)
    assert answer.content_type == "application/json"
    return answer.status_code, json.loads(answer.data)


@pytest.mark.parametrize(("method", "path"), READERS)
@pytest.mark.parametrize("body", [DEEP, '{"a":' * 50_000, "{", "[1]x", b"\xff\xfe\x00"])
def test_invalid_json_is_refused(world: Any, method: str, path: str, body: str | bytes) -> None:
    status, answer = send(world, method, path, body)
    assert (status, answer) == (400, {"message": "The body is not JSON."})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_token_has_no_number_that_json_does_not_have(world: Any, number: str) -> None:
    status, answer = send(world, "POST", "oidc/ci/token", f'{{"claims": {{"x": [{number}]}}}}')
    assert (status, "JSON does not allow" in answer["message"]) == (400, True)


@pytest.mark.parametrize(("method", "path"), READERS)
def test_a_body_that_is_too_large_is_refused(world: Any, method: str, path: str) -> None:
    status, answer = send(world, method, path, b" " * 20_000_000)
    assert (status, answer) == (400, {"message": "The body is larger than 262144 bytes."})


@pytest.mark.parametrize(("method", "path"), READERS)
@pytest.mark.parametrize("body", ['{"freeze": true, "freeze": false}', '{"claims": {"a": 1, "a": 2}}'])
def test_a_name_that_is_given_twice_is_refused(world: Any, method: str, path: str, body: str) -> None:
    status, answer = send(world, method, path, body)
    assert status == 400
    assert "twice" in answer["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clock", f'{{"advance_seconds": {HUGE}}}'),
        ("POST", "clock", f'{{"advance_seconds": -{HUGE}}}'),
        ("PUT", "faults", f'{{"kind": "delay", "delay_seconds": {HUGE}}}'),
        ("PUT", "faults", f'{{"service": "sts", "error": "Throttling", "probability": {HUGE}}}'),
        ("PUT", "faults", f'{{"service": "sts", "error": "Throttling", "probability": -{HUGE}}}'),
        ("PUT", "faults", f'{{"service": "sts", "error": "Throttling", "nth": {HUGE}}}'),
        ("POST", "oidc/ci/token", f'{{"lifetime_seconds": {HUGE}}}'),
        (
            "POST",
            "saml/corp/assertion",
            f'{{"role": "r", "provider": "p", "session_name": "s", "lifetime_seconds": {HUGE}}}',
        ),
    ],
)
def test_a_number_that_no_float_can_hold_is_out_of_range(world: Any, method: str, path: str, body: str) -> None:
    status, answer = send(world, method, path, body)
    assert (status, list(answer)) == (400, ["message"])


@pytest.mark.parametrize("path", ["/_rolecall//clock", "/_rolecall/oidc//token"])
def test_a_path_with_an_empty_part_is_none_of_the_endpoints(world: Any, path: str) -> None:
    answer = world.application.test_client().get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/json")


def test_a_failure_is_answered_in_json(world: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fails(*_arguments: Any) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(world.application.sandbox.faults, "replace", fails)
    status, answer = send(world, "DELETE", "faults", b"")
    assert (status, list(answer)) == (500, ["message"])
    assert "hunter2" not in answer["message"]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = ["advance_seconds", "set", "freeze", "reset", "kind", "service", "operation", "principal", "region", "error"]
_NAMES += ["message", "status", "delay_seconds", "nth", "times", "probability", "seed", "rules", "subject", "audience"]
_NAMES += ["claims", "lifetime_seconds", "shape", "algorithm", "issuer", "role", "provider", "session_name", "tags"]
_NAMES += ["attributes", "transitive_tag_keys", "session_duration", "source_identity", "recipient", "subject_format"]


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4), target=st.sampled_from(READERS))
def test_any_values_are_answered_with_200_or_400(world: Any, body: dict[str, Any], target: tuple[str, str]) -> None:
    status, answer = send(world, *target, json.dumps(body))
    assert status == 200 or (status, list(answer)) == (400, ["message"])


@pytest.mark.parametrize(
    "path",
    [
        "/_rolecall/oidc/ci/jwks.json",
        "/_rolecall/saml/corp/metadata.xml",
        "/_rolecall/outbound/x/.well-known/jwks.json",
        "/_rolecall/health",
    ],
)
def test_a_database_that_does_not_answer_is_no_failure_of_rolecall(
    world: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: Any) -> None:
        raise sqlite3.DatabaseError("file is not a database")

    for name in ("snapshot", "transaction"):
        monkeypatch.setattr(type(world.database), name, fails)
    answer = world.application.test_client().get(path)
    assert (answer.status_code, answer.content_type) == (503, "application/json")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/_rolecall/session?issuer=http://[", 401),
        ("/federation?Action=login&Destination=https://console.aws.amazon.com&Issuer=http://[&SigninToken=x", 400),
    ],
)
def test_an_issuer_without_an_address_is_not_a_failure(world: Any, path: str, status: int) -> None:
    assert world.application.test_client().get(path).status_code == status

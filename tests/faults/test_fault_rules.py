"""Reading fault rules: the refused ones, their messages, and that hostile rules do no harm."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.faults.rules import (
    KINDS,
    CallFacts,
    FaultCatalogue,
    FaultRule,
    InvalidFaultError,
    kept_text,
    read_kept,
    read_rules,
    rule_as_json,
)
from rolecall.principals import Caller, Principal
from rolecall.wire import SERVICES, known_error_codes, operation_names

MAXIMUM_RULES = 100

CATALOGUE = FaultCatalogue({name: partial(operation_names, name) for name in SERVICES}, known_error_codes)
KEYS = (
    "kind, service, operation, principal, region, error, message, status, delay_seconds, nth, times, probability, seed"
)


def read(*rules: Any) -> tuple[FaultRule, ...]:
    numbers = itertools.count(1)
    return read_rules(list(rules), CATALOGUE, lambda: f"rule {next(numbers)}", lambda: 4711)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (5, "it is not an object."),
        ([], "it is not an object."),
        ({}, "say what must happen: give an error, delay_seconds, or another kind."),
        ({"service": "sts"}, "say what must happen: give an error, delay_seconds, or another kind."),
        ({"delay_seconds": 0}, "say what must happen: give an error, delay_seconds, or another kind."),
        ({"kind": "delay"}, "the kind delay needs delay_seconds above 0."),
        ({"eror": "Throttling"}, f"there is no key 'eror': the known keys are {KEYS}."),
        ({"kind": "explode"}, f"kind must be one of {', '.join(KINDS)}."),
        ({"kind": ["drop"]}, f"kind must be one of {', '.join(KINDS)}."),
        ({"error": "Throttling", "principal": "developer"}, "principal must be an ARN, with wildcards if need be."),
        ({"error": "Throttling", "times": 0}, "times must be a number from 1, or null for no end."),
        ({"error": "Throttling", "times": True}, "times must be a number from 1, or null for no end."),
        ({"error": "Throttling", "times": 1.5}, "times must be a number from 1, or null for no end."),
        ({"error": "Throttling", "nth": None}, "nth must be a number from 1."),
        ({"error": "Throttling", "probability": 0}, "probability must be a number above 0, up to 1."),
        ({"error": "Throttling", "probability": 1.01}, "probability must be a number above 0, up to 1."),
        ({"error": "Throttling", "probability": float("nan")}, "probability must be a number above 0, up to 1."),
        ({"error": "Throttling", "seed": 1}, "a seed needs a probability below 1."),
        ({"error": "Throttling", "probability": 0.5, "seed": "x"}, "seed must be a whole number."),
        ({"error": "Throttling", "delay_seconds": 61}, "delay_seconds must be a number from 0 to 60."),
        ({"error": "Throttling", "delay_seconds": -1}, "delay_seconds must be a number from 0 to 60."),
        ({"error": "Throttling", "delay_seconds": float("inf")}, "delay_seconds must be a number from 0 to 60."),
        ({"error": "Throttling", "status": 200}, "status must be an HTTP status from 400 to 599."),
        ({"error": "Throttling", "status": "400"}, "status must be an HTTP status from 400 to 599."),
        ({"error": "Bad\r\nX: 1", "status": 400}, "error must be an error code, such as Throttling."),
        ({"error": "Throttling", "message": "a\nb"}, "message must be a text of at most 2048 characters."),
        ({"error": "Throttling", "message": "a" * 2049}, "message must be a text of at most 2048 characters."),
        (
            {"error": "Throttling", "service": "s3"},
            f"there is no service 's3': the known services are {', '.join(SERVICES)}.",
        ),
        (
            {"error": "Throttling", "service": "sts", "operation": "ListUsers"},
            "the kind error applies to no operation 'ListUsers' of sts.",
        ),
        (
            {"error": "Throttling", "operation": "Fly*"},
            "the kind error applies to no operation 'Fly*' of any service.",
        ),
        ({"kind": "drop", "error": "Throttling"}, "error belongs to the kind error, not to drop."),
        ({"kind": "drop", "status": 500}, "status belongs to the kind error, not to drop."),
        ({"kind": "region_disabled", "service": "iam"}, "the kind region_disabled works only for the service sts."),
        (
            {"kind": "identity_provider_down", "operation": "AssumeRole"},
            "the kind identity_provider_down applies to no operation 'AssumeRole' of any service.",
        ),
        (
            {"kind": "region_disabled", "operation": "GetCallerIdentity"},
            "the kind region_disabled applies to no operation 'GetCallerIdentity' of any service.",
        ),
    ],
)
def test_what_is_refused_and_why(rule: Any, problem: str) -> None:
    with pytest.raises(InvalidFaultError) as caught:
        read({"error": "Throttling"}, rule)
    assert str(caught.value) == f"Rule 2: {problem}"


@pytest.mark.parametrize(
    ("rule", "where", "among"),
    [
        (
            {"service": "sts", "operation": "AssumeRole", "error": "NoSuchEntity"},
            "sts AssumeRole",
            "RegionDisabledException",
        ),
        (
            {"service": "iam", "operation": "CreateUser", "error": "ReportExpired"},
            "iam CreateUser",
            "EntityAlreadyExists",
        ),
        ({"service": "chime", "error": "NoSuchEntity"}, "chime", "ThrottledClientException"),
        ({"service": "iam", "operation": "*User", "error": "NotFoundException"}, "iam", "NoSuchEntityException"),
        ({"operation": "ListUsers", "error": "NoSuchEntity"}, "iam ListUsers", "ServiceFailure"),
        ({"error": "NoSuchEntity"}, "sts", "Throttling"),
    ],
)
def test_an_error_that_cannot_be_is_refused_with_those_that_can(rule: Any, where: str, among: str) -> None:
    with pytest.raises(InvalidFaultError) as caught:
        read(rule)
    message = str(caught.value)
    assert message.startswith(f"Rule 1: {rule['error']} is not an error of {where}: the known errors are ")
    assert among in message.partition("the known errors are ")[2].split(".")[0].split(", ")
    assert message.endswith(" With a status, any code is accepted.")
    [read_with_status] = read({**rule, "status": 418})
    assert read_with_status.status == 418


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(InvalidFaultError) as caught:
        read({"times": 0, "nth": 0}, {"error": "Throttling"}, {"kind": "drop", "service": "s3"})
    assert [line.partition(":")[0] for line in str(caught.value).split("\n")] == ["Rule 1", "Rule 1", "Rule 3"]


@pytest.mark.parametrize("given_rules", ["[]", 5, None, True, {"rules": "x"}, {"rules": None}])
def test_rules_that_are_not_a_list(given_rules: Any) -> None:
    with pytest.raises(InvalidFaultError, match="Send a list of rules"):
        read_rules(given_rules, CATALOGUE, str, int)


def test_a_thousand_rules_are_too_many() -> None:
    with pytest.raises(InvalidFaultError, match=f"There are at most {MAXIMUM_RULES} rules, not 1000."):
        read(*[{"error": "Throttling"}] * 1000)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"error": "Throttling"}, {"kind": "error"}),
        ({"delay_seconds": 1}, {"kind": "delay"}),
        ({"error": "Throttling", "nth": 4}, {"kind": "error", "times": 1}),
        ({"error": "Throttling", "nth": 4, "times": None}, {"kind": "error", "times": None}),
        ({"error": "Throttling", "probability": 0.1}, {"kind": "error", "seed": 4711}),
        ({"error": "Throttling", "probability": 0.1, "seed": 0}, {"kind": "error", "seed": 0}),
        ({"kind": "region_disabled"}, {"service": "sts"}),
        ({"kind": "identity_provider_down"}, {"service": "sts", "operations": ("AssumeRoleWithWebIdentity",)}),
        ({"kind": "drop", "service": "iam", "operation": "*SSHPublicKey"}, {"service": "iam"}),
    ],
)
def test_what_a_rule_leaves_out(rule: dict[str, Any], expected: dict[str, Any]) -> None:
    [found] = read(rule)
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_disabled_region_is_about_the_operations_that_know_the_error() -> None:
    [rule] = read({"kind": "region_disabled"})
    assert {"AssumeRole", "GetSessionToken", "GetFederationToken"} <= set(rule.operations)
    assert "GetCallerIdentity" not in rule.operations


def test_an_identity_provider_can_be_down_only_for_its_operation() -> None:
    [rule] = read({"kind": "identity_provider_down"})
    nobody = {"region": "us-east-1", "caller": None, "has_session_token": False}
    assert rule.matches(CallFacts("sts", "AssumeRoleWithWebIdentity", **nobody))
    assert not rule.matches(CallFacts("sts", "AssumeRole", **nobody))


def test_a_call_without_a_known_caller_has_no_principal() -> None:
    [rule] = read({"error": "Throttling", "principal": "*"})
    facts = CallFacts("sts", "AssumeRoleWithWebIdentity", "us-east-1", None, has_session_token=False)
    assert not rule.matches(facts)
    arn = "arn:aws:iam::111122223333:user/a"
    caller = Caller(Principal("User", "111122223333", arn, arn, "AIDA", "AIDA", "a"), "AKIA")
    assert rule.matches(CallFacts("sts", "GetCallerIdentity", "us-east-1", caller, has_session_token=False))


RULES = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(sorted(KINDS)),
        "service": st.sampled_from(["sts", "iam", "chime"]),
        "operation": st.sampled_from(["AssumeRole", "List*", "*", "ListUsers"]),
        "principal": st.sampled_from(["*", "arn:aws:iam::*:user/?"]),
        "region": st.just("eu-west-1"),
        "error": st.sampled_from(["Throttling", "NoSuchEntity", "Nonsense"]),
        "message": st.text(max_size=5),
        "status": st.integers(390, 610),
        "delay_seconds": st.floats(-1, 70),
        "nth": st.integers(0, 5),
        "times": st.none() | st.integers(0, 5),
        "probability": st.floats(-0.5, 1.5),
        "seed": st.integers(),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS.split(", "), "rules"]), inner),
    max_leaves=12,
)


@given(st.lists(RULES, max_size=3) | JSON)
def test_rules_are_refused_or_kept_as_they_are(given_rules: Any) -> None:
    try:
        rules = read_rules(given_rules, CATALOGUE, lambda: "id", lambda: 1)
    except InvalidFaultError:
        return
    assert read_kept(kept_text(rules)) == rules
    for rule in rules:
        shown = rule_as_json(rule, 3, 2)
        assert (shown["calls"], shown["hits"]) == (3, 2)
        # The shown rules can be sent again, and mean the same.
        again = {name: value for name, value in shown.items() if name not in ("id", "calls", "hits")}
        [repeated] = read_rules([again], CATALOGUE, lambda: "id", lambda: 1)
        assert rule_as_json(repeated, 3, 2) == shown


@given(st.integers(1, 100), st.floats(0.01, 1), st.integers())
def test_a_probability_is_a_fixed_pattern(number: int, probability: float, seed: int) -> None:
    rule = FaultRule("id", "error", probability=probability, seed=seed)
    assert rule.hits(number, 0) == rule.hits(number, number)
    assert FaultRule("other", "error", probability=1, seed=seed).hits(number, 0)

"""The engine and the oracle decide alike, on the documented cases and on random policies.

POLICY_ORACLE_EXAMPLES sets the number of random cases: 4,000 by default, 100,000 in CI (within 60 s of one core),
1,000,000 with ``run.py test --all``. They are split into shards, so that processes can share them. Hypothesis draws
seeds and not whole policies, which is a hundred times faster. A failing case is small enough to read, and is printed
whole.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from functools import cache
from typing import Any

import oracle
import policy_worlds
import pytest
import test_policy_cases
from amounts import usual
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from rolecall.policy import IMPLICIT_DENY_NAMES_FIRST, Decision, decide, denial_message, explain
from rolecall.principals import Principal

EXAMPLES = int(os.environ.get("POLICY_ORACLE_EXAMPLES") or usual(4000, most=1_000_000))
SHARDS = 20
POLICIES_PER_SEED = 5
QUESTIONS_PER_POLICIES = 5


def oracle_answer(case: dict[str, Any]) -> tuple[str, set[str]]:
    asked = policy_worlds.question(case)
    policies = {
        name: [bare(document) for document in documents]
        if name not in ("scps", "rcps", "delegation", "scope_down")
        else [[bare(document) for document in level] for level in documents]
        for name, documents in case["policies"].items()
    }
    call = {
        "action": asked.action,
        "resource": asked.resource,
        "context": case.get("context", {}),
        "caller": None if asked.principal is None else described(asked.principal),
        "provider": asked.federated_provider,
        "resource_account_id": asked.resource_account_id,
        "ids": case.get("principal_ids", {}),
        "has_boundary": "boundary" in policies,
    }
    return oracle.decide(policies, call, case.get("session_policy_required", False))


@cache
def described(principal: Principal) -> dict[str, Any]:
    return asdict(principal)


def bare(document: Any) -> Any:
    return document.get("document", document)


@pytest.mark.parametrize("case", test_policy_cases.ALL)
def test_oracle_agrees_with_the_documentation(case: dict[str, Any]) -> None:
    assert oracle_answer(case)[0] == case["expected"]["outcome"]


ACCOUNT, OTHER = policy_worlds.ACCOUNT, policy_worlds.OTHER_ACCOUNT
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/reader"
BOX = "arn:aws:s3:::box"
ACTIONS = ["s3:GetObject", "s3:getobject", "s3:Get*", "s3:*", "*", "s3:Put*", "s3:?etObject", "sts:*", "chime:GetUser"]
RESOURCES = [
    "*",
    BOX,
    f"{BOX}/*",
    f"{BOX}/a?c",
    f"{BOX}/a*c*",
    f"{BOX}/${{aws:username}}",
    f"{BOX}/${{aws:username}}*",
    f"{BOX}/${{aws:tagkeys}}",
    f"{BOX}/${{aws:none, 'abc'}}",
    f"{BOX}/a${{*}}c",
    f"{BOX}/${{aws:username",
    "arn:aws:s3:::${aws:username}*",
    "arn:aws:sns:us-east-1:${aws:username}:t",
    "arn:aws:sns:*:*:t",
    "arn:aws:sns",
    "arn:aws:s3:*",
    "arn:aws:sns:x:a?a",
]
ASKED_RESOURCES = ["*", BOX, f"{BOX}/abc", f"{BOX}/ana", f"{BOX}/a*c", f"{BOX}/${{aws:username", "arn:aws:sns:x:ana:t"]
TEXTS = [
    "ana",
    "Ana",
    "a*",
    "*",
    "?na",
    "${aws:username}",
    "${aws:none}",
    "${aws:none, 'ana'}",
    "${*}",
    "",
    "bob",
    "ß",
    "SS",
    "ΟΔΟΣ",
    "οδος",
]
NUMBERS = ["5", "5.0", "-1", "1e2", "10", "x", "", "${aws:username}"]
DATES = [
    "2026-11-24T12:00:00Z",
    "2026-11-24T14:00:00+02:00",
    "2026-11-24T04:00:00.5-08:00",
    "2026-11-24",
    "1795521600",
    "0",
]
ADDRESSES = ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "2001:db8::/32", "2001:db8::1", "x", "10.1.2.3/31"]
ADDRESSES += ["::ffff:10.1.2.3", "::ffff:10.0.0.0/104", "::/96", "10.0.0.0/255.0.0.0", "fe80::1%1", "10.0.0.0/33"]
TRUTHS = ["true", "false", "True", "x", ""]
BYTES = ["QQ==", "QUI=", "@", "", "QR=="]
ARNS = [
    "arn:aws:iam::*:role/*",
    "arn:aws:iam::1:role/x",
    "arn:*:iam::1:*",
    "*",
    "arn:aws:iam::?:role/?",
    "arn:aws:*:role/x",
    "arn:aws:iam::1:${aws:username}",
    "${aws:PrincipalArn}",
    "arn:aws:sns:us-east-1:1:t:u/v",
]
FAMILIES: list[tuple[list[str], list[str]]] = [
    (
        [
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ],
        TEXTS,
    ),
    ([f"Numeric{name}" for name in (*oracle.COMPARISONS, "NotEquals")], NUMBERS),
    ([f"Date{name}" for name in (*oracle.COMPARISONS, "NotEquals")], DATES),
    (["IpAddress", "NotIpAddress"], ADDRESSES),
    (["Bool"], TRUTHS),
    (["BinaryEquals"], BYTES),
    (["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"], ARNS),
    (["Null"], TRUTHS),
]
KEYS = ["aws:username", "AWS:UserName", "aws:tagkeys", "aws:PrincipalArn", "aws:value", "aws:none"]


PRINCIPAL_NAMES = [
    f"arn:aws:iam::{ACCOUNT}:user/ana",
    f"arn:aws:iam::{ACCOUNT}:root",
    ACCOUNT,
    OTHER,
    ROLE,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/s1",
    f"arn:aws:sts::{ACCOUNT}:federated-user/fred",
    f"arn:aws:iam::{OTHER}:user/olga",
    f"arn:aws:iam::{OTHER}:role/worker",
    "AIDAUSERANAEXAMPLE123",
    "AROAREADEREXAMPLE1234",
    "*",
]
PRINCIPAL_IDS = [
    {},
    {PRINCIPAL_NAMES[0]: "AIDAUSERANAEXAMPLE123", ROLE: "AROAREADEREXAMPLE1234"},
    {PRINCIPAL_NAMES[0]: "AIDAOLDANAEXAMPLE1234", ROLE: "AROAOLDREADEREXAMPLE1"},
]
VALUES = [*TEXTS, *NUMBERS, *DATES, *ADDRESSES, *TRUTHS, *BYTES, *ARNS]
CONTEXT_KEYS = ["aws:username", "aws:tagkeys", "aws:principalarn", "aws:value"]


class Draw(random.Random):
    """Random parts of policies and calls, chosen so that about half of the questions match."""

    def some(self, values: list[str], least: int = 0) -> Any:
        if self.random() < 0.5:
            return self.choice(values)
        return [self.choice(values) for _ in range(self.randint(least, 3))]

    def once_in(self, times: int) -> bool:
        return self.randrange(times) == 0

    def conditions(self) -> dict[str, Any]:
        block: dict[str, Any] = {}
        for _ in range(self.choice([0, 0, 1, 1, 2])):
            operators, values = self.choice(FAMILIES)
            operator = self.choice(operators)
            qualifier = self.choice(["", "", "", "ForAllValues:", "ForAnyValue:"])
            suffix = "" if operator == "Null" else self.choice(["", "", "IfExists"])
            block.setdefault(f"{qualifier}{operator}{suffix}", {})[self.choice(KEYS)] = self.some(values)
        return block

    def principals(self, kind: str, negated: bool = False) -> Any:
        if negated and not self.once_in(3):
            # An account, a user or role and a session: a deny must list all of them to spare the caller.
            return {"AWS": [name for name in PRINCIPAL_NAMES[:6] if not self.once_in(8)]}
        if self.once_in(3):
            # Trust policies may not write every principal as a star alone.
            everybody = {"AWS": "*"} if kind == "trust" else "*"
            return self.choice(
                [everybody, {"Service": "voiceconnector.chime.amazonaws.com"}, {"Federated": "accounts.google.com"}]
            )
        return {"AWS": [self.choice(PRINCIPAL_NAMES) for _ in range(self.randint(1, 3))]}

    def statement(self, kind: str) -> dict[str, Any]:
        statement: dict[str, Any] = {"Effect": "Deny" if self.once_in(6) else "Allow"}
        if kind == "trust":
            statement["Action"] = self.some(["sts:AssumeRole", "sts:*", "sts:TagSession"], 1)
        else:
            statement["NotAction" if self.once_in(5) else "Action"] = self.some(ACTIONS, 1)
            statement["NotResource" if self.once_in(5) else "Resource"] = self.some(RESOURCES, 1)
        if kind in ("resource", "trust"):
            negated = kind == "resource" and self.once_in(4)
            statement["NotPrincipal" if negated else "Principal"] = self.principals(kind, negated)
        elif kind == "rcps":
            statement["Principal"] = "*"
        block = self.conditions()
        if block:
            statement["Condition"] = block
        return statement

    def documents(self, kind: str) -> list[Any]:
        old = kind in ("resource", "trust", "session") and self.once_in(4)
        version = "2008-10-17" if old else "2012-10-17"
        return [
            {"Version": version, "Statement": [self.statement(kind) for _ in range(self.randint(1, 3))]}
            for _ in range(self.randint(1, 2))
        ]

    def policies(self) -> dict[str, Any]:
        policies: dict[str, Any] = {"identity": self.documents("identity")}
        for kind in ("boundary", "session"):
            if self.once_in(4):
                policies[kind] = self.documents(kind)
        for kind in ("scps", "rcps"):
            if self.once_in(6):
                policies[kind] = [self.documents(kind) for _ in range(self.randint(1, 2))]
        if self.once_in(8):
            policies["delegation"] = [self.documents("session") for _ in range(self.randint(1, 2))]
        if self.once_in(6):
            policies["scope_down"] = [self.documents("session") for _ in range(self.randint(1, 3))]
        kind = self.choice(["", "resource", "resource", "trust"])
        if kind:
            policies[kind] = self.documents(kind)
        return policies

    def case(self, policies: dict[str, Any] | None = None) -> dict[str, Any]:
        policies = policies or self.policies()
        actions = ["sts:AssumeRole"] if "trust" in policies else ["s3:GetObject", "s3:GetObject", "chime:GetUser"]
        principal = self.choice([*policy_worlds.PRINCIPALS, None])
        case = {
            "policies": policies,
            "principal": principal,
            "action": self.choice(actions),
            "resource": self.choice(ASKED_RESOURCES),
            "context": {key: self.some(VALUES) for key in CONTEXT_KEYS if not self.once_in(3)},
            "federated_provider": "" if principal or self.once_in(2) else "accounts.google.com",
        }
        if self.once_in(2):
            case["resource_account_id"] = self.choice([ACCOUNT, OTHER])
        return case

    def cases(self, questions: int) -> list[dict[str, Any]]:
        """Several questions to the same policies."""
        policies = self.policies()
        shared = {"session_policy_required": self.once_in(4), "principal_ids": self.choice(PRINCIPAL_IDS)}
        return [{**self.case(policies), **shared} for _ in range(questions)]


@pytest.mark.parametrize("shard", range(SHARDS))
@settings(max_examples=-(-EXAMPLES // (SHARDS * POLICIES_PER_SEED * QUESTIONS_PER_POLICIES)), deadline=None)
@given(seed=st.integers(0, 2**64))
def test_engine_and_oracle_decide_alike(shard: int, seed: int) -> None:
    draw = Draw(f"{shard} {seed}")
    for _ in range(POLICIES_PER_SEED):
        cases = draw.cases(QUESTIONS_PER_POLICIES)
        layers = policy_worlds.layers(cases[0])
        for case in cases:
            compare(decide(layers, policy_worlds.question(case)), case)


def compare(decision: Decision, case: dict[str, Any]) -> None:
    outcome, refusing = oracle_answer(case)
    # Several kinds may deny explicitly. AWS does not document their order.
    named = {decision.layer.value} if decision.layer and outcome == "ExplicitDeny" else set()
    if outcome == "ImplicitDeny":
        named = {next(kind.value for kind in IMPLICIT_DENY_NAMES_FIRST if kind in refusing)}
    agreed = decision.outcome == outcome and (outcome == "Allowed" or decision.layer in named & refusing)
    assert agreed, f"{outcome} {sorted(refusing)}\n{json.dumps(case)}\n{explain(decision).as_text()}"


def test_the_layer_named_for_want_of_an_allow_is_one_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Draw(20261126)
    several = 0
    for _ in range(1000):
        case = draw.case()
        outcome, refusing = oracle_answer(case)
        several += outcome == "ImplicitDeny" and len(refusing) > 1
        for order in (IMPLICIT_DENY_NAMES_FIRST, IMPLICIT_DENY_NAMES_FIRST[::-1]):
            monkeypatch.setattr("rolecall.policy.decision.IMPLICIT_DENY_NAMES_FIRST", order)
            decision = decide(policy_worlds.layers(case), policy_worlds.question(case))
            assert decision.outcome == outcome
            if outcome == "ImplicitDeny":
                assert decision.layer == next(kind for kind in order if kind in refusing)
    assert several > 100


def teams(draw: Draw, effect: str, operator: str) -> list[dict[str, Any]]:
    """Many statements that differ in the value that they require of one key."""
    return [
        {
            "Effect": effect,
            "Action": draw.choice(ACTIONS[:3]),
            "Resource": draw.some(RESOURCES[:3], 1),
            "Condition": {operator: {draw.choice(KEYS[:3]): draw.some(TEXTS)}, **draw.conditions()},
        }
        for _ in range(draw.randint(3, 12))
    ]


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "ForAnyValue:StringEquals"])
@pytest.mark.parametrize("kind", ["identity", "resource"])
def test_many_statements_that_ask_one_key_for_texts(operator: str, kind: str) -> None:
    draw = Draw(f"20261127 {operator} {kind}")
    for _ in range(200):
        statements = [*teams(draw, "Allow", operator), *teams(draw, "Deny", operator)]
        if kind == "resource":
            statements = [{**statement, "Principal": draw.principals("resource")} for statement in statements]
        policies = {"identity": draw.documents("identity")}
        policies[kind] = [{"Version": "2012-10-17", "Statement": statements}]
        for _ in range(3):
            case = draw.case(policies)
            compare(decide(policy_worlds.layers(case), policy_worlds.question(case)), case)


MORE_RANGES = [f"10.{number}.0.0/{size}" for number in (1, 9, 200) for size in (12, 16, 20, 24)]
MORE_RANGES += [f"2001:db8:{number}::/{size}" for number in (1, 2) for size in (40, 48, 128)]


@pytest.mark.parametrize("operator", [operator for operators, _ in FAMILIES for operator in operators])
def test_long_lists_of_values(operator: str) -> None:
    draw = Draw(f"20261128 {operator}")
    values = next(values for operators, values in FAMILIES if operator in operators)
    more = MORE_RANGES if "IpAddress" in operator else []
    for qualifier in ("", "ForAllValues:", "ForAnyValue:"):
        listed = draw.sample([*values, *more], len(values + more) - 2)
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        statement["Condition"] = {f"{qualifier}{operator}": {"aws:value": listed}}
        policies = {"identity": [{"Version": "2012-10-17", "Statement": [statement]}]}
        layers = policy_worlds.layers({"policies": policies})
        for value in [*values, "10.1.2.9", "10.9.1.1", "10.201.0.1", "2001:db8:1::5", "9.9.9.9", draw.some(values, 2)]:
            case = {**draw.case(policies), "principal": "user", "context": {"aws:username": "ana", "aws:value": value}}
            compare(decide(layers, policy_worlds.question(case)), case)


def test_random_cases_come_out_every_way() -> None:
    draw = Draw(20261124)
    outcomes = Counter(oracle_answer(draw.case())[0] for _ in range(1000))
    assert all(outcomes[outcome] >= 100 for outcome in ("Allowed", "ExplicitDeny", "ImplicitDeny")), outcomes


def test_every_refusal_has_words_and_an_explanation() -> None:
    draw = Draw(20261125)
    refused = 0
    for _ in range(500):
        case = draw.case()
        decision = decide(policy_worlds.layers(case), policy_worlds.question(case))
        explanation = explain(decision)
        assert json.loads(json.dumps(explanation.as_dict()))["outcome"] == decision.outcome
        assert explanation.as_text().startswith(decision.outcome)
        if not decision.allowed:
            refused += 1
            assert denial_message(decision) == explanation.message != ""
            # The caller's own message names the action, and a reason unless the call is unsigned.
            assert case["action"] in explanation.message
    assert refused > 100

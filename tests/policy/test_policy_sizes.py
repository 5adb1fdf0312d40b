"""Documents as large as AWS's own: they are read, and decide as the slow oracle does."""

from __future__ import annotations

import json
import random
from functools import cache
from itertools import count
from typing import Any

import oracle
import policy_worlds
import pytest

from rolecall.data import managed_policies, managed_policy_document
from rolecall.policy import (
    Layers,
    MalformedPolicy,
    NamedPolicy,
    PolicyKind,
    Question,
    compile_policies,
    decide,
    parse_policy,
)

# From AWSSupportServiceRolePolicy, the largest AWS managed policy (1,641 in November 2026).
LARGEST = 156_916
KINDS_OF_AWS = (PolicyKind.IDENTITY, PolicyKind.SESSION, PolicyKind.BOUNDARY)


@cache
def as_large(characters: int) -> str:
    """A document like that policy: few statements, each with thousands of actions on everything."""
    actions = (f"service{number % 300}:Describe{'Thing' * (number % 4)}{number}" for number in count())
    listed: list[str] = []
    statements = [
        {"Sid": "Most", "Effect": "Allow", "Action": listed, "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["apigateway:GET"], "Resource": ["arn:aws:apigateway:*::/*"]},
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    room = characters - len(json.dumps(document))
    while room > 100:
        listed.append(next(actions))
        room = room - len(listed[-1]) - len(', ""')
    text = json.dumps(document)
    # A longer name for the last action fills the rest.
    return text.replace(listed[-1], listed[-1] + "x" * (characters - len(text)))


@cache
def layers(text: str, kind: PolicyKind) -> Layers:
    return Layers(compile_policies([NamedPolicy(parse_policy(text, kind), "p")], PolicyKind.IDENTITY))


def decided(text: str, kind: PolicyKind, action: str, resource: str) -> bool:
    asked = Question(action, resource, {}, policy_worlds.PRINCIPALS["user"], None, "")
    return decide(layers(text, kind), asked).allowed


def expected(text: str, action: str, resource: str) -> bool:
    call: dict[str, Any] = {"action": action, "resource": resource, "context": {}, "caller": None, "provider": ""}
    denied, strengths = oracle.evaluate([json.loads(text)], call)
    return bool(strengths) and not denied


ASKED = [
    ("service0:Describe0", "*", True),
    ("SERVICE1:describething1", "arn:aws:x:::y", True),
    ("service1:DescribeThing2", "*", False),
    ("apigateway:GET", "arn:aws:apigateway:eu-west-1::/restapis", True),
    ("apigateway:GET", "arn:aws:s3:::box", False),
]


@pytest.mark.parametrize("kind", KINDS_OF_AWS)
def test_a_document_of_the_size_of_the_largest_is_read(kind: PolicyKind) -> None:
    text = as_large(LARGEST)
    assert len(text) == LARGEST
    for action, resource, allowed in ASKED:
        assert decided(text, kind, action, resource) is allowed


@pytest.mark.parametrize(("action", "resource", "allowed"), ASKED[1:4])
def test_the_oracle_says_the_same_of_it(action: str, resource: str, allowed: bool) -> None:
    assert expected(as_large(LARGEST), action, resource) is allowed


def test_there_is_still_a_bound() -> None:
    assert decided(as_large(262_144), PolicyKind.IDENTITY, "service0:Describe0", "*")
    with pytest.raises(MalformedPolicy):
        parse_policy(as_large(262_144) + " ", PolicyKind.IDENTITY)


def test_what_aws_manages_is_read_and_means_what_the_oracle_says() -> None:
    """A sample of all policies, and the largest ones."""
    draw = random.Random(20261128)
    documents = {arn: managed_policy_document(arn) for arn in managed_policies()}
    largest = sorted(documents, key=lambda arn: len(documents[arn]))[-3:]
    for arn in [*largest, *draw.sample(sorted(documents), 30)]:
        text = documents[arn]
        statements = oracle.as_list(json.loads(text)["Statement"])
        statement = draw.choice([each for each in statements if "Action" in each])
        action = draw.choice(oracle.as_list(statement["Action"])).replace("*", "x").replace("?", "x")
        for asked in (action, action[:-1], action.swapcase()):
            if ":" in asked:
                assert decided(text, PolicyKind.IDENTITY, asked, "*") == expected(text, asked, "*"), (arn, asked)


@pytest.mark.parametrize("element", ["Action", "NotAction", "Resource"])
def test_a_list_has_up_to_ten_thousand_texts(element: str) -> None:
    def parsed(count: int) -> None:
        value = {"Action": "chime:*", "Resource": "*"}
        if element == "NotAction":
            del value["Action"]
        texts = ["chime:Get*" if element.endswith("Action") else "arn:aws:s3:::a"] * count
        statement = {"Effect": "Allow", **value, element: texts}
        parse_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), PolicyKind.IDENTITY)

    parsed(10_000)
    with pytest.raises(MalformedPolicy, match=r"^Syntax errors in policy\."):
        parsed(10_001)

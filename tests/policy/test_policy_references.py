"""The condition keys that a policy uses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rolecall.policy import PolicyKind, context_keys, parse_policy


def keys(*statements: dict[str, Any], version: str = "2012-10-17") -> list[str]:
    statements = tuple({"Effect": "Allow", "Action": "chime:*", "Resource": "*", **each} for each in statements)
    text = json.dumps({"Version": version, "Statement": statements})
    return context_keys([parse_policy(text, PolicyKind.SESSION)])


def test_the_example_of_the_command_reference() -> None:
    # AWS CLI Command Reference, get-context-keys-for-custom-policy.
    found = keys(
        {
            "Resource": "arn:aws:dynamodb:us-west-2:123456789012:table/${aws:username}",
            "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2015-08-16T12:00:00Z"}},
        }
    )
    assert found == ["aws:username", "aws:CurrentTime"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({}, []),
        ({"Condition": {"StringLike": {"aws:PrincipalTag/Team": "${aws:RequestTag/Team, 'none'}-*"}}},
         ["aws:PrincipalTag/Team", "aws:RequestTag/Team"]),
        ({"Condition": {"StringLike": {"aws:userid": "${*}${?}${$}"}}}, ["aws:userid"]),
        # A variable counts only in the last part of an ARN.
        ({"Resource": "arn:aws:dynamodb:us-east-1:${aws:PrincipalAccount}:table/x"}, []),
        ({"Resource": "arn:aws:iam::111122223333:user/${aws:username"}, []),
        ({"Condition": {"Null": {"AWS:Userid": "true"}, "StringEquals": {"aws:userid": "x"}}}, ["AWS:Userid"]),
    ],
)  # fmt: skip
def test_what_counts_as_a_key(statement: dict[str, Any], expected: list[str]) -> None:
    assert keys(statement) == expected


def test_the_older_version_has_no_variables() -> None:
    condition = {"Condition": {"StringEquals": {"aws:userid": "${aws:username}"}}}
    assert keys(condition, version="2008-10-17") == ["aws:userid"]

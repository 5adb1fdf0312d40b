"""The positions of statements in a document: AWS's own examples, and any layout that hypothesis makes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.policy import Position, parse_policy, statement_spans
from rolecall.policy.document import PolicyKind

ALLOW = {"Effect": "Allow", "Action": "chime:Get*", "Resource": "*"}
TRICKY = {"Sid": "A", "Effect": "Deny", "Action": 'chime:"]},{[\\', "Resource": "*"}


def places(text: str) -> list[tuple[int, int, int, int, int]]:
    return [
        (span.start.line, span.start.column, span.end.line, span.end.column, span.line)
        for span in statement_spans(text)
    ]


def test_a_statement_without_a_list_as_aws_prints_it() -> None:
    # AWS CLI Command Reference, simulate-custom-policy, first example.
    text = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":'
        '{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
    )
    assert places(text) == [(1, 38, 1, 167, 1)]


def test_a_list_on_several_lines_as_aws_prints_it() -> None:
    # AWS CLI Command Reference, simulate-principal-policy, first example: from line 3, column 19 to line 9, column 10.
    statement = json.dumps({"Sid": "S", "Effect": "Allow", "Action": "a:B", "Resource": "*"}, indent=4)
    lines = ["{", '    "Version": "2012-10-17",', '    "Statement": [']
    lines += ["        " + line for line in statement.splitlines()]
    text = "\n".join([*lines, "    ]", "}"])
    assert places(text) == [(3, 19, 9, 10, 4)]


def test_a_list_on_one_line() -> None:
    text = '{"Version":"2012-10-17","Statement":[' + json.dumps(ALLOW) + "," + json.dumps(ALLOW) + "]}"
    first, length = 38, len(json.dumps(ALLOW))
    assert places(text) == [
        (1, first, 1, first + length, 1),
        (1, first + length, 1, first + 2 * length + 1, 1),
    ]


def test_statements_come_before_other_elements_and_names_may_be_escaped() -> None:
    text = '\n{ "\\u0053tatement" : \n\t' + json.dumps(ALLOW) + ' , "Version":"2012-10-17"}'
    [span] = statement_spans(text)
    assert (span.start, span.line) == (Position(3, 3), 3)


def test_a_statement_inside_a_text_does_not_count() -> None:
    text = json.dumps({"Id": '"Statement":[{', "Statement": [TRICKY], "Version": "2012-10-17"})
    [span] = statement_spans(text)
    assert text[span.start.column - 1 : span.end.column - 1] == json.dumps(TRICKY)


@given(
    count=st.integers(1, 5),
    indent=st.one_of(st.none(), st.integers(0, 4)),
    sids=st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=5, max_size=5),
    plain=st.booleans(),
)
def test_a_span_holds_its_statement(count: int, indent: int | None, sids: list[str], plain: bool) -> None:
    statements: Any = [
        {**ALLOW, "Condition": {"StringEquals": {"aws:userid": [sids[index], "}],["]}}} for index in range(count)
    ]
    if plain:
        statements = statements[0]
    document = {"Version": "2012-10-17", "Statement": statements}
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    parsed = parse_policy(text, PolicyKind.IDENTITY)
    spans = statement_spans(text)
    assert len(spans) == len(parsed.statements)
    lines = text.split("\n")
    for index, span in enumerate(spans):
        starts = sum(len(line) + 1 for line in lines[: span.start.line - 1]) + span.start.column - 1
        ends = sum(len(line) + 1 for line in lines[: span.end.line - 1]) + span.end.column - 1
        held = text[starts:ends].lstrip(" ,\n")
        expected = statements if plain else statements[index]
        assert json.loads("{" + held if plain else held) == expected
        assert "{" in lines[span.line - 1]


@pytest.mark.parametrize("text", ['{"Version":"2012-10-17","Statement":[]}'])
def test_no_statement_no_place(text: str) -> None:
    assert statement_spans(text) == ()

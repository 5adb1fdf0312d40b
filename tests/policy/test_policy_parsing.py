"""What IAM accepts as a policy of each kind, and its words for each refusal. There is no third result."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import policy_worlds
import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.policy import (
    Layers,
    MalformedPolicy,
    NamedPolicy,
    PolicyKind,
    Question,
    compile_policies,
    decide,
    document_size,
    explain,
    parse_policy,
    trusted_principals,
)

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}{'' if case['message'] else ' (accepted)'}")
    for path in sorted((Path(__file__).parent / "cases" / "parsing").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]
# Processor time, which other work on the machine does not change. An explosion would take hours.
MOST_CPU_SECONDS = 30.0


def text_of(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


@pytest.mark.parametrize("case", CASES)
def test_documents_are_accepted_or_refused_in_the_words_of_iam(case: dict[str, Any]) -> None:
    kind, is_inline = PolicyKind(case["kind"]), case.get("inline", False)
    if case["message"] is None:
        text = text_of(case["document"])
        policy = parse_policy(text, kind, is_inline=is_inline)
        assert policy.text == text
        assert policy.statements
        return
    with pytest.raises(MalformedPolicy) as refused:
        parse_policy(text_of(case["document"]), kind, is_inline=is_inline)
    assert refused.value.message == case["message"]


def test_the_pointer_says_where() -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": "photos"},
        ],
    }
    with pytest.raises(MalformedPolicy) as refused:
        parse_policy(json.dumps(document), PolicyKind.IDENTITY)
    assert refused.value.pointer == "Statement[1].Resource"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        (" \n\t\r", 0),
        ('{"a": "b c"}', 11),
        ('{ "a" : [ 1 , 2 ] }', 11),
        ('"a \\" b" ', 8),
        ('"a \\\\" ', 6),
        ('"unclosed  ', 11),
        ('{"a":\n  "\u00e9"}', 9),
    ],
)
def test_document_size_leaves_out_insignificant_white_space(text: str, size: int) -> None:
    assert document_size(text) == size


def test_trusted_principals_lists_aws_principals_once_and_as_written() -> None:
    user = "arn:aws:iam::111122223333:user/ana"
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": [user, "444455556666"]}},
            {
                "Effect": "Deny",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": ["*", user], "Service": "ec2.amazonaws.com"},
            },
        ],
    }
    assert trusted_principals(parse_policy(json.dumps(document), PolicyKind.TRUST)) == [user, "444455556666"]


def statement(**elements: Any) -> str:
    base = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**base, **elements}]})


HOSTILE = {
    "deep lists": "[" * 130_000,
    "deep objects": '{"a":' * 20_000,
    "deep action": statement().replace('"s3:GetObject"', "[" * 60_000 + "]" * 60_000),
    "too long": statement(Sid="a" * 270_000),
    "a huge version": statement().replace("2012-10-17", "2" * 120_000),
    "too many statements": json.dumps({"Version": "2012-10-17", "Statement": [{}] * 40_000}),
    "an unknown operator of any length": statement(Condition={"For" * 30_000: {"a": "b"}}),
    "a null character": "\0",
    "a byte order mark": "\ufeff" + statement(),
    "a huge date": statement(Condition={"DateEquals": {"a": "1" * 120_000}}),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", [PolicyKind.IDENTITY, PolicyKind.TRUST])
def test_hostile_documents_are_refused_quickly(name: str, kind: PolicyKind) -> None:
    start = time.process_time()
    with pytest.raises(MalformedPolicy) as refused:
        parse_policy(HOSTILE[name], kind)
    assert refused.value.message
    assert time.process_time() - start < MOST_CPU_SECONDS


def test_a_number_of_any_length_is_a_value_that_matches_nothing() -> None:
    text = statement(Condition={"NumericGreaterThan": {"a": "X"}}).replace('"X"', "9" * 120_000)
    compiled = compile_policies([NamedPolicy(parse_policy(text, PolicyKind.IDENTITY), "p")], PolicyKind.IDENTITY)
    asked = Question("s3:GetObject", "*", {"a": "1"}, policy_worlds.PRINCIPALS["user"], None, "")
    assert not decide(Layers(compiled), asked).allowed


COSTLY = {
    "many stars": ("arn:aws:s3:::" + "*a" * 20_000 + "b", "arn:aws:s3:::" + "a" * 20_000),
    "stars and question marks": ("arn:aws:s3:::" + "*a?" * 10_000 + "b", "arn:aws:s3:::" + "a" * 20_000),
    "a long part between stars": ("arn:aws:s3:::*" + "a?" * 5_000 + "b*", "arn:aws:s3:::" + "a" * 20_000),
    "parts between stars": ("arn:aws:s3:::" + "*a?a" * 10_000 + "*b?b*", "arn:aws:s3:::" + "a" * 40_000),
    "escapes": ("arn:aws:s3:::" + "${*}" * 14_000, "arn:aws:s3:::" + "*" * 13_999),
    "question marks": ("arn:aws:s3:::" + "?" * 60_000, "arn:aws:s3:::" + "a" * 59_999),
    "long literals": ("arn:aws:s3:::*" + "a" * 30_000 + "b*", "arn:aws:s3:::" + "a" * 60_000),
    "stars only": ("arn:aws:s3:::" + "*" * 100_000 + "b", "arn:aws:s3:::" + "a" * 60_000),
    "variables": ("arn:aws:s3:::" + "${a}*" * 20_000 + "b", "arn:aws:s3:::" + "a" * 20_000),
    "unclosed variables": ("arn:aws:s3:::" + "${" * 60_000, "arn:aws:s3:::" + "a" * 20_000),
}


@pytest.mark.parametrize("name", COSTLY)
def test_no_pattern_blows_up(name: str) -> None:
    pattern, resource = COSTLY[name]
    conditions = {"StringLike": {"k": pattern}, "ArnLike": {"k": pattern}}
    text = statement(Resource=pattern)
    conditional = statement(Condition=conditions) if len(pattern) < 60_000 else statement()
    start = time.process_time()
    for document in (text, conditional):
        compiled = compile_policies(
            [NamedPolicy(parse_policy(document, PolicyKind.IDENTITY), "p")], PolicyKind.IDENTITY
        )
        user = policy_worlds.PRINCIPALS["user"]
        decision = decide(
            Layers(compiled), Question("s3:GetObject", resource, {"k": resource, "a": "a"}, user, None, "")
        )
        assert decision.allowed is (document == statement())
        explain(decision)
    assert time.process_time() - start < MOST_CPU_SECONDS


# A condition's values for a key, many times over, and a request's values for it.
MANY_VALUES: dict[str, tuple[str, list[str], list[str], bool]] = {
    "texts with variables": (
        "ForAllValues:StringEquals",
        [f"${{*}}{n}" for n in range(9000)],
        ["*8999"] * 20_000,
        True,
    ),
    "texts": ("ForAllValues:StringEqualsIgnoreCase", [f"A{n}" for n in range(9000)], ["a8999"] * 20_000, True),
    "patterns": ("ForAllValues:StringLike", ["x*", *map(str, range(9000))], ["8999"] * 20_000, True),
    "ARNs": (
        "ForAllValues:ArnLike",
        ["arn:aws:s3:::x*", *(f"arn:aws:s3:::{n}" for n in range(4000))],
        ["arn:aws:s3:::3999"] * 20_000,
        True,
    ),
    "numbers": ("ForAllValues:NumericEquals", list(map(str, range(9000))), ["8999.0"] * 20_000, True),
    "numbers below": ("ForAllValues:NumericLessThan", list(map(str, range(9000))), ["8998"] * 20_000, True),
    "numbers above": ("ForAllValues:NumericGreaterThanEquals", list(map(str, range(1, 9000))), ["0"] * 20_000, False),
    "dates": ("ForAllValues:DateNotEquals", list(map(str, range(9000))), ["8999"] * 20_000, False),
    "addresses": (
        "ForAllValues:IpAddress",
        [f"10.{n // 256}.{n % 256}.0/24" for n in range(5000)],
        ["10.19.135.7"] * 20_000,
        True,
    ),
}


@pytest.mark.parametrize("name", MANY_VALUES)
def test_many_values_are_not_compared_one_by_one(name: str) -> None:
    operator, wanted, given, met = MANY_VALUES[name]
    start = time.process_time()
    text = statement(Condition={operator: {"k": wanted}})
    compiled = compile_policies([NamedPolicy(parse_policy(text, PolicyKind.IDENTITY), "p")], PolicyKind.IDENTITY)
    asked = Question("s3:GetObject", "*", {"k": tuple(given)}, policy_worlds.PRINCIPALS["user"], None, "")
    assert decide(Layers(compiled), asked).allowed is met
    # One by one there would be 100 million comparisons.
    assert time.process_time() - start < MOST_CPU_SECONDS / 10


texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["Allow", "Deny", "*", "s3:*", "sts:AssumeRole", "arn:aws:s3:::x", "2012-10-17", "arn:aws::", "a:b", "${a", "t"]
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                texts,
                st.sampled_from(["AWS", "Service", "Federated", "StringEquals", "DateEquals", "Null", "IpAddress"]),
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
statements = st.dictionaries(
    st.sampled_from(
        [
            "Sid",
            "Effect",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Principal",
            "NotPrincipal",
            "Condition",
            "X",
        ]
    ),
    values,
    max_size=7,
)


@settings(max_examples=examples(400), deadline=None)
@given(
    st.one_of(
        st.text(),
        values.map(json.dumps),
        st.fixed_dictionaries(
            {"Version": st.sampled_from(["2012-10-17", "2008-10-17"]), "Statement": st.lists(statements, max_size=3)}
        ).map(json.dumps),
    ),
    st.sampled_from(PolicyKind),
)
def test_anything_is_a_policy_or_malformed(text: str, kind: PolicyKind) -> None:
    try:
        policy = parse_policy(text, kind)
    except MalformedPolicy:
        return
    compiled = compile_policies([NamedPolicy(policy, "p")], kind)
    assert len(compiled.statements) == len(policy.statements)

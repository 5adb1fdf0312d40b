"""Which conditions say by themselves what text a request must have: only those that nothing else can meet."""

from __future__ import annotations

import pytest

from rolecall.policy.document import Condition
from rolecall.policy.operators import wanted_texts


@pytest.mark.parametrize(
    ("operator", "values", "texts"),
    [
        ("StringEquals", ("a",), {"a"}),
        ("StringEquals", ("a", "b"), {"a", "b"}),
        ("StringEquals", ("a*",), {"a*"}),
        ("StringLike", ("a", "b"), {"a", "b"}),
        ("ForAnyValue:StringEquals", ("a",), {"a"}),
    ],
)
def test_a_text_that_is_needed(operator: str, values: tuple[str, ...], texts: set[str]) -> None:
    found = wanted_texts(Condition(operator, "aws:TagKeys", values), True)
    assert found == ("aws:tagkeys", frozenset(texts))


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        # Met by a request that has no such key at all.
        ("ForAllValues:StringEquals", ("a",)),
        ("ForAllValues:StringLike", ("a",)),
        ("StringEqualsIfExists", ("a",)),
        ("StringLikeIfExists", ("a",)),
        ("StringNotEquals", ("a",)),
        ("StringNotLike", ("a",)),
        ("Null", ("true",)),
        # Met by other texts.
        ("StringEqualsIgnoreCase", ("a",)),
        ("StringLike", ("a*",)),
        ("StringLike", ("a", "b?")),
        ("StringEquals", ("${aws:username}",)),
        ("StringEquals", ("a", "b-${aws:username}")),
        ("ArnLike", ("arn:aws:iam::111122223333:user/a",)),
        ("NumericEquals", ("1",)),
    ],
)
def test_whatever_else_may_meet_it(operator: str, values: tuple[str, ...]) -> None:
    assert wanted_texts(Condition(operator, "aws:TagKeys", values), True) is None

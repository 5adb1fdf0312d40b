"""Patterns by themselves: whether two of them have a text in common, against an oracle that tries out texts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.policy.patterns import glob, overlapping, wildcards

# The shortest common text has no more characters than both patterns together have besides their stars.
TEXTS = ["".join(letters) for length in range(9) for letters in product("ab", repeat=length)]
PATTERNS = st.text(alphabet="ab*?", max_size=4)


@given(first=PATTERNS, second=PATTERNS)
def test_patterns_overlap_when_a_text_matches_both(first: str, second: str) -> None:
    tests = glob(wildcards(first)), glob(wildcards(second))
    common = any(tests[0](text) and tests[1](text) for text in TEXTS)
    assert overlapping(wildcards(first), wildcards(second)) == common


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("", "", True),
        ("", "*", True),
        ("", "?", False),
        ("a*", "*b", True),
        ("a*b", "b*a", False),
        ("a?c", "ab*", True),
        ("*ab", "?a", False),
        ("*" * 1000 + "a", "b" * 1000, False),
        ("?" * 1000, "*" + "a" * 1000, True),
    ],
)
def test_whether_two_patterns_overlap(first: str, second: str, expected: bool) -> None:
    assert overlapping(wildcards(first), wildcards(second)) is expected
    assert overlapping(wildcards(second), wildcards(first)) is expected

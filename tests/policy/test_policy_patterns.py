"""Patterns alone: what they match, and whether two of them have a common text, against slow oracles."""

from __future__ import annotations

from itertools import product

import oracle
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rolecall.policy.patterns import glob, glob_steps, overlapping, template, wildcards

# The shortest common text has at most as many characters as both patterns together without their stars.
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


@given(pattern=st.text(alphabet="ab*?", max_size=14), text=st.text(alphabet="ab", max_size=14))
@example(pattern="*a?a*", text="aba")
@example(pattern="*a?b*b", text="aabb")
@example(pattern="a?*?a", text="aba")
@example(pattern="*??*", text="a")
@example(pattern="?*?", text="a")
@example(pattern="*a?", text="aa")
@example(pattern="*a?*a?", text="aaa")
@example(pattern="*?a*b", text="ab")
@example(pattern="ab*?b", text="abb")
def test_what_a_pattern_matches(pattern: str, text: str) -> None:
    assert glob(wildcards(pattern))(text) == oracle.like(oracle.to_pattern(pattern, True), text)


@given(data=st.data(), pattern=st.text(alphabet="ab*?", max_size=20))
def test_a_text_made_from_a_pattern_matches_it(data: st.DataObject, pattern: str) -> None:
    parts = {"*": st.text(alphabet="ab", max_size=3), "?": st.sampled_from("ab")}
    text = "".join(data.draw(parts[token]) if token in parts else token for token in pattern)
    assert glob(wildcards(pattern))(text)


@pytest.mark.parametrize(
    ("pattern", "searched"),
    [
        ("abc", False),
        ("a?c", False),
        ("a?c*", False),
        ("*a?c", False),
        ("*a?*", False),
        ("*?a*?*", False),
        ("a?b*cd*e?f", False),
        ("*a?b*", True),
        ("x*ab*c??d*", True),
    ],
)
def test_which_patterns_cost_more_the_longer_the_text_is(pattern: str, searched: bool) -> None:
    assert (glob_steps(wildcards(pattern))[1] > 0) is searched


def test_a_pattern_costs_no_more_than_its_length() -> None:
    for pattern in ("a" * 1000, "*" * 1000, "?" * 1000, "*a?" * 333, "*a?b" * 250, "*" + "a?" * 500 + "b*"):
        fixed, each = glob_steps(wildcards(pattern))
        assert fixed <= 5 * len(pattern)
        assert each <= 5


def test_a_text_of_many_escapes_is_one_piece() -> None:
    escapes = "".join(f"a${{*}}{number}${{?}}" for number in range(3))
    assert template(escapes, with_wildcards=True, with_variables=True) == ["a*0?a*1?a*2?"]
    mixed = template("${$}a${aws:username}*${*}", with_wildcards=True, with_variables=True)
    assert mixed == ["$a", ("aws:username", None), f"{wildcards('*')}*"]
    assert template("", with_wildcards=True, with_variables=True) == [""]
    assert template("${aws:username}", with_wildcards=True, with_variables=True) == [("aws:username", None)]

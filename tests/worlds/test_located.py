"""Sandbox files as hostile text: nesting must never reach the parser's own recursion, which is in C."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.worlds import located
from rolecall.worlds.located import MAXIMUM_DEPTH, NO_TAGS, UnreadableError, read_located
from rolecall.worlds.plain_json import NotPlainError, plain_json

TOO_DEEP = "nested too deeply"
_DEPTH = 100_000


@pytest.mark.parametrize(
    "expression",
    [
        f"'[' * {_DEPTH}",
        f"'{{a: ' * {_DEPTH}",
        f"'- ' * {_DEPTH}",
        f"'? ' * {_DEPTH}",
        f"'[' * {_DEPTH} + ']' * {_DEPTH}",
    ],
)
def test_deep_nesting_is_refused(expression: str) -> None:
    # In a process of its own, because this fault ends the process.
    code = (
        "from rolecall.worlds.located import read_located, UnreadableError\n"
        f"try: read_located({expression})\n"
        "except UnreadableError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.returncode
    assert ended.stdout


def test_the_line_of_what_is_nested_too_deeply() -> None:
    with pytest.raises(UnreadableError) as caught:
        read_located("a:\n  " + "[" * (MAXIMUM_DEPTH + 2) + "]" * (MAXIMUM_DEPTH + 2))
    [problem] = caught.value.problems
    assert (problem.line, TOO_DEEP in problem.message) == (2, True)


def test_what_is_nested_as_deeply_as_may_be() -> None:
    value = read_located("[" * MAXIMUM_DEPTH + "1" + "]" * MAXIMUM_DEPTH).value
    for _ in range(MAXIMUM_DEPTH):
        [value] = value
    assert value == 1
    # The depth of each branch counts.
    assert read_located("[" + "[[1]]," * 100 + "]").value == [[[1]]] * 100


def by_yaml(text: str) -> Any:
    """What YAML's own parser makes of a text: the value with its lines, or the problems."""
    lines: dict[located.Path, int] = {}
    try:
        value = located._read_yaml(text, NO_TAGS, lines)
    except UnreadableError as error:
        return error.problems
    return repr(value), lines or {(): 1}


def by_either(text: str) -> Any:
    try:
        found = read_located(text)
    except UnreadableError as error:
        return error.problems
    return repr(found.value), found.lines


# Every control character, and what YAML takes for the end of a line or forbids.
_CHARACTERS = st.one_of(
    st.characters(max_codepoint=0x2FF), st.sampled_from("\u2028\u2029\ufeff\ufffe\uffff\ud83d\ude00\U0001f600")
)
_NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**63, 10**64, -(10**70), 1e5, 0.1]))
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(_CHARACTERS)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(_CHARACTERS), inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(st.text(_CHARACTERS), _VALUES, max_size=4), st.booleans(), st.sampled_from([None, 1, 2, "\t"]))
def test_json_means_the_same_to_both_parsers(value: dict[str, Any], escaped: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    assert by_either(text) == by_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1.50}',
        '{"a": 1e5}',
        '{"a": -0}',
        '{"a": 010}',
        '{"a": 1:30}',
        '{"a": 2026-11-29}',
        '{"<<": {"a": 1}, "=": 1}',
        '{"a": "&b *b !c # d"}',
        '{"a": 1}\n...',
        '{"a": 1}\n---\n{"b": 1}',
        '{"a": 1} # why',
        '{"a": 1,}',
        "{a: 1}",
        '{"a": "b\n c"}',
        '{"a": "\\ud83d\\ude00 \\ud83d"}',
        '{"a": "\\u0000\\/\\f"}',
        '{"\\u0061": 1, "a": 2}',
        "{}",
        "{",
        "",
        f'{{"a": {"9" * 70}}}',
        f'{{"a": {"[" * 39}1{"]" * 39}}}',
        f'{{"a": {"[" * 40}1{"]" * 40}}}',
        f'{{"a": {"[" * 41}{"]" * 41}}}',
        f'{{"a": {"[" * 5000}{"]" * 5000}}}',
    ],
)
def test_texts_that_look_like_json_mean_the_same_to_both_parsers(text: str) -> None:
    assert by_either(text) == by_yaml(text)


@pytest.mark.parametrize(("values", "is_plain"), [(8, True), (7, False)])
def test_keys_and_values_count(values: int, is_plain: bool) -> None:
    text = '{"a": [1, 2, {"b": 3}]}'
    if is_plain:
        assert plain_json(text, MAXIMUM_DEPTH, values) == json.loads(text)
    else:
        with pytest.raises(NotPlainError):
            plain_json(text, MAXIMUM_DEPTH, values)

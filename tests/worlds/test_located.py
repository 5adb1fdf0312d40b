"""Sandbox files as hostile text: nesting must never reach the parser's own recursion, which is in C."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rolecall.worlds.located import MAXIMUM_DEPTH, UnreadableError, read_located

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

"""Files to import: their text as plain values, and the line of each value.

The line of a value is found when a message needs it, because JSON of a large account is read much faster without lines.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from rolecall.worlds.files import read_bounded, read_named
from rolecall.worlds.located import (
    MAXIMUM_DEPTH,
    NESTED_MESSAGE,
    Located,
    Path,
    Problem,
    UnreadableError,
    read_located,
)

STANDARD_INPUT = "-"
# CloudFormation's short forms of its functions: !Ref name is {Ref: name}, !Sub text is {"Fn::Sub": text}.
_FUNCTIONS = (
    "Base64 Cidr FindInMap GetAtt GetAZs ImportValue Join Length Select Split Sub ToJsonString Transform "
    "And Equals If Not Or"
)
TEMPLATE_TAGS = {f"!{name}": f"Fn::{name}" for name in _FUNCTIONS.split()} | {
    "!Ref": "Ref",
    "!Condition": "Condition",
}


@dataclass(frozen=True)
class Source:
    """One file: its name as the user gave it, its text, and its value."""

    name: str
    text: str
    value: Any

    def line(self, path: Path) -> int:
        """The line of a value, or of its nearest parent in the file."""
        return self._located.line(path)

    @cached_property
    def _located(self) -> Located:
        try:
            return read_located(self.text, TEMPLATE_TAGS)
        except UnreadableError:
            # A file with more values than the reader of lines takes. Its messages have the path in any case.
            return Located(self.value, {})


def read_source(name: str) -> Source:
    """A file that the user named; ``-`` is standard input.

    Raises OSError, and UnreadableError with every problem of its text.
    """
    try:
        text = read_bounded(sys.stdin.buffer) if name == STANDARD_INPUT else read_named(name)
        return source_of(name, text)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UnreadableError([Problem(line, "not UTF-8 text")]) from error
    except ValueError as error:
        raise UnreadableError([Problem(1, str(error))]) from error


def source_of(name: str, text: str) -> Source:
    """The same for a text. Raises UnreadableError."""
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        return Source(name, text, _json(text))
    return Source(name, text, read_located(text, TEMPLATE_TAGS).value)


def _json(text: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
        _check_depth(value)
    except json.JSONDecodeError as error:
        # A template in YAML may begin with a brace, too.
        try:
            return read_located(text, TEMPLATE_TAGS).value
        except UnreadableError:
            raise UnreadableError([Problem(error.lineno, f"not JSON: {error.msg}")]) from error
    except RecursionError as error:
        raise UnreadableError([Problem(1, NESTED_MESSAGE)]) from error
    except ValueError as error:
        # The reader of lines knows the line of a key that appears twice, and of a number that is too long.
        read_located(text, TEMPLATE_TAGS)
        raise UnreadableError([Problem(1, f"not JSON: {error}")]) from error
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _check_depth(value: Any) -> None:
    """Raises RecursionError. It goes level by level, so that it needs no depth itself."""
    level = [value]
    for _ in range(MAXIMUM_DEPTH + 1):
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise RecursionError


def _children(value: Any) -> list[Any]:
    found = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [child for child in found if isinstance(child, dict | list)]

"""Where the statements of a document stand in its text: worked out on request, never when a policy is parsed.

A position is what the policy simulator of IAM prints, as recorded from AWS. Lines and columns count from 1. A statement
begins where the token before it ended: the opening bracket, or the statement before. A statement without a list around
it begins behind its own brace. A statement ends behind its closing brace.
"""

from __future__ import annotations

from bisect import bisect_right
from json import JSONDecoder

from msgspec import Struct

_WHITE_SPACE = " \t\n\r"
_decode = JSONDecoder().raw_decode


class Position(Struct, frozen=True):
    """A place in a text; both numbers count from 1."""

    line: int
    column: int


class Span(Struct, frozen=True):
    """A statement's place: ``start`` and ``end`` as the simulator prints them, ``line`` where its brace opens."""

    start: Position
    end: Position
    line: int


def statement_spans(text: str) -> tuple[Span, ...]:
    """The place of every statement of ``text``, which must be a document that :func:`parse_policy` accepts."""
    line_starts = [0]
    line_starts += [offset + 1 for offset, character in enumerate(text) if character == "\n"]

    def position(offset: int) -> Position:
        line = bisect_right(line_starts, offset)
        return Position(line, offset - line_starts[line - 1] + 1)

    return tuple(Span(position(start), position(end), position(brace).line) for start, brace, end in _offsets(text))


def _offsets(text: str) -> list[tuple[int, int, int]]:
    """For each statement: where the token before it ends, where its brace opens, where it ends."""
    value = _statement_value(text)
    if text[value] != "[":
        return [(value + 1, value, _decode(text, value)[1])]
    found = []
    start = value + 1
    brace = _skip(text, start)
    while text[brace] != "]":
        end = _decode(text, brace)[1]
        found.append((start, brace, end))
        start = end
        brace = _skip(text, end)
        if text[brace] == ",":
            brace = _skip(text, brace + 1)
    return found


def _statement_value(text: str) -> int:
    """Where the value of the document's Statement begins."""
    offset = _skip(text, _skip(text, 0) + 1)
    while True:
        key, offset = _decode(text, offset)
        value = _skip(text, _skip(text, offset) + 1)
        if key == "Statement":
            return value
        comma = _skip(text, _decode(text, value)[1])
        offset = _skip(text, comma + 1)


def _skip(text: str, offset: int) -> int:
    """The first place from ``offset`` on that has no white space."""
    while text[offset] in _WHITE_SPACE:
        offset += 1
    return offset

"""Wildcards and policy variables: patterns compiled into functions whose cost is bounded whatever the pattern.

A pattern is a string in which two code points that are no characters stand for ``*`` and ``?``. So a star that
was written with ``${*}``, or that came out of a variable, stays a star.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

MANY = "\ud800"
ONE = "\ud801"

ContextValue = str | tuple[str, ...]
Context = Mapping[str, ContextValue]
Test = Callable[[str], bool]
# A piece of a template: literal pattern text, or (key, default) of a variable.
Piece = str | tuple[str, str | None]

_ESCAPES = {"*": "*", "?": "?", "$": "$"}
_COMPILED_LIMIT = 1024
_ARN_COLONS = 5


def has_reserved_characters(text: str) -> bool:
    """Whether a text holds half surrogate pairs, which are no characters and which patterns keep for themselves."""
    if text.isascii():
        return False
    return any("\ud800" <= character <= "\udfff" for character in text)


def wildcards(text: str) -> str:
    """The pattern a text means where ``*`` and ``?`` are wildcards."""
    return text.replace("*", MANY).replace("?", ONE)


def glob(pattern: str) -> Test:
    """A function that says whether a whole text matches ``pattern``, in time linear in the text for any fixed pattern.

    ``*`` matches any text, colons and slashes included; ``?`` one character (IAM User Guide, Resource).
    """
    if MANY not in pattern:
        return _of_fixed_length(pattern) if ONE in pattern else pattern.__eq__
    if ONE in pattern:
        return _with_single_wildcards(pattern)
    first, *middle, last = pattern.split(MANY)
    middle = [part for part in middle if part]
    if middle:
        return _with_middle(first, middle, last)
    if not first and not last:
        return _anything
    if not last:
        return lambda text: text.startswith(first)
    if not first:
        return lambda text: text.endswith(last)
    shortest = len(first) + len(last)
    return lambda text: len(text) >= shortest and text.startswith(first) and text.endswith(last)


def _anything(_text: str) -> bool:
    return True


def _with_middle(first: str, middle: list[str], last: str) -> Test:
    shortest = len(first) + len(last) + sum(map(len, middle))

    def matches(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        position, end = len(first), len(text) - len(last)
        for part in middle:
            position = text.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return True

    return matches


def _of_fixed_length(pattern: str) -> Test:
    length = len(pattern)
    written = tuple((place, character) for place, character in enumerate(pattern) if character != ONE)

    def matches(text: str) -> bool:
        return len(text) == length and all(text[place] == character for place, character in written)

    return matches


def _with_single_wildcards(pattern: str) -> Test:
    """Every position of the pattern is one bit, so that one step over the text moves all of them at once."""
    accepting, single, loops, final = _positions(pattern)

    def matches(text: str) -> bool:
        state = 1
        for character in text:
            state = ((state & accepting.get(character, single)) << 1) | (state & loops)
            if not state:
                return False
        return bool(state & final)

    return matches


def _positions(pattern: str) -> tuple[Mapping[str, int], int, int, int]:
    """Positions as bits: those that take a character, that take any, that stay as they are, and the last."""
    accepting: dict[str, int] = {}
    single = loops = 0
    bit = 1
    for token in pattern:
        if token == MANY:
            loops |= bit
            continue
        if token == ONE:
            single |= bit
        else:
            accepting[token] = accepting.get(token, 0) | bit
        bit <<= 1
    return {character: positions | single for character, positions in accepting.items()}, single, loops, bit


def overlapping(first: str, second: str) -> bool:
    """Whether some text matches both patterns. In time linear in the first for any fixed second."""
    accepting, single, loops, final = _positions(second)
    every = 2 * final - 1
    state = 1
    for token in first:
        if token == MANY:
            # Any text may stand here, so any later position of the second can be reached.
            state = every & ~((state & -state) - 1)
            continue
        taking = every if token == ONE else accepting.get(token, single)
        state = ((state & taking & ~final) << 1) | (state & loops)
        if not state:
            return False
    return bool(state & final)


cached_glob = lru_cache(maxsize=_COMPILED_LIMIT)(glob)


def arn_glob(pattern: str) -> Test:
    """The Arn operators' match: each of the six parts on its own, so that a wildcard does not cross a colon.

    A pattern or a text that has fewer parts matches nothing (IAM User Guide, ARN condition operators).
    """
    parts = pattern.split(":", _ARN_COLONS)
    if len(parts) <= _ARN_COLONS:
        return _nothing
    if MANY not in pattern and ONE not in pattern:
        return pattern.__eq__
    tests = [glob(part) for part in parts]

    def matches(text: str) -> bool:
        found = text.split(":", _ARN_COLONS)
        if len(found) <= _ARN_COLONS:
            return False
        return all(test(part) for test, part in zip(tests, found, strict=True))

    return matches


cached_arn_glob = lru_cache(maxsize=_COMPILED_LIMIT)(arn_glob)


def _nothing(_text: str) -> bool:
    return False


def template(text: str, *, with_wildcards: bool, with_variables: bool, arn_resource_only: bool = False) -> list[Piece]:
    """The pieces of a policy value: pattern text and variables (IAM User Guide, Variables and tags).

    ``arn_resource_only`` is for Resource elements, where a variable counts only after the fifth colon.
    """
    mark = wildcards if with_wildcards else str
    if not with_variables or "${" not in text:
        return [mark(text)]
    pieces: list[Piece] = []
    for literal, inner in _scanned(text, arn_resource_only):
        pieces.append(mark(literal))
        if inner is not None:
            pieces.append(_ESCAPES[inner] if inner in _ESCAPES else _variable(inner))
    return _joined(pieces)


def variable_keys(text: str, *, arn_resource_only: bool = False) -> list[str]:
    """The condition keys whose values a policy value takes through variables, as they are spelled."""
    found = (inner for _, inner in _scanned(text, arn_resource_only))
    return [inner.partition(",")[0] for inner in found if inner is not None and inner not in _ESCAPES]


def _scanned(text: str, arn_resource_only: bool) -> Iterator[tuple[str, str | None]]:
    """The text between variables, each piece with what stands in the braces after it; None where nothing counts."""
    colons = position = 0
    while True:
        start = text.find("${", position)
        end = text.find("}", start) if start >= 0 else -1
        if end < 0:
            yield text[position:], None
            return
        inner = text[start + 2 : end]
        colons += text.count(":", position, start)
        if arn_resource_only and colons < _ARN_COLONS and inner not in _ESCAPES:
            yield text[position : end + 1], None
        else:
            yield text[position:start], inner
        position = end + 1


def _joined(pieces: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if isinstance(piece, str) and isinstance(last, str):
            joined[-1] = last + piece
        elif piece != "":
            joined.append(piece)
    return joined or [""]


def _variable(inner: str) -> tuple[str, str | None]:
    key, comma, default = inner.partition(",")
    default = default.strip()
    if comma and len(default) >= 2 and default[0] == default[-1] == "'":
        return key.lower(), default[1:-1]
    # A comma without a quoted default makes a key that no request has.
    return inner.lower(), None


def resolve(pieces: list[Piece], context: Context) -> str | None:
    """The pattern of a template for one request; None when a variable has no value, or more than one."""
    parts = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
            continue
        key, default = piece
        value = context.get(key)
        if value is None or value == ():
            value = default
        if not isinstance(value, str) or MANY in value or ONE in value:
            return None
        parts.append(value)
    return "".join(parts)

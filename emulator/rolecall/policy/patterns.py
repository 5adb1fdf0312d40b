"""Wildcards and policy variables: patterns compiled into functions. Their cost is bounded, whatever the pattern.

In a pattern, two code points that are no characters stand for the wildcards ``*`` and ``?``. So a star that was written
as ``${*}``, or that came out of a variable, stays a plain star.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from rolecall.caches import remembered

MANY = "\ud800"
ONE = "\ud801"

ContextValue = str | tuple[str, ...]
Context = Mapping[str, ContextValue]
Test = Callable[[str], bool]
# A piece of a template: pattern text, or the (key, default) of a variable.
Piece = str | tuple[str, str | None]

_ESCAPES = {"*": "*", "?": "?", "$": "$"}
_COMPILED_LIMIT = 1024
# An operation on this many bits of a long number costs about one step of the interpreter.
_BITS_PER_STEP = 1024
_ARN_COLONS = 5


def has_reserved_characters(text: str) -> bool:
    """Whether a text holds half surrogate pairs. They are no characters, and patterns use them as wildcards."""
    if text.isascii():
        return False
    return any("\ud800" <= character <= "\udfff" for character in text)


def wildcards(text: str) -> str:
    """The pattern of a text in which ``*`` and ``?`` are wildcards."""
    return text.replace("*", MANY).replace("?", ONE)


def glob(pattern: str) -> Test:
    """A function that says whether a whole text matches ``pattern``, in time linear in the text for any fixed pattern.

    ``*`` matches any text, colons and slashes included; ``?`` one character (IAM User Guide, Resource). A part between
    two stars may take the first place that fits, so no place is tried twice.
    """
    if MANY not in pattern:
        return _of_fixed_length(pattern) if ONE in pattern else pattern.__eq__
    first, *middle, last = pattern.split(MANY)
    middle = [part for part in middle if part]
    if ONE in pattern:
        return _with_single_wildcards(first, middle, last)
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


def glob_steps(pattern: str) -> tuple[int, int]:
    """The highest cost of matching one text: a number of steps, and steps per character (0.05 microseconds each)."""
    if MANY not in pattern:
        return 2 + pattern.count(ONE), 0
    middle = pattern.split(MANY)[1:-1]
    searched = any(ONE in part and len(_chunks(part)) > 1 for part in middle)
    return 4 + 4 * len(middle) + pattern.count(ONE), 4 + len(pattern) // _BITS_PER_STEP if searched else 0


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
    length, chunks = len(pattern), _chunks(pattern)
    return lambda text: len(text) == length and _fits(chunks, text, 0)


def _with_single_wildcards(first: str, middle: list[str], last: str) -> Test:
    begins, ends = _chunks(first), _chunks(last)
    finders = tuple(map(_finder, middle))
    shortest = len(first) + len(last) + sum(map(len, middle))

    def matches(text: str) -> bool:
        position, end = len(first), len(text) - len(last)
        if len(text) < shortest or not _fits(begins, text, 0) or not _fits(ends, text, end):
            return False
        for find in finders:
            position = find(text, position, end)
            if position < 0:
                return False
        return True

    return matches


# The literal texts of a part without stars, each with its place in the part.
_Chunks = tuple[tuple[int, str], ...]


def _chunks(part: str) -> _Chunks:
    place, found = 0, []
    for literal in part.split(ONE):
        if literal:
            found.append((place, literal))
        place += len(literal) + 1
    return tuple(found)


def _fits(chunks: _Chunks, text: str, place: int) -> bool:
    for offset, literal in chunks:  # noqa: SIM110  a generator would cost more than the comparisons
        if not text.startswith(literal, place + offset):
            return False
    return True


# From a text and two places in it to the place behind the first match of a part between them; -1 without a match.
_Finder = Callable[[str, int, int], int]


def _finder(part: str) -> _Finder:
    chunks, length = _chunks(part), len(part)
    if not chunks:
        return lambda _text, start, end: start + length if start + length <= end else -1
    if len(chunks) > 1:
        return _searching(part)
    [(offset, literal)] = chunks
    after = length - offset

    def find(text: str, start: int, end: int) -> int:
        found = text.find(literal, start + offset, end - after + len(literal))
        return found if found < 0 else found + after

    return find


def _searching(part: str) -> _Finder:
    """Every place of the part is one bit, so one step over the text advances all partial matches at once."""
    accepting, single = _bits(part)
    final = 1 << (len(part) - 1)

    def find(text: str, start: int, end: int) -> int:
        state = 0
        for place in range(start, end):
            state = (state << 1 | 1) & accepting.get(text[place], single)
            if state & final:
                return place + 1
        return -1

    return find


def _bits(part: str) -> tuple[Mapping[str, int], int]:
    """The places of a part as bits: by the character that a place takes, and the places that take any character."""
    places: dict[str, list[int]] = {}
    for place, token in enumerate(part):
        places.setdefault(token, []).append(place)
    masks = {token: _mask(found, len(part)) for token, found in places.items()}
    single = masks.pop(ONE, 0)
    return {character: mask | single for character, mask in masks.items()}, single


def _mask(places: list[int], length: int) -> int:
    # Built as bytes, because setting bits one by one in a long number copies it each time.
    digits = bytearray(b"0" * length)
    for place in places:
        digits[length - 1 - place] = ord("1")
    return int(digits, 2)


class Positions(NamedTuple):
    """The positions of a pattern as bits: by the character they take, those that take any, those that repeat, the end.

    Bit 0 is the beginning.
    """

    taking: Mapping[str, int]
    others: int
    loops: int
    final: int

    def step(self, state: int, character: str) -> int:
        """The positions that a character leads to."""
        return ((state & self.taking.get(character, self.others)) << 1) | (state & self.loops)


def positions_of(pattern: str) -> Positions:
    taking: dict[str, int] = {}
    single = loops = 0
    bit = 1
    for token in pattern:
        if token == MANY:
            loops |= bit
            continue
        if token == ONE:
            single |= bit
        else:
            taking[token] = taking.get(token, 0) | bit
        bit <<= 1
    return Positions({character: bits | single for character, bits in taking.items()}, single, loops, bit)


def overlapping(first: str, second: str) -> bool:
    """Whether any text matches both patterns, in time linear in the first pattern for any fixed second one."""
    accepting, single, loops, final = positions_of(second)
    every = 2 * final - 1
    state = 1
    for token in first:
        if token == MANY:
            # A star matches any text, so every later position of the second pattern can be reached.
            state = every & ~((state & -state) - 1)
            continue
        taking = every if token == ONE else accepting.get(token, single)
        state = ((state & taking & ~final) << 1) | (state & loops)
        if not state:
            return False
    return bool(state & final)


cached_glob = remembered(_COMPILED_LIMIT)(glob)


def arn_glob(pattern: str) -> Test:
    """The test of the Arn operators. It compares each of the six parts on its own, so no wildcard crosses a colon.

    A pattern or a text with fewer parts matches nothing (IAM User Guide, ARN condition operators).
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


cached_arn_glob = remembered(_COMPILED_LIMIT)(arn_glob)


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
    """The condition keys of the variables in a policy value, as they are spelled."""
    found = (inner for _, inner in _scanned(text, arn_resource_only))
    return [inner.partition(",")[0] for inner in found if inner is not None and inner not in _ESCAPES]


def _scanned(text: str, arn_resource_only: bool) -> Iterator[tuple[str, str | None]]:
    """The text between variables; each piece comes with the content of the variable after it, or None."""
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
    texts: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        joined += [*_text_of(texts), piece]
        texts = []
    return [*joined, *_text_of(texts)] or [""]


def _text_of(texts: list[str]) -> list[str]:
    text = "".join(texts)
    return [text] if text else []


def _variable(inner: str) -> tuple[str, str | None]:
    key, comma, default = inner.partition(",")
    default = default.strip()
    if comma and len(default) >= 2 and default[0] == default[-1] == "'":
        return key.lower(), default[1:-1]
    # With a comma but no quoted default, the whole text is the key, and no request has such a key.
    return inner.lower(), None


def resolve(pieces: list[Piece], context: Context) -> str | None:
    """The pattern of a template for one request; None when a variable has no value or several."""
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

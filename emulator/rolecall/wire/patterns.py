"""The models' regular expressions, written for Java, as Python matchers with the same meaning.

Java's ``\\w``, ``\\d`` and ``\\s`` are ASCII, and its patterns must match the whole value. ``\\p{L}`` and the like are
Unicode categories, which Python's ``re`` lacks. The caller chooses the value, so no pattern may take more than linear
time.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable
from functools import lru_cache

# Python's own \w is letters, digits and the underscore, so this combination needs no ranges of its own.
_WORD_AND_SEPARATORS = r"\p{L}\p{Z}\p{N}_"
_SEPARATORS = "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Each matches the same texts as the model's pattern, which takes quadratic time on a text with many at signs or colons.
_LINEAR = {
    r".+@.+\..+": r".[^@\n]*@.+\..+",
    r"arn:aws(-[^:]+)?:iam(:.*){2}(:role.*)": r"arn:aws(-[^:]+)?:iam:[^:\n]*:.*:role.*",
}
_CATEGORY = re.compile(r"\\p\{([A-Z][a-z]?)\}")
# Java accepts a repeated anchor, Python does not; repeating an anchor changes nothing.
_REPEATED_ANCHOR = re.compile(r"(?<!\\)\$\{\d+,?\d*\}")

Matcher = Callable[[str], object]


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Matcher:
    """A function that is true of a text that matches ``pattern`` from end to end.

    A future model may hold a pattern that Python cannot read. It matches every text, so that the operation still works.
    """
    try:
        return re.compile(python_pattern(pattern)).fullmatch
    except re.error:
        return _matches_anything


def _matches_anything(text: str) -> object:
    return True


def python_pattern(pattern: str) -> str:
    """The pattern in Python's spelling. ``\\p{…}`` is understood inside character classes, where the models have it."""
    if pattern in _LINEAR:
        return _LINEAR[pattern]
    pattern = _REPEATED_ANCHOR.sub("$", pattern)
    if r"\p{" not in pattern:
        return f"(?a:{pattern})"
    pattern = pattern.replace(_WORD_AND_SEPARATORS, rf"\w{_SEPARATORS}")
    return _CATEGORY.sub(lambda found: _category_ranges(found[1]), pattern)


@lru_cache(maxsize=64)
def _category_ranges(category: str) -> str:
    """The characters of a Unicode category, as the inside of a character class."""
    ranges: list[str] = []
    start = -1
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code)).startswith(category)
        if inside and start < 0:
            start = code
        elif not inside and start >= 0:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = -1
    return "".join(ranges)

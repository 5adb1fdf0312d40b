"""The models' regular expressions: Java's meaning, and linear time on hostile texts."""

from __future__ import annotations

import re
import sys
import time
import unicodedata

import pytest
from wire_samples import service_model

from rolecall.wire import SERVICES
from rolecall.wire.patterns import matcher, python_pattern

PATTERNS = sorted(
    {
        shape["pattern"]
        for name in SERVICES
        for shape in service_model(name)._shape_resolver._shape_map.values()
        if "pattern" in shape
    }
)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (r"[\w+=,.@-]*", ["", "a_B9=,.@-"], ["é", "a b", "a\n", "a\u0661"]),
        (r"[\d]*", ["123456"], ["\u0661", "12\n"]),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", ["équipe", "漢字 \u2003", "Ⅷ½٣", "a_b:c/=+-@"], ["", "a,b", "\t", "\u0301"]),
        (r".+@.+\..+", ["a@b.c", "@@a.b", "a@@b.c.", "a@b@c.d"], ["@b.c", "a@b.", "a@.c", "a@bc", "a.b@c", "a@b.c\n"]),
        (r".*\S.*", ["a", " a "], ["", "  ", "\t"]),
        (r"^8(00|33|44|55|66|77|88)$", ["800", "888"], ["80", "8000", "800\n"]),
        (r"^[-_a-zA-Z0-9]*${2,64}$", ["", "ab_c"], ["a b"]),
        (r"^o-[a-z0-9]{10,32}$", ["o-abcdefghij"], ["o-abc", "x-abcdefghij"]),
        (r"((/[A-Za-z0-9\.,\+@=_-]+)*)/", ["/", "/a/b/"], ["", "a/", "/a", "//"]),
        (r"[\p{Lu}_]+", ["AÉ_"], ["a", "1"]),
        (
            r"arn:aws(-[^:]+)?:iam(:.*){2}(:role.*)",
            [
                "arn:aws:iam::1:role/a",
                "arn:aws-cn:iam:::role",
                "arn:aws-\n:iam:a:b:c:role:role",
                "arn:aws:iam::::role\x85",
            ],
            [
                "arn:aws:iam:1:role/a",
                "arn:aws:iam:::rol",
                "arn:aws-:iam:::role",
                "arn:aws:iam::1\n:role",
                "arn:aws:iam::\n:role",
                "arn:aws:iam:\n::role",
                "arn:aws:iam:::role\n",
                "a arn:aws:iam:::role",
                "arn:aws:iam1:::role",
            ],
        ),
    ],
)
def test_pattern_means_what_java_means(pattern: str, matching: list[str], others: list[str]) -> None:
    assert [text for text in matching if not matcher(pattern)(text)] == []
    assert [text for text in others if matcher(pattern)(text)] == []


def test_unicode_categories_are_exact() -> None:
    matches = matcher(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]")
    wrong = [
        code
        for code in range(sys.maxunicode + 1)
        if bool(matches(chr(code))) != (unicodedata.category(chr(code))[0] in "LZN" or chr(code) in "_.:/=+-@")
    ]
    assert wrong == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_of_the_models_is_readable(pattern: str) -> None:
    assert re.compile(python_pattern(pattern))


def test_a_pattern_python_cannot_read_matches_everything() -> None:
    assert matcher("(unknown")("x")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    matches = matcher(pattern)
    started = time.process_time()
    for unit in [*"a @/-_.:1\n?#é", "a@", "a.", "@.", "a/", "a-", "a_", "a:"]:
        for prefix in ("", "/", "arn:aws:iam::1:", "http://", "a@"):
            matches(prefix + unit * 20_000 + "\x01")
    # Processor time, which other work on the machine hardly changes. Linear time takes some hundredths of a second,
    # quadratic time at least three seconds.
    assert time.process_time() - started < 1

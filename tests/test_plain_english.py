"""The prose of the product: pages, help, messages, docstrings and comments keep to words that read at once.

docs/contributing.md gives the rules with examples. A check here is a plain function from text to findings, so that the
second half of this file can show that it finds what it is for.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from syntax_trees import walk

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = sorted(
    file
    for folder in ("emulator", "migrations", "tests", "benchmarks", "tools", "examples")
    for file in (ROOT / folder).rglob("*.py")
    if file != Path(__file__).resolve()
)
MAXIMUM_SENTENCE_WORDS = 45

# Each with the words to write instead.
HARD_WORDS = {
    r"who(so)?ever": "the caller, a client, anyone who",
    r"(nobody|somebody|everybody|anybody)'s": "name the owner, or say there is none",
    r"that of (a|an|the|its|their|his|another|all|one|it|them)\b": "repeat the noun",
    r"those of (a|an|the|its|their|his|another|all|one|it|them)\b": "repeat the noun",
    r"(is|are|was|were|be|been) told": "say who tells what: the answer says, the log shows",
    r"in vain": "say what fails",
    r"as the two do": "name the two",
    r"who means? (it|him|her)self": "name the user",
    r"may be none": "say what is absent",
    r"whose say": "say who decides",
    r"has no say": "say who decides",
    r"worth nothing": "say that it is refused",
    r"whomever": "name who",
    r"(begun|begins?) anew": "starts again, newly made",
    r"go(es)? on with": "continues with",
    r"lets? go of": "closes, releases",
    r"(is|are) none of": "is not a",
    r"of before": "earlier",
    r"ha(s|ve) (its|their) say": "is evaluated",
    r"what(ever)? (comes|came) of it": "name the result",
    r"all the same": "still, too",
    r"likewise": "also",
}
_PATTERNS = {re.compile(rf"\b{word}", re.IGNORECASE): better for word, better in HARD_WORDS.items()}


def hard_words(text: str) -> list[str]:
    return [
        f"{match.group(0)!r}: write instead: {better}"
        for pattern, better in _PATTERNS.items()
        for match in pattern.finditer(text)
    ]


def prose_of_page(text: str) -> str:
    """A page without its code, its comments and the targets of its links."""
    # The marks around a generated table would hide that a table begins.
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.S)
    text = re.sub(r"^```.*?^```[^\n]*$", "", text, flags=re.M | re.S)
    text = re.sub(r"`[^`\n]*`", "CODE", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def long_sentences(prose: str) -> list[str]:
    """Sentences of paragraphs and list items; a table's cells are no sentences."""
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", prose):
        if paragraph.lstrip().startswith(("|", "#")):
            continue
        # A colon and a semicolon end a thought, too.
        for sentence in re.split(r"(?<=[.:;?!])\s+", paragraph):
            words = re.findall(r"[A-Za-z][\w'-]*", sentence)
            if len(words) > MAXIMUM_SENTENCE_WORDS:
                found.append(f"{len(words)} words: {sentence[:120]}…")
    return found


# Outside texts and comments, the syntax of Python 3.11 has neither quotes nor number signs.
_TEXTS_AND_COMMENTS = re.compile(
    r'''"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'''
    r"""|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|(#[^\n]*)""",
    re.DOTALL,
)


def comments_of(text: str) -> list[str]:
    """What ``tokenize`` finds, in a tenth of its time."""
    return [comment for comment in _TEXTS_AND_COMMENTS.findall(text) if comment]


def prose_of_source(text: str) -> Iterator[str]:
    """Comments, docstrings and other texts of a module."""
    yield " ".join(comment.lstrip("# ") for comment in comments_of(text))
    for node in walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield re.sub(r"\s+", " ", node.value)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_a_page_reads_at_once(file: Path) -> None:
    prose = prose_of_page(file.read_text(encoding="utf-8"))
    assert hard_words(prose) + long_sentences(prose) == []


def test_the_sources_read_at_once() -> None:
    findings = [
        f"{file.relative_to(ROOT)}: {finding}"
        for file in SOURCES
        for text in prose_of_source(file.read_text(encoding="utf-8"))
        for finding in hard_words(text)
    ]
    assert findings == []


@pytest.mark.parametrize(
    "text",
    [
        "Whoever asks gets an answer.",
        "It is nobody's key.",
        "The Region is that of the caller.",
        "The caller is told why.",
        "A grant in vain.",
    ],
)
def test_hard_words_are_found(text: str) -> None:
    assert len(hard_words(text)) == 1


def test_comments_are_what_python_takes_for_them() -> None:
    text = "\n".join(
        [
            r"""a = "# no" + '# no'  # one""",
            r"""b = r"\\"  # "two" """,
            'c = """# no',
            r"""# no " "" \"\"" # no""",
            '# no"""  # three \'x',
            r"""d = f"{'#'}" 'a\'# no' ""  # four""",
            "# five # six",
            'e = ("a"  # seven',
            '"b")',
            "",
        ]
    )
    read = tokenize.generate_tokens(io.StringIO(text).readline)
    expected = [token.string for token in read if token.type == tokenize.COMMENT]
    assert (comments_of(text), len(expected)) == (expected, 6)


@pytest.mark.parametrize("text", ["AWS told us once.", "That offer stands.", "The caller gets 501."])
def test_plain_words_are_not(text: str) -> None:
    assert hard_words(text) == []


def test_long_sentences_are_found_in_prose_alone() -> None:
    long = "word " * (MAXIMUM_SENTENCE_WORDS + 1)
    assert len(long_sentences(f"A short one. {long}.")) == 1
    assert len(long_sentences(f"- {long}.\n- short")) == 1
    assert long_sentences(f"| {long} |") == []
    assert long_sentences(prose_of_page(f"```text\n{long}\n```")) == []
    assert long_sentences(prose_of_page(f"<!-- begin -->\n| {long} |\n<!-- end -->\n")) == []


def test_the_texts_of_a_source_are_found() -> None:
    source = '"""One of the module."""\n# A comment,\n# on two lines.\nNAME = "a message"\nKEY = "word"\n'
    assert sorted(prose_of_source(source)) == ["A comment, on two lines.", "One of the module.", "a message"]

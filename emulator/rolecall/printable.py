"""Text from clients, files and servers, made safe for a terminal or a log."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text in one line, with an escape for each character that is not printable.

    Without the escapes, ``\x1b`` and other control characters could move the cursor. ``\n`` and other ends of lines
    could add lines. ``\u202e`` and similar marks could turn the direction of writing, and so show another text.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def printable_lines(text: str) -> str:
    """The same for a text whose lines are Rolecall's own."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(character: str) -> str:
    return repr(character)[1:-1]

"""Text from clients, files and servers in a form that is safe for a terminal or a log."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text in one line, with an escape for each character that is not printable.

    Examples are ``\n``, ``\x1b`` and ``\u202e``. Control characters, changes of the writing direction and other line
    ends could add lines, move the cursor, or show another text than there is.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def printable_lines(text: str) -> str:
    """The same for a text whose lines are Rolecall's own."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(character: str) -> str:
    return repr(character)[1:-1]

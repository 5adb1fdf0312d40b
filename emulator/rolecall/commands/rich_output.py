"""Colours, tables and the bar of long work, by rich. Loaded only when a terminal shows them."""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

# The colours are names of the terminal's own palette, so they suit dark and light terminals. Each word says the same
# without its colour.
_THEME = Theme(
    {
        "rolecall.refused": "bold red",
        "rolecall.allowed": "green",
        "rolecall.arn": "cyan",
        "rolecall.title": "bold",
        "rolecall.problem": "bold red",
        "rolecall.quiet": "dim",
    }
)


class _Words(RegexHighlighter):
    """Marks the words of a line that a reader looks for."""

    base_style = "rolecall."
    highlights = (
        r"(?P<arn>arn:aws[\w-]*:[^\s,;\]\[]+)",
        r"(?P<allowed>\bAllowed\b|(?<=: )(allows|Allow|met)\b|^ *Allow\b|^ok\b)",
        r"(?P<refused>\b(ExplicitDeny|ImplicitDeny)\b|(?<=: )(denies|not met)\b|^ *Deny\b|^FAILED\b|^ +refused\b)",
        r"(?P<refused>has no statement that allows it|failed on [A-Za-z, ]+(?=:))",
        r"(?P<title>^(> .*|request|asked|by|from|answered|console|authorization id|encoded message)(?=\s|$))",
        r"(?P<problem>^rolecall:)",
        r"(?P<quiet>^# .*)",
    )


_words = _Words()


def _console(columns: int, *, colour: bool) -> Console:
    """A console that writes into a text. The caller has decided about colour, so the environment does not count."""
    return Console(
        file=io.StringIO(),
        width=columns,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        theme=_THEME,
        highlight=False,
        legacy_windows=False,
    )


def _written(console: Console) -> str:
    file = console.file
    return file.getvalue() if isinstance(file, io.StringIO) else ""


def coloured(line: str, parts: Sequence[str]) -> list[str]:
    """The parts of a wrapped line with the colours that they have in the whole line."""
    marked = _words(Text(line))
    shown, at = [], 0
    for part in parts:
        text = part.strip(" ")
        at = line.index(text, at)
        console = _console(max(len(line) * 2, 80), colour=True)
        indent = Text(" " * (len(part) - len(part.lstrip(" "))))
        console.print(indent + marked[at : at + len(text)], end="", soft_wrap=True)
        shown.append(_written(console))
        at += len(text)
    return shown


def table(
    titles: Sequence[str], whole: Collection[str], rows: Sequence[Sequence[str]], columns: int, *, colour: bool
) -> str:
    """A table that is at most ``columns`` wide. Cells of the columns ``whole`` stay in one line."""
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="rolecall.title")
    for title in titles:
        shown.add_column(title, overflow="fold", no_wrap=title in whole)
    for row in rows:
        shown.add_row(*(_words(Text(cell)) for cell in row))
    console = _console(columns, colour=colour)
    console.print(shown)
    return "".join(f"{line.rstrip(' ')}\n" for line in _written(console).splitlines())


class Bar:
    """The bar of long work on standard error. It disappears when the work ends."""

    def __init__(self, what: str, *, colour: bool) -> None:
        console = Console(file=sys.stderr, no_color=not colour, force_terminal=True, theme=_THEME, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(what, total=None)
        self._progress.start()

    def update(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total or None)

    def end(self) -> None:
        self._progress.stop()

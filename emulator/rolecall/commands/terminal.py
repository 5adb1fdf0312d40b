"""What a terminal gets: colour, lines that fit its width, tables, and a bar for work that takes more than a second.

Owned here: when output has colour and how wide it is. A pipe and a file get the plain lines as they are, so that
programs can read them. The library for this, rich, is loaded only for a terminal, because a start must not wait for it.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import click

from rolecall.printable import printable

ALWAYS, NEVER, AUTO = "always", "never", "auto"
# Below this width a table of calls has no room, so each call gets lines of its own.
LEAST_TABLE_COLUMNS = 120
# What stands before the text of a line: its further parts begin under the text.
_LABEL = re.compile(r"(request|asked|by|from|answered|authorization id|encoded message|console) +")
# A line of JSON: people copy it, and a break within a text would spoil it. A terminal wraps it without one.
_JSON = re.compile(r' +[]["{}]')
_LIBRARY = "rolecall.commands.rich_output"
_BAR_AFTER_SECONDS = 1.0


def _choose_colour(context: click.Context, _parameter: click.Parameter, chosen: str | None) -> None:
    """Keep the choice in click's context, which subcommands inherit. A choice nearer to the command wins."""
    if chosen is not None:
        context.color = {ALWAYS: True, NEVER: False, AUTO: None}[chosen]


def colour_option(envvar: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--color``, which every command takes."""
    return click.option(
        "--color",
        envvar=envvar,
        type=click.Choice([AUTO, ALWAYS, NEVER]),
        default=None,
        is_eager=True,
        expose_value=False,
        callback=_choose_colour,
        show_default=AUTO,
        show_envvar=envvar is not None,
        help="When to use colour.",
    )


def has_colour(stream: TextIO, environment: Mapping[str, str], chosen: bool | None) -> bool:
    """Whether text on a stream has colour: ``--color``, else NO_COLOR, else FORCE_COLOR, else a terminal has it.

    NO_COLOR and FORCE_COLOR count when they are not empty (https://no-color.org, https://force-color.org).
    """
    if chosen is not None:
        return chosen
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and environment.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        # The stream is closed.
        return False


def columns_of(stream: TextIO) -> int | None:
    """The width of a terminal, in columns; None for a pipe or a file, which have none."""
    return max(shutil.get_terminal_size().columns, 20) if is_terminal(stream) else None


def tell(line: str, *, err: bool = False) -> None:
    """Print one line. Control characters in it, which may come from a client, a file or a server, are escaped."""
    click.echo(printable(line), err=err)


def show(lines: Iterable[str], *, err: bool = False, columns: int | None = None, chosen: bool | None = None) -> None:
    """Print lines, with control characters in them escaped.

    On a terminal they are wrapped at its width, or at ``columns`` if that is less. A pipe gets them whole, unless
    ``columns`` is given. ``chosen`` is the choice of colour where click's context has ended.
    """
    stream = sys.stderr if err else sys.stdout
    width = columns_of(stream)
    if columns is not None:
        width = columns if width is None else min(width, columns)
    colour = has_colour(stream, os.environ, chosen_colour() if chosen is None else chosen)
    for line in map(printable, lines):
        parts = [line] if width is None else wrapped(line, width)
        for part in _library().coloured(line, parts) if colour else parts:
            # Click would remove the colours of a stream that is no terminal.
            click.echo(part, err=err, color=colour)


def wrapped(line: str, columns: int) -> list[str]:
    """A line in parts that fit. Each further part is indented under the text of the first.

    A word such as an ARN is broken only when it does not fit by itself. An address is never broken, so that it stays a
    link. A line of JSON stays whole.
    """
    if len(line) <= columns or _JSON.match(line):
        return [line]
    label = _LABEL.match(line)
    indent = label.end() if label else len(line) - len(line.lstrip(" ")) + 2
    return textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * min(indent, columns // 3),
        break_on_hyphens=False,
        break_long_words="://" not in line,
    ) or [line]


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]], whole: Collection[str] = ()) -> None:
    """Print a table that fits the terminal. Long cells are continued below, but not in the columns ``whole``."""
    columns = columns_of(sys.stdout) or LEAST_TABLE_COLUMNS
    colour = has_colour(sys.stdout, os.environ, chosen_colour())
    cells = [[printable(cell) for cell in row] for row in rows]
    click.echo(_library().table(titles, whole, cells, columns, colour=colour), color=colour, nl=False)


def chosen_colour() -> bool | None:
    """The user's choice; None without one."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.color


class Work:
    """Work that may take long. ``step`` tells how much of it is done."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.done, self.total = 0, 0
        # A timer's thread has no context of click.
        self._chosen = chosen_colour()
        self._bar: Any = None

    def step(self, done: int, total: int) -> None:
        """``done`` of ``total`` parts are done."""
        self.done, self.total = done, total
        if self._bar is not None:
            self._bar.update(done, total)

    def show(self) -> None:
        """Show it: a bar on a terminal, one line elsewhere."""
        if is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb":
            colour = has_colour(sys.stderr, os.environ, self._chosen)
            self._bar = _library().Bar(printable(self.what), colour=colour)
            self._bar.update(self.done, self.total)
        else:
            click.echo(printable(f"rolecall: {self.what}"), err=True)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.end()


@contextmanager
def shown_when_slow(what: str, after_seconds: float = _BAR_AFTER_SECONDS) -> Iterator[Work]:
    """Show the work in the block on standard error if it takes longer than that. ``what`` says what is being done."""
    work = Work(what)
    timer = threading.Timer(after_seconds, work.show)
    timer.daemon = True
    timer.start()
    try:
        yield work
    finally:
        timer.cancel()
        # Nothing is printed in the middle of what comes next, and no thread lives on through a fork.
        timer.join()
        work.end()


def _library() -> Any:
    return importlib.import_module(_LIBRARY)

"""Writes what a command made, which may hold secrets, to a file or to standard output."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from rolecall.commands.common import STANDARD_STREAM, UnusableError, tell_exactly


def output_option(help_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option ``output`` for :func:`write_private`."""
    return click.option(
        "--output", "-o", default=STANDARD_STREAM, metavar="FILE", show_default="standard output", help=help_text
    )


def write_private(file: str, text: str) -> None:
    """Write a text to a file that only its owner can read; ``-`` is standard output. Raises UnusableError."""
    if file == STANDARD_STREAM:
        tell_exactly(text, newline=False)
        return
    try:
        _write(Path(file), text)
    except OSError as error:
        raise UnusableError(f"cannot write {file}: {error.strerror or error}") from error


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner can read. It replaces an older file only when it is complete."""
    if file.exists() and not file.is_file():
        # A pipe or a terminal cannot be replaced.
        file.write_text(text, encoding="utf-8", newline="\n")
        return
    target = file.resolve()
    # mkstemp lets only the owner read the file, with any umask.
    handle, made = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as written:
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        os.replace(made, target)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise

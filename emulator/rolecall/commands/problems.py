"""The one form of every error of a command: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

import click

from rolecall.commands.terminal import chosen_colour, show


class UnusableError(click.ClickException):
    """The user has to correct something. Exit status 2.

    ``message`` says what is wrong. ``problems`` are lines that say where. ``hint`` is a line that says what to do, if
    the message does not say it.
    """

    exit_code = 2

    def __init__(self, message: str, problems: Iterable[str] = (), *, hint: str = "") -> None:
        super().__init__(message)
        self.problems = tuple(problems)
        self.hint = hint
        # When the error is shown, click's context has ended.
        self._chosen = chosen_colour()

    def show(self, file: object = None) -> None:
        lines = (f"rolecall: {self.message}", *self.problems, *filter(None, [self.hint]))
        show(lines, err=True, chosen=self._chosen)


def wrong_usage(error: click.UsageError) -> UnusableError:
    """The error for options or arguments that click does not accept."""
    path = "rolecall" if error.ctx is None else error.ctx.command_path
    return UnusableError(error.format_message(), hint=f"{path} --help shows how to write it")

"""The one form of every error of a command: what is wrong, where, and what to do."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable

import click

from rolecall.commands.terminal import chosen_colour, show, tell

TRACEBACK_VARIABLE = "ROLECALL_TRACEBACK"
UNEXPECTED_MESSAGE = "this command failed because of an error in Rolecall: {error}"
UNEXPECTED_HINT = f"with {TRACEBACK_VARIABLE}=1 the same command shows the traceback: please report the error with it"
_OWN_PACKAGE = __name__.partition(".")[0]


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


class UnexpectedError(click.ClickException):
    """An error in Rolecall itself. Exit status 70, which sysexits.h has for errors in a program.

    The user sees the error, the last place in Rolecall, and how to get the traceback.
    """

    exit_code = 70

    def __init__(self, error: Exception) -> None:
        described = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        super().__init__(UNEXPECTED_MESSAGE.format(error=described))
        self.error = error
        self._chosen = chosen_colour()

    def show(self, file: object = None) -> None:
        places = [f"{name}:{line}" for name, line in _places(self.error)]
        hint: tuple[str, ...] = (UNEXPECTED_HINT,)
        if os.environ.get(TRACEBACK_VARIABLE):
            # Whole lines: a traceback is copied into a report.
            for line in "".join(traceback.format_exception(self.error)).splitlines():
                tell(line, err=True)
            hint = ()
        show((f"rolecall: {self.message}", *places[-1:], *hint), err=True, chosen=self._chosen)


def _places(error: Exception) -> Iterable[tuple[str, int]]:
    """The modules and lines of Rolecall through which an error went."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] == _OWN_PACKAGE:
            yield name, line

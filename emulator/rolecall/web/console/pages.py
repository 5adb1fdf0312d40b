"""What a page of the console is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Request, Response, g, make_response, redirect, render_template
from msgspec import Struct

from rolecall.sandbox import Sandbox
from rolecall.web.console.tables import titled
from rolecall.web.console_door import CONSOLE_PATH

Values = Mapping[str, str]
Show = Callable[[Sandbox, Request, Values], Response]

MAXIMUM_FORM_BYTES = 262_144
METHOD_MESSAGE = "This page needs another method."


class Page(Struct, frozen=True):
    """One page. ``rule`` is its path below the console's, as werkzeug writes rules. Its parts reach ``show`` as values.

    ``title`` puts the page into the navigation. ``show`` answers GET and changes nothing. ``act`` answers POST: the
    form's token is checked before. ``is_open`` is for what a visitor needs before signing in. ``form_bytes`` is
    the most that a form may have.
    """

    rule: str
    show: Show | None
    title: str = ""
    act: Show | None = None
    is_open: bool = False
    form_bytes: int = MAXIMUM_FORM_BYTES


class ConsoleError(Exception):
    """What the visitor asked for cannot be shown. The visitor sees the message."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def shown(template: str, status: int = 200, **values: Any) -> Response:
    """A page from a template of the console."""
    text = render_template(f"console/{template}", console=CONSOLE_PATH, titled=titled, **values)
    # A client may have sent half of a surrogate pair, which UTF-8 cannot hold.
    return make_response(text.encode("utf-8", "replace"), status)


def done(path: str, notice: str) -> Response:
    """After a form: on to the page at ``path`` below the console's, which shows ``notice`` once."""
    g.visit.note(notice)
    return make_response(redirect(f"{CONSOLE_PATH}{path}", 303))

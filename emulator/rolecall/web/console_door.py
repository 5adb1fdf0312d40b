"""The console at ``/_rolecall/console``: its address and its guard. The pages are loaded by the first visit."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Request, Response, g, request

from rolecall.sandbox import Sandbox
from rolecall.storage.engine import DatabaseError
from rolecall.web.control import THIS_MACHINE, guard_pages
from rolecall.web.doors import PREFIX, Guard
from rolecall.web.origins import Admission

CONSOLE_PATH = f"{PREFIX}/console"
# Scripts and styles come from this server only, and no page holds any of its own. With "no-referrer" browsers would
# send "Origin: null" with the console's own forms.
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def _guard(pages: Blueprint, sandbox: Sandbox, admission: Admission) -> None:
    """The guard of the control endpoints, and the headers that keep a page from loading or running anything else.

    With a control token other machines are answered too: every page then asks for the token.
    """
    guard_pages(pages, sandbox, admission, asks_for_token=True)

    @pages.before_request
    def note_token() -> None:
        g.control_token = admission.control.token

    @pages.after_request
    def secured(answer: Response) -> Response:
        answer.headers.update(_SECURITY_HEADERS)
        # Pages show the state of the moment. Files of the console set their own value.
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


CONSOLE_GUARD = Guard(THIS_MACHINE.admits, _guard)


def is_signed_in(sandbox: Sandbox, environ: Mapping[str, Any], control_token: str) -> bool:
    """Whether the browser of a request has a session of the console. False while the database does not answer."""
    if not environ.get("HTTP_COOKIE"):
        return False
    visits: Any = importlib.import_module("rolecall.web.console.visits")
    try:
        return bool(visits.Visit(sandbox, Request(dict(environ)), control_token).signed_in)
    except DatabaseError:
        return False


def register_console(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the pages."""

    @pages.get("", defaults={"rest": ""}, strict_slashes=False)
    @pages.get("/<path:rest>")
    @pages.post("/<path:rest>")
    def console(rest: str) -> Any:
        # Loaded now: most servers never show the console, and a start does not pay for it.
        pages_of_console: Any = importlib.import_module("rolecall.web.console.answering")
        return pages_of_console.answer(sandbox, f"/{rest}", request)

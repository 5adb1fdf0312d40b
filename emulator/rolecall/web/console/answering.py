"""The pages of the console in order, and the answer to a visit."""

from __future__ import annotations

from flask import Request, Response, g
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, RequestRedirect, Rule

from rolecall.sandbox import Sandbox
from rolecall.web.console import decisions, files, start
from rolecall.web.console.pages import ConsoleError, Page, shown
from rolecall.web.console_door import CONSOLE_PATH

PAGES: tuple[Page, ...] = (*start.PAGES, *decisions.PAGES, *files.PAGES)

NO_PAGE_MESSAGE = "The console has no such page."
_NAVIGATION = [(page.title, f"{CONSOLE_PATH}{page.rule.rstrip('/')}") for page in PAGES if page.title]
_map = Map([Rule(page.rule, endpoint=page) for page in PAGES], merge_slashes=False)


def answer(sandbox: Sandbox, path: str, request: Request) -> Response:
    """The answer to a request for a page; ``path`` is the path below the console's, with its first slash."""
    g.navigation = _NAVIGATION
    g.current = f"{CONSOLE_PATH}/{path.split('/')[1]}".rstrip("/")
    try:
        page, values = _map.bind("localhost").match(path, "GET")
        return page.show(sandbox, request, values)  # type: ignore[no-any-return]
    except ConsoleError as problem:
        return shown("problem.html", problem.status, message=str(problem))
    except (NotFound, RequestRedirect):
        return shown("problem.html", 404, message=NO_PAGE_MESSAGE)

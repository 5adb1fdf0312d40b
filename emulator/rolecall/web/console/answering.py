"""The pages of the console in order, and the answer to a visit."""

from __future__ import annotations

from flask import Request, Response, g
from werkzeug.exceptions import NotFound, RequestEntityTooLarge
from werkzeug.routing import Map, RequestRedirect, Rule

from rolecall.sandbox import Sandbox
from rolecall.web.console import (
    chime,
    chime_resources,
    decisions,
    federation,
    files,
    identities,
    identity,
    least_privilege,
    live_calls,
    policies,
    signing_in,
    simulator,
    start,
    time_and_faults,
    trust,
    words,
)
from rolecall.web.console.pages import MAXIMUM_FORM_BYTES, METHOD_MESSAGE, ConsoleError, Page, shown
from rolecall.web.console.visits import Visit
from rolecall.web.console_door import CONSOLE_PATH

# The navigation has the same order.
PAGES: tuple[Page, ...] = (
    *start.PAGES,
    *decisions.PAGES,
    *live_calls.PAGES,
    *identities.PAGES,
    *identity.PAGES,
    *trust.PAGES,
    *policies.PAGES,
    *simulator.PAGES,
    *chime.PAGES,
    *chime_resources.PAGES,
    *federation.PAGES,
    *time_and_faults.PAGES,
    *least_privilege.PAGES,
    *signing_in.PAGES,
    *words.PAGES,
    *files.PAGES,
)

NO_PAGE_MESSAGE = "The console has no such page."
MAXIMUM_FORM_FIELDS = 200
TOO_LARGE_MESSAGE = (
    f"The form is larger than {MAXIMUM_FORM_BYTES} bytes, or has more than {MAXIMUM_FORM_FIELDS} fields."
)
_NAVIGATION = [(page.title, f"{CONSOLE_PATH}{page.rule.rstrip('/')}") for page in PAGES if page.title]
_map = Map([Rule(page.rule, endpoint=page) for page in PAGES], merge_slashes=False)


def answer(sandbox: Sandbox, path: str, request: Request) -> Response:
    """The answer to a request for a page; ``path`` is the path below the console's, with its first slash."""
    g.navigation = _NAVIGATION
    g.current = f"{CONSOLE_PATH}/{path.split('/')[1]}".rstrip("/")
    request.max_content_length = request.max_form_memory_size = MAXIMUM_FORM_BYTES
    request.max_form_parts = MAXIMUM_FORM_FIELDS
    g.visit = Visit(sandbox, request, g.control_token)
    try:
        found = _answer(sandbox, path, request)
    except ConsoleError as problem:
        found = _problem(str(problem), problem.status)
    except RequestEntityTooLarge:
        found = _problem(TOO_LARGE_MESSAGE, 413)
    except (NotFound, RequestRedirect):
        found = _problem(NO_PAGE_MESSAGE, 404)
    visit: Visit = g.visit
    return visit.finish(found)


def _answer(sandbox: Sandbox, path: str, request: Request) -> Response:
    page, values = _map.bind("localhost").match(path, "GET")
    if not (g.visit.signed_in or page.is_open):
        return signing_in.sign_in_page()
    request.max_content_length = page.form_bytes
    is_form = request.method == "POST"
    if is_form and page.act is not None:
        g.visit.check_form()
    handler = page.act if is_form else page.show
    if handler is None:
        raise ConsoleError(METHOD_MESSAGE, 405)
    return handler(sandbox, request, values)  # type: ignore[no-any-return]


def _problem(message: str, status: int) -> Response:
    if g.visit.signed_in:
        return shown("problem.html", status, message=message)
    return signing_in.sign_in_page(status if status in (400, 401, 413) else 401, message)

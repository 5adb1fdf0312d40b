"""The page at ``/`` for browsers, and the documentation that it links to."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, make_response, render_template

from rolecall.folders import folder
from rolecall.sandbox import Sandbox
from rolecall.version import __version__
from rolecall.web.doors import PREFIX, Environ

DOCS_PATH = f"{PREFIX}/docs"
_PAGE_NAME = re.compile(r"[a-z][a-z-]*\.md")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def asks_for_page(environ: Environ) -> bool:
    """Whether a browser asks for ``/`` itself. An AWS call there has a query, a body or a signature.

    Programs do not accept HTML, so they get AWS's answer.
    """
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ["PATH_INFO"] == "/"
        and not environ.get("QUERY_STRING")
        and "HTTP_AUTHORIZATION" not in environ
        and "text/html" in environ.get("HTTP_ACCEPT", "")
    )


def register_start_page(pages: Blueprint, _sandbox: Sandbox) -> None:
    """Add the page."""

    @pages.get("/")
    def start() -> Response:
        names = sorted(file.name for file in folder("docs").glob("*.md"))
        shown = render_template("start.html", version=__version__, docs=DOCS_PATH, names=names)
        return make_response(shown, 200, _HEADERS)


def register_docs(pages: Blueprint, _sandbox: Sandbox) -> None:
    """Add the documentation."""

    @pages.get("/<name>")
    def documentation(name: str) -> Response:
        file = folder("docs") / name
        if not _PAGE_NAME.fullmatch(name) or not file.is_file():
            abort(404)
        headers = {**_HEADERS, "Content-Type": "text/plain; charset=utf-8"}
        return make_response(file.read_text(encoding="utf-8"), 200, headers)

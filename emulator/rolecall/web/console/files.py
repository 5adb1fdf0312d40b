"""The console's scripts and styles. They come from this server, never from elsewhere."""

from __future__ import annotations

from pathlib import Path

from flask import Request, Response, make_response

from rolecall.sandbox import Sandbox
from rolecall.web.console.pages import ConsoleError, Page, Values

_FOLDER = Path(__file__).resolve().parent.parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    # The licences of others' files.
    ".txt": "text/plain; charset=utf-8",
}
# Read once: nothing changes them while the server runs.
_FILES = {file.name: file.read_bytes() for file in sorted(_FOLDER.iterdir()) if file.suffix in _TYPES}


def _file(_sandbox: Sandbox, request: Request, values: Values) -> Response:
    name = values["name"]
    if name not in _FILES:
        raise ConsoleError("The console has no such file.", 404)
    answer = make_response(_FILES[name], 200)
    answer.headers["Content-Type"] = _TYPES[Path(name).suffix]
    answer.headers["Cache-Control"] = "no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


PAGES = (Page("/static/<name>", _file, is_open=True),)

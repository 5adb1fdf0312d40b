"""How much of a request's body is read. The server asks before the body arrives, Flask while it reads the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.datastructures import EnvironHeaders

from rolecall.settings import MAXIMUM_EXPECTATIONS_BYTES, MAXIMUM_SNAPSHOT_BYTES
from rolecall.web.control_access import ControlAccess, Sender

# A form of the console sends a snapshot too, with some bytes around it.
CONSOLE_LOAD_PATH = "/_rolecall/console/time/load"
FORM_AROUND_BYTES = 65_536
# By method and path: the bodies that are files. Only senders that may use the control endpoints get an answer there.
_FILES = {
    ("PUT", "/_rolecall/snapshot"): MAXIMUM_SNAPSHOT_BYTES,
    ("POST", "/_rolecall/verify"): MAXIMUM_EXPECTATIONS_BYTES,
    ("POST", CONSOLE_LOAD_PATH): MAXIMUM_SNAPSHOT_BYTES + FORM_AROUND_BYTES,
}


def body_limit(
    environ: Mapping[str, Any],
    usual_bytes: int,
    control: ControlAccess,
    is_signed_in: Callable[[Mapping[str, Any]], bool],
) -> int:
    """The highest number of bytes of a request's body; ``usual_bytes`` for most requests.

    ``is_signed_in`` says whether a browser has a session of the console, which proves the control token.
    """
    limit = _FILES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    if not limit:
        return usual_bytes
    sender = control.judge(environ.get("REMOTE_ADDR", ""), EnvironHeaders(dict(environ)))
    if sender is Sender.UNPROVEN and environ["PATH_INFO"] == CONSOLE_LOAD_PATH and is_signed_in(environ):
        return limit
    return limit if sender is Sender.ADMITTED else usual_bytes

"""Control endpoints under ``/_rolecall``: JSON, for the machine that Rolecall runs on, and others with a token.

Pages in a user's browser must not reach them. So a request from a page of another site is refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from rolecall.printable import printable
from rolecall.sandbox import Sandbox
from rolecall.storage.engine import DatabaseError
from rolecall.version import __version__
from rolecall.web.control_access import Sender
from rolecall.web.doors import Guard
from rolecall.web.origins import Admission, asked_host, from_another_site, sent_by_another_site

log = logging.getLogger("rolecall.control")

UNAVAILABLE_MESSAGE = "The sandbox's database does not answer."
UNAVAILABLE_ADVICE = f"{UNAVAILABLE_MESSAGE} Look at what --database names, and start Rolecall again."
_REFUSALS = {
    404: "There is no such control endpoint.",
    405: "This endpoint needs another method.",
    500: "The request failed because of an error in Rolecall. The log on stderr shows it.",
}
OTHER_MACHINE_MESSAGE = (
    "The control endpoints answer on this machine only, unless Rolecall is started with --control-token, and with "
    "--control-host for this address if it names any."
)
UNPROVEN_MESSAGE = (
    "From another machine the control endpoints need the header Authorization: Bearer and the control token."
)
OTHER_SITE_MESSAGE = "The control endpoints do not answer pages of other sites."
PUBLIC_NAME_MESSAGE = (
    "The control endpoints do not answer to a public name, because it could belong to another site. Use an address, "
    "localhost or a name under .localhost, .test or .internal, or start Rolecall with --allow-host and the name."
)


def guard_pages(control: Blueprint, sandbox: Sandbox, admission: Admission, *, asks_for_token: bool = False) -> None:
    """This machine or the token, no page of another site, and only while the database answers.

    ``asks_for_token`` lets in senders that would be admitted with the token: the pages themselves ask for it.
    """

    @control.before_request
    def check_sender() -> tuple[Response, int] | None:
        sender = admission.control.judge(request.remote_addr or "", request.headers)
        if sender is Sender.STRANGER:
            return _problem(OTHER_MACHINE_MESSAGE), 403
        if sender is Sender.UNPROVEN and not asks_for_token:
            refusal = _problem(UNPROVEN_MESSAGE)
            refusal.headers["WWW-Authenticate"] = 'Bearer realm="rolecall"'
            return refusal, 401
        host = asked_host(request.environ)
        if not admission.knows_name(host):
            return _problem(PUBLIC_NAME_MESSAGE), 403
        origin, fetch_site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if from_another_site(origin, host) or sent_by_another_site(fetch_site):
            return _problem(OTHER_SITE_MESSAGE), 403
        return None

    @control.before_request
    def read_shared_state() -> tuple[Response, int] | None:
        try:
            # Other processes may have changed it.
            sandbox.catch_up()
        except (*DatabaseError, OSError) as error:
            if request.endpoint != "control.health":
                return _problem(UNAVAILABLE_MESSAGE), 503
            lost = sandbox.database.lost_file()
            return _unhealthy("lost" if lost else type(error).__name__, lost or UNAVAILABLE_ADVICE)
        return None


THIS_MACHINE = Guard("this machine, and others with the control token", guard_pages)


def register_health(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoint."""

    @control.get("/health")
    def health() -> tuple[Response, int]:
        # This only runs when the database answers. SQLite can answer even when its file was removed.
        lost = sandbox.database.lost_file()
        if lost:
            return _unhealthy("lost", lost)
        return jsonify(status="ok", version=__version__, database="ok"), 200


def register_reset(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoint."""

    @control.post("/reset")
    def reset_sandbox() -> tuple[Response, int]:
        sandbox.reset()
        return jsonify(status="ok"), 200


def register_refusals(app: Flask) -> None:
    """Make every refusal of Flask's JSON, and answer 503 while the database does not answer."""
    app.register_error_handler(HTTPException, _refusal)
    for kind in DatabaseError:
        app.register_error_handler(kind, _unavailable)


def refuse_unknown_name(start_response: Any) -> Iterable[bytes]:
    """The answer, without Flask, to a request under a name that could belong to another site."""
    body = json.dumps({"message": PUBLIC_NAME_MESSAGE}).encode()
    start_response("403 FORBIDDEN", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _refusal(error: HTTPException) -> tuple[Response, int]:
    """In JSON, also for Flask's own refusals and for failures, which Flask writes to the log."""
    status = error.code or 500
    return _problem(_REFUSALS.get(status) or error.description or error.name), status


def _unhealthy(kind: str, message: str) -> tuple[Response, int]:
    return jsonify(status="unavailable", version=__version__, database=kind, message=message), 503


def _unavailable(error: Exception) -> tuple[Response, int]:
    log.error("%s", printable(f"{request.path}: the database did not answer: {getattr(error, 'orig', error)}"))
    return _problem(UNAVAILABLE_MESSAGE), 503


def _problem(message: str) -> Response:
    answer: Any = jsonify(message=message)
    return answer  # type: ignore[no-any-return]

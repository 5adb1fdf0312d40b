"""The WSGI application: Flask for Rolecall's own endpoints, the gateway for AWS calls."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable
from typing import Any

from flask import Flask, request

from rolecall.printable import printable
from rolecall.sandbox import Sandbox
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES
from rolecall.web.aws import WsgiApplication, aws_application, refusing_application
from rolecall.web.body_limits import body_limit
from rolecall.web.browsers import admits
from rolecall.web.console_door import is_signed_in
from rolecall.web.control import refuse_unknown_name, register_refusals
from rolecall.web.front_doors import FRONT_DOORS, is_page
from rolecall.web.origins import DEFAULT_ADMISSION, Admission, asked_host

log = logging.getLogger("rolecall")


class RolecallApplication(Flask):
    """A Flask application whose AWS calls go straight to the gateway.

    Flask serves Rolecall's own pages and endpoints. AWS calls bypass Flask: they need no routing, and they have their
    own request object.
    """

    aws: WsgiApplication
    # Answers requests that the server could not read.
    refuse: WsgiApplication

    def __init__(self, sandbox: Sandbox, admission: Admission) -> None:
        super().__init__("rolecall", static_folder=None)
        self.sandbox = sandbox
        self._admission = admission

    def finish(self) -> None:
        """Write everything that is not written yet, at the end of the process."""
        self.sandbox.finish()

    def delivery(self, attachment_id: str) -> WsgiApplication:
        """The application that answers at the address of an attachment."""
        # Loaded now: most servers have no attachment.
        deliveries: Any = importlib.import_module("rolecall.web.deliveries")
        found: WsgiApplication = deliveries.delivery_application(self.sandbox, attachment_id, self._admission)
        return found

    def log_exception(self, exc_info: Any) -> None:
        """Log the exception as Flask does, with the path made printable."""
        log.error("%s", printable(f"{request.method} {request.path} failed unexpectedly"), exc_info=exc_info)

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not self.is_page(environ):
            return self.aws(environ, start_response)
        # Checked before Flask, because Flask reads an invalid Host header as an empty one.
        if not self._admission.answers_to(asked_host(environ)):
            return refuse_unknown_name(start_response)
        return super().wsgi_app(environ, start_response)

    def admits(self, environ: dict[str, Any]) -> bool:
        """Whether the request comes from a program or an allowed page, and to a name that Rolecall answers to."""
        return admits(environ, self._admission)

    # Whether a request is for one of Rolecall's own pages or endpoints, and so no AWS call.
    is_page = staticmethod(is_page)

    def body_limit(self, environ: dict[str, Any], usual_bytes: int) -> int:
        """The highest number of bytes of a request's body; ``usual_bytes`` for most requests."""
        control = self._admission.control
        return body_limit(
            environ, usual_bytes, control, lambda environ: is_signed_in(self.sandbox, environ, control.token)
        )


def web_application(
    sandbox: Sandbox, *, maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES, admission: Admission = DEFAULT_ADMISSION
) -> RolecallApplication:
    """The application over a sandbox."""
    app = RolecallApplication(sandbox, admission)
    app.config["MAX_CONTENT_LENGTH"] = maximum_body_bytes
    app.aws = aws_application(sandbox, maximum_body_bytes, admission)
    app.refuse = refusing_application(sandbox)
    # A path with an empty part is not another spelling of the path without it: it gets 404.
    app.url_map.merge_slashes = False
    register_refusals(app)
    for door in FRONT_DOORS:
        app.register_blueprint(door.pages(sandbox, admission))
    return app

"""The WSGI application: Flask for Rolecall's own endpoints, the gateway for AWS calls."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from flask import Flask, request

from rolecall.call_log.writer import DecisionLog
from rolecall.faults.active import Faults
from rolecall.gateway import Gateway
from rolecall.printable import printable
from rolecall.signin import SignIn
from rolecall.storage.engine import Database, DatabaseError
from rolecall.web.aws import WsgiApplication, aws_application, refusing_application
from rolecall.web.control import PREFIX, refuse_unknown_name, register_control
from rolecall.web.mfa_endpoint import register_mfa_codes
from rolecall.web.oidc_endpoints import register_oidc_documents, register_oidc_tokens
from rolecall.web.origins import DEFAULT_ADMISSION, Admission, asked_host
from rolecall.web.outbound_documents import is_document, register_outbound_documents
from rolecall.web.saml_endpoints import register_saml_assertions, register_saml_metadata
from rolecall.web.signin import FEDERATION_PATH, register_sign_in
from rolecall.web.signin_log import SignInLog
from rolecall.web.start_page import asks_for_page, register_start_page
from rolecall.worlds.snapshots import Snapshots

log = logging.getLogger("rolecall")


class RolecallApplication(Flask):
    """A Flask application whose AWS calls go straight to the gateway.

    Flask serves Rolecall's own pages and endpoints. AWS calls bypass Flask: they need no routing, and they have their
    own request object.
    """

    aws: WsgiApplication
    # Answers requests that the server could not read.
    refuse: WsgiApplication

    def __init__(
        self,
        decisions: DecisionLog | None,
        faults: Faults,
        admission: Admission,
        database: Database,
        finish: Callable[[], None],
    ) -> None:
        super().__init__("rolecall", static_folder=None)
        self.faults = faults
        self._admission = admission
        self._database = database
        self._decisions = decisions
        self._finish = finish

    def finish(self) -> None:
        """Write everything that is not written yet, at the end of the process."""
        if self._decisions is not None:
            self._decisions.close()
        self._finish()
        try:
            self._database.checkpoint()
        except DatabaseError as error:
            log.warning("%s", printable(f"the database's last changes stay in its -wal file: {error}"))

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

    @staticmethod
    def is_page(environ: dict[str, Any]) -> bool:
        """Whether the request is for one of Rolecall's own pages or endpoints, and so no AWS call."""
        path = environ["PATH_INFO"]
        if (path.startswith(PREFIX) and path[len(PREFIX) :][:1] in ("", "/")) or path == FEDERATION_PATH:
            return True
        if path == "/" and asks_for_page(environ):
            return True
        return is_document(path, environ.get("HTTP_HOST", ""))


def web_application(
    gateway: Gateway,
    reset: Callable[[], None],
    decisions: DecisionLog | None = None,
    snapshots: Snapshots | None = None,
    *,
    faults: Faults,
    sign_in: SignIn,
    maximum_body_bytes: int,
    admission: Admission = DEFAULT_ADMISSION,
) -> RolecallApplication:
    """The application over a gateway. ``POST /_rolecall/reset`` calls ``reset``."""
    app = RolecallApplication(decisions, faults, admission, gateway.database, gateway.uses.flush)
    app.config["MAX_CONTENT_LENGTH"] = maximum_body_bytes
    app.aws = aws_application(gateway, maximum_body_bytes, admission)
    app.refuse = refusing_application(gateway)
    registers = (register_oidc_tokens, register_saml_assertions, register_mfa_codes)
    more = [partial(register, gateway=gateway) for register in registers]
    register_control(
        app,
        gateway.database,
        gateway.clock,
        faults,
        reset,
        decisions,
        snapshots,
        catch_up=gateway.catch_up,
        more=more,
        admission=admission,
    )
    register_oidc_documents(app, gateway, PREFIX)
    register_saml_metadata(app, gateway, PREFIX)
    register_sign_in(app, sign_in, SignInLog(gateway, decisions))
    register_outbound_documents(app, gateway.database)
    register_start_page(app)
    return app

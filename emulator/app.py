"""Puts the rooms together: the only file that knows every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from emulator.clock import Clock
from emulator.gateway import Gateway, Observer
from emulator.ids import Identifiers
from emulator.settings import DEFAULT_MAXIMUM_BODY_BYTES, SandboxSettings
from emulator.storage.engine import Database
from emulator.web.aws import WsgiApplication, aws_application
from emulator.web.control import PREFIX, register_control


class RolecallApplication(Flask):
    """A Flask application whose AWS calls go straight to the gateway.

    Flask serves Rolecall's own pages and endpoints. An AWS call is no Flask request: it has one address, no routing,
    and a request object of its own.
    """

    aws: WsgiApplication

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(PREFIX) and path[len(PREFIX) :][:1] in ("", "/"):
            return super().wsgi_app(environ, start_response)
        return self.aws(environ, start_response)


def create_app(
    database: Database,
    settings: SandboxSettings,
    reset: Callable[[], None],
    *,
    clock: Clock | None = None,
    ids: Identifiers | None = None,
    observer: Observer | None = None,
    maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES,
    control_on_loopback_only: bool = True,
) -> RolecallApplication:
    """The WSGI application over a database that is migrated and set up. ``reset`` sets it up anew."""
    gateway = Gateway(
        database,
        clock=clock or Clock(),
        ids=ids or Identifiers(),
        settings=settings,
        observer=observer,
    )
    app = RolecallApplication("emulator", static_folder=None)
    app.aws = aws_application(gateway, maximum_body_bytes)
    register_control(app, database, reset, loopback_only=control_on_loopback_only)
    return app

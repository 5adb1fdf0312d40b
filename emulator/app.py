"""Puts the rooms together: the only file that knows every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from flask import Flask

from emulator.clock import Clock
from emulator.gateway import Gateway, Observer
from emulator.ids import Identifiers
from emulator.sandbox.setup import reset_world, set_up_world
from emulator.sandbox.world import World
from emulator.sessions.keys import SEALING_KEY_BYTES
from emulator.settings import DEFAULT_MAXIMUM_BODY_BYTES, SandboxSettings, ServerSettings
from emulator.storage import keyring
from emulator.storage.engine import Database
from emulator.storage.migrate import upgrade
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


def open_database(url: str, world: World, clock: Clock, ids: Identifiers | None = None) -> Database:
    """The database, migrated, with a sealing key, and holding the declared world. Safe to call from many processes."""
    database = Database(url)
    ids = ids or Identifiers()
    upgrade(database)
    with database.transaction() as connection:
        if not keyring.load(connection):
            _add_key(connection, clock, ids)
        set_up_world(connection, world, clock.now_seconds(), ids)
    return database


def worker_application(settings: ServerSettings, world: World) -> RolecallApplication:
    """The application of one worker process. Everything it shares with others is in the database."""
    clock = Clock()
    database = open_database(settings.database_url, world, clock)
    return application_over(database, world, clock, maximum_body_bytes=settings.maximum_body_bytes)


def application_over(
    database: Database,
    world: World,
    clock: Clock,
    *,
    ids: Identifiers | None = None,
    observer: Observer | None = None,
    maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES,
) -> RolecallApplication:
    """The application over an opened database, with the declared world to go back to on reset."""
    ids = ids or Identifiers()
    return create_app(
        database,
        world.settings,
        partial(_reset, database, world, clock, ids),
        clock=clock,
        ids=ids,
        observer=observer,
        maximum_body_bytes=maximum_body_bytes,
    )


def _reset(database: Database, world: World, clock: Clock, ids: Identifiers) -> None:
    clock.reset()
    with database.transaction() as connection:
        reset_world(connection, world, clock.now_seconds(), ids)


def list_sealing_keys(database: Database) -> list[tuple[str, int]]:
    """Key id and creation time of every sealing key, the one in use last."""
    with database.snapshot() as connection:
        return [(key_id, created_at_seconds) for key_id, _, created_at_seconds in keyring.load(connection)]


def add_sealing_key(database: Database, clock: Clock) -> str:
    """Rotate the key ring; returns the new key's id."""
    with database.transaction() as connection:
        return _add_key(connection, clock, Identifiers())


def _add_key(connection: Any, clock: Clock, ids: Identifiers) -> str:
    key_id = ids.uuid()[:8]
    keyring.add(connection, key_id, ids.secret_bytes(SEALING_KEY_BYTES), int(clock.now_seconds()))
    return key_id

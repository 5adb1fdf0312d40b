"""Requests that ask for a websocket. What serves them is loaded with the first one, because few servers need it."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any, Protocol

from rolecall.server.requests import Environ
from rolecall.web.application import RolecallApplication

CONNECT_PATH = "/connect"


class _Pushing(Protocol):
    def socket_for(self, environ: Environ) -> asyncio.Protocol: ...

    def open_count(self) -> int: ...

    def stop(self) -> None: ...


class Upgrades:
    """Gives the protocol that takes a connection over from HTTP; at most ``maximum_sockets`` stay open."""

    def __init__(self, application: RolecallApplication, maximum_sockets: int) -> None:
        self._application = application
        self._maximum_sockets = maximum_sockets
        self._pushing: _Pushing | None = None

    def protocol_for(self, environ: Environ) -> asyncio.Protocol | None:
        """None: the request stays HTTP, and is answered or refused like every other one."""
        if environ["PATH_INFO"] != CONNECT_PATH or environ["HTTP_UPGRADE"].lower() != "websocket":
            return None
        if not self._application.admits(environ):
            return None
        if self._pushing is None:
            module: Any = importlib.import_module("rolecall.server.pushing")
            self._pushing = module.Pushing(self._application, asyncio.get_running_loop(), self._maximum_sockets)
        return self._pushing.socket_for(environ)

    def open_count(self) -> int:
        return 0 if self._pushing is None else self._pushing.open_count()

    def stop(self) -> None:
        if self._pushing is not None:
            self._pushing.stop()

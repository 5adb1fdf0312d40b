"""Connections that leave HTTP's questions and answers: websockets, and answers that stay open.

What serves them is loaded with the first one, because few servers need it.
"""

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


class _Streams(Protocol):
    def stream_for(self, follower: Any) -> asyncio.Protocol | None: ...

    def open_count(self) -> int: ...

    def stop(self) -> None: ...


class Upgrades:
    """Gives the protocol that takes a connection over from HTTP; at most ``maximum_sockets`` websockets stay open."""

    def __init__(self, application: RolecallApplication, maximum_sockets: int) -> None:
        self._application = application
        self._maximum_sockets = maximum_sockets
        self._pushing: _Pushing | None = None
        self._streams: _Streams | None = None

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

    def stream_for(self, follower: Any) -> asyncio.Protocol | None:
        """The protocol for an answer that stays open; ``follower`` is what its page put under ``STREAM_KEY``.

        None: the answer ends.
        """
        if self._streams is None:
            module: Any = importlib.import_module("rolecall.server.streams")
            self._streams = module.Streams(self._application, asyncio.get_running_loop())
        return self._streams.stream_for(follower)

    def open_count(self) -> int:
        return sum(each.open_count() for each in (self._pushing, self._streams) if each is not None)

    def stop(self) -> None:
        for each in (self._pushing, self._streams):
            if each is not None:
                each.stop()

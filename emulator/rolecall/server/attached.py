"""The addresses of attachments: more listening sockets for the front of this process.

Each address has a host of its own for its connections. It shares the front's loop, limits and threads, so a slow client
of one address delays no other client.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from rolecall.server.answers import ServedAnswer
from rolecall.server.connection import Connection, Phase
from rolecall.server.front import Front
from rolecall.server.ports import BACKLOG, PortInUseError, listening_socket
from rolecall.server.requests import Environ
from rolecall.web.application import RolecallApplication

# How often a process looks for changes that another process made.
_LOOK_SECONDS = 1.0
_OPEN_SECONDS = 10.0


class Attachment(Protocol):
    """What an address depends on."""

    @property
    def attachment_id(self) -> str: ...

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...


class _OneRequest(Connection):
    """A connection that ends with its first answer, as a connection of the instance metadata service does."""

    def _arrive(self, environ: Environ, *, keep_alive: bool) -> None:
        super()._arrive(environ, keep_alive=False)


class _Address:
    """The host of the connections of one attachment."""

    def __init__(self, front: Front, application: RolecallApplication, attachment: Attachment) -> None:
        self.scheme = "http"
        self.connections: set[Connection] = set()
        self.server: asyncio.Server | None = None
        self._front = front
        self._application = application.delivery(attachment.attachment_id)
        self._hop_limit: int | None = attachment.facts.get("http_put_response_hop_limit")

    def factory(self) -> Connection:
        return _OneRequest(self)

    def moved(self, connection: Connection, phase: Phase, *, restarts: bool) -> None:
        self.connections.add(connection)
        self._front.moved(connection, phase, restarts=restarts)

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._front.left(connection)

    def gather(self, connection: Connection) -> bool:
        return self._front.gather(connection)

    def answer(self, connection: Connection, environ: Environ) -> ServedAnswer | None:
        if self._hop_limit is not None and environ["REQUEST_METHOD"] == "PUT":
            limit_hops(connection.transport, self._hop_limit)
        return self._front.answer_with(self._application, connection, environ)

    def body_limit(self, environ: Environ) -> int:
        # None of the files that Rolecall's own address takes comes here.
        return self._front.maximum_body_bytes

    def upgrade(self, environ: Environ) -> asyncio.Protocol | None:
        return None

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
        for connection in list(self.connections):
            connection.close()


def limit_hops(transport: asyncio.BaseTransport, hops: int) -> None:
    """Let the packets of a connection travel only so far (HttpPutResponseHopLimit of EC2's metadata options)."""
    found = transport.get_extra_info("socket")
    if found is None or os.name == "nt":
        return
    # A copy of the descriptor: the event loop does not let options be set on its own.
    with socket.socket(fileno=os.dup(found.fileno())) as connected:
        if connected.family == socket.AF_INET6:
            connected.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
        else:
            connected.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


class AttachedFronts:
    """Listens for the attachments of an application, on the loop of its front."""

    def __init__(self, application: RolecallApplication, front: Front, loop: asyncio.AbstractEventLoop) -> None:
        self._application = application
        self._attachments = application.sandbox.attachments
        self._front = front
        self._loop = loop
        self._addresses: dict[str, _Address] = {}
        self._looking = False
        self._stopped = False

    async def start(self, *, keeps_all: bool, shared: bool) -> None:
        """Listen for what there is. ``shared``: other processes attach too."""
        # In a thread, because opening an address waits for this loop.
        await self._loop.run_in_executor(None, partial(self._attachments.listen_with, self, keeps_all=keeps_all))
        if shared:
            self._loop.call_later(_LOOK_SECONDS, self._look)

    def stop(self) -> None:
        self._stopped = True
        for address in self._addresses.values():
            address.close()

    # A Listener, called by other threads than the loop's.

    def open(self, attachment: Attachment) -> int:
        """Raises OSError."""
        try:
            listener = listening_socket(attachment.host, attachment.port)
        except PortInUseError as error:
            raise OSError(str(error)) from error
        bound_port = int(listener.getsockname()[1])
        opening = asyncio.run_coroutine_threadsafe(self._open(attachment, listener), self._loop)
        try:
            opening.result(_OPEN_SECONDS)
        except BaseException:
            listener.close()
            raise
        return bound_port

    async def _open(self, attachment: Attachment, listener: socket.socket) -> None:
        address = _Address(self._front, self._application, attachment)
        address.server = await self._loop.create_server(address.factory, sock=listener, backlog=BACKLOG)
        self._addresses[attachment.attachment_id] = address

    def close(self, attachment_id: str) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._close, attachment_id)

    def _close(self, attachment_id: str) -> None:
        address = self._addresses.pop(attachment_id, None)
        if address is not None:
            address.close()

    # Changes of other processes.

    def _look(self) -> None:
        if self._stopped:
            return
        if not self._looking:
            self._looking = True
            self._loop.run_in_executor(None, self._reconcile)
        self._loop.call_later(_LOOK_SECONDS, self._look)

    def _reconcile(self) -> None:
        try:
            self._attachments.look()
        finally:
            self._looking = False

"""A server in a thread of this process: for tests, whose subprocesses and other languages need a socket.

``rolecall serve`` has a server of its own, which wants the process for itself: its signals, its threads, its memory.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from rolecall.settings import DEFAULT_HOST
from rolecall.web.aws import WsgiApplication

_MAXIMUM_PORT = 65535
_BACKLOG = 128
# For calls that are being answered when the server is closed.
_LAST_ANSWER_SECONDS = 2


class _SilentHandler(WSGIRequestHandler):
    # Kept alive between requests, as every AWS endpoint does.
    protocol_version = "HTTP/1.1"
    connections: dict[threading.Thread, socket.socket]

    def handle(self) -> None:
        self.connections[threading.current_thread()] = self.connection
        try:
            super().handle()
        finally:
            del self.connections[threading.current_thread()]

    def log(self, _type: str, _message: str, *_arguments: Any) -> None:
        """The decision log knows more."""


def _listening(host: str, port: int) -> socket.socket:
    """Raises OSError for an address that cannot be had, ValueError for a port that is none."""
    if type(port) is not int or not 0 <= port <= _MAXIMUM_PORT:
        raise ValueError(f"port is a number from 0 to {_MAXIMUM_PORT}, not {port!r}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        told = f"cannot listen on {host} port {port}: {error.strerror or error}; port=0 takes a free one"
        raise OSError(error.errno, told) from error


class ThreadedServer:
    """Listens from the moment it is made. ``application`` may be exchanged at any time; without one it answers 503."""

    def __init__(self, host: str = DEFAULT_HOST, port: int = 0) -> None:
        self.application: WsgiApplication | None = None
        self._connections: dict[threading.Thread, socket.socket] = {}
        handler = type("_Handler", (_SilentHandler,), {"connections": self._connections})
        # Bound here, because werkzeug ends the process when it cannot; it makes its own copy.
        with _listening(host, port) as listener:
            self._server = make_server(
                host, port, self._answer, threaded=True, request_handler=handler, fd=listener.fileno()
            )
        self.host, self.port = host, int(self._server.port)
        self._thread = threading.Thread(target=self._serve, name="rolecall-server", daemon=True)
        self._thread.start()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        application = self.application
        if application is None:
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return []
        return application(environ, start_response)

    def _serve(self) -> None:
        # Half a second, the default, would be added to the end of every test that stops one.
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        """Stop listening, and end the connections that clients keep open."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for thread, connection in list(self._connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(_LAST_ANSWER_SECONDS)

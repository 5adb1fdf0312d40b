"""A server in a thread of this process, for tests whose subprocesses or other languages need a socket.

``rolecall serve`` uses another server, which controls the signals, threads and memory of its process.
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
_TOKEN_HEADER = "x-amz-sso_bearer_token"  # noqa: S105 - a name
# How long calls that are being answered may take when the server closes.
_LAST_ANSWER_SECONDS = 2


class _SilentHandler(WSGIRequestHandler):
    # HTTP/1.1 keeps connections open between requests, as every AWS endpoint does.
    protocol_version = "HTTP/1.1"
    connections: dict[threading.Thread, socket.socket]

    def handle(self) -> None:
        self.connections[threading.current_thread()] = self.connection
        try:
            super().handle()
        finally:
            del self.connections[threading.current_thread()]

    def make_environ(self) -> dict[str, Any]:
        """werkzeug drops headers with an underscore. The access portal of IAM Identity Center has one."""
        environ: dict[str, Any] = super().make_environ()
        token = self.headers.get(_TOKEN_HEADER)
        if token is not None:
            environ[f"HTTP_{_TOKEN_HEADER.upper().replace('-', '_')}"] = token
        return environ

    def log(self, _type: str, _message: str, *_arguments: Any) -> None:
        """Print nothing: the decision log has every call."""


def _listening(host: str, port: int) -> socket.socket:
    """Raises OSError when the address cannot be used, and ValueError for an invalid port."""
    if type(port) is not int or not 0 <= port <= _MAXIMUM_PORT:
        raise ValueError(f"port is a number from 0 to {_MAXIMUM_PORT}, not {port!r}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        message = f"cannot listen on {host} port {port}: {error.strerror or error}; port=0 takes a free port"
        raise OSError(error.errno, message) from error


class ThreadedServer:
    """Listens as soon as it is made. ``application`` may be replaced at any time; None makes every answer a 503."""

    def __init__(self, host: str = DEFAULT_HOST, port: int = 0) -> None:
        self.application: WsgiApplication | None = None
        self._connections: dict[threading.Thread, socket.socket] = {}
        handler = type("_Handler", (_SilentHandler,), {"connections": self._connections})
        # werkzeug would end the process if it could not bind the address. It makes its own copy of this socket.
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
        # The default, half a second, would make every test that stops a server that much longer.
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        """Stop listening and end the open connections."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for thread, connection in list(self._connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(_LAST_ANSWER_SECONDS)

"""A server in a thread of this process: for tests, whose subprocesses and other languages need a socket.

``rolecall serve`` runs on granian, which wants the main thread and the process's signals for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from emulator.settings import DEFAULT_HOST
from emulator.web.aws import WsgiApplication


class _SilentHandler(WSGIRequestHandler):
    # Kept alive between requests, as every AWS endpoint does.
    protocol_version = "HTTP/1.1"

    def log(self, _type: str, _message: str, *_arguments: Any) -> None:
        """The decision log knows more."""


class ThreadedServer:
    """Listens from the moment it is made. ``application`` may be exchanged at any time; without one it answers 503."""

    def __init__(self, host: str = DEFAULT_HOST, port: int = 0) -> None:
        self.application: WsgiApplication | None = None
        self._server = make_server(host, port, self._answer, threaded=True, request_handler=_SilentHandler)
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
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

"""The server: granian around the application, one process per worker.

Granian was chosen by measurement (docs/architecture.md). It hands WSGI a path that is already decoded, as WSGI wants
it, while signatures cover the path as it was sent; ``granian_application`` writes it back in the form SDKs send.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import quote

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.common import AbstractServer
from granian.server.mp import MPServer
from granian.server.mt import MTServer

from rolecall.clock import monotonic_seconds
from rolecall.http import DroppedConnectionError
from rolecall.settings import Address, ServerSettings
from rolecall.web.application import RolecallApplication

# Short enough for two seconds in all, long enough for any call to end.
_STOP_TIMEOUT_SECONDS = 1
# As long as the slowest machine may take to load the workers.
_READY_TIMEOUT_SECONDS = 300
_READY_PAUSE_SECONDS = 0.01
_PARENT_PAUSE_SECONDS = 0.5


class PortInUseError(Exception):
    """Somebody else listens on the address."""


def check_port(host: str, port: int) -> None:
    """Raises PortInUseError, or OSError for an address this machine does not have."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUseError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def serve(settings: ServerSettings, load: Callable[[], RolecallApplication], announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT. ``load`` runs in every worker; ``announce`` once, when the server answers.

    With the spawn start method (Windows, macOS) ``load`` must be picklable: a top-level function or a partial of one.
    """
    # A single worker is a thread of this process: half the memory of a process beside one that only waits for it.
    kind = _OneProcess if settings.workers == 1 else _ManyProcesses
    server = kind(
        target="rolecall.app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
        log_access=False,
        workers_kill_timeout=_STOP_TIMEOUT_SECONDS,
        respawn_failed_workers=False,
    )
    server.announce = announce
    server.main_loop_interrupt = _Flag()
    parent_id = os.getpid() if settings.workers > 1 else None
    server.serve(target_loader=partial(load_worker, load, parent_id), wrap_loader=False)


def load_worker(load: Callable[[], RolecallApplication], parent_id: int | None) -> Callable[..., Iterable[bytes]]:
    """The WSGI callable of one worker; with ``parent_id`` the worker is a process that ends when its parent does."""
    if parent_id is not None:
        threading.Thread(target=_end_with_parent, args=(parent_id,), daemon=True, name="parent watch").start()
    # Granian copies the process environment into every request, where HTTP_PROXY would look like a header.
    for name in [name for name in os.environ if name.startswith("HTTP_")]:
        del os.environ[name]
    return granian_application(load())


def _end_with_parent(parent_id: int) -> None:
    """Workers of a killed parent would go on holding its port, and nothing would end them any more."""
    while os.getppid() == parent_id:
        time.sleep(_PARENT_PAUSE_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def granian_application(app: RolecallApplication) -> Callable[..., Iterable[bytes]]:
    wsgi = app.wsgi_app

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/":
            environ["RAW_URI"] = "/"
        else:
            raw = path.encode("utf-8", "surrogateescape")
            environ["PATH_INFO"] = raw.decode("latin-1")
            environ["RAW_URI"] = quote(raw, safe="/-._~")
        try:
            return wsgi(environ, start_response)
        except DroppedConnectionError:
            return _closed_connection(start_response)

    return application


def _closed_connection(start_response: Any) -> Iterable[bytes]:
    """What makes the server close the connection without a byte: granian offers no way to ask for it.

    Its HTTP layer closes by itself when a body of unknown length claims a length that is no number; it finds out before
    it writes anything. The body must have a byte, because an empty one has a known length.
    """
    start_response("200 OK", [("Content-Length", "none")])
    return (part for part in [b"-"])


class _Flag(threading.Event):
    """An event that a signal handler may set, and that a signal always wakes.

    A handler runs in the middle of the main thread. While that one enters ``Event.wait``, ``Event.set`` would wait for
    the lock it holds, and a signal just before it falls asleep would not wake it. A byte in a socket is never missed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raised = False
        self._bell, self._button = socket.socketpair()
        self._button.setblocking(False)

    def is_set(self) -> bool:
        return self._raised

    def set(self) -> None:
        self._raised = True
        with contextlib.suppress(BlockingIOError):
            self._button.send(b".")

    def clear(self) -> None:
        self._raised = False

    def wait(self, timeout: float | None = None) -> bool:
        signal.set_wakeup_fd(self._button.fileno(), warn_on_full_buffer=False)
        self._bell.settimeout(timeout)
        with contextlib.suppress(TimeoutError):
            while not self._raised:
                self._bell.recv(64)
        return self._raised


class _Announcing(AbstractServer):  # type: ignore[type-arg]
    announce: Callable[[], None]

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        if wait_until_ready(Address(self.bind_addr, self.bind_port), self._is_ending):
            self.announce()

    def shutdown(self, exit_code: int = 0) -> None:
        if self.interrupt_signal:
            # A terminal sends its signal to the workers too: those that were faster have not failed.
            self.interrupt_children.clear()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def _is_ending(self) -> bool:
        return bool(self.interrupt_signal or self.interrupt_children)


class _OneProcess(_Announcing, MTServer):
    """Granian's threaded server, meant for Python without a global lock; one worker thread never contends for it."""

    def _check_gil(self) -> None:
        pass


class _ManyProcesses(_Announcing, MPServer):
    pass


def wait_until_ready(address: Address, stopped: Callable[[], bool]) -> bool:
    """True once the health endpoint answers; False when the server stopped or never answered."""
    host = address.reachable_host
    deadline = monotonic_seconds() + _READY_TIMEOUT_SECONDS
    while monotonic_seconds() < deadline and not stopped():
        connection = http.client.HTTPConnection(host, address.port, timeout=_READY_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/_rolecall/health")
            # 403: alive, but bound to an address from which the control endpoints refuse even this machine.
            if connection.getresponse().status in (200, 403):
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(_READY_PAUSE_SECONDS)
    return False

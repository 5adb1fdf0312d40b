"""The processes of a server: one process that answers calls, or a parent that supervises several workers.

SIGTERM and SIGINT end the server within two seconds. A worker ends when its parent is gone, and the server ends when
one of its workers ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from rolecall.server.front import Front
from rolecall.server.loops import new_event_loop
from rolecall.server.ports import BACKLOG, listening_socket, room_for_connections
from rolecall.server.tls import tls_context
from rolecall.settings import ServerSettings
from rolecall.web.application import RolecallApplication

log = logging.getLogger("rolecall.server")

# Long enough for almost any call, and short enough to end within two seconds in all.
_LAST_ANSWERS_SECONDS = 1.0
_WORKERS_END_SECONDS = 1.8
_PARENT_PAUSE_SECONDS = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How often threads take turns. A call waits no longer than this while another thread computes.
_SWITCH_SECONDS = 0.0003
# For the three generations of objects. A few hundred objects of calls live until the log has written them.
_COLLECTION_THRESHOLDS = (10_000, 20, 50)

Load = Callable[[], RolecallApplication]


def serve(settings: ServerSettings, load: Load, announce: Callable[[], None]) -> bool:
    """Serve until SIGTERM or SIGINT. ``load`` runs in every worker; ``announce`` runs once, when the server answers.

    Returns False when a worker ended by itself. With the spawn start method (Windows, macOS) ``load`` must be
    picklable: a top-level function or a partial of one. Raises PortInUseError.
    """
    listener = listening_socket(settings.host, settings.port)
    with listener:
        if settings.workers == 1:
            _run(_answer_until_stopped(settings, load(), listener, announce))
            return True
        return _supervise_workers(settings, load, listener, announce)


def _run(main: Any) -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)
    for number in _SIGNALS:
        # The process is ending. A second signal must not interrupt what is still to be written.
        signal.signal(number, signal.SIG_IGN)


async def _answer_until_stopped(
    settings: ServerSettings, application: RolecallApplication, listener: socket.socket, ready: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    _on_signals(loop, stopped.set)
    _ready_for_calls()
    front = Front(
        application,
        threads=settings.threads,
        maximum_body_bytes=settings.maximum_body_bytes,
        maximum_connections=room_for_connections(),
        receive_seconds=settings.receive_seconds,
        scheme="https" if settings.tls is not None else "http",
    )
    context = None if settings.tls is None else tls_context(settings.tls)
    server = await loop.create_server(
        front.factory,
        sock=listener,
        ssl=context,
        ssl_handshake_timeout=None if context is None else settings.receive_seconds,
        backlog=BACKLOG,
    )
    ready()
    await stopped.wait()
    server.close()
    await front.stop(_LAST_ANSWERS_SECONDS)


def _ready_for_calls() -> None:
    """Freeze the objects loaded so far. A garbage collection that looked at them again took 58 ms each time."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(*_COLLECTION_THRESHOLDS)


def _on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    for number in _SIGNALS:
        if os.name == "nt":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))
        else:
            loop.add_signal_handler(number, end)


# Several workers.


def _supervise_workers(
    settings: ServerSettings, load: Load, listener: socket.socket, announce: Callable[[], None]
) -> bool:
    signals: list[int] = []
    wake_reader, wake_writer = socket.socketpair()
    wake_writer.setblocking(False)
    workers: list[tuple[BaseProcess, Connection]] = []
    with wake_reader, wake_writer, contextlib.ExitStack() as stack:
        # A signal writes a byte into the socket, which ends the wait below.
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False))
        for number in _SIGNALS:
            stack.callback(signal.signal, number, signal.signal(number, lambda taken, _frame: signals.append(taken)))
        workers = [_started(settings, load, listener) for _ in range(settings.workers)]
        unready = {connection for _, connection in workers}
        while not signals and unready:
            for found in wait([wake_reader, *unready, *(process.sentinel for process, _ in workers)]):
                if found in unready and _says_ready(found):
                    unready.remove(found)
                elif found is not wake_reader:
                    return _end_workers(workers, failed=True)
        if not signals:
            announce()
        while not signals:
            for found in wait([wake_reader, *(process.sentinel for process, _ in workers)]):
                if found is not wake_reader:
                    return _end_workers(workers, failed=not signals)
        return _end_workers(workers, failed=False)


def _started(settings: ServerSettings, load: Load, listener: socket.socket) -> tuple[BaseProcess, Connection]:
    parent_end, worker_end = multiprocessing.Pipe(duplex=False)
    arguments = (settings, load, listener, worker_end, os.getpid())
    process = multiprocessing.Process(target=_run_worker, args=arguments, name="rolecall-worker")
    process.start()
    worker_end.close()
    return process, parent_end


def _says_ready(connection: Any) -> bool:
    try:
        return bool(connection.recv())
    except EOFError:
        return False


def _end_workers(workers: list[tuple[BaseProcess, Connection]], *, failed: bool) -> bool:
    """End every worker. Returns False when one of them had failed."""
    if failed:
        log.error("a worker has ended, so the server ends")
    for process, _ in workers:
        process.terminate()
    deadline = time.monotonic() + _WORKERS_END_SECONDS
    for process, connection in workers:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()
        connection.close()
    return not failed


def _run_worker(
    settings: ServerSettings, load: Load, listener: socket.socket, parent: Connection, parent_id: int
) -> None:
    """The main function of a worker process."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(parent_id,), daemon=True, name="rolecall-parent").start()
    application = load()
    _run(_answer_until_stopped(settings, application, listener, partial(parent.send, True)))
    application.finish()
    sys.stderr.flush()
    # Threads may still compute. Their results are not needed.
    os._exit(0)


def _end_with_parent(parent_id: int) -> None:
    """End this worker when its parent is gone. Otherwise it would hold the port, and nothing would end it."""
    while os.getppid() == parent_id:
        time.sleep(_PARENT_PAUSE_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)

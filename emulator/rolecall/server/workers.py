"""Several worker processes on one listening socket, and the parent that supervises them.

A worker ends when its parent is gone, and the server ends when one of its workers ends. Only a server with several
workers loads this module.
"""

from __future__ import annotations

import contextlib
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

from rolecall.server.processes import SIGNALS, Load, answer_until_stopped, run
from rolecall.settings import ServerSettings

log = logging.getLogger("rolecall.server")

_WORKERS_END_SECONDS = 4.8
_PARENT_PAUSE_SECONDS = 0.5


def supervise_workers(
    settings: ServerSettings, load: Load, listener: socket.socket, announce: Callable[[], None]
) -> bool:
    signals: list[int] = []
    wake_reader, wake_writer = socket.socketpair()
    wake_writer.setblocking(False)
    workers: list[tuple[BaseProcess, Connection]] = []
    with wake_reader, wake_writer, contextlib.ExitStack() as stack:
        # A signal writes a byte into the socket, which ends the wait below.
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False))
        for number in SIGNALS:
            stack.callback(signal.signal, number, signal.signal(number, lambda taken, _frame: signals.append(taken)))
        workers = [_started(settings, load, listener, position) for position in range(settings.workers)]
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


def _started(
    settings: ServerSettings, load: Load, listener: socket.socket, position: int
) -> tuple[BaseProcess, Connection]:
    parent_end, worker_end = multiprocessing.Pipe(duplex=False)
    arguments = (settings, load, listener, worker_end, os.getpid(), position)
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
    settings: ServerSettings, load: Load, listener: socket.socket, parent: Connection, parent_id: int, position: int
) -> None:
    """The main function of a worker process. The first one keeps the attachments."""
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(parent_id,), daemon=True, name="rolecall-parent").start()
    application = load()
    ready = partial(parent.send, True)
    run(answer_until_stopped(settings, application, listener, ready, keeps_attachments=position == 0))
    application.finish()
    sys.stderr.flush()
    # Threads may still compute. Their results are not needed.
    os._exit(0)


def _end_with_parent(parent_id: int) -> None:
    """End this worker when its parent is gone. Otherwise it would hold the port, and nothing would end it."""
    while os.getppid() == parent_id:
        time.sleep(_PARENT_PAUSE_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)

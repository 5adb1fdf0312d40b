"""The process that answers calls, the only one or a worker. SIGTERM and SIGINT end the server within five seconds."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from rolecall.server.attached import AttachedFronts
from rolecall.server.front import Front
from rolecall.server.loops import new_event_loop
from rolecall.server.ports import BACKLOG, listening_socket, room_for_connections
from rolecall.server.tls import tls_context
from rolecall.server.upgrades import Upgrades
from rolecall.settings import ServerSettings
from rolecall.web.application import RolecallApplication

# Long enough for almost any call, and short enough to end within five seconds in all.
_LAST_ANSWERS_SECONDS = 3.5
SIGNALS = (signal.SIGINT, signal.SIGTERM)
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
            run(answer_until_stopped(settings, load(), listener, announce))
            return True
        # Loaded only here, because most servers have one worker.
        workers = importlib.import_module("rolecall.server.workers")
        return bool(workers.supervise_workers(settings, load, listener, announce))


def run(main: Any) -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)
    for number in SIGNALS:
        # The process is ending. A second signal must not interrupt what is still to be written.
        signal.signal(number, signal.SIG_IGN)


async def answer_until_stopped(
    settings: ServerSettings,
    application: RolecallApplication,
    listener: socket.socket,
    ready: Callable[[], None],
    *,
    keeps_attachments: bool = True,
) -> None:
    """``keeps_attachments``: this process listens for the attachments in the database. One process of a server does."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    _on_signals(loop, stopped.set)
    _ready_for_calls()
    room = room_for_connections()
    upgrades = Upgrades(application, room // 2)
    database = application.sandbox.database
    front = Front(
        application,
        threads=settings.threads,
        maximum_body_bytes=settings.maximum_body_bytes,
        maximum_connections=room,
        receive_seconds=settings.receive_seconds,
        scheme="https" if settings.tls is not None else "http",
        upgrade_handler=upgrades.protocol_for,
        upgraded=upgrades.open_count,
        together=database.together if database.gains_together else None,
        stream_handler=upgrades.stream_for,
    )
    context = None if settings.tls is None else tls_context(settings.tls)
    server = await loop.create_server(
        front.factory,
        sock=listener,
        ssl=context,
        ssl_handshake_timeout=None if context is None else settings.receive_seconds,
        backlog=BACKLOG,
    )
    attached = AttachedFronts(application, front, loop)
    await attached.start(keeps_all=keeps_attachments, shared=settings.workers > 1)
    ready()
    await stopped.wait()
    server.close()
    attached.stop()
    upgrades.stop()
    await front.stop(_LAST_ANSWERS_SECONDS)


def _ready_for_calls() -> None:
    """Freeze the objects loaded so far. A garbage collection that looked at them again took 58 ms each time."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(*_COLLECTION_THRESHOLDS)


def _on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    for number in SIGNALS:
        if os.name == "nt":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))
        else:
            loop.add_signal_handler(number, end)

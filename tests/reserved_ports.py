"""Ports for servers of the tests that no other process gets meanwhile: tests run in many processes at once."""

from __future__ import annotations

import os
import socket
import sys

_held: list[socket.socket] = []


def reserved_port() -> int:
    """A port of this machine without a listener, kept free until a test listens on it.

    Linux gives a bound port to no process that asks for any port. Yet a server may bind it by number if it allows the
    address to be reused, as Rolecall's does. So the port stays reserved before a server starts, and after it ended, for
    the next one. Other systems lack this: there the port is only very likely to be free.
    """
    probe = socket.socket()
    if os.name != "nt":
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    port: int = probe.getsockname()[1]
    if sys.platform == "linux":
        _held.append(probe)
    else:
        probe.close()
    return port

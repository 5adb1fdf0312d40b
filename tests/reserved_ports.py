"""Ports for servers of the tests, which no other process is given meanwhile: tests run in many processes at once."""

from __future__ import annotations

import os
import socket
import sys

_held: list[socket.socket] = []


def reserved_port() -> int:
    """A port of this machine that nobody listens on, and that stays so until a test listens there.

    Linux gives a port that is bound to nobody who asks for any port, and yet lets a server bind it that names it and
    allows the address to be reused, as ours do. So it stays ours before a server starts, and after it ended, for the
    next one. Other systems have no such thing: there the port is only most likely free.
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

"""The listening socket, and how many connections this machine has room for."""

from __future__ import annotations

import importlib
import os
import socket
from typing import Any

# Open files kept free for databases, for connections to other parties, and for new connections that are accepted
# before an old one is closed.
_RESERVED_FILES = 256
BACKLOG = 128
# The first is for systems that do not give their limit, the second for limits larger than the memory of a machine.
_USUAL_CONNECTIONS = 1024
_MOST_FILES = 65_536


class PortInUseError(Exception):
    """The server cannot listen on the address: it is in use, or this machine does not have it."""


def check_port(host: str, port: int) -> None:
    """Raises PortInUseError when the server could not listen there."""
    bound_socket(host, port).close()


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket on the address, which does not listen yet. Raises PortInUseError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise PortInUseError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return bound


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises PortInUseError."""
    listener = bound_socket(host, port)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def room_for_connections() -> int:
    """How many connections a process may hold; its limit of open files is raised as far as the system lets it."""
    if os.name == "nt":
        return _USUAL_CONNECTIONS
    limits: Any = importlib.import_module("resource")
    found: tuple[int, int] = limits.getrlimit(limits.RLIMIT_NOFILE)
    soft, hard = found
    most = _MOST_FILES if hard == limits.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == limits.RLIM_INFINITY:
        soft = most
    elif soft < most:
        try:
            limits.setrlimit(limits.RLIMIT_NOFILE, (most, hard))
            soft = most
        except (OSError, ValueError):
            # Some systems report no limit and still have one.
            pass
    return max(soft - _RESERVED_FILES, soft // 2, 1)

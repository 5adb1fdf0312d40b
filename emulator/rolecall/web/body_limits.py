"""How much of a request's body is read. The server asks before the body arrives, Flask while it reads the body."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from rolecall.settings import MAXIMUM_EXPECTATIONS_BYTES, MAXIMUM_SNAPSHOT_BYTES

# By method and path: the bodies that are files. Only this machine gets an answer there.
_FILES = {
    ("PUT", "/_rolecall/snapshot"): MAXIMUM_SNAPSHOT_BYTES,
    ("POST", "/_rolecall/verify"): MAXIMUM_EXPECTATIONS_BYTES,
}


def is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def body_limit(environ: Mapping[str, Any], usual_bytes: int) -> int:
    """The highest number of bytes of a request's body; ``usual_bytes`` for most requests."""
    limit = _FILES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    return limit if limit and is_this_machine(environ.get("REMOTE_ADDR", "")) else usual_bytes

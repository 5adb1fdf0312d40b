"""One HTTP request and one HTTP answer, as values.

The web room makes the request and sends the answer; every step between them only reads. Header names are
in lower case, values are text decoded as Latin-1, repeated headers are joined with a comma.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class DroppedConnectionError(Exception):
    """Nothing is to be sent: the connection is to be closed without an answer, because a fault rule asks for it.

    Comes out of the WSGI application; a server closes the socket, a client in the same process fails as if it had.
    """


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What the client sent. ``raw_path`` and ``raw_query`` are still percent-encoded, as signed.

    ``path_is_rebuilt`` when the server handed over a decoded path only: an escaped slash in it cannot be told from one.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    scheme: str = "http"
    remote_address: str = "127.0.0.1"
    path_is_rebuilt: bool = False


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What goes back. ``headers`` does not hold Content-Length or the request id; the web room adds those."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

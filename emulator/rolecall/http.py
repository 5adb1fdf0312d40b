"""One HTTP request and one HTTP answer, as values.

The web room makes the request and sends the answer. The steps between them only read both. Header names are in lower
case, values are text decoded as Latin-1, and repeated headers are joined with a comma.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class DroppedConnectionError(Exception):
    """A fault rule asks to close the connection without an answer.

    The WSGI application raises it. A server closes the socket. A client in the same process fails as if the socket was
    closed.
    """


def name_of_host(host: str) -> str:
    """The name in a Host header, in lower case, without port and without the dot of the DNS root (RFC 1034, 3.1)."""
    return host.partition(":")[0].lower().removesuffix(".")


class HttpRequest(Struct, frozen=True):
    """The client's request. ``raw_path`` and ``raw_query`` are still percent-encoded, as they were signed.

    ``path_is_rebuilt`` says that the server knew only the decoded path, so that ``/`` may have been an escaped slash.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    scheme: str = "http"
    remote_address: str = "127.0.0.1"
    path_is_rebuilt: bool = False


class HttpAnswer(Struct, frozen=True):
    """The answer. ``headers`` has neither Content-Length nor the request id, which the web room adds."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

"""The answer of a WSGI application, kept until it can be sent, and its bytes on the wire."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

from rolecall.server.requests import Environ

_DATE = frozenset({"Date", "date"})
_LENGTH = frozenset({"Content-Length", "content-length"})


class ServedAnswer:
    """The answer of an application. The application gets ``start`` as its ``start_response``."""

    __slots__ = ("body", "drops", "headers", "status")

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        # True: send nothing and close the connection.
        self.drops = False

    def start(self, status: str, headers: list[tuple[str, str]], _exception: Any = None) -> None:
        self.status = status
        self.headers = headers

    def as_bytes(self, environ: Environ, *, keep_alive: bool) -> bytes:
        """Head and body. Raises ValueError for a header with an end of line, which could begin another header."""
        lines = [f"HTTP/1.1 {self.status}"]
        dated = measured = False
        for name, value in self.headers:
            lines.append(f"{name}: {value}")
            if name in _DATE:
                dated = True
            elif name in _LENGTH:
                measured = True
        if not dated:
            lines.append(f"date: {formatdate(usegmt=True)}")
        if not measured:
            lines.append(f"content-length: {len(self.body)}")
        if not keep_alive:
            lines.append("connection: close")
        elif environ["SERVER_PROTOCOL"] == "HTTP/1.0":
            lines.append("connection: keep-alive")
        encoded = _encoded_head(lines)
        return encoded if environ["REQUEST_METHOD"] == "HEAD" else encoded + self.body

    def beginning_of_stream(self) -> bytes:
        """Head and body of an answer that goes on until its connection ends. Raises ValueError as :meth:`as_bytes`."""
        lines = [f"HTTP/1.1 {self.status}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name not in _LENGTH | _DATE]
        lines += [f"date: {formatdate(usegmt=True)}", "connection: close"]
        return _encoded_head(lines) + self.body


def _encoded_head(lines: list[str]) -> bytes:
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a header of the answer holds an end of line")
    return f"{head}\r\n\r\n".encode("latin-1", "replace")


def failed_answer(status: str = "500 Internal Server Error") -> ServedAnswer:
    """An answer without a body, by default for an unexpected error."""
    answer = ServedAnswer()
    answer.status = status
    return answer


def dropped_answer() -> ServedAnswer:
    """The connection is closed without an answer."""
    answer = ServedAnswer()
    answer.drops = True
    return answer

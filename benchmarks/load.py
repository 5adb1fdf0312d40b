"""Load over plain sockets: repeats the same signed requests on a number of connections."""

from __future__ import annotations

import itertools
import os
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """What one run measured. ``cpu_seconds`` is the time of the server's processes; None where it is unknown."""

    requests: int
    seconds: float
    cpu_seconds: float | None
    # The time until each answer, the shortest first.
    latencies_seconds: tuple[float, ...] = ()

    def latency_milliseconds(self, share: float) -> float:
        """The time within which this share of the calls was answered."""
        last = len(self.latencies_seconds) - 1
        return self.latencies_seconds[min(last, int(len(self.latencies_seconds) * share))] * 1000

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        return float("nan") if self.cpu_seconds is None else self.cpu_seconds / self.requests * 1e6


class FailedError(Exception):
    """The server answered something other than 200 and 201."""


def answered(data: bytes) -> int:
    """The length of the complete answer at the start of ``data``; 0 while it is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    if not data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise FailedError(data[:2000].decode("latin-1"))
    head = data[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        raise FailedError("an answer without Content-Length")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0])
    total = end + 4 + length
    return total if len(data) >= total else 0


def cpu_seconds(pids: list[int]) -> float | None:
    """The user and system time of these processes so far; None where the system does not show it."""
    ticks = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class _Connection:
    """One client's connection. It is opened again after an answer with ``Connection: close``."""

    def __init__(
        self, selector: selectors.BaseSelector, port: int, requests: Iterator[bytes], latencies: list[float]
    ) -> None:
        self._selector, self._port, self._requests, self._latencies = selector, port, requests, latencies
        self._open()

    def _open(self) -> None:
        self._buffer = bytearray()
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._send()

    def _send(self) -> None:
        self.sent_at = time.perf_counter()
        self._socket.sendall(next(self._requests))

    def read(self) -> int:
        """Read what has arrived. Returns 1 when an answer is complete; the next request is then already sent."""
        chunk = self._socket.recv(65536)
        if not chunk:
            raise FailedError("the server closed the connection without an answer")
        self._buffer += chunk
        length = answered(self._buffer)
        if not length:
            return 0
        self._latencies.append(time.perf_counter() - self.sent_at)
        if b"connection: close" in self._buffer[: self._buffer.find(b"\r\n\r\n")].lower():
            self.close()
            self._open()
        else:
            del self._buffer[:length]
            self._send()
        return 1

    def close(self) -> None:
        self._selector.unregister(self._socket)
        self._socket.close()


def run(
    port: int, request: bytes | Sequence[bytes], connections: int, seconds: float, pids: list[int], limit: int = 0
) -> Result:
    """Send ``request`` on every connection, and again after each answer, for ``seconds`` or ``limit`` requests.

    Several requests are sent in turn.
    """
    requests = itertools.cycle([request] if isinstance(request, bytes) else request)
    selector = selectors.DefaultSelector()
    before = cpu_seconds(pids)
    started = time.perf_counter()
    latencies: list[float] = []
    clients = [_Connection(selector, port, requests, latencies) for _ in range(connections)]
    done = 0
    while (not limit or done < limit) and time.perf_counter() - started < seconds:
        for key, _ in selector.select(timeout=10):
            done += key.data.read()
    elapsed = time.perf_counter() - started
    after = cpu_seconds(pids)
    for client in clients:
        client.close()
    cpu = None if before is None or after is None else after - before
    return Result(done, elapsed, cpu, tuple(sorted(latencies)))

"""Calls of IAM and STS as bytes over sockets, so that a test decides when each of them arrives."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from server_in_thread import InThread

PATIENCE_SECONDS = 60
CLIENTS = 8


def request_bytes(url: str, action: str, service: str, version: str, **parameters: str) -> bytes:
    body = urlencode({"Action": action, "Version": version, **parameters})
    made = AWSRequest("POST", url + "/", {"Content-Type": "application/x-www-form-urlencoded"}, body)
    SigV4Auth(Credentials("test", "test"), service, "us-east-1").add_auth(made)
    lines = [f"{name}: {value}" for name, value in made.headers.items()]
    head = ["POST / HTTP/1.1", f"Host: {urlsplit(url).netloc}", *lines, f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def answer_of(client: socket.socket) -> bytes:
    """One whole answer. The end of its element is the end of it."""
    answer = b""
    while not answer.rstrip().endswith(b"Response>"):
        piece = client.recv(65_536)
        assert piece, answer
        answer += piece
    return answer


@contextmanager
def held_loop(served: InThread) -> Iterator[None]:
    """The loop does nothing inside the block."""
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        go_on.wait(PATIENCE_SECONDS)

    served.loop.call_soon_threadsafe(hold)
    assert held.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        go_on.set()


def connected(served: InThread, stack: ExitStack, request: bytes) -> list[socket.socket]:
    """Clients whose connections are open, each after one call."""
    parts = urlsplit(served.url)
    assert parts.hostname
    clients = []
    for _ in range(CLIENTS):
        client = stack.enter_context(socket.create_connection((parts.hostname, parts.port), PATIENCE_SECONDS))
        client.sendall(request)
        assert b"200 OK" in answer_of(client)
        clients.append(client)
    return clients

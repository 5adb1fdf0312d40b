"""Servers that could run Rolecall: their rates, and how long a call takes beside slow connections.

    python benchmarks/fronts.py

Every server answers the same fixed text. Needs the extra ``benchmark``.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import load
import servers

from rolecall.server.front import Front
from rolecall.server.loops import new_event_loop

ANSWER = b"<ErrorResponse>" + b"x" * 600 + b"</ErrorResponse>"
HEADERS = [("content-type", "text/xml"), ("content-length", str(len(ANSWER)))]
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: localhost:4580\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    b"X-Amz-Date: 20261128T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 "
    b"Credential=AKIA/20261128/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n"
    b"User-Agent: Boto3/1.44\r\nAccept-Encoding: identity\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
HALF_BODIES = 16
IDLE = 1100
PATIENCE_SECONDS = 4.0
ROUNDS = 3
SECONDS = 0.5


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if "rolecall.body" not in environ:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", HEADERS)
    return [ANSWER]


async def rsgi(_scope: Any, protocol: Any) -> None:
    await protocol()
    protocol.response_bytes(200, HEADERS, ANSWER)


async def asgi(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(name.encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


class Fixed:
    """An application with a fixed answer, for Rolecall's own front."""

    aws = refuse = wsgi_app = staticmethod(wsgi)

    @staticmethod
    def is_page(_environ: dict[str, Any]) -> bool:
        return False


async def serve(port: int) -> None:
    front = Front(Fixed(), threads=1, maximum_body_bytes=1_048_576, maximum_connections=10_000)  # type: ignore[arg-type]
    server = await asyncio.get_running_loop().create_server(front.factory, "127.0.0.1", port)
    await server.serve_forever()


def beside(port: int, connections: int, sent: bytes) -> str:
    """How long a call takes beside other connections that have sent only ``sent``."""
    neighbours = []
    try:
        for _ in range(connections):
            neighbours.append(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS))
            neighbours[-1].sendall(sent)
        time.sleep(0.3)
        begun = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as caller:
            caller.sendall(REQUEST)
            answered = bool(caller.recv(100))
        return f"{(time.perf_counter() - begun) * 1000:.0f} ms" if answered else "closed"
    except OSError:
        return f"not within {PATIENCE_SECONDS:g} s"
    finally:
        for neighbour in neighbours:
            neighbour.close()


def main() -> None:
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(servers.started(name, command, port))
            for name, (command, port) in servers.other_fronts(servers.free_port).items()
        }
        rates: dict[tuple[str, int], list[load.Result]] = {}
        for _ in range(ROUNDS):
            for connections in (1, 8):
                for name, server in started.items():
                    result = load.run(server.port, REQUEST, connections, SECONDS, server.pids())
                    rates.setdefault((name, connections), []).append(result)
        print(f"{'':24}{'1 connection':>14}{'8':>8}{'CPU µs':>8}   {HALF_BODIES} half bodies   {IDLE} idle")
        for name, server in started.items():
            one, eight = (statistics.median(r.rate for r in rates[name, count]) for count in (1, 8))
            cpu = statistics.median(r.cpu_microseconds for r in rates[name, 8])
            half, idle = beside(server.port, HALF_BODIES, REQUEST[:-10]), beside(server.port, IDLE, b"")
            print(f"{name:24}{one:14.0f}{eight:8.0f}{cpu:8.0f}   {half:>14}   {idle:>14}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        with asyncio.Runner(loop_factory=new_event_loop if sys.argv[2] == "uvloop" else None) as runner:
            runner.run(serve(int(sys.argv[1])))
    else:
        main()

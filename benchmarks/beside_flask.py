"""Rates of calls beside a bare Flask application with answers of the same size. A part of the other scripts.

Both servers have one worker and get their load in turn. ``CPU`` is the processor time of a request, which a busy
machine changes less than the rates.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import load
import servers

WARM_UP_SECONDS = 0.5
# A request of a list is sent once, because another one with its token would make nothing.
Request = bytes | Sequence[bytes]


class Measured(NamedTuple):
    """A kind of call. ``again`` makes the requests of another round where each must be sent only once.

    ``keeps``: the bare application writes one row durably before it answers.
    """

    request: Request
    answer_bytes: int
    bar: float | None = None
    again: Callable[[], Request] | None = None
    keeps: bool = False


def arguments_of(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (default 5)")
    parser.add_argument("--connections", type=int, default=8)
    return parser.parse_args()


@contextmanager
def both_servers(name: str) -> Iterator[tuple[servers.Server, servers.Server]]:
    """The bare application, and Rolecall with a database in a file."""
    servers.take_processor(0)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        bare_port, port = servers.free_port(), servers.free_port()
        kept = {"BARE_FLASK_DATABASE": str(Path(folder) / "bare.db")}
        bare = stack.enter_context(servers.started("bare Flask", servers.bare_flask(bare_port), bare_port, **kept))
        command = servers.rolecall(port, f"sqlite:///{Path(folder) / f'{name}.db'}")
        ours = stack.enter_context(servers.started("rolecall", command, port, "/_rolecall/health"))
        servers.take_processor(1)
        yield bare, ours


def compare(
    bare: servers.Server, ours: servers.Server, calls: dict[str, Measured], arguments: argparse.Namespace
) -> None:
    """Print one line for each kind of call."""
    width = max(map(len, calls))
    print(f"{'':{width}}{'requests/s':>12}{'Flask':>9}{'of Flask':>10}{'bar':>6}{'CPU µs':>9}{'Flask':>8}")
    for name, call in calls.items():
        path = f"/kept/{call.answer_bytes}" if call.keeps else f"/{call.answer_bytes}"
        floor = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        found: dict[str, list[load.Result]] = {ours.name: [], bare.name: []}
        for number in range(arguments.rounds + 1):
            # The first round warms up.
            seconds = arguments.seconds if number else min(WARM_UP_SECONDS, arguments.seconds)
            request = call.request if call.again is None else call.again()
            for server, sent in ((ours, request), (bare, floor)):
                limit = 0 if isinstance(sent, bytes) else len(sent)
                until = seconds if not limit else 3600
                result = load.run(server.port, sent, arguments.connections, until, server.pids(), limit=limit)
                if number:
                    found[server.name].append(result)
        rate, floor_rate = (statistics.median(each.rate for each in results) for results in found.values())
        cpu, floor_cpu = (statistics.median(each.cpu_microseconds for each in results) for results in found.values())
        bar = "" if call.bar is None else f"{call.bar:.2f}"
        shown = f"{name:{width}}{rate:12.0f}{floor_rate:9.0f}{rate / floor_rate:10.2f}{bar:>6}"
        print(f"{shown}{cpu:9.0f}{floor_cpu:8.0f}")

"""Whole calls over a socket, compared with a bare Flask application on granian and with moto's server.

    python benchmarks/whole_calls.py

All servers run at once and are loaded in turn, round after round. So a machine that slows down slows all of them.
Compare the ratios, not the rates. Needs the extra ``benchmark``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import load
import servers
import signed_requests

START_BAR_SECONDS = 0.8
P99_BAR = 3
MEMORY_BAR_MEGABYTES = 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (default 5)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--sessions", type=int, default=50_000, help="sessions issued before the second measurement")
    parser.add_argument("--without-moto", action="store_true")
    arguments = parser.parse_args()
    servers.take_processor(0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        measure(arguments, folder, stack)


def measure(arguments: argparse.Namespace, folder: str, stack: ExitStack) -> None:
    bare = _start(stack, "bare Flask", servers.bare_flask)
    start_up(folder)
    port = servers.free_port()
    command = servers.rolecall(port, f"sqlite:///{Path(folder) / 'rolecall.db'}")
    ours = stack.enter_context(servers.started("rolecall", command, port, "/_rolecall/health"))
    runs = [(bare, "bare Flask", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")]
    signed = signed_requests.rolecall_requests(ours.url)
    runs += [(ours, name, request) for name, request in signed.items()]
    if not arguments.without_moto:
        peer = _start(stack, "moto", servers.moto, INITIAL_NO_AUTH_ACTION_COUNT=str(servers.SETUP_CALLS_OF_MOTO))
        runs.append((peer, "moto AssumeRole", signed_requests.moto_request(peer.url)))
    servers.take_processor(1)
    for connections in arguments.connections:
        compare(runs, connections, arguments.seconds, arguments.rounds)
    flatness(ours, signed, arguments.sessions, arguments.seconds)


def _start(stack: ExitStack, name: str, command_for, **environment: str) -> servers.Server:  # type: ignore[no-untyped-def]
    port = servers.free_port()
    return stack.enter_context(servers.started(name, command_for(port), port, **environment))


def started_once(folder: str) -> AbstractContextManager[servers.Server]:
    """A start that is not measured, because the first start after an installation compiles the modules."""
    port = servers.free_port()
    command = servers.rolecall(port, f"sqlite:///{Path(folder) / 'first.db'}")
    return servers.started("rolecall", command, port, "/_rolecall/health")


def start_up(folder: str) -> None:
    """How long ``serve`` takes until its first answer, with a new database and with an existing one."""
    database = f"sqlite:///{Path(folder) / 'start.db'}"
    with started_once(folder):
        pass
    for title in ("new database", "same database", "same database"):
        port = servers.free_port()
        with servers.started("rolecall", servers.rolecall(port, database), port, "/_rolecall/health") as server:
            print(f"start, {title}: answers after {server.ready_seconds:.2f} s (bar {START_BAR_SECONDS} s)")


def compare(runs: list[tuple[servers.Server, str, bytes]], connections: int, seconds: float, rounds: int) -> None:
    results: dict[str, list[load.Result]] = {name: [] for _, name, _ in runs}
    for server, _, request in runs:
        load.run(server.port, request, connections, 0.5, [])
    for _ in range(rounds):
        for server, name, request in runs:
            results[name].append(load.run(server.port, request, connections, seconds, server.pids()))
    floor = statistics.median(result.rate for result in results["bare Flask"])
    floor_cpu = statistics.median(result.cpu_microseconds for result in results["bare Flask"])
    print(f"\n{connections} connection(s), median of {rounds} rounds of {seconds:g} s")
    bare_p99 = statistics.median(result.latency_milliseconds(0.99) for result in results["bare Flask"])
    print(
        f"{'':20}{'requests/s':>12}{'bare/this':>11}{'CPU µs':>9}{'CPU/bare':>10}"
        f"{'p50 ms':>9}{'p99':>8}{'p99.9':>8}{'p99/bare':>10} (bar {P99_BAR})"
    )
    for name, found in results.items():
        p50, p99, p999 = (
            statistics.median(result.latency_milliseconds(share) for result in found) for share in (0.5, 0.99, 0.999)
        )
        rate = statistics.median(result.rate for result in found)
        cpu = statistics.median(result.cpu_microseconds for result in found)
        print(
            f"{name:20}{rate:12.0f}{floor / rate:11.2f}{cpu:9.0f}{cpu / floor_cpu:10.2f}"
            f"{p50:9.2f}{p99:8.2f}{p999:8.2f}{p99 / bare_p99:10.2f}"
        )
    if "moto AssumeRole" in results:
        ours = statistics.median(result.rate for result in results["AssumeRole"])
        peer = statistics.median(result.rate for result in results["moto AssumeRole"])
        print(f"AssumeRole: {ours / peer:.1f} times the rate of moto's server with its checks on")


def flatness(server: servers.Server, signed: dict[str, bytes], sessions: int, seconds: float) -> None:
    """Whether rates and memory stay the same after many sessions were issued."""
    before = {name: load.run(server.port, request, 1, seconds, []).rate for name, request in signed.items()}
    load.run(server.port, signed["AssumeRole"], 8, 3600, [], limit=sessions)
    print(f"\nafter {sessions} sessions issued")
    for name, request in signed.items():
        after = load.run(server.port, request, 1, seconds, []).rate
        print(f"{name:20}{before[name]:12.0f} before{after:12.0f} after  {after / before[name] - 1:+.1%}")
    share, largest = server.memory_megabytes()
    print(f"memory: {share:.0f} MB in all, largest process {largest:.0f} MB resident (bar {MEMORY_BAR_MEGABYTES} MB)")


if __name__ == "__main__":
    main()

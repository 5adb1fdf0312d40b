"""Whole calls with the database on PostgreSQL, compared with SQLite, in turn.

    python benchmarks/postgresql_calls.py

Both servers have one worker. PostgreSQL is one that the benchmark starts, with its promises about the disk switched on.
Needs the extra ``benchmark``, and PostgreSQL's programs (see tests/postgresql_server.py).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import load
import postgresql_server
import servers
import signed_requests

# The least share of SQLite's rate that a call must reach.
BARS = {"GetCallerIdentity": 0.6, "AssumeRole": 0.6, "GetRole": 0.5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (default 5)")
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.chmod(folder, 0o711)
        own = Path(folder) / "postgresql"
        own.mkdir()
        postgresql = postgresql_server.Server(own, durable=True)
        stack.callback(postgresql.stop)
        urls = {
            "SQLite": f"sqlite:///{Path(folder) / 'rolecall.db'}",
            "PostgreSQL": postgresql_server.Databases(postgresql).new_url(),
        }
        runs = {}
        for name, url in urls.items():
            port = servers.free_port()
            server = stack.enter_context(servers.started(name, servers.rolecall(port, url), port, "/_rolecall/health"))
            runs[name] = (server, signed(server.url))
        compare(runs, arguments)


def signed(url: str) -> dict[str, bytes]:
    """One request of each kind."""
    iam = signed_requests.client(url, "iam", ("test", "test"))
    found = signed_requests.rolecall_requests(url)
    found["GetRole"] = signed_requests.captured(iam, lambda c: c.get_role(RoleName="chime-reader"))
    return {call: found[call] for call in BARS}


def compare(runs: dict[str, tuple[servers.Server, dict[str, bytes]]], arguments: argparse.Namespace) -> None:
    found: dict[tuple[str, str], list[load.Result]] = {}
    for round_number in range(arguments.rounds + 1):
        for call in BARS:
            for name, (server, requests) in runs.items():
                # The first round warms everything up.
                seconds = arguments.seconds if round_number else 0.5
                result = load.run(server.port, requests[call], arguments.connections, seconds, server.pids())
                if round_number:
                    found.setdefault((call, name), []).append(result)
    print(f"{arguments.connections} connections, median of {arguments.rounds} rounds of {arguments.seconds:g} s")
    print(f"{'':20}{'SQLite/s':>10}{'PostgreSQL/s':>14}{'ratio':>8}{'bar':>6}{'CPU µs':>9}{'CPU µs':>9}")
    for call, bar in BARS.items():
        sqlite, postgresql = found[call, "SQLite"], found[call, "PostgreSQL"]
        rates = [statistics.median(result.rate for result in results) for results in (sqlite, postgresql)]
        cpu = [statistics.median(result.cpu_microseconds for result in results) for results in (sqlite, postgresql)]
        print(
            f"{call:20}{rates[0]:10.0f}{rates[1]:14.0f}{rates[1] / rates[0]:8.2f}{bar:6.1f}{cpu[0]:9.0f}{cpu[1]:9.0f}"
        )


if __name__ == "__main__":
    main()

"""What calls cost on PostgreSQL: the numbers that the model in ``scaling.py`` starts from, and a check of the model.

    python benchmarks/scaling_costs.py

Two processes of one worker each share a PostgreSQL that the benchmark starts, with its promises about the disk switched
on. A call is measured on one connection, so nothing else is at work. At last both processes get a mixed load on four
connections each, and its cost is compared with the one that the model promises. Both are processor time, which other
work on the machine changes less. Exits with 1 when the model promises much too little, or three times too much.

Needs the extra ``benchmark`` and PostgreSQL's programs (see tests/postgresql_server.py).
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import load
import postgresql_server
import scaling
import servers
import signed_requests
from sent_statements import sent_statements
from sqlalchemy import create_engine
from world_handle import WorldHandle, builtin_world

WRITE = "PutRolePolicy"
READS = tuple(kind for kind in scaling.KINDS if kind != WRITE)
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:GetUser","Resource":"*"}}'
CHANGE = "UPDATE generations SET value = value + 1 WHERE name = 'iam'"
PUT = {"RoleName": "chime-reader", "PolicyName": "of-the-benchmark", "PolicyDocument": DOCUMENT}
ASSUME = {"RoleArn": signed_requests.ROLE_ARN, "RoleSessionName": "benchmark"}
# After each change: every kind of read, and more reads that find everything known.
MIXED = (WRITE, *READS, *READS, *READS)
CONNECTIONS, PROCESSES = 4, 2
# Of measured and promised cost. Here changes come in bursts, and calls that come together after one read the rights
# together, so the model promises too much.
LEAST_RATIO, MOST_RATIO = 0.33, 1.2

# Processor time of a call in microseconds: of Rolecall, of PostgreSQL and of the client.
Spent = tuple[float, float, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default 3)")
    arguments = parser.parse_args()
    trips, in_lock = round_trips()
    with running() as (processes, database, url):
        requests = signed(processes[0].url)

        def spent(*kinds: str) -> Spent:
            return cost(processes[0], database, [requests[kind] for kind in kinds], arguments)

        costs = {kind: spent(kind) for kind in scaling.KINDS}
        for kind in READS:
            costs[kind + scaling.FIRST] = first_cost(processes[0], database, url, requests[kind], arguments)
        held = 1e6 / load.run(processes[0].port, requests[WRITE], 1, arguments.seconds, []).rate
        measured = mixed_cost(processes, database, [requests[kind] for kind in MIXED], arguments.seconds)
    print(f"{'':28}{'Rolecall µs':>12}{'PostgreSQL µs':>15}{'client µs':>11}{'round trips':>13}")
    for kind, (rolecall, postgresql, client) in costs.items():
        print(f"{kind:28}{rolecall:12.0f}{postgresql:15.0f}{client:11.0f}{trips[kind]:13}")
    print(f"a write holds the lock for at most {held:.0f} µs here, {in_lock} round trips of which are its own")
    promised = promised_cost({kind: scaling.Cost(*costs[kind][:2], trips[kind]) for kind in costs})
    ratio = sum(measured) / sum(promised)
    print(f"a call of the mixed load: promised {promised[0]:.0f} µs and {promised[1]:.0f} µs of PostgreSQL,")
    print(f"measured {measured[0]:.0f} µs and {measured[1]:.0f} µs: {ratio:.2f} of what was promised")
    return 0 if LEAST_RATIO < ratio < MOST_RATIO else 1


@contextmanager
def running() -> Iterator[tuple[list[servers.Server], servers.Server, str]]:
    """Two processes of Rolecall, and the PostgreSQL that they share, with the URL of the database."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.chmod(folder, 0o711)
        own = Path(folder) / "postgresql"
        own.mkdir()
        postgresql = postgresql_server.Server(own, durable=True)
        stack.callback(postgresql.stop)
        url = postgresql_server.Databases(postgresql).new_url()
        processes = []
        for number in range(PROCESSES):
            port = servers.free_port()
            command = servers.rolecall(port, url)
            started = servers.started(f"process {number}", command, port, "/_rolecall/health")
            processes.append(stack.enter_context(started))
        yield processes, servers.Server("PostgreSQL", postgresql.port, postgresql.pid, 0), url


def signed(url: str) -> Mapping[str, bytes]:
    """One request of each kind. A signature is valid at every process, because they share the database."""
    iam = signed_requests.client(url, "iam", ("test", "test"))
    found = signed_requests.rolecall_requests(url)
    found["GetRole"] = signed_requests.captured(iam, lambda c: c.get_role(RoleName=PUT["RoleName"]))
    found[WRITE] = signed_requests.captured(iam, lambda c: c.put_role_policy(**PUT))
    return found


def cost(process: servers.Server, database: servers.Server, requests: Sequence[bytes], arguments: Any) -> Spent:
    """The mean of the requests in turn, on one connection; the median of the rounds."""
    load.run(process.port, requests, 1, 0.3, [])
    pids, found = database.pids(), []
    for _ in range(arguments.rounds):
        before, own = load.cpu_seconds(pids) or 0.0, _own_seconds()
        result = load.run(process.port, requests, 1, arguments.seconds, process.pids())
        seconds = (result.cpu_seconds or 0.0, (load.cpu_seconds(pids) or 0.0) - before, _own_seconds() - own)
        found.append([each / result.requests * 1e6 for each in seconds])
    rolecall, postgresql, client = (statistics.median(each) for each in zip(*found, strict=True))
    return rolecall, postgresql, client


def first_cost(process: servers.Server, database: servers.Server, url: str, request: bytes, arguments: Any) -> Spent:
    """The cost of a request after each change of rights: here nothing changes but the generation, straight in SQL.

    The change costs PostgreSQL something, too, which is measured alone and subtracted.
    """
    pids, found = database.pids(), []
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, socket.create_connection(("127.0.0.1", process.port)) as asking:

        def change() -> None:
            connection.exec_driver_sql(CHANGE)

        def change_and_ask() -> None:
            change()
            asking.sendall(request)
            answer = b""
            while not load.answered(answer):
                answer += asking.recv(65_536)

        for _ in range(arguments.rounds):
            alone = repeated(change, process, pids, arguments.seconds / 2)
            both = repeated(change_and_ask, process, pids, arguments.seconds)
            found.append((both[0], both[1] - alone[1], both[2] - alone[2]))
    engine.dispose()
    rolecall, postgresql, client = (statistics.median(each) for each in zip(*found, strict=True))
    return rolecall, postgresql, client


def repeated(work: Callable[[], None], process: servers.Server, pids: list[int], seconds: float) -> Spent:
    """The processor time of one of many repetitions."""

    def spent() -> tuple[float, float, float]:
        return load.cpu_seconds(process.pids()) or 0.0, load.cpu_seconds(pids) or 0.0, _own_seconds()

    work()
    before, count, end = spent(), 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        work()
        count += 1
    rolecall, postgresql, client = ((b - a) / count * 1e6 for a, b in zip(before, spent(), strict=True))
    return rolecall, postgresql, client


def mixed_cost(
    processes: Sequence[servers.Server], database: servers.Server, requests: Sequence[bytes], seconds: float
) -> tuple[float, float]:
    """Processor time of a call in microseconds, of Rolecall and of PostgreSQL. Each process has a client of its own."""
    ours, theirs = [pid for process in processes for pid in process.pids()], database.pids()
    with ProcessPoolExecutor(len(processes), mp_context=get_context("spawn")) as pool:

        def calls() -> int:
            runs = [pool.submit(load.run, each.port, list(requests), CONNECTIONS, seconds, []) for each in processes]
            return sum(run.result().requests for run in runs)

        # Each thread opens its connections first, and prepares its statements.
        calls()
        before = load.cpu_seconds(ours) or 0.0, load.cpu_seconds(theirs) or 0.0
        count = calls()
        after = load.cpu_seconds(ours) or 0.0, load.cpu_seconds(theirs) or 0.0
    print(f"{count} calls of a mixed load")
    return (after[0] - before[0]) / count * 1e6, (after[1] - before[1]) / count * 1e6


def promised_cost(costs: Mapping[str, scaling.Cost]) -> tuple[float, float]:
    """What the model promises for the mixed load. It has two callers: a user, and a session for GetCallerIdentity."""
    mix = {kind: MIXED.count(kind) / len(MIXED) for kind in scaling.KINDS}
    team = scaling.Team(2, 3_600_000, mix, round_trip_microseconds=0)
    found = scaling.cost_of(team, scaling.first_share(team, PROCESSES), costs)
    return found.rolecall_microseconds, found.postgresql_microseconds


def round_trips() -> tuple[dict[str, int], int]:
    """Round trips to PostgreSQL by kind of call, and how many a write makes while it has the lock."""
    world = WorldHandle(builtin_world(), on="postgresql")
    iam, sts = world.client("iam"), world.client("sts")
    session = sts.assume_role(**ASSUME)["Credentials"]
    calls = {
        "GetCallerIdentity": lambda: world.client("sts", credentials=session).get_caller_identity(),
        "AssumeRole": lambda: sts.assume_role(**ASSUME),
        "GetRole": lambda: iam.get_role(RoleName=PUT["RoleName"]),
        WRITE: lambda: iam.put_role_policy(**PUT),
    }
    found = {}

    def sent(kind: str) -> list[str]:
        with sent_statements(world.database) as statements:
            calls[kind]()
        return statements

    engine = create_engine(world.database.url, isolation_level="AUTOCOMMIT")
    # Twice, so that every statement is prepared.
    for _ in range(2):
        for kind in READS:
            # As another process changes rights: after a change of its own, a process reads less again.
            with engine.connect() as connection:
                connection.exec_driver_sql(CHANGE)
            found[kind + scaling.FIRST] = len(sent(kind))
            found[kind] = len(sent(kind))
    engine.dispose()
    calls[WRITE]()
    calls["GetRole"]()
    statements = sent(WRITE)
    # And the COMMIT, which is psycopg's.
    found[WRITE] = len(statements) + 1
    begun = next(number for number, statement in enumerate(statements) if "advisory" in statement)
    world.close()
    postgresql_server.stop_all()
    return found, found[WRITE] - begun


def _own_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(main())

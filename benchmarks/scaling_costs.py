"""What calls cost on PostgreSQL: the numbers that the model in ``scaling.py`` starts from, and a check of the model.

    python benchmarks/scaling_costs.py

Two processes of one worker each share a PostgreSQL that the benchmark starts, with its promises about the disk switched
on. A call is measured on one connection, so nothing else is at work. At last both processes get a mixed load on four
connections each, and its rate is compared with the one that the costs promise for this machine.

Needs the extra ``benchmark`` and PostgreSQL's programs (see tests/postgresql_server.py).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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
from world_handle import WorldHandle, builtin_world

WRITE = "PutRolePolicy"
READS = tuple(kind for kind in scaling.KINDS if kind != WRITE)
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:GetUser","Resource":"*"}}'
PUT = {"RoleName": "chime-reader", "PolicyName": "of-the-benchmark", "PolicyDocument": DOCUMENT}
ASSUME = {"RoleArn": signed_requests.ROLE_ARN, "RoleSessionName": "benchmark"}
# After each change: every kind of read, and more reads that find everything known.
MIXED = (WRITE, *READS, *READS, *READS)
CONNECTIONS = 4

# Processor time of a call in microseconds: of Rolecall, of PostgreSQL and of the client.
Spent = tuple[float, float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default 3)")
    arguments = parser.parse_args()
    trips, in_lock = round_trips()
    with running() as (processes, database):
        requests = signed(processes[0].url)

        def spent(*kinds: str) -> Spent:
            return cost(processes[0], database, [requests[kind] for kind in kinds], arguments)

        costs = {kind: spent(kind) for kind in scaling.KINDS}
        for kind in READS:
            both = spent(WRITE, kind)
            costs[kind + scaling.FIRST] = tuple(  # type: ignore[assignment]
                2 * pair - write for pair, write in zip(both, costs[WRITE], strict=True)
            )
        held = 1e6 / rate(processes[:1], [requests[WRITE]], arguments.seconds)
        measured = rate(processes, [requests[kind] for kind in MIXED], arguments.seconds)
    print(f"{'':28}{'Rolecall µs':>12}{'PostgreSQL µs':>15}{'client µs':>11}{'round trips':>13}")
    for kind, (rolecall, postgresql, client) in costs.items():
        print(f"{kind:28}{rolecall:12.0f}{postgresql:15.0f}{client:11.0f}{trips[kind]:13}")
    print(f"a write holds the lock for at most {held:.0f} µs here, {in_lock} round trips of which are its own")
    processors = os.cpu_count() or 1
    # Each process has its own reads that are the first, after the changes of both.
    known = len(MIXED) - 1 - len(READS)
    whole = [sum(costs[WRITE]), *[sum(costs[kind + scaling.FIRST]) for kind in READS]]
    promised = processors * 1e6 * len(MIXED) / (sum(whole) + sum(sum(costs[kind]) for kind in MIXED[-known:]))
    print(f"mixed load: {promised:.0f} calls a second promised, {measured:.0f} measured")


@contextmanager
def running() -> Iterator[tuple[list[servers.Server], servers.Server]]:
    """Two processes of Rolecall, and the PostgreSQL that they share."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.chmod(folder, 0o711)
        own = Path(folder) / "postgresql"
        own.mkdir()
        postgresql = postgresql_server.Server(own, durable=True)
        stack.callback(postgresql.stop)
        url = postgresql_server.Databases(postgresql).new_url()
        processes = []
        for number in range(2):
            port = servers.free_port()
            command = servers.rolecall(port, url)
            started = servers.started(f"process {number}", command, port, "/_rolecall/health")
            processes.append(stack.enter_context(started))
        yield processes, servers.Server("PostgreSQL", postgresql.port, postgresql.pid, 0)


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


def rate(processes: Sequence[servers.Server], requests: Sequence[bytes], seconds: float) -> float:
    """Calls a second of all processes together, each with a client of its own."""
    with ProcessPoolExecutor(len(processes), mp_context=get_context("spawn")) as pool:
        runs = [pool.submit(load.run, process.port, list(requests), CONNECTIONS, seconds, []) for process in processes]
        return sum(run.result().rate for run in runs)


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

    # Twice, so that every statement is prepared.
    for _ in range(2):
        for kind in READS:
            calls[WRITE]()
            found[kind + scaling.FIRST] = len(sent(kind))
            found[kind] = len(sent(kind))
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
    main()

"""The servers that the benchmarks compare. Each has its own process and its own port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SETUP_CALLS_OF_MOTO = 5


@dataclass(frozen=True)
class Server:
    """A running server. ``ready_seconds`` is the time from its start to its first answer."""

    name: str
    port: int
    pid: int
    ready_seconds: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pids(self) -> list[int]:
        """The process and its children."""
        found = [self.pid]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) in found:
                found.append(int(stat.parent.name))
        return found

    def memory_megabytes(self) -> tuple[float, float]:
        """The proportional memory of all its processes, and the resident memory of the largest; NaN if unknown."""
        shares, resident = [], []
        for pid in self.pids():
            rollup = Path(f"/proc/{pid}/smaps_rollup")
            if not rollup.exists():
                return float("nan"), float("nan")
            for line in rollup.read_text().splitlines():
                if line.startswith("Pss:"):
                    shares.append(int(line.split()[1]) / 1024)
                elif line.startswith("Rss:"):
                    resident.append(int(line.split()[1]) / 1024)
        return sum(shares), max(resident)


def take_processor(number: int) -> None:
    """Run on this processor from now on, as do the processes that are started from now on.

    The servers share the first processor, and the load runs on the second. Otherwise a server whose threads need no
    interpreter would have the second one, too. Does nothing where there is only one.
    """
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {number})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """The environment with compiled modules on disk, as users have it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def started(name: str, command: list[str], port: int, path: str = "/", **environment: str) -> Iterator[Server]:
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=HERE, env={**_environment(), **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(f"http://127.0.0.1:{port}{path}", process)
        yield Server(name, port, process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(10)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        if process.poll() is not None:
            raise RuntimeError(f"the server for {url} ended with status {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"{url} never answered")


def bare_flask(port: int) -> list[str]:
    options = ["--interface", "wsgi", "--workers", "1", "--blocking-threads", "1", "--no-ws", "--no-log", "--http", "1"]
    return [sys.executable, "-m", "granian", *options, "--port", str(port), "bare_flask:app"]


def other_fronts(port_of: Callable[[], int]) -> dict[str, tuple[list[str], int]]:
    """Servers that could run Rolecall: command and port of each, with the fixed answer of fronts.py."""
    found = {}
    for kind, options in {
        "wsgi, 1 thread": ["--interface", "wsgi", "--blocking-threads", "1"],
        "wsgi, 16 threads": ["--interface", "wsgi", "--blocking-threads", "16"],
        "rsgi": ["--interface", "rsgi", "--loop", "asyncio"],
        "rsgi, uvloop": ["--interface", "rsgi", "--loop", "uvloop"],
        "asgi, uvloop": ["--interface", "asgi", "--loop", "uvloop"],
    }.items():
        port = port_of()
        common = ["--workers", "1", "--no-ws", "--no-log", "--http", "1", "--port", str(port)]
        command = [sys.executable, "-m", "granian", *options, *common, f"fronts:{options[1]}"]
        found[f"granian, {kind}"] = (command, port)
    for loop in ("asyncio", "uvloop"):
        port = port_of()
        options = [
            "--loop",
            loop,
            "--http",
            "httptools",
            "--no-access-log",
            "--log-level",
            "error",
            "--lifespan",
            "off",
        ]
        found[f"uvicorn, {loop}"] = (
            [sys.executable, "-m", "uvicorn", *options, "--port", str(port), "fronts:asgi"],
            port,
        )
    port = port_of()
    found["hypercorn, uvloop"] = (
        [sys.executable, "-m", "hypercorn", "-k", "uvloop", "--bind", f"127.0.0.1:{port}", "fronts:asgi"],
        port,
    )
    for loop in ("asyncio", "uvloop"):
        port = port_of()
        found[f"rolecall's own, {loop}"] = ([sys.executable, "fronts.py", str(port), loop], port)
    return found


def rolecall(port: int, database: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "rolecall.cli", "serve", "--port", str(port), "--database", database, *more]


def moto(port: int) -> list[str]:
    return [sys.executable, "-m", "moto.server", "-p", str(port)]

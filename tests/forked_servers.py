"""``rolecall`` without its start-up time: each command is a fork of a process that has loaded the modules.

Loading the modules takes longer than the rest of a start. A forked server still is a process of its own, with its own
folder, environment, streams, signals and process group. The tests of the start itself use a new process, see
``start_rolecall`` and ``script`` in ``e2e/served.py``. For POSIX.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from forked_commands import run_forked

# What a server loads until it has answered its first calls, and what the commands for terminals load.
_LOADED = (
    "boto3",
    "multiprocessing",
    "rolecall.cli",
    "rolecall.commands.rich_output",
    "rolecall.commands.serve",
    "rolecall.demo",
    "rolecall.gateway.connect",
    "rolecall.server.pushing",
    "rolecall.server.workers",
    "rolecall.services.chime",
    "rolecall.services.iam",
    "rolecall.services.iam_toolbox",
    "rolecall.services.sts",
    "rolecall.storage.sqlite_dialect",
    "rolecall.storage.sqlite_log",
    "rolecall.storage.upgrade",
    "rolecall.storage.write_ahead",
    "rolecall.web.application",
)
_LOADED_WITH_POSTGRESQL = ("psycopg", "rolecall.storage.postgresql_dialect", "rolecall.storage.postgresql_log")
# A request, with the server's environment in it, is one message of at most this length.
_MAXIMUM_BYTES = 1 << 17


class ForkedProcess:
    """What tests use of ``subprocess.Popen``, for a command that another process has forked."""

    def __init__(self, arguments: list[str], report: socket.socket) -> None:
        self.args = arguments
        self.pid = int(report.recv(32))
        self.returncode: int | None = None
        self._report = report

    def poll(self) -> int | None:
        """The exit status, minus the signal's number after a signal. None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same at the end of the process. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            ended = select.poll()
            ended.register(self._report, select.POLLIN)
            if not ended.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            status, _, seconds = self._report.recv(64).partition(b" ")
            self.returncode = int(status or -signal.SIGKILL)
            self._report.close()
            _spent_seconds.append(float(seconds or 0))
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def fork_rolecall(
    arguments: list[str], *, cwd: Path, env: dict[str, str], streams: tuple[int, int, int]
) -> ForkedProcess:
    """Starts ``rolecall`` with these arguments and standard streams, in a session of its own."""
    asked = json.dumps({"argv": ["rolecall", *arguments], "folder": str(cwd), "environment": env}).encode()
    report, its_report = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with its_report, _turn:
        socket.send_fds(_forking_process(), [asked], [*streams, its_report.fileno()])
    return ForkedProcess(arguments, report)


_turn = threading.Lock()


@cache
def _forking_process() -> socket.socket:
    """The connection to the process that forks. It ends with the test run, which closes the connection."""
    ours, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ROLECALL_"))}
    with its:
        number = its.fileno()
        _processes.append(
            subprocess.Popen(
                [sys.executable, __file__, str(number)],
                env=environment,
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
    return ours


_processes: list[subprocess.Popen[bytes]] = []
_spent_seconds: list[float] = []


def spent_seconds() -> float:
    """The processor time of all forked commands that have ended, with their own processes."""
    return sum(_spent_seconds)


def end_forking_process() -> None:
    """At the end of the run."""
    for process in _processes:
        _forking_process().close()
        process.wait()
    _processes.clear()
    _forking_process.cache_clear()


def _fork_when_asked(asking: socket.socket) -> None:
    for name in (*_LOADED, *(_LOADED_WITH_POSTGRESQL if find_spec("psycopg") else ())):
        importlib.import_module(name)
    # The modules have been loaded by now.
    tables, sqlite = (sys.modules[f"rolecall.storage.{name}"] for name in ("tables", "sqlite_dialect"))
    sqlite.creating_statements(tables.metadata)
    assert threading.active_count() == 1, "a fork has only the thread that forks"
    gc.collect()
    gc.freeze()
    # An ended child wakes the wait below.
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reports: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([asking, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _report_ends(reports)
        if asking in ready:
            asked, numbers, _, _ = socket.recv_fds(asking, _MAXIMUM_BYTES, 4)
            if not asked:
                return
            report = socket.socket(fileno=numbers.pop())
            child = os.fork()
            if child == 0:
                for each in (asking, woken, wakes, report, *reports.values()):
                    each.close()
                _become_command(asked, numbers)
            for number in numbers:
                os.close(number)
            reports[child] = report
            report.send(str(child).encode())


def _report_ends(reports: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            child, status, used = os.wait4(-1, os.WNOHANG)
            if not child:
                return
            with reports.pop(child) as report, contextlib.suppress(OSError):
                report.send(f"{os.waitstatus_to_exitcode(status)} {used.ru_utime + used.ru_stime}".encode())


def _become_command(asked: bytes, streams: list[int]) -> None:
    """Does not return."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    run_forked(json.loads(asked), streams)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _fork_when_asked(connection)

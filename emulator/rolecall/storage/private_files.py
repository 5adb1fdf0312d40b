"""Database files that are their owner's alone: secrets, seeds and sealing keys are inside.

SQLite gives ``-wal`` and ``-shm`` the mode of the database, so what matters is the mode that one has from its first
moment. An existing file is changed by its name and never opened here: to close it would let go of the locks that SQLite
holds on it in this process (https://www.sqlite.org/howtocorrupt.html, "Posix advisory locks").
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

_OF_OTHERS = 0o077
_BESIDE = ("", "-wal", "-shm", "-journal")


def file_of(name: str) -> str:
    """The file that SQLite's driver would open for a name, a path or a ``file:`` URI; empty for none."""
    if not name.startswith("file:"):
        return "" if name in ("", ":memory:") else name
    uri = urlsplit(name)
    in_memory = parse_qs(uri.query).get("mode") == ["memory"] or uri.path in ("", ":memory:")
    return "" if in_memory else unquote(uri.path)


def keep_private(path: str) -> None:
    """Make a database file that only its owner may read, or make the files that are there so. Raises OSError.

    Files of another owner stay as they are: this process could not change them.
    """
    with suppress(FileExistsError):
        # Whatever the mask of this process: it can only take away.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for ending in _BESIDE:
        _narrow(f"{path}{ending}", stat.S_ISREG)


def identity_of(path: str) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None for none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def make_private_folder(folder: Path) -> None:
    """The folder that Rolecall keeps its data in, for its owner alone. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    _narrow(str(folder), stat.S_ISDIR)


def _narrow(path: str, is_wanted: Callable[[int], bool]) -> None:
    # Not there, another owner's, or on a medium that has no modes or takes no changes.
    with suppress(OSError):
        status = os.stat(path)
        if is_wanted(status.st_mode) and status.st_mode & _OF_OTHERS:
            os.chmod(path, stat.S_IMODE(status.st_mode) & ~_OF_OTHERS)

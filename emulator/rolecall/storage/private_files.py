"""Makes database files readable by their owner only, because they hold secrets, seeds and sealing keys.

SQLite gives ``-wal`` and ``-shm`` the mode of the database, so the database must have the right mode from the start.
The mode of an existing file is changed by its name. This module never opens such a file: closing it would release the
locks that SQLite holds on it in this process (https://www.sqlite.org/howtocorrupt.html, "Posix advisory locks").
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
    """The file that SQLite's driver opens for a name, a path or a ``file:`` URI; empty when it opens none."""
    if not name.startswith("file:"):
        return "" if name in ("", ":memory:") else name
    uri = urlsplit(name)
    in_memory = parse_qs(uri.query).get("mode") == ["memory"] or uri.path in ("", ":memory:")
    return "" if in_memory else unquote(uri.path)


def keep_private(path: str) -> None:
    """Make a new database file that only its owner may read, or change the mode of the existing files. Raises OSError.

    Files of another owner stay as they are, because this process cannot change them.
    """
    with suppress(FileExistsError):
        # The umask of this process can only take away more permissions.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for ending in _BESIDE:
        _narrow(f"{path}{ending}", stat.S_ISREG)


def identity_of(path: str) -> tuple[int, int] | None:
    """Values that differ for two files of the same name; None when there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def make_private_folder(folder: Path) -> None:
    """Make the folder of Rolecall's data, for its owner only. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    _narrow(str(folder), stat.S_ISDIR)


def _narrow(path: str, is_wanted: Callable[[int], bool]) -> None:
    # The file may be missing, have another owner, or be on a file system without modes or without writing.
    with suppress(OSError):
        status = os.stat(path)
        if is_wanted(status.st_mode) and status.st_mode & _OF_OTHERS:
            os.chmod(path, stat.S_IMODE(status.st_mode) & ~_OF_OTHERS)

"""Files that a person names, and files that a sandbox file names: both are read with a bound.

A person may name a pipe or a terminal. A sandbox file may come from somebody else, so what it names is a regular file
in its own folder or below, and nothing is said of what is elsewhere, not even whether it is there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
ELSEWHERE_MESSAGE = "must be a file in the folder of the sandbox file or below it"
NO_FOLDER_MESSAGE = "names a file, and a text that comes without one has none beside it"
NOT_REGULAR_MESSAGE = "not a regular file"


class ElsewhereError(ValueError):
    """A file that a sandbox file must not name."""


def read_named(path: str | os.PathLike[str], maximum_bytes: int = MAXIMUM_FILE_BYTES) -> str:
    """The text of a file that a person has named, be it a pipe. Raises OSError, UnicodeDecodeError, ValueError.

    ValueError when it is longer than the bound, which a device without an end is.
    """
    with open(path, "rb") as file:
        return read_bounded(file, maximum_bytes)


def read_bounded(file: IO[bytes], maximum_bytes: int = MAXIMUM_FILE_BYTES) -> str:
    """The rest of an open file as text. Raises as :func:`read_named` does."""
    content = file.read(maximum_bytes + 1)
    if len(content) > maximum_bytes:
        raise ValueError(f"longer than {maximum_bytes} bytes")
    return content.decode("utf-8")


def read_beside(folder: str | None, name: str, maximum_bytes: int) -> str:
    """The text of the file ``name`` in a folder or below it. Raises ElsewhereError, and what :func:`read_named` does.

    Links are followed as long as they stay there: Kubernetes mounts files so. Never waits, as for who writes a pipe.
    """
    if folder is None:
        raise ElsewhereError(NO_FOLDER_MESSAGE)
    # By both grammars, so that a file means the same everywhere.
    written = PurePosixPath(name), PureWindowsPath(name)
    if "\0" in name or any(path.is_absolute() or path.anchor or ".." in path.parts for path in written):
        raise ElsewhereError(ELSEWHERE_MESSAGE)
    home = Path(folder).resolve()
    found = (home / name).resolve()
    if not found.is_relative_to(home):
        raise ElsewhereError(ELSEWHERE_MESSAGE)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(found, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, NOT_REGULAR_MESSAGE)
        return read_bounded(file, maximum_bytes)

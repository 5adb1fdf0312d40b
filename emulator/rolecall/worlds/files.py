"""Reads files that a user names, and files that a sandbox file names. Both have a maximum size.

A user may name a pipe or a terminal. A sandbox file may come from another person, so it may name only a regular file in
its own folder or below. Nothing is reported about other files, not even whether they exist.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
ELSEWHERE_MESSAGE = "must be a file in the folder of the sandbox file or below it"
NO_FOLDER_MESSAGE = "names a file, but this text has no folder to find it in"
NOT_REGULAR_MESSAGE = "not a regular file"


class ElsewhereError(ValueError):
    """A file that a sandbox file must not name."""


def read_named(path: str | os.PathLike[str], maximum_bytes: int = MAXIMUM_FILE_BYTES) -> str:
    """The text of a file that a user has named, which may be a pipe. Raises OSError, UnicodeDecodeError, ValueError.

    ValueError means that the text is longer than ``maximum_bytes``, as on a device without an end.
    """
    with open(path, "rb") as file:
        return read_bounded(file, maximum_bytes)


def read_bounded(file: IO[bytes], maximum_bytes: int = MAXIMUM_FILE_BYTES) -> str:
    """The rest of an open file as text. Raises the errors of :func:`read_named`."""
    content = file.read(maximum_bytes + 1)
    if len(content) > maximum_bytes:
        raise ValueError(f"longer than {maximum_bytes} bytes")
    return content.decode("utf-8")


def read_beside(folder: str | None, name: str, maximum_bytes: int) -> str:
    """The text of the file ``name`` in a folder or below it. Raises ElsewhereError, and as :func:`read_named`.

    Links inside the folder are followed, because Kubernetes mounts files so. It never waits, for example for the writer
    of a pipe.
    """
    if folder is None:
        raise ElsewhereError(NO_FOLDER_MESSAGE)
    # By the rules of both systems, so that a file means the same on each.
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

"""Whether the files of a SQLite database are still the files that this process has open.

A removed or replaced file goes on taking writes, and no later process finds them: https://www.sqlite.org/howtocorrupt.html,
"Unlinking or renaming a database file while in use". SQLite notices this only without a write-ahead log. The log's
files count as well: processes that open a database with another ``-shm`` do not see the locks of this one.
"""

from __future__ import annotations

import os
import sqlite3

from rolecall.storage.private_files import identity_of

_LOST_MESSAGE = "The database file {path} {became} since Rolecall opened it, so Rolecall refuses all changes. {advice}"
_RESTORE = "Stop Rolecall, restore the file if you need it, and start Rolecall again."
# The database's own file is in place, so a process that ends puts the content of the log into it.
_RESTART = "Stop Rolecall without killing it, which keeps all changes so far, and start it again."
_LOG_ENDINGS = ("-wal", "-shm")


class LostFileError(sqlite3.OperationalError):
    """The database takes no changes, because a file of it is not in place any more. The message says which."""


class OpenedFiles:
    """The file of a database by its path, with the two of its write-ahead log. An empty path: it has no files.

    Safe to share between threads.
    """

    def __init__(self, path: str) -> None:
        # A program may change its working directory while the database is open.
        self.path = os.path.abspath(path) if path else ""
        self._identities: dict[str, tuple[int, int]] = {}

    def note(self) -> None:
        """Remember the files that the first connection has opened. Later calls change nothing."""
        if self.path and not self._identities:
            found = {name: identity_of(name) for name in (self.path, *(self.path + end for end in _LOG_ENDINGS))}
            # A file system without shared memory gets no write-ahead log.
            self._identities = {name: identity for name, identity in found.items() if identity is not None}

    def forget(self) -> None:
        """After the last connection. SQLite has removed the files of the log."""
        self._identities = {}

    def lost(self) -> str:
        """What happened to one of the files since it was opened, and what to do; empty if all are in place."""
        for path, opened in self._identities.items():
            if identity_of(path) != opened:
                became = "was replaced by another" if os.path.exists(path) else "has disappeared"
                advice = _RESTORE if path == self.path else _RESTART
                return _LOST_MESSAGE.format(path=path, became=became, advice=advice)
        # With a write-ahead log no file is empty. A new connection to an emptied one would delete the log.
        if self.path + _LOG_ENDINGS[0] in self._identities and _is_empty(self.path):
            return _LOST_MESSAGE.format(path=self.path, became="was emptied", advice=_RESTORE)
        return ""

    def check(self) -> None:
        """Raise LostFileError unless all files are in place."""
        lost = self.lost()
        if lost:
            raise LostFileError(lost)


def _is_empty(path: str) -> bool:
    try:
        return os.path.getsize(path) == 0
    except OSError:
        return False

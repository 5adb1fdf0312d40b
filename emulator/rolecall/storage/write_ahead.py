"""Write-ahead logging of SQLite files. Several processes may switch a new file to it at the same moment."""

from __future__ import annotations

import sqlite3
import time

from rolecall.clock import monotonic_seconds

_PAUSE_SECONDS = 0.01


def write_ahead(driver: sqlite3.Connection, patience_seconds: float) -> None:
    """Switch the file to write-ahead logging; the switch holds for all processes. Raises sqlite3.OperationalError.

    When two processes switch at once, SQLite refuses one without its busy timeout, because waiting might block both:
    https://www.sqlite.org/c3ref/busy_handler.html. The refused process holds no lock here, so it may simply try again.
    """
    deadline = monotonic_seconds() + patience_seconds
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic_seconds() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return

"""Several processes that open a new file at once: each gets its turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rolecall.storage import write_ahead as module
from rolecall.storage.write_ahead import write_ahead


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A process in the middle of writing the file, which is not yet in this mode."""
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as driver:
        driver.execute("BEGIN EXCLUSIVE")
        yield driver


@pytest.fixture
def newcomer(tmp_path: Path, holder: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A connection whose busy timeout has no effect, as when two processes change the mode at once."""
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None, timeout=0)) as driver:
        yield driver


def mode(driver: sqlite3.Connection) -> str:
    return str(driver.execute("PRAGMA journal_mode").fetchone()[0])


def test_a_refused_client_waits_for_a_turn(
    holder: sqlite3.Connection, newcomer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            holder.execute("ROLLBACK")

    monkeypatch.setattr(module.time, "sleep", pause)
    write_ahead(newcomer, 3600)
    assert (len(pauses), mode(newcomer)) == (3, "wal")


def test_patience_ends(newcomer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = iter(range(100))
    monkeypatch.setattr(module, "monotonic_seconds", lambda: float(next(passed)))
    monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(newcomer, 5)
    assert next(passed) == 7


def test_what_waiting_cannot_mend_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("nothing of SQLite\n" * 100, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "notes.db")) as driver, pytest.raises(sqlite3.DatabaseError, match="not a"):
        write_ahead(driver, 3600)

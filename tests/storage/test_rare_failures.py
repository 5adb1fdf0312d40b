"""Failures of the storage room that need a broken machine or a mistake in the code above it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from rolecall.storage.decision_log import DecisionStore
from rolecall.storage.engine import Database
from rolecall.storage.migrate import upgrade


def test_only_a_database_in_memory_has_siblings(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    with pytest.raises(ValueError, match=r"^only a database in memory has siblings$"):
        database.sibling()
    database.close()


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_snapshot_that_cannot_begin_holds_up_no_other_work(kind: str, tmp_path: Path) -> None:
    """SQLite begins no snapshot within another. The failed attempt must still release the connection."""
    database = Database("sqlite://" if kind == "memory" else f"sqlite:///{tmp_path / 'test.db'}")
    upgrade(database)
    with (
        database.snapshot(),
        pytest.raises(sqlite3.OperationalError, match="within a transaction"),
        database.snapshot(),
    ):
        pass
    with database.snapshot() as connection:
        assert database.generation(connection) >= 0
    with database.transaction():
        pass
    database.close()


def test_what_a_failed_write_to_the_log_began_is_undone(tmp_path: Path) -> None:
    log = DecisionStore(str(tmp_path / "log.db"))

    def fail() -> None:
        with log._transaction() as driver:
            driver.execute("INSERT OR REPLACE INTO facts VALUES ('forgotten', 7)")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with log._transaction() as driver:
        assert driver.execute("SELECT value FROM facts WHERE name = 'forgotten' AND value = 7").fetchall() == []
    log.close()

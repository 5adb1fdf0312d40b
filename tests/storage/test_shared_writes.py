"""Writes of several threads in one transaction: acknowledged after the commit, and none harmed by a failed one."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from rolecall.storage import sqlite_dialect
from rolecall.storage.engine import Database
from rolecall.storage.shared_writes import _Write

pytestmark = pytest.mark.sqlite_driver

PATIENCE_SECONDS = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE generations (name TEXT PRIMARY KEY, value INTEGER NOT NULL)"))
        connection.execute(text("CREATE TABLE done (name TEXT PRIMARY KEY)"))
        connection.execute(text("INSERT INTO generations VALUES ('iam', 1)"))
    yield database
    database.close()


def adds(name: str, error: Exception | None = None) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(text("INSERT INTO done VALUES (:name)"), {"name": name})
        if error is not None:
            raise error
        return name

    return work


def kept(path: Path) -> list[str]:
    """What another process would find."""
    driver = sqlite3.connect(path)
    found = [name for (name,) in driver.execute("SELECT name FROM done ORDER BY name")]
    driver.close()
    return found


class Held:
    """A write that goes on only when it may, while others come to wait for the next transaction."""

    def __init__(self, database: Database, pool: ThreadPoolExecutor) -> None:
        self._database, self._pool = database, pool
        self._may_end = threading.Event()
        begun = threading.Event()

        def work(connection: Connection) -> None:
            begun.set()
            self._may_end.wait(PATIENCE_SECONDS)

        self.first = pool.submit(database.write, work)
        assert begun.wait(PATIENCE_SECONDS)

    def with_others(self, *works: Callable[[Connection], Any]) -> list[Future[Any]]:
        """The works, which all wait when the first transaction ends."""
        futures = []
        for count, work in enumerate(works, 1):
            futures.append(self._pool.submit(self._database.write, work))
            assert self._database._shared is not None
            until_waiting(self._database, count)
        self._may_end.set()
        return futures


def until_waiting(database: Database, count: int) -> None:
    shared = database._shared
    assert shared is not None
    for _ in range(100_000):
        if len(shared._waiting) == count:
            return
        threading.Event().wait(0.0005)
    raise AssertionError("the write does not wait")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_writes_that_wait_share_a_transaction(
    database: Database, path: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(database, pool)
    begun: list[object] = []
    transaction = database._writing
    monkeypatch.setattr(database._shared, "_transaction", lambda: begun.append(None) or transaction())
    futures = held.with_others(*(adds(f"{number}") for number in range(6)))
    assert [future.result(PATIENCE_SECONDS) for future in futures] == [f"{number}" for number in range(6)]
    assert len(begun) == 1
    assert kept(path) == [f"{number}" for number in range(6)]


def test_a_failed_write_is_undone_alone(database: Database, path: Path, pool: ThreadPoolExecutor) -> None:
    futures = Held(database, pool).with_others(
        adds("before"), adds("failed", KeyError("no")), adds("after"), adds("before")
    )
    assert futures[0].result(PATIENCE_SECONDS) == "before"
    with pytest.raises(KeyError, match="no"):
        futures[1].result(PATIENCE_SECONDS)
    assert futures[2].result(PATIENCE_SECONDS) == "after"
    with pytest.raises(Exception, match="UNIQUE constraint failed"):
        futures[3].result(PATIENCE_SECONDS)
    assert kept(path) == ["after", "before"]


def test_a_failed_write_alone_is_undone(database: Database, path: Path) -> None:
    with pytest.raises(KeyError, match="no"):
        database.write(adds("failed", KeyError("no")))
    assert database.write(adds("next")) == "next"
    assert kept(path) == ["next"]


def test_each_write_sees_those_before_it(database: Database, pool: ThreadPoolExecutor) -> None:
    def counts(connection: Connection) -> int:
        connection.execute(text("INSERT INTO done SELECT 'n' || count(*) FROM done"))
        return int(connection.execute(text("SELECT count(*) FROM done")).scalar_one())

    futures = Held(database, pool).with_others(*[counts] * 5)
    assert sorted(future.result(PATIENCE_SECONDS) for future in futures) == [1, 2, 3, 4, 5]


def test_nothing_is_acknowledged_when_the_database_undoes_the_transaction(
    database: Database, path: Path, pool: ThreadPoolExecutor
) -> None:
    def fails_as_on_a_full_disk(connection: Connection) -> None:
        # SQLite rolls back by itself: https://www.sqlite.org/lang_transaction.html, section 3.
        sqlite_dialect._driver_of(connection).execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    futures = Held(database, pool).with_others(adds("before"), fails_as_on_a_full_disk, adds("after"))
    for future in futures:
        with pytest.raises(Exception, match=r"disk is full|no such savepoint"):
            future.result(PATIENCE_SECONDS)
    assert kept(path) == []
    assert database.write(adds("next")) == "next"


def test_nothing_is_acknowledged_when_the_commit_fails(
    database: Database, path: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    held = Held(database, pool)
    monkeypatch.setattr(database._files, "check", fails)
    for future in [held.first, *held.with_others(adds("one"), adds("two"))]:
        with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
            future.result(PATIENCE_SECONDS)
    monkeypatch.undo()
    assert database.write(adds("next")) == "next"
    assert kept(path) == ["next"]


def test_the_end_of_a_thread_harms_no_other(database: Database, path: Path, pool: ThreadPoolExecutor) -> None:
    def ends(_connection: Connection) -> None:
        raise SystemExit

    futures = Held(database, pool).with_others(adds("one"), ends)
    for future in futures:
        with pytest.raises(SystemExit):
            future.result(PATIENCE_SECONDS)
    assert database.write(adds("next")) == "next"
    assert kept(path) == ["next"]


def test_a_write_waits_no_longer_than_its_patience(
    database: Database, path: Path, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(database, pool)
    monkeypatch.setattr(database._shared, "_patience_seconds", 0.01)
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        database.write(adds("late"))
    monkeypatch.undo()
    (future,) = held.with_others(adds("next"))
    assert future.result(PATIENCE_SECONDS) == "next"
    assert kept(path) == ["next"]


def test_a_turn_that_comes_at_the_end_of_the_patience_is_taken(database: Database, path: Path) -> None:
    """Otherwise the next transaction would have no thread to make it, and no later write would end."""
    shared = database._shared
    assert shared is not None
    late = _Write(adds("late"))
    shared._waiting.append(late)
    shared._writes = True

    class EndsAsTheTurnComes:
        """A wait that has ended when the turn is given."""

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            return timeout < 0

        def release(self) -> None:
            pass

    late.gate = EndsAsTheTurnComes()  # type: ignore[assignment]
    shared._wait(late)
    shared._lead()
    assert late.outcome() == "late"
    assert database.write(adds("next")) == "next"
    assert kept(path) == ["late", "next"]


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_is_there_and_nothing_else(
    database: Database, path: Path, pool: ThreadPoolExecutor, seed: int
) -> None:
    chosen = random.Random(seed)
    fails = {f"{number:03}" for number in range(200) if chosen.random() < 0.3}

    def attempt(name: str) -> str | None:
        try:
            return database.write(adds(name, ValueError(name) if name in fails else None))
        except ValueError:
            return None

    acknowledged = {name for name in pool.map(attempt, [f"{number:03}" for number in range(200)]) if name}
    assert acknowledged == {f"{number:03}" for number in range(200)} - fails
    assert set(kept(path)) == acknowledged

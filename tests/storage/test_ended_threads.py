"""What becomes of a thread's connection when the thread ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from postgresql_server import databases
from postgresql_worlds import migrated_template
from sqlalchemy import event

from rolecall.storage.engine import Database
from rolecall.storage.migrate import upgrade


@pytest.fixture(params=["memory", "file", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        url = databases().new_url(migrated_template())
        made = Database(url)
        yield made
        made.close()
        databases().drop(url.rpartition("/")[2])
        return
    made = Database("sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'rolecall.db'}")
    upgrade(made)
    yield made
    made.close()


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def read(database: Database) -> None:
    with database.snapshot() as connection:
        database.generation(connection)


def test_no_ending_thread_touches_its_connection(database: Database) -> None:
    """Otherwise it would change the isolation of the one connection in memory while others use it."""
    returned: list[object] = []
    event.listen(database._engine, "checkin", lambda *_: returned.append(threading.current_thread()))

    def work() -> None:
        read(database)
        returned.clear()

    in_a_thread(work)
    assert returned == []
    in_a_thread(lambda: read(database))
    assert len(returned) == 1


def test_threads_that_come_and_go_leave_one_connection_behind(database: Database) -> None:
    for _ in range(20):
        in_a_thread(lambda: read(database))
    assert len(database._readers.all) == 1
    read(database)
    assert list(database._readers.all) == [database._readers.held()[0]]


class Watched:
    """A lock that notes whether the first thread that asks for it gets it at once."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.was_asked = threading.Event()
        self.was_free = False

    def acquire(self, timeout: float) -> bool:
        self.was_free = self._lock.acquire(blocking=False)
        self.was_asked.set()
        return self.was_free or bool(self._lock.acquire(timeout=timeout))

    def release(self) -> None:
        self._lock.release()


def test_the_database_is_closed_after_what_another_thread_reads(database: Database) -> None:
    """The driver would crash if a connection were closed while it is used."""
    is_reading = threading.Event()
    watched: list[Watched] = []

    def work() -> None:
        with database.snapshot() as connection:
            thread, lock = database._readers.all[connection]
            watched.append(Watched(lock))
            database._readers.all[connection] = (thread, cast(Any, watched[0]))
            is_reading.set()
            assert watched[0].was_asked.wait(60)
            database.generation(connection)
            found.append(connection.exec_driver_sql("SELECT value FROM generations").scalar())

    found: list[object] = []
    reading = threading.Thread(target=work)
    reading.start()
    assert is_reading.wait(60)
    database.close()
    reading.join(60)
    assert not watched[0].was_free
    assert found == [1]

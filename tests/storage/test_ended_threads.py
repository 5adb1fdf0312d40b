"""What becomes of a thread's connection when the thread ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from rolecall.storage.engine import Database
from rolecall.storage.migrate import upgrade


@pytest.fixture(params=["memory", "file"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
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


def test_the_database_is_closed_after_what_another_thread_reads(database: Database) -> None:
    """The driver would crash if a connection were closed while it is used."""
    is_reading, may_end, was_closed = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with database.snapshot() as connection:
            is_reading.set()
            may_end.wait(60)
            assert not was_closed.is_set()
            database.generation(connection)

    reading = threading.Thread(target=work)
    reading.start()
    assert is_reading.wait(60)
    closing = threading.Thread(target=lambda: (database.close(), was_closed.set()))
    closing.start()
    may_end.set()
    reading.join(60)
    closing.join(60)
    assert was_closed.is_set()

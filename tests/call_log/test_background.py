"""The thread that writes the decision log and the last uses."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rolecall.call_log.background import BackgroundWriter


class Notebook:
    """Something that waits to be written. It keeps what the writer did, for all notebooks of a test."""

    def __init__(self, name: str, done: list[str], interval_seconds: float = 0.001) -> None:
        self.interval_seconds = interval_seconds
        self.written = threading.Event()
        self._name = name
        self._done = done

    def write_waiting(self) -> bool:
        self._done.append(f"{self._name} written")
        self.written.set()
        return False

    def close(self) -> None:
        self._done.append(f"{self._name} closed")


@pytest.fixture
def done() -> Iterator[list[str]]:
    threads = set(threading.enumerate())
    yield []
    for thread in set(threading.enumerate()) - threads:
        thread.join(60)
        assert not thread.is_alive(), "the writer's thread did not end"


def test_the_thread_writes_everything_in_order_and_ends_when_it_is_closed(done: list[str]) -> None:
    # The second alone would be looked at once an hour: the shortest interval counts.
    first, second = Notebook("first", done), Notebook("second", done, 3600)
    writer = BackgroundWriter(first, second)
    assert done == []
    writer.start()
    assert second.written.wait(60)
    writer.close()
    assert done[:2] == ["first written", "second written"]
    assert [entry for entry in done if entry.endswith("closed")] == ["first closed", "second closed"]


def test_a_writer_without_its_thread_writes_at_the_end_only(done: list[str]) -> None:
    BackgroundWriter(Notebook("first", done), Notebook("second", done)).close()
    assert done == ["first closed", "second closed"]

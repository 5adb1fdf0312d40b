"""Writes of calls on the event loop: the loop goes on while the disk works, and acknowledges none before it has."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import Process, processes
from raw_iam import PATIENCE_SECONDS, answer_of, connected, held_loop, request_bytes
from server_in_thread import InThread, served_in_thread
from world_handle import WorldHandle

from rolecall.server.posted_writes import PostedWrites
from rolecall.storage.shared_writes import SharedWrites, Together
from rolecall.web.application import web_application

TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},'
    '"Action":"sts:AssumeRole"}]}'
)

pytestmark = pytest.mark.sqlite_driver


class Served:
    """A server over a database in a file, and clients that are connected to it."""

    def __init__(self, process: Process, served: InThread, clients: list[socket.socket], path: Path) -> None:
        self.process, self.loop_thread, self.clients, self.path = process, served, clients, path
        self.url = served.url

    def creation(self, name: str) -> bytes:
        return request_bytes(self.url, "CreateUser", "iam", "2010-05-08", UserName=name)

    def reading(self) -> bytes:
        return request_bytes(self.url, "GetCallerIdentity", "sts", "2011-06-15")

    def send_in_one_turn(self, *requests: bytes) -> None:
        """One of each client."""
        with held_loop(self.loop_thread):
            for client, each in zip(self.clients, requests, strict=False):
                client.sendall(each)

    def stored(self) -> set[str]:
        """The names that another process would find."""
        driver = sqlite3.connect(self.path)
        names = {name for (name,) in driver.execute("SELECT name FROM users")}
        driver.close()
        return names


@pytest.fixture
def served(world: WorldHandle, tmp_path: Path) -> Iterator[Served]:
    with processes(world, tmp_path, 1) as (process,), ExitStack() as stack:
        application = web_application(process.sandbox)
        front = stack.enter_context(served_in_thread(application))
        reading = request_bytes(front.url, "GetCallerIdentity", "sts", "2011-06-15")
        yield Served(process, front, connected(front, stack, reading), tmp_path / "shared.db")


@contextmanager
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, Callable[[], None]]]:
    """The event of a commit that has begun, and the function that lets commits end."""
    begun, may_end = threading.Event(), threading.Event()
    end = Together.end

    def slow(together: Together) -> None:
        begun.set()
        may_end.wait(PATIENCE_SECONDS)
        end(together)

    monkeypatch.setattr(Together, "end", slow)
    try:
        yield begun, may_end.set
    finally:
        may_end.set()
        monkeypatch.undo()


def test_the_loop_answers_others_while_the_disk_works(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader, *_ = served.clients
    with slow_disk(monkeypatch) as (begun, go_on):
        writer.sendall(served.creation("made"))
        assert begun.wait(PATIENCE_SECONDS)
        for _ in range(3):
            reader.sendall(served.reading())
            assert b"200 OK" in answer_of(reader)
        # Neither acknowledged nor on the disk.
        writer.setblocking(False)
        with pytest.raises(BlockingIOError):
            writer.recv(1)
        writer.settimeout(PATIENCE_SECONDS)
        assert "made" not in served.stored()
        go_on()
        assert b"200 OK" in answer_of(writer)
    assert "made" in served.stored()


def test_writes_of_one_turn_share_a_transaction(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    end = Together.end
    monkeypatch.setattr(Together, "end", lambda together: (sizes.append(len(together.writes)), end(together)))
    names = [f"user{number}" for number in range(len(served.clients))]
    served.send_in_one_turn(*map(served.creation, names))
    for client, name in zip(served.clients, names, strict=True):
        assert f"<UserName>{name}</UserName>".encode() in answer_of(client)
    assert sizes == [len(names)]
    assert set(names) <= served.stored()


def test_one_refused_write_harms_no_other_of_its_transaction(served: Served) -> None:
    one, two, three, *_ = served.clients
    served.send_in_one_turn(served.creation("same"), served.creation("same"), served.creation("other"))
    answers = [answer_of(client) for client in (one, two, three)]
    assert [b"200 OK" in each for each in answers] == [True, False, True]
    assert b"EntityAlreadyExists" in answers[1]
    assert {"same", "other"} <= served.stored()


def test_nothing_is_acknowledged_when_the_commit_fails(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    before = served.stored()
    monkeypatch.setattr(served.process.database._files, "check", fails)
    served.send_in_one_turn(served.creation("one"), served.creation("two"))
    for client in served.clients[:2]:
        assert b"ServiceUnavailable" in answer_of(client)
    monkeypatch.undo()
    assert served.stored() == before
    served.clients[0].sendall(served.creation("one"))
    assert b"200 OK" in answer_of(served.clients[0])


def test_the_loop_does_not_wait_for_another_process_that_writes(served: Served) -> None:
    writer, reader, *_ = served.clients
    other = sqlite3.connect(served.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        writer.sendall(served.creation("late"))
        for _ in range(3):
            reader.sendall(served.reading())
            assert b"200 OK" in answer_of(reader)
        assert "late" not in served.stored()
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert b"200 OK" in answer_of(writer)
    assert "late" in served.stored()


def test_threads_and_the_loop_take_turns(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of the loop waits while a thread makes a transaction, and the other way round."""
    database = served.process.database
    iam = served.process.client("iam")
    with slow_disk(monkeypatch) as (begun, go_on):
        thread = threading.Thread(target=lambda: iam.create_user(UserName="by-thread"))
        thread.start()
        assert begun.wait(PATIENCE_SECONDS)
        served.send_in_one_turn(served.creation("by-loop"), served.creation("by-loop-too"))
        assert database.shared is not None
        go_on()
        assert all(b"200 OK" in answer_of(client) for client in served.clients[:2])
        thread.join(PATIENCE_SECONDS)
    begun.clear()
    with slow_disk(monkeypatch) as (begun, go_on):
        served.clients[0].sendall(served.creation("first"))
        assert begun.wait(PATIENCE_SECONDS)
        thread = threading.Thread(target=lambda: iam.create_user(UserName="second"))
        thread.start()
        go_on()
        assert b"200 OK" in answer_of(served.clients[0])
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert {"by-thread", "by-loop", "by-loop-too", "first", "second"} <= served.stored()


def test_a_change_of_rights_holds_with_the_next_call(served: Served) -> None:
    """Its reader may come while the thread that committed has not yet noted what it changed."""
    client, other, *_ = served.clients
    client.sendall(
        request_bytes(served.url, "CreateRole", "iam", "2010-05-08", RoleName="r", AssumeRolePolicyDocument=TRUST)
    )
    assert b"200 OK" in answer_of(client)
    for number in range(20):
        text = f"new {number}"
        change = {"RoleName": "r", "Description": text}
        client.sendall(request_bytes(served.url, "UpdateRole", "iam", "2010-05-08", **change))
        assert b"200 OK" in answer_of(client)
        other.sendall(request_bytes(served.url, "GetRole", "iam", "2010-05-08", RoleName="r"))
        assert f"<Description>{text}</Description>".encode() in answer_of(other)


# The end of the loop.


def shared_of(process: Process) -> SharedWrites:
    shared = process.database.shared
    assert shared is not None
    return shared


@pytest.mark.parametrize("is_made_by_loop", [True, False])
def test_a_write_that_the_loop_has_not_begun_is_made_when_it_stops(
    world: WorldHandle, tmp_path: Path, is_made_by_loop: bool
) -> None:
    """Threads that write after the loop, such as the one of the last uses, would wait for its turn to end."""
    done: list[str] = []
    with processes(world, tmp_path, 1) as (process,):

        async def main() -> None:
            writes = PostedWrites(asyncio.get_running_loop())
            writes.add(shared_of(process), lambda _: done.append("posted"), lambda outcome: outcome())
            if is_made_by_loop:
                # The loop begins it, and a thread commits it.
                await asyncio.sleep(0)
            writes.stop()

        asyncio.run(main())
        process.database.write(lambda _: done.append("after"))
    assert done == ["posted", "after"]


def test_a_turn_that_comes_after_the_stop_is_taken(world: WorldHandle, tmp_path: Path) -> None:
    done: list[str] = []
    begun, may_end = threading.Event(), threading.Event()
    with processes(world, tmp_path, 1) as (process,):

        def holds(_: Any) -> None:
            begun.set()
            may_end.wait(PATIENCE_SECONDS)

        thread = threading.Thread(target=process.database.write, args=(holds,))
        thread.start()
        assert begun.wait(PATIENCE_SECONDS)

        async def main() -> None:
            writes = PostedWrites(asyncio.get_running_loop())
            writes.add(shared_of(process), lambda _: done.append("posted"), lambda outcome: outcome())
            writes.stop()

        asyncio.run(main())
        may_end.set()
        thread.join(PATIENCE_SECONDS)
        process.database.write(lambda _: done.append("after"))
        # The later write may take the turn over. Then it makes the transaction of both, its own work first.
        assert sorted(done) == ["after", "posted"]


@pytest.mark.parametrize("when", ["before it is begun", "while the disk works", "behind another post"])
def test_a_write_of_the_loop_itself_does_not_wait_for_the_loop(
    world: WorldHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Code on the loop may write and wait, as when it keeps the port of an address."""
    done: list[str] = []
    with processes(world, tmp_path, 1) as (process,):
        shared = shared_of(process)
        monkeypatch.setattr(shared, "_patience_seconds", 5)

        async def main() -> None:
            writes = PostedWrites(asyncio.get_running_loop())
            ended = asyncio.Event()

            def post(name: str) -> None:
                writes.add(shared, lambda _: done.append(name), lambda outcome: (outcome(), ended.set()))

            post("posted")
            if when != "before it is begun":
                # The loop begins the transaction, and a thread commits it.
                await asyncio.sleep(0)
            if when == "behind another post":
                post("posted too")
            process.database.write(lambda _: done.append("written"))
            assert "written" in done
            await ended.wait()
            post("last")
            await asyncio.sleep(0)
            writes.stop()

        asyncio.run(main())
        process.database.write(lambda _: done.append("after"))
    assert sorted(done) == sorted(["posted", "written", "last", "after", *["posted too"][: when.startswith("behind")]])
    assert done[-1] == "after"

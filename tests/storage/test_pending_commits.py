"""A reader may see a commit of its own process before the writing thread has noted what it changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from rolecall.storage import migrate, pending_commits
from rolecall.storage import tables as t
from rolecall.storage.engine import Database
from rolecall.storage.pending_commits import PendingCommits
from rolecall.storage.transactions import MadeChanges

pytestmark = pytest.mark.sqlite_driver

ACCOUNT = "111122223333"
PATIENCE_SECONDS = 20


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrate.upgrade(database)
    with database.transaction() as connection:
        connection.execute(insert(t.accounts).values(account_id=ACCOUNT, name="one", position=0))
    yield database
    database.close()


def add_user(connection: Any) -> None:
    user = {"user_id": "AIDA1", "account_id": ACCOUNT, "name": "a", "name_key": "a", "created_at_seconds": 1}
    connection.execute(insert(t.users), user)


def generation_of(database: Database) -> int:
    with database.snapshot() as connection:
        return database.generation(connection)


def test_a_reader_waits_for_the_note(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = generation_of(database)
    found: list[Any] = []
    asked = threading.Event()
    put, settled = MadeChanges.put, PendingCommits.settled

    def read() -> None:
        generation = generation_of(database)
        found.append((generation, database.changed_between(before, generation)))

    def late_put(made: MadeChanges, generation: int, entities: frozenset[str]) -> None:
        # The commit is over, and nothing is noted yet.
        reader.start()
        assert asked.wait(PATIENCE_SECONDS)
        put(made, generation, entities)

    def noticed(pending: PendingCommits, generation: int) -> bool:
        asked.set()
        return settled(pending, generation)

    reader = threading.Thread(target=read)
    monkeypatch.setattr(MadeChanges, "put", late_put)
    monkeypatch.setattr(PendingCommits, "settled", noticed)
    monkeypatch.setattr(pending_commits, "_PATIENCE_SECONDS", PATIENCE_SECONDS)
    database.write(add_user)
    reader.join(PATIENCE_SECONDS)
    assert found == [(before + 1, {"AIDA1"})]


def test_a_commit_that_failed_is_settled_and_has_changed_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then another process may make the same generation, and anything may differ."""
    before = generation_of(database)

    class Begun:
        def __init__(self, begun: Any) -> None:
            self._begun = begun

        def __enter__(self) -> Any:
            return self._begun.__enter__()

        def __exit__(self, *_error: object) -> None:
            error = OSError("no disk")
            self._begun.__exit__(OSError, error, None)
            raise error

    held = Database._held
    monkeypatch.setattr(Database, "_held", lambda database, *idle, **named: Begun(held(database, *idle, **named)))
    with pytest.raises(OSError, match="no disk"):
        database.write(add_user)
    monkeypatch.undo()
    assert generation_of(database) == before
    assert database.changed_between(before, before + 1) is None
    assert database._made.pending._last is None
    database.write(add_user)
    assert database.changed_between(before, before + 1) == {"AIDA1"}


def test_nobody_waits_for_another_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    pending = PendingCommits()
    assert not pending.settled(5)
    first = pending.begin(5)
    assert not pending.settled(4)
    assert not pending.settled(6)
    monkeypatch.setattr(pending_commits, "_PATIENCE_SECONDS", 0)
    # It is still under way.
    assert not pending.settled(5)
    second = pending.begin(6)
    pending.end(first)
    assert not pending.settled(6)
    pending.end(second)
    assert pending._last is None

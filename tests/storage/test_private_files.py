"""Only the owner can read database files. A clean stop leaves them whole; lost and corrupt files are reported."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sqlite3
import stat
import sys
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from rolecall.app import application_over, checkpoint_database, decision_log, open_database
from rolecall.cli import main
from rolecall.clock import Clock
from rolecall.commands import common
from rolecall.inprocess import client
from rolecall.storage.decision_log import CallFilter, DecisionStore
from rolecall.storage.engine import Database
from rolecall.storage.private_files import file_of
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX"),
    pytest.mark.usefixtures("quick_collections"),
]
EVERYTHING = CallFilter(limit=10)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_mask() -> Iterator[None]:
    """With the file mode mask of a careless shell, under which every user may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def write(path: Path) -> tuple[Database, DecisionStore]:
    """A database and a log with some content, both open."""
    database = Database(f"sqlite:///{path}")
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS a (b)")
    store = DecisionStore(str(path.with_name("rolecall-decisions.db")))
    store.clear(0)
    return database, store


def test_new_files_are_private_from_their_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    connect = sqlite3.connect

    def watched(path: Any, *arguments: Any, **named: Any) -> Any:
        # The file exists before SQLite opens it, with a mode that SQLite would not have chosen.
        seen.append(mode(Path(path)))
        return connect(path, *arguments, **named)

    monkeypatch.setattr(sqlite3, "connect", watched)
    monkeypatch.setattr("sqlite3.dbapi2.connect", watched)
    database, store = write(tmp_path / "rolecall.db")
    assert seen
    assert set(seen) == {0o600}
    files = {path.name: mode(path) for path in tmp_path.iterdir()}
    assert set(files) >= {"rolecall.db", "rolecall.db-wal", "rolecall.db-shm", "rolecall-decisions.db-wal"}
    assert set(files.values()) == {0o600}
    database.close()
    store.close()


def test_files_that_every_user_could_read_are_narrowed(tmp_path: Path) -> None:
    path = tmp_path / "rolecall.db"
    first, first_store = write(path)
    for file in tmp_path.iterdir():
        file.chmod(0o666)
    # Another process opens the files that are open here.
    second, second_store = write(path)
    assert {mode(file) for file in tmp_path.iterdir()} == {0o600}
    for each in (first, first_store, second, second_store):
        each.close()


def test_a_mode_that_is_narrower_stays(tmp_path: Path) -> None:
    path = tmp_path / "rolecall.db"
    for each in write(path):
        each.close()
    path.chmod(0o400)
    with closing(Database(f"sqlite:///{path}")) as database, database.snapshot():
        assert mode(path) == 0o400


def test_the_data_folder_is_private_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "share" / "rolecall"
    monkeypatch.setattr(common, "user_data_folder", lambda: data)
    common.with_folder(f"sqlite:///{data}/rolecall.db")
    assert mode(data) == 0o700
    data.chmod(0o755)
    common.with_folder(f"sqlite:///{data}/rolecall.db")
    assert mode(data) == 0o700
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o755)
    for each in write(mine / "rolecall.db"):
        each.close()
    assert mode(mine) == 0o755


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("", ""),
        (":memory:", ""),
        ("file::memory:?uri=true", ""),
        ("file:shared?mode=memory&uri=true", ""),
        ("a.db", "a.db"),
        ("file:a%20b.db?mode=rw&uri=true", "a b.db"),
    ],
)
def test_the_file_of_a_name(name: str, file: str) -> None:
    assert file_of(name) == file


def test_after_a_clean_stop_the_file_alone_is_whole(tmp_path: Path) -> None:
    world, clock = read_world_file(str(builtin_world_path())), Clock()
    url = f"sqlite:///{tmp_path / 'rolecall.db'}"
    database = open_database(url, world, clock)
    application = application_over(database, world, clock, decisions=decision_log(url, clock))
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE written_last (a)")
    client(application, "sts", "test", "test").get_caller_identity()
    # A thread of the server still has its connection.
    with database.snapshot():
        pass
    application.finish()
    (tmp_path / "copy").mkdir()
    for name in ("rolecall.db", "rolecall-decisions.db"):
        shutil.copy(tmp_path / name, tmp_path / "copy" / name)
    with closing(sqlite3.connect(tmp_path / "copy" / "rolecall.db")) as copied:
        assert copied.execute("SELECT count(*) FROM written_last").fetchone() == (0,)
        assert copied.execute("SELECT count(*) FROM accounts").fetchone()[0] > 0
    with closing(sqlite3.connect(tmp_path / "copy" / "rolecall-decisions.db")) as copied:
        assert copied.execute("SELECT count(*) FROM calls").fetchone() == (1,)
    database.close()


def test_what_killed_workers_left_is_brought_in(tmp_path: Path) -> None:
    path = tmp_path / "rolecall.db"
    database, store = write(path)
    # As if their processes had ended without closing: both stay open.
    assert path.with_name("rolecall.db-wal").stat().st_size > 0
    checkpoint_database(f"sqlite:///{path}")
    assert path.with_name("rolecall.db-wal").stat().st_size == 0
    database.close()
    store.close()
    checkpoint_database("sqlite:////no/such/folder/rolecall.db")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_removed_database_is_reported(tmp_path: Path, replaced: bool) -> None:
    world, clock = read_world_file(str(builtin_world_path())), Clock()
    path = tmp_path / "rolecall.db"
    database = open_database(f"sqlite:///{path}", world, clock)
    browser = application_over(database, world, clock).test_client()
    assert browser.get("/_rolecall/health").json["status"] == "ok"
    if replaced:
        shutil.copy(path, tmp_path / "other.db")
        os.replace(tmp_path / "other.db", path)
    else:
        path.unlink()
    answer = browser.get("/_rolecall/health")
    assert answer.status_code == 503
    assert (answer.json["status"], answer.json["database"]) == ("unavailable", "lost")
    assert ("was replaced" if replaced else "has disappeared") in answer.json["message"]
    assert str(path) in answer.json["message"]
    assert "start Rolecall again" in answer.json["message"]
    database.close()


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but some text" * 100, b"SQLite format 3\0" + b"\xff" * 8000]
)
def test_a_corrupt_log_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    path = tmp_path / "rolecall-decisions.db"
    path.write_bytes(content)
    store = DecisionStore(str(path))
    with caplog.at_level(logging.WARNING):
        assert store.calls(EVERYTHING) == []
    assert "is corrupt" in caplog.text
    assert path.with_name("rolecall-decisions.db.corrupt").read_bytes() == content
    assert mode(path) == mode(path.with_name("rolecall-decisions.db.corrupt")) == 0o600
    store.close()


def test_a_log_that_becomes_corrupt_is_begun_anew_by_one_of_those_that_write_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rolecall-decisions.db"
    first, second = DecisionStore(str(path)), DecisionStore(str(path))
    first.clear(0)
    second.clear(0)
    first.close()
    second.close()
    size = path.stat().st_size
    for store in (first, second):
        # Opens the file, and reads none of the pages that are damaged next.
        store.dropped()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (size - 100))
    with caplog.at_level(logging.WARNING):
        with pytest.raises(sqlite3.DatabaseError):
            first.calls(EVERYTHING)
        # The other one sees that its file is not in place any more.
        for store in (second, first):
            assert store.calls(EVERYTHING) == []
    assert caplog.text.count("is corrupt") == 1
    for store in (first, second):
        store.close()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Every connection made from now on. Kept, so that none is closed by going out of use."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*arguments: Any, **named: Any) -> Any:
        made.append(connect(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    monkeypatch.setattr("sqlite3.dbapi2.connect", kept)
    return made


def is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018
    except sqlite3.ProgrammingError:
        return True
    return False


@pytest.mark.parametrize("ending", ["closed", "forgotten"])
@pytest.mark.parametrize("place", ["file", "memory"])
def test_a_database_leaves_no_connection_open(
    tmp_path: Path, connections: list[sqlite3.Connection], ending: str, place: str
) -> None:
    database = Database("sqlite://" if place == "memory" else f"sqlite:///{tmp_path / 'rolecall.db'}")

    def read() -> None:
        with database.snapshot():
            pass

    read()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: read(), range(4)))
        if ending == "closed":
            # Its threads are alive, and hold their connections.
            database.close()
            assert all(map(is_closed, connections))
    if ending == "forgotten":
        del database, read
        gc.collect()
    assert connections
    assert all(map(is_closed, connections))


def test_commands_leave_no_connection_open(tmp_path: Path, connections: list[sqlite3.Connection]) -> None:
    url = f"sqlite:///{tmp_path / 'rolecall.db'}"
    decision_log(url, Clock()).store.clear(0)
    snapshot = str(tmp_path / "world.yaml")
    # Without the clean-up that closes a forgotten database.
    tools = SimpleNamespace(ref=weakref.ref, finalize=lambda *_arguments: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rolecall.storage.engine.weakref", tools)
        for arguments in (
            ["db", "upgrade"],
            ["keys", "rotate"],
            ["keys", "list"],
            ["decisions"],
            ["decisions", "--since", "1h"],
            ["explain", "--last"],
            ["policy", "--principal", "arn:aws:iam::111122223333:user/admin"],
            ["policy", "--principal", "arn:aws:iam::111122223333:user/admin", "--unused"],
            ["snapshot", "save", snapshot],
            ["snapshot", "load", snapshot],
        ):
            del connections[:]
            CliRunner().invoke(main, [*arguments, "--database", url])
            assert connections, arguments
            assert all(map(is_closed, connections)), arguments

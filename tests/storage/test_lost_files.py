"""A database whose files were removed or replaced while it is open refuses changes: none is acknowledged and lost."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rolecall.app import application_over, decision_log, open_database
from rolecall.clock import Clock
from rolecall.inprocess import client
from rolecall.storage import opened_files
from rolecall.storage.decision_log import CallFilter, DecisionStore
from rolecall.storage.engine import Database, DatabaseError
from rolecall.storage.migrate import upgrade
from rolecall.storage.opened_files import LostFileError
from rolecall.storage.problems import UnsuitableDatabaseError
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody remove an open file")
EVERYTHING = CallFilter(limit=10)


def deleted(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replaced(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    os.replace(path.with_name("copy.db"), path)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def log_deleted(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def log_replaced(path: Path) -> None:
    replaced(path.with_name(f"{path.name}-wal"))


def index_deleted(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


FAULTS = [
    (deleted, "rolecall.db has disappeared", "restore the file"),
    (moved, "rolecall.db has disappeared", "restore the file"),
    (replaced, "rolecall.db was replaced by another", "restore the file"),
    (emptied, "rolecall.db was emptied", "restore the file"),
    (folder_deleted, "rolecall.db has disappeared", "restore the file"),
    (folder_moved, "rolecall.db has disappeared", "restore the file"),
    (log_deleted, "rolecall.db-wal has disappeared", "without killing it"),
    (log_replaced, "rolecall.db-wal was replaced by another", "without killing it"),
    (index_deleted, "rolecall.db-shm has disappeared", "without killing it"),
]
EVERY_FAULT = pytest.mark.parametrize(("fault", "said", "advice"), FAULTS, ids=[each[0].__name__ for each in FAULTS])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "rolecall.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{path}", read_world_file(str(builtin_world_path())), Clock())) as opened:
        yield opened


def error_code(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@EVERY_FAULT
def test_changes_are_refused_and_calls_that_read_go_on(
    path: Path, database: Database, caplog: pytest.LogCaptureFixture, fault: Any, said: str, advice: str
) -> None:
    application = application_over(database, read_world_file(str(builtin_world_path())), Clock())
    iam = client(application, "iam", "test", "test")
    iam.create_user(UserName="before")
    fault(path)
    with caplog.at_level(logging.ERROR):
        assert error_code(iam.create_user, UserName="after") == (503, "ServiceUnavailable")
        assert error_code(iam.delete_user, UserName="before") == (503, "ServiceUnavailable")
    assert caplog.text.count(said) == caplog.text.count(advice) == 2
    assert "Traceback" not in caplog.text
    # Nothing of what was refused is seen.
    assert iam.get_user(UserName="before")["User"]["UserName"] == "before"
    assert error_code(iam.get_user, UserName="after") == (404, "NoSuchEntity")
    browser = application.test_client()
    assert browser.post("/_rolecall/reset").status_code == 503
    assert browser.put("/_rolecall/faults", json=[]).status_code == 503
    assert browser.get("/_rolecall/probe/ready").status_code == 503
    health = browser.get("/_rolecall/health")
    assert (health.status_code, health.json["database"]) == (503, "lost")
    assert said in health.json["message"]


@EVERY_FAULT
def test_a_new_connection_opens_no_other_file(
    path: Path, database: Database, fault: Any, said: str, advice: str
) -> None:
    """A thread that comes later would make a new file, or read one that the other threads do not read."""
    with database.snapshot() as connection:
        generation = database.generation(connection)
    fault(path)
    before = sorted(path.parent.iterdir()) if path.parent.exists() else None
    found: list[object] = []

    def read() -> None:
        try:
            with database.snapshot() as connection:
                found.append(database.generation(connection))
        except DatabaseError as error:
            found.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    # The pool may still have a connection to the right file.
    assert found[0] == generation or said in str(found[0])
    assert (sorted(path.parent.iterdir()) if path.parent.exists() else None) == before


@pytest.mark.parametrize("fault", [moved, folder_moved])
def test_a_file_that_is_moved_back_takes_changes_again(path: Path, database: Database, fault: Any) -> None:
    application = application_over(database, read_world_file(str(builtin_world_path())), Clock())
    iam = client(application, "iam", "test", "test")
    fault(path)
    assert error_code(iam.create_user, UserName="away")[0] == 503
    if fault is moved:
        path.with_name("moved.db").rename(path)
    else:
        path.parent.with_name("moved").rename(path.parent)
    iam.create_user(UserName="back")
    with closing(sqlite3.connect(path)) as driver:
        names = {name for (name,) in driver.execute("SELECT name FROM users")}
    assert "back" in names
    assert "away" not in names


@pytest.mark.parametrize("fault", [log_deleted, log_replaced, index_deleted])
def test_a_clean_stop_keeps_what_the_lost_log_had(path: Path, database: Database, fault: Any) -> None:
    """As the message advises."""
    application = application_over(database, read_world_file(str(builtin_world_path())), Clock())
    iam = client(application, "iam", "test", "test")
    iam.create_user(UserName="kept")
    fault(path)
    assert error_code(iam.create_user, UserName="refused")[0] == 503
    application.finish()
    database.close()
    with closing(Database(f"sqlite:///{path}")) as again, again.snapshot() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = {name for (name,) in connection.exec_driver_sql("SELECT name FROM users")}
    assert "kept" in names
    assert "refused" not in names


def test_a_new_connection_to_an_emptied_file_keeps_its_log(path: Path, database: Database) -> None:
    """SQLite takes an empty file for a new database, and would delete the log."""
    application = application_over(database, read_world_file(str(builtin_world_path())), Clock())
    client(application, "iam", "test", "test").create_user(UserName="kept")
    emptied(path)
    log_file = path.with_name(f"{path.name}-wal")
    before = log_file.read_bytes()
    database._engine.pool.dispose()
    with pytest.raises(DatabaseError, match="was emptied"):
        database._engine.connect()
    assert log_file.read_bytes() == before


def test_only_changes_look_at_the_files(path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    identity_of = opened_files.identity_of

    def counted(name: str) -> tuple[int, int] | None:
        looked.append(name)
        return identity_of(name)

    application = application_over(database, read_world_file(str(builtin_world_path())), Clock())
    iam = client(application, "iam", "test", "test")
    # Each of these opens a connection the first time.
    iam.get_user(UserName="admin")
    iam.create_user(UserName="new")
    monkeypatch.setattr(opened_files, "identity_of", counted)
    for _ in range(3):
        iam.get_user(UserName="admin")
        client(application, "sts", "test", "test").get_caller_identity()
    assert looked == []
    database.write(lambda connection: connection.exec_driver_sql("UPDATE generations SET value = value"))
    assert looked == [str(path), f"{path}-wal", f"{path}-shm"]


def test_another_working_directory_loses_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Database("sqlite:///relative.db")) as database:
        upgrade(database)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        upgrade(database)
        assert database.lost_file() == ""


def test_a_database_that_is_closed_and_used_again_is_not_lost(path: Path) -> None:
    """SQLite removes the log's files with the last connection."""
    database = Database(f"sqlite:///{path}")
    for _ in range(2):
        upgrade(database)
        database.close()
    upgrade(database)
    path.unlink()
    with pytest.raises(LostFileError):
        database.write(lambda connection: None)
    database.close()


@pytest.mark.parametrize("fault", [deleted, moved, replaced, emptied, log_deleted, log_replaced, index_deleted])
def test_a_lost_log_is_begun_anew(path: Path, database: Database, caplog: pytest.LogCaptureFixture, fault: Any) -> None:
    """The decision log: calls go on, and every process finds them."""
    clock = Clock()
    log = decision_log(f"sqlite:///{path}", clock)
    application = application_over(database, read_world_file(str(builtin_world_path())), clock, decisions=log)
    sts = client(application, "sts", "test", "test")
    sts.get_caller_identity()
    log.flush()
    file = path.with_name("rolecall-decisions.db")
    fault(file)
    sts.get_session_token()
    with caplog.at_level(logging.WARNING):
        log.flush()
    assert caplog.text.count("was removed or replaced") == 1
    # Another process finds the call. It finds the earlier one too where the file itself stayed.
    with closing(DecisionStore(str(file))) as other:
        found = [call.operation for call in other.calls(EVERYTHING)]
    assert found[0] == "GetSessionToken"
    if fault in (log_deleted, log_replaced, index_deleted):
        assert found[1:] == ["GetCallerIdentity"]
    log.store.close()


@pytest.mark.parametrize(("version", "table"), [(0, "calls"), (3, "accounts"), (4, "accounts")])
def test_another_database_in_the_place_of_the_log_is_left_alone(path: Path, version: int, table: str) -> None:
    """Rolecall once emptied it: a log of another version is replaced by an empty one."""
    file = path.with_name("rolecall-decisions.db")
    with closing(sqlite3.connect(file)) as driver:
        driver.execute(f"CREATE TABLE {table} (name)")
        driver.execute(f"INSERT INTO {table} VALUES ('kept')")  # noqa: S608
        driver.execute(f"PRAGMA user_version={version}")
        driver.commit()
    content = file.read_bytes()
    with closing(DecisionStore(str(file))) as store:
        with pytest.raises(sqlite3.OperationalError, match=r"is another database, not a decision log"):
            store.calls(EVERYTHING)
        with pytest.raises(sqlite3.OperationalError, match=r"is another database, not a decision log"):
            store.clear(0)
    assert file.read_bytes() == content


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as driver:
        driver.execute("CREATE TABLE customers (name)")
    with (
        closing(Database(f"sqlite:///{path}")) as database,
        pytest.raises(UnsuitableDatabaseError, match="'customers'"),
    ):
        upgrade(database)
    with closing(sqlite3.connect(path)) as driver:
        assert driver.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]

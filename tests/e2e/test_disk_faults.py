"""A disk that is full, read-only or broken: clear answers, nothing acknowledged lost, and service again afterwards."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from disks import Disk, small_disk, why_no_disk
from served import FIRST_ACCOUNT, Server, start, start_rolecall

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and namespaces")
DISK_BYTES = 12_000_000
# More than fit into what SQLite still has when the disk is full.
ATTEMPTS = 100
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FIRST_ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    reason = why_no_disk()
    if reason:
        pytest.skip(reason)
    with small_disk(tmp_path, DISK_BYTES) as disk:
        yield disk


@contextlib.contextmanager
def serving(folder: Path, *, disk: Disk | None = None) -> Iterator[Server]:
    where = folder if disk is None else disk.path
    url = f"sqlite:///{(where / 'rolecall.db').as_posix()}"
    served = start(folder, database=url, through=() if disk is None else disk.through)
    try:
        yield served
    finally:
        served.kill()


def create_roles(iam: Any, prefix: str, count: int) -> tuple[set[str], set[tuple[int, str]]]:
    """The names of the roles that the server acknowledged; status and code of all other answers."""
    made, refusals = set(), set()
    for number in range(count):
        name = f"{prefix}-{number}"
        try:
            iam.create_role(
                RoleName=name, Path="/disk/", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v" * 200}]
            )
            made.add(name)
        except ClientError as error:
            refusals.add((error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]))
    return made, refusals


def roles(iam: Any) -> set[str]:
    pages = iam.get_paginator("list_roles").paginate(PathPrefix="/disk/")
    return {role["RoleName"] for page in pages for role in page["Roles"]}


def is_sound(file: Path, copy: Path) -> bool:
    """Whether SQLite finds a database whole, in a copy of it with its log."""
    copy.mkdir()
    for suffix in ("", "-wal"):
        if (source := file.with_name(file.name + suffix)).exists():
            shutil.copy(source, copy)
    with contextlib.closing(sqlite3.connect(copy / file.name)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_full_disk_refuses_changes_and_nothing_else(tmp_path: Path, disk: Disk) -> None:
    with serving(tmp_path, disk=disk) as served:
        iam = served.client("iam")
        kept, refusals = create_roles(iam, "before", 5)
        assert (len(kept), refusals) == (5, set())
        disk.fill()
        made, refusals = create_roles(iam, "full", ATTEMPTS)
        assert refusals == {(503, "ServiceUnavailable")}
        kept |= made
        # Reads go on, and see nothing of what was refused.
        assert roles(iam) == kept
        assert served.client("sts").get_caller_identity()["Account"] == FIRST_ACCOUNT
        assert "database or disk is full" in served.errors()
        assert "Traceback" not in served.errors()
        # With space, changes work again without a restart.
        disk.free()
        made, refusals = create_roles(iam, "after", 5)
        assert (len(made), refusals) == (5, set())
        kept |= made
        disk.fill()
        kept |= create_roles(iam, "again", ATTEMPTS)[0]
        served.kill()
        disk.free()
        assert is_sound(disk.seen / "rolecall.db", tmp_path / "copy")
        served.restart()
        assert roles(iam) == kept


def test_an_error_of_the_disk_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A limit on the size of files makes each write beyond it fail, which SQLite takes for an error of the disk."""
    with serving(tmp_path) as served:
        iam = served.client("iam")
        kept, refusals = create_roles(iam, "before", 5)
        assert (len(kept), refusals) == (5, set())
        limits = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE)
        size_bytes = (tmp_path / "rolecall.db-wal").stat().st_size
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
        made, refusals = create_roles(iam, "broken", ATTEMPTS)
        assert refusals == {(503, "ServiceUnavailable")}
        kept |= made
        assert roles(iam) == kept
        assert "disk I/O error" in served.errors()
        assert "Traceback" not in served.errors()
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, limits)
        made, refusals = create_roles(iam, "after", 5)
        assert (len(made), refusals) == (5, set())
        kept |= made
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
        kept |= create_roles(iam, "again", ATTEMPTS)[0]
        served.kill()
        assert is_sound(tmp_path / "rolecall.db", tmp_path / "copy")
        served.restart()
        assert roles(iam) == kept


def test_a_read_only_disk_is_named_at_the_start(tmp_path: Path, disk: Disk) -> None:
    with serving(tmp_path, disk=disk) as served:
        kept, _ = create_roles(served.client("iam"), "before", 5)
        served.stop()
        disk.remount("ro")
        url = f"sqlite:///{(disk.path / 'rolecall.db').as_posix()}"
        refused = start_rolecall(tmp_path, "serve", "--database", url, through=disk.through)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert len(refused.stderr.splitlines()) == 1
        assert refused.stderr.startswith("rolecall: cannot open the database: ")
        disk.remount("rw")
        served.restart()
        assert roles(served.client("iam")) == kept
        served.stop()


@pytest.mark.parametrize("whole", [False, True], ids=["some pages", "the whole file"])
def test_a_damaged_file_gives_no_wrong_answer(tmp_path: Path, whole: bool) -> None:
    with serving(tmp_path) as served:
        kept, _ = create_roles(served.client("iam"), "before", 20)
        served.stop()
        file = tmp_path / "rolecall.db"
        content = file.read_bytes()
        file.write_bytes((b"" if whole else content[:4096]) + b"\xa5" * (len(content) - (0 if whole else 4096)))
        refused = start_rolecall(tmp_path, "serve", "--database", f"sqlite:///{file.as_posix()}")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert len(refused.stderr.splitlines()) == 1
        assert refused.stderr.startswith("rolecall: cannot open the database: ")
        # A copy of the file is all that a user needs.
        file.write_bytes(content)
        served.restart()
        assert roles(served.client("iam")) == kept


def test_a_file_that_is_damaged_while_it_is_served_is_named(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        iam = served.client("iam")
        create_roles(iam, "before", 300)
        served.stop()
        served.restart()
        file = tmp_path / "rolecall.db"
        content = file.read_bytes()
        with file.open("r+b") as damaged:
            damaged.seek(4096)
            damaged.write(b"\xa5" * (len(content) - 4096))
        with pytest.raises(ClientError) as caught:
            roles(iam)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503)
        assert "malformed" in served.errors()
        assert "Traceback" not in served.errors()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("fault", ["deleted", "moved", "without its log"])
def test_a_file_that_is_lost_while_it_is_served_takes_no_changes(tmp_path: Path, fault: str, workers: str) -> None:
    file = tmp_path / "rolecall.db"
    served = start(tmp_path, "--workers", workers, database=f"sqlite:///{file.as_posix()}")
    try:
        iam = served.client("iam")
        kept, _ = create_roles(iam, "before", 5)
        lost = file.with_name("rolecall.db-wal") if fault == "without its log" else file
        lost.rename(tmp_path / "elsewhere")
        made, refusals = create_roles(iam, "after", 20)
        assert (made, refusals) == (set(), {(503, "ServiceUnavailable")})
        assert f"{lost} has disappeared" in served.errors()
        assert "Traceback" not in served.errors()
        served.stop()
        if fault == "moved":
            (tmp_path / "elsewhere").rename(file)
        served.restart()
        # Without its file a server begins with nothing, as with any path that names no file yet.
        assert roles(served.client("iam")) == (set() if fault == "deleted" else kept)
    finally:
        served.kill()

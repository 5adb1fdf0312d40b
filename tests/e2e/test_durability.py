"""Acknowledged changes survive ``kill -9`` whole, and writers at the same time lose nothing."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from amounts import usual
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from served import FIRST_ACCOUNT, PATIENCE_SECONDS, Server, start

ROUNDS = int(os.environ.get("ROLECALL_TEST_KILL_ROUNDS") or usual(20, most=500))
WRITERS = 4
LEAST_ACKNOWLEDGED = 5
# Well below the quota of an account.
ROLES_KEPT = 600
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FIRST_ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)
TAGS = [{"Key": "round", "Value": "1"}, {"Key": "team", "Value": "core"}]


def all_roles(iam: Any) -> dict[str, dict[str, Any]]:
    pages = iam.get_paginator("list_roles").paginate(PathPrefix="/burst/")
    return {role["RoleName"]: role for page in pages for role in page["Roles"]}


class Burst:
    """Threads that create and delete roles until the server ends, and the changes that it acknowledged to them."""

    def __init__(self, clients: list[Any], name: str) -> None:
        self.created: set[str] = set()
        self.deleted: set[str] = set()
        # Requested without an answer, so it is unknown whether the server did them.
        self.unknown: set[str] = set()
        self.problems: list[str] = []
        self._acknowledged = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._write, args=(iam, f"{name}-{index}")) for index, iam in enumerate(clients)
        ]

    def __enter__(self) -> Burst:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        """Waits for so many acknowledged calls, however long the server takes."""
        for _ in range(count):
            assert self._acknowledged.acquire(timeout=PATIENCE_SECONDS)

    def _write(self, iam: Any, prefix: str) -> None:
        for number in range(10_000):
            name = f"{prefix}-{number}"
            try:
                iam.create_role(RoleName=name, Path="/burst/", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
                self.created.add(name)
                self._acknowledged.release()
                if number % 3 == 2:
                    iam.delete_role(RoleName=name)
                    self.deleted.add(name)
                    self._acknowledged.release()
            except (HTTPClientError, ConnectionError):
                self.unknown.add(name)
                return
            except ClientError as error:
                self.problems.append(str(error))
                return


def test_a_killed_server_has_kept_what_it_acknowledged(tmp_path: Path) -> None:
    served = start(tmp_path)
    # Made once, because making a client takes longer than a burst. They find the restarted server at the same address.
    clients = [served.client("iam") for _ in range(WRITERS)]
    expected: set[str] = set()
    waits = random.Random(4580)
    acknowledged = 0
    try:
        for number in range(ROUNDS):
            with Burst(clients, f"round-{number}") as burst:
                try:
                    burst.wait_for(LEAST_ACKNOWLEDGED)
                    time.sleep(waits.uniform(0, 0.15))
                finally:
                    served.kill()
            assert burst.problems == []
            acknowledged += len(burst.created) + len(burst.deleted)
            served.restart()
            expected |= burst.created - burst.deleted
            expected = check_roles(clients[0], burst, expected)
            if len(expected) > ROLES_KEPT:
                for name in expected:
                    clients[0].delete_role(RoleName=name)
                expected = set()
        assert stored_roles(tmp_path / "rolecall.db") == expected
        served.stop()
    finally:
        served.kill()
    # Otherwise the test would prove nothing.
    assert acknowledged >= LEAST_ACKNOWLEDGED * ROUNDS


def check_roles(iam: Any, burst: Burst, expected: set[str]) -> set[str]:
    """The roles of a restarted server: all acknowledged ones, and any of the unknown ones, but whole."""
    found = set(all_roles(iam))
    assert expected - found <= burst.unknown
    assert found - expected <= burst.unknown
    assert not found & burst.deleted
    for name in (burst.created | burst.unknown) & found:
        role = iam.get_role(RoleName=name)["Role"]
        assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
        assert role["Tags"] == TAGS
        assert role["Arn"] == f"arn:aws:iam::{FIRST_ACCOUNT}:role/burst/{name}"
    return found


def stored_roles(file: Path) -> set[str]:
    """The names in the database itself, and that it is sound."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {name for (name,) in connection.execute("SELECT name FROM roles WHERE path = '/burst/'")}
    finally:
        connection.close()


def churn_roles(served: Server, index: int, count: int) -> set[str]:
    """Create roles, delete every second; returns those left."""
    iam, left = served.client("iam"), set()
    for number in range(count):
        name = f"writer-{index}-{number}"
        iam.create_role(RoleName=name, Path="/burst/", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
        if number % 2:
            iam.delete_role(RoleName=name)
        else:
            left.add(name)
    return left


def churn_users(served: Server, account: str, index: int, count: int) -> set[str]:
    """Create Chime users and rename every second; returns the addresses."""
    chime, made = served.client("chime"), set()
    for number in range(count):
        email = f"user-{index}-{number}@example.com"
        user = chime.create_user(AccountId=account, Email=email)["User"]["UserId"]
        if number % 2:
            chime.update_user(AccountId=account, UserId=user, LicenseType="Basic")
        made.add(email)
    return made


@pytest.mark.parametrize(("workers", "threads"), [("1", "1"), ("2", "1"), ("2", "2")])
def test_writers_at_the_same_time_lose_nothing(make_server: Callable[..., Server], workers: str, threads: str) -> None:
    served, count = make_server("--workers", workers, "--threads", threads), 20
    chime = served.client("chime")
    account = chime.create_account(Name="Busy")["Account"]["AccountId"]
    with ThreadPoolExecutor(2 * WRITERS) as pool:
        roles = [pool.submit(churn_roles, served, index, count) for index in range(WRITERS)]
        users = [pool.submit(churn_users, served, account, index, count) for index in range(WRITERS)]
        left = set().union(*(future.result() for future in roles))
        made = set().union(*(future.result() for future in users))
    found = all_roles(served.client("iam"))
    assert set(found) == left == stored_roles(served.folder / "rolecall.db")
    pages = list(chime.get_paginator("list_users").paginate(AccountId=account))
    licences = {user["PrimaryEmail"]: user["LicenseType"] for page in pages for user in page["Users"]}
    assert set(licences) == made
    assert sum(licence == "Basic" for licence in licences.values()) == len(made) // 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_of_writers_of_the_same_name_one_succeeds(make_server: Callable[..., Server], workers: str) -> None:
    served = make_server("--workers", workers)
    clients = [served.client("iam") for _ in range(2 * WRITERS)]

    def attempt(iam: Any, name: str) -> str:
        try:
            iam.create_role(RoleName=name, Path="/burst/", AssumeRolePolicyDocument=TRUST)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(len(clients)) as pool:
        for number in range(10):
            # Names compare without case.
            names = [f"same-{number}" if index % 2 else f"SAME-{number}" for index in range(len(clients))]
            outcomes = sorted(pool.map(attempt, clients, names))
            assert outcomes == ["EntityAlreadyExists"] * (len(clients) - 1) + ["created"]
    assert len(all_roles(clients[0])) == 10

"""Several ``serve`` processes over one PostgreSQL: nothing broken that one would keep, nothing acknowledged lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from amounts import usual
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from postgresql_server import PASSWORD, Databases, databases
from postgresql_server import Server as Postgresql
from served import FIRST_ACCOUNT, PATIENCE_SECONDS, Server, run_rolecall, start

from rolecall.sessions.one_time_codes import STEP_SECONDS, codes_from
from rolecall.storage import dialects

PROCESSES = 4
MIXED_OPERATIONS = usual(600, most=100_000)
CHANGES = usual(60, most=10_000)
KILL_ROUNDS = usual(3, most=50)
STOP_ROUNDS = usual(3, most=50)
# A call that hangs ends the test. The server's own time-outs are shorter.
CLIENT = {"read_timeout": PATIENCE_SECONDS, "connect_timeout": PATIENCE_SECONDS}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FIRST_ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)
QUOTA = 20
CONFIG = f"""
version: 1
accounts:
  - id: "{FIRST_ACCOUNT}"
    users:
      - name: admin
        access_keys: [{{id: test, secret: test}}]
        attached_policies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
        mfa_devices: [{{name: phone, seed: JBSWY3DPEHPK3PXP}}]
      - name: ana
        access_keys: [{{id: ana1, secret: ana1}}]
settings:
  quotas: {{RolesPerAccount: {QUOTA}}}
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    """Four processes over one database that was empty when the first two began at once."""
    name = databases().new()
    url = databases().server.url(name)
    (tmp_path / "sandbox.yaml").write_text(CONFIG)
    options = ("--config", str(tmp_path / "sandbox.yaml"))
    with ThreadPoolExecutor(PROCESSES) as pool:
        found = list(pool.map(lambda _: start(tmp_path, *options, database=url), range(PROCESSES)))
    yield found
    for server in found:
        server.kill()
    databases().drop(name)


def _code(call: Any, **arguments: Any) -> str:
    """The error of a call; empty when it was done."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def _mixed(iam: Any, number: int, count: int) -> Counter[str]:
    """Creating and deleting roles and policies whose names all processes use. Returns how the calls ended."""
    dice, ends = random.Random(number), Counter[str]()
    for _ in range(count):
        name = f"role-{dice.randrange(QUOTA + 5)}"
        operation, arguments = dice.choice(
            [
                (iam.create_role, {"AssumeRolePolicyDocument": TRUST}),
                (iam.create_role, {"AssumeRolePolicyDocument": TRUST}),
                (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": '{"Version":"2012-10-17","Statement":[]}'}),
                (iam.delete_role_policy, {"PolicyName": "p"}),
                (iam.delete_role, {}),
            ]
        )
        ends[_code(operation, RoleName=name, **arguments)] += 1
    return ends


@pytest.mark.slow
def test_four_processes_keep_what_one_would_keep(servers: list[Server]) -> None:
    """Names stay unique, the quota holds, and nothing ends in an error of the server."""
    clients = [server.client("iam", **CLIENT) for server in servers]
    with ThreadPoolExecutor(PROCESSES) as pool:
        share = MIXED_OPERATIONS // PROCESSES
        ends = sum(pool.map(_mixed, clients, range(PROCESSES), [share] * PROCESSES), Counter[str]())
    expected = {"", "EntityAlreadyExists", "NoSuchEntity", "DeleteConflict", "LimitExceeded", "MalformedPolicyDocument"}
    assert set(ends) <= expected, ends
    assert ends["EntityAlreadyExists"]
    roles = [role["RoleName"] for page in clients[0].get_paginator("list_roles").paginate() for role in page["Roles"]]
    assert len(roles) == len(set(roles)) <= QUOTA


@pytest.mark.slow
def test_a_change_at_one_process_holds_with_the_next_call_at_another(servers: list[Server]) -> None:
    admin = servers[0].client("iam", **CLIENT)
    others = [server.client("iam", ("ana1", "ana1"), **CLIENT) for server in servers[1:]]
    allowing = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}}
    )
    for number in range(CHANGES):
        ana = others[number % len(others)]
        admin.put_user_policy(UserName="ana", PolicyName="may", PolicyDocument=allowing)
        assert _code(ana.list_users) == ""
        admin.delete_user_policy(UserName="ana", PolicyName="may")
        assert _code(ana.list_users) == "AccessDenied"


@pytest.mark.slow
def test_one_use_of_a_code_and_one_count_of_faults(servers: list[Server]) -> None:
    """Whichever processes the calls reach."""
    device = f"arn:aws:iam::{FIRST_ACCOUNT}:mfa/phone"
    sts = [server.client("sts", **CLIENT) for server in servers]
    with ThreadPoolExecutor(PROCESSES) as pool:
        code = codes_from("JBSWY3DPEHPK3PXP", int(time.time()) // STEP_SECONDS, 1)[0]
        ends = list(pool.map(lambda one: _code(one.get_session_token, SerialNumber=device, TokenCode=code), sts))
    assert Counter(ends) == {"": 1, "AccessDenied": 3}
    rule = [{"service": "sts", "operation": "GetCallerIdentity", "error": "Throttling", "times": 7}]
    answer = servers[0].request(
        "PUT", "/_rolecall/faults", json.dumps(rule).encode(), {"Content-Type": "application/json"}
    )
    assert answer.status == 200, answer.body
    with ThreadPoolExecutor(PROCESSES) as pool:
        ends = list(pool.map(lambda number: _code(sts[number % PROCESSES].get_caller_identity), range(40)))
    assert Counter(ends) == {"Throttling": 7, "": 33}


@pytest.mark.slow
def test_a_refusal_is_explained_by_every_process_and_by_the_command(servers: list[Server], tmp_path: Path) -> None:
    ids = []
    for server in servers:
        with pytest.raises(ClientError) as caught:
            server.client("iam", ("ana1", "ana1")).list_roles()
        ids.append(caught.value.response["ResponseMetadata"]["RequestId"])
    for server in servers:
        for request_id in ids:
            status, found = server.control("GET", f"decisions/{request_id}")
            assert (status, found["outcome"]) == (200, "ImplicitDeny")
    url = servers[0].options[1]
    for request_id in ids:
        explained = run_rolecall(tmp_path, "explain", request_id, "--database", url)
        assert explained.returncode == 0, explained.stderr
        assert "iam:ListRoles" in explained.stdout
    for server in servers:
        assert PASSWORD not in server.output() + server.errors()
        assert PASSWORD.replace(" ", "%20") not in server.output() + server.errors()


class _Burst:
    """Threads that create roles at random processes until they are stopped, and what was acknowledged to them."""

    def __init__(self, servers: list[Server], name: str) -> None:
        self.acknowledged: set[str] = set()
        self.problems: list[str] = []
        self._stopped = threading.Event()
        self._enough = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._write, args=(one, f"{name}-{n}")) for n, one in enumerate(servers)
        ]

    def __enter__(self) -> _Burst:
        for thread in self._threads:
            thread.start()
        for _ in range(3):
            assert self._enough.acquire(timeout=PATIENCE_SECONDS)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "a call hangs"

    def _write(self, server: Server, name: str) -> None:
        iam = server.client("iam", **CLIENT)
        number = 0
        while not self._stopped.is_set():
            number += 1
            role = f"{name}-{number}"
            try:
                iam.create_group(GroupName=role)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "LimitExceeded":
                    return
                if code != "ServiceUnavailable":
                    self.problems.append(f"{role}: {error}")
                # A client that repeats a call at once takes the processor from the servers that recover.
                self._stopped.wait(0.02)
            except (ConnectionError, HTTPClientError):
                # The process was killed.
                return
            else:
                self.acknowledged.add(role)
                self._enough.release()


def _groups(server: Server) -> set[str]:
    iam = server.client("iam", **CLIENT)
    return {group["GroupName"] for page in iam.get_paginator("list_groups").paginate() for group in page["Groups"]}


def _delete(server: Server, names: set[str]) -> None:
    iam = server.client("iam", **CLIENT)
    for name in names:
        iam.delete_group(GroupName=name)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_and_holds_up_no_other(servers: list[Server]) -> None:
    for number in range(KILL_ROUNDS):
        victim = servers[1 + number % (PROCESSES - 1)]
        with _Burst(servers, f"kill-{number}") as burst:
            os.killpg(victim.process.pid, signal.SIGKILL)
            time.sleep(0.1)
        victim.process.wait(PATIENCE_SECONDS)
        assert burst.problems == []
        kept = _groups(servers[0])
        assert burst.acknowledged <= kept
        _delete(servers[0], kept)
        victim.restart()


@pytest.mark.slow
def test_a_server_that_stops_at_once_loses_nothing_acknowledged(tmp_path: Path, server_folder: Path) -> None:
    """With fsync and everything else that a real server has. Rolecall's processes recover by themselves."""
    postgresql = Postgresql(server_folder, durable=True)
    servers: list[Server] = []
    try:
        url = Databases(postgresql).new_url()
        servers = [start(tmp_path, database=url) for _ in range(2)]
        for number in range(STOP_ROUNDS):
            with _Burst(servers, f"stop-{number}") as burst:
                postgresql.stop(signal.SIGQUIT)
                postgresql.start()
            assert burst.problems == [], servers[0].errors()[-3000:]
            kept = _groups(servers[0])
            assert burst.acknowledged <= kept == _groups(servers[1])
            _delete(servers[0], kept)
    finally:
        for server in servers:
            server.kill()
        postgresql.stop(signal.SIGQUIT)


@pytest.mark.slow
def test_a_standby_takes_over(tmp_path: Path, server_folder: Path) -> None:
    """With synchronous replication nothing acknowledged is lost. The processes find the new primary by themselves."""
    folders = [server_folder / name for name in ("primary", "standby")]
    for folder in folders:
        folder.mkdir()
    primary = Postgresql(folders[0], durable=True)
    standby: Postgresql | None = None
    servers: list[Server] = []
    try:
        name = Databases(primary).new()
        standby = Postgresql(folders[1], durable=True, standby_of=primary)
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        both = f"host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}&target_session_attrs=read-write"
        url = f"postgresql+psycopg://rolecall:{PASSWORD.replace(' ', '%20')}@/{name}?{both}"
        servers = [start(tmp_path, database=url) for _ in range(2)]
        with _Burst(servers, "before") as burst:
            primary.stop(signal.SIGQUIT)
            standby.execute("SELECT pg_promote()")
        assert burst.problems == []
        assert burst.acknowledged <= _groups(servers[0]) == _groups(servers[1])
        servers[1].client("iam", **CLIENT).create_group(GroupName="after")
        assert "after" in _groups(servers[0])
    finally:
        for server in servers:
            server.kill()
        primary.stop(signal.SIGQUIT)
        if standby is not None:
            standby.stop(signal.SIGQUIT)


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for servers. As root they run as another user, whom pytest lets into none of its own folders."""
    folder = Path(tempfile.mkdtemp(prefix="rolecall-postgresql-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def empty_url() -> Iterator[str]:
    name = databases().new()
    yield databases().server.url(name)
    databases().drop(name)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda url: url.replace("%20", "-"), 'password authentication failed for user "rolecall"'),
        (lambda url: url + "_missing", "does not exist"),
        (lambda url: url.replace("+psycopg", "+asyncpg"), "the database URL is not valid"),
    ],
    ids=["password", "database", "driver"],
)
@pytest.mark.parametrize("command", [["serve", "--port", "4599"], ["db", "upgrade"], ["decisions"], ["keys", "list"]])
def test_an_unusable_database_is_one_clear_line(
    tmp_path: Path, empty_url: str, spoil: Any, said: str, command: list[str]
) -> None:
    done = run_rolecall(tmp_path, *command, "--database", spoil(empty_url))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stdout + done.stderr


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in ("postgresql_dialect", "postgresql_forms", "postgresql_link", "postgresql_log"):
        monkeypatch.delitem(sys.modules, f"rolecall.storage.{name}", raising=False)
    dialects.dialect_named.cache_clear()
    done = run_rolecall(tmp_path, "serve", "--port", "4599", "--database", "postgresql+psycopg://somewhere/db")
    dialects.dialect_named.cache_clear()
    assert (done.returncode, done.stderr) == (
        2,
        "rolecall: PostgreSQL needs another package: pip install 'rolecall[postgresql]'\n",
    )


@pytest.mark.slow
def test_workers_and_commands_share_the_database(tmp_path: Path, empty_url: str) -> None:
    server = start(tmp_path, "--workers", "2", database=empty_url)
    try:
        assert "***" in server.output()
        server.client("iam").create_user(UserName="new")
        saved = run_rolecall(tmp_path, "snapshot", "save", "-", "--database", empty_url)
        assert "name: new" in saved.stdout, saved.stderr
        listed = run_rolecall(tmp_path, "keys", "list", "--database", empty_url)
        assert listed.returncode == 0, listed.stderr
        calls = run_rolecall(tmp_path, "decisions", "--database", empty_url)
        assert "iam:CreateUser" in calls.stdout, calls.stderr
    finally:
        server.stop()
    again = start(tmp_path, database=empty_url)
    try:
        assert "from earlier runs" in again.output()
    finally:
        again.stop()

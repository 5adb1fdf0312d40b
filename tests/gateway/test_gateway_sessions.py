"""Temporary credentials need nothing from the database, and every application over one database accepts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from raw_calls import Keys, Received, keys_of, query_call, send, signed
from sqlalchemy import create_engine, inspect, text

from rolecall.app import add_sealing_key, application_over, list_sealing_keys, open_database
from rolecall.clock import Clock
from rolecall.storage.engine import Database
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

ADMIN: Keys = ("test", "test")
READER = "arn:aws:iam::111122223333:role/chime-reader"
ALLOW_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
ISSUING: list[tuple[str, dict[str, str]]] = [
    ("AssumeRole", {"RoleArn": READER, "RoleSessionName": "session"}),
    ("AssumeRole", {"RoleArn": READER, "RoleSessionName": "session", "Policy": ALLOW_ALL}),
    ("GetSessionToken", {}),
    ("GetFederationToken", {"Name": "fed", "Policy": ALLOW_ALL}),
]


class Sandbox:
    """A database file with any number of applications over it, as worker processes have them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "rolecall.db"
        self.url = f"sqlite:///{self.file.as_posix()}"
        self.clock = Clock()
        self.world = read_world_file(str(builtin_world_path()))
        self.databases: list[Database] = []

    def application(self) -> Any:
        """Adds an application with its own connection, caches and key ring."""
        self.databases.append(open_database(self.url, self.world, self.clock))
        return application_over(self.databases[-1], self.world, self.clock)

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        engine = create_engine(self.url)
        with engine.connect() as connection:
            tables = inspect(connection).get_table_names()
            found = {name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))] for name in tables}  # noqa: S608
        engine.dispose()
        return found

    def files(self) -> dict[str, bytes]:
        """Name and bytes of the database's files, without the readers' shared memory."""
        return {path.name: path.read_bytes() for path in self.file.parent.iterdir() if not path.name.endswith("-shm")}

    def close(self) -> None:
        for database in self.databases:
            database.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path)
    yield made
    made.close()


def issue(application: Any, operation: str, parameters: dict[str, str], keys: Keys = ADMIN) -> Keys:
    received = send(application, signed(query_call("sts", operation, **parameters), keys, "sts"))
    assert received.status == 200, received
    found = {
        name: received.body.decode().split(f"<{name}>")[1].split("<")[0]
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    }
    return keys_of(found)


def identity(application: Any, keys: Keys) -> Received:
    return send(application, signed(query_call("sts", "GetCallerIdentity"), keys, "sts"))


def test_issuing_and_using_credentials_writes_nothing(sandbox: Sandbox) -> None:
    application = sandbox.application()
    assert identity(application, ADMIN).status == 200
    rows, files = sandbox.rows(), sandbox.files()
    for _ in range(20):
        for operation, parameters in ISSUING:
            keys = issue(application, operation, parameters)
            assert identity(application, keys).status == 200
    assert sandbox.files() == files
    assert sandbox.rows() == rows
    assert sum(len(table) for table in rows.values()) > 20


def test_the_comparison_would_notice_a_write(sandbox: Sandbox) -> None:
    application = sandbox.application()
    rows, files = sandbox.rows(), sandbox.files()
    call = query_call("iam", "CreateUser", UserName="new")
    assert send(application, signed(call, ADMIN, "iam")).status == 200
    assert sandbox.files() != files
    assert sandbox.rows() != rows


@pytest.mark.parametrize(("operation", "parameters"), ISSUING)
def test_two_applications_take_each_other_s_sessions(
    sandbox: Sandbox, operation: str, parameters: dict[str, str]
) -> None:
    first, second = sandbox.application(), sandbox.application()
    for one, other in ((first, second), (second, first)):
        keys = issue(one, operation, parameters)
        assert identity(other, keys).body.split(b"<RequestId>")[0] == identity(one, keys).body.split(b"<RequestId>")[0]


def test_a_later_application_takes_the_sessions_of_an_earlier_one(sandbox: Sandbox) -> None:
    keys = issue(sandbox.application(), *ISSUING[0])
    sandbox.close()
    sandbox.databases.clear()
    assert identity(sandbox.application(), keys).status == 200


def test_what_one_application_changes_holds_for_the_other_on_the_next_call(sandbox: Sandbox) -> None:
    first, second = sandbox.application(), sandbox.application()
    keys = issue(first, *ISSUING[0])
    listing = query_call("iam", "ListUsers")
    status, code, _ = send(second, signed(listing, keys, "iam")).error
    assert (status, code) == (403, "AccessDenied")
    call = query_call("iam", "PutRolePolicy", RoleName="chime-reader", PolicyName="own", PolicyDocument=ALLOW_ALL)
    assert send(first, signed(call, ADMIN, "iam")).status == 200
    assert send(second, signed(listing, keys, "iam")).status == 200
    call = query_call("iam", "DeleteRolePolicy", RoleName="chime-reader", PolicyName="own")
    assert send(second, signed(call, ADMIN, "iam")).status == 200
    assert send(first, signed(listing, keys, "iam")).error[:2] == (403, "AccessDenied")


def test_a_new_sealing_key_seals_and_the_old_ones_still_open(sandbox: Sandbox) -> None:
    first, second = sandbox.application(), sandbox.application()
    old = issue(first, *ISSUING[0])
    before = list_sealing_keys(sandbox.databases[0])
    added = add_sealing_key(sandbox.databases[0], sandbox.clock)
    assert [key_id for key_id, _ in list_sealing_keys(sandbox.databases[1])] == [before[0][0], added]
    for application in (first, second):
        new = issue(application, *ISSUING[0])
        assert kid(new) == added != kid(old)
        for other in (first, second):
            assert identity(other, old).status == identity(other, new).status == 200


def kid(keys: Keys) -> str:
    """The id of the key that sealed the token."""
    return str(jwt.get_unverified_header(keys[-1])["kid"])


def test_without_the_key_that_sealed_it_a_token_is_damaged(sandbox: Sandbox) -> None:
    application = sandbox.application()
    keys = issue(application, *ISSUING[0])
    add_sealing_key(sandbox.databases[0], sandbox.clock)
    engine = create_engine(sandbox.url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sealing_keys WHERE key_id = :key_id"), {"key_id": kid(keys)})
        connection.execute(text("UPDATE generations SET value = value + 1"))
    engine.dispose()
    invalid = "The security token included in the request is invalid"
    assert identity(application, keys).error == (403, "InvalidClientTokenId", invalid)
    assert identity(application, issue(application, *ISSUING[0])).status == 200


def test_a_reset_keeps_the_key_ring_and_ends_the_sessions_of_roles(sandbox: Sandbox) -> None:
    application = sandbox.application()
    keys = issue(application, *ISSUING[0])
    kept = list_sealing_keys(sandbox.databases[0])
    environ = {"REMOTE_ADDR": "127.0.0.1"}
    assert application.test_client().post("/_rolecall/reset", environ_base=environ).status_code == 200
    assert list_sealing_keys(sandbox.databases[0]) == kept
    # The roles were made anew, so they are other roles.
    invalid = "The security token included in the request is invalid."
    assert identity(application, keys).error == (403, "InvalidClientTokenId", invalid)

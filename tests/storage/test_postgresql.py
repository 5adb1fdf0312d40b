"""What Rolecall promises on PostgreSQL: one writer at a time, one state for a call, few statements, clear errors."""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from botocore.exceptions import ClientError
from postgresql_server import PASSWORD, databases
from postgresql_worlds import migrated_template
from sent_statements import sent_statements
from sqlalchemy import bindparam, create_engine, func, insert, inspect, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from world_handle import FIRST_ACCOUNT, WorldHandle, builtin_world

from rolecall.app import open_database
from rolecall.clock import Clock
from rolecall.commands.common import database_problem
from rolecall.identities import IdentityStore
from rolecall.sandbox.generation import Generations
from rolecall.storage import migrate, postgresql_dialect
from rolecall.storage import tables as t
from rolecall.storage.decision_log import CallFilter, DecisionStore, LoggedCall, RefusalDetails
from rolecall.storage.dialects import shown_url
from rolecall.storage.engine import WRITE_ATTEMPTS, Database
from rolecall.storage.last_use import Use, write_uses
from rolecall.storage.postgresql_forms import PostgresqlSelect
from rolecall.storage.postgresql_link import PREPARE_AFTER, Link, link_of
from rolecall.storage.prepared import PreparedSelect, PreparedUpdate
from rolecall.storage.problems import SnapshotMovedError, UnsuitableDatabaseError
from rolecall.storage.roles import RoleRecord, add_role, role_by_name, set_description
from rolecall.storage.upgrade import configuration
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

ACCOUNT = FIRST_ACCOUNT


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of a database with the tables and one account."""
    made = databases().new_url(migrated_template())
    database = Database(made)
    with database.transaction() as connection:
        connection.execute(insert(t.accounts).values(account_id=ACCOUNT, name="one", position=0))
    database.close()
    yield made
    databases().drop(made.rpartition("/")[2])


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def other(url: str) -> Iterator[Database]:
    """The same database, as another process has it."""
    database = Database(url)
    yield database
    database.close()


def _user(name: str) -> dict[str, Any]:
    key = name.lower()
    return {"user_id": f"AIDA{key}", "account_id": ACCOUNT, "name": name, "name_key": key, "created_at_seconds": 1}


_purposes = itertools.count()


def new_purpose() -> str:
    """A purpose of which nothing is known yet."""
    return f"purpose {next(_purposes)}"


def _count(connection: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(t.users)).scalar_one())


def _end_all_sessions(database: Database) -> None:
    name = database.url.rpartition("/")[2]
    databases().server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608


def test_two_servers_set_up_an_empty_database_at_once() -> None:
    for _ in range(3):
        name = databases().new()
        url = databases().server.url(name)
        ready = threading.Barrier(2)

        def opened(_number: int, url: str = url, ready: threading.Barrier = ready) -> int:
            ready.wait()
            database = open_database(url, builtin_world(), Clock())
            with database.snapshot() as connection:
                users = _count(connection)
            database.close()
            return users

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(opened, range(2))) == [2, 2]
        databases().drop(name)


def test_writers_take_turns_so_what_one_counted_stays_true(database: Database, other: Database) -> None:
    """The quota of roles was exceeded when two processes counted before either had written."""
    limit, ready = 10, threading.Barrier(4)

    def add(number: int) -> None:
        ready.wait()
        for attempt in range(limit):
            with (database if number % 2 else other).transaction() as connection:
                if _count(connection) < limit:
                    connection.execute(insert(t.users).values(**_user(f"user-{number}-{attempt}")))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    with database.snapshot() as connection:
        assert _count(connection) == limit


@pytest.mark.parametrize("purpose", ["", "iam:ListUsers"])
def test_a_snapshot_reads_one_state(database: Database, other: Database, purpose: str) -> None:
    """READ COMMITTED showed two rows, then three."""
    with database.snapshot(purpose) as connection:
        before = _count(connection)
        generation = database.generation(connection)
        with other.transaction() as writing:
            writing.execute(insert(t.users).values(**_user("new")))
        assert _count(connection) == before
        assert database.generation(connection) == generation
    with database.snapshot(purpose) as connection:
        assert _count(connection) == before + 1
        assert database.generation(connection) == generation + 1


def test_a_call_that_knows_an_older_generation_starts_again(database: Database, other: Database) -> None:
    with database.snapshot(new_purpose()) as connection:
        database.generation(connection)
        with other.transaction() as writing:
            writing.execute(insert(t.users).values(**_user("new")))
        with pytest.raises(SnapshotMovedError):
            _count(connection)


def _add_role(database: Database, name: str) -> None:
    role = RoleRecord(f"AROA{name}", ACCOUNT, name, "/", "", "{}", {}, 3600, None, None, 1)
    database.write(lambda connection: add_role(connection, role))


def test_one_row_is_read_without_a_transaction(database: Database, other: Database) -> None:
    """And with the generation, so that a call still sees one state."""
    _add_role(other, "first")
    with database.snapshot(new_purpose()) as connection:
        database.generation(connection)
        with sent_statements(database) as statements:
            assert role_by_name(connection, ACCOUNT, "first") is not None
        # Prepared and run: the first time, each is a round trip.
        assert len(set(statements)) == 1
        assert not any("BEGIN" in one for one in statements)
        # Whatever is read further is of the same state.
        with sent_statements(database) as statements:
            assert role_by_name(connection, ACCOUNT, "absent") is None
        assert any("BEGIN" in one for one in statements)
        _add_role(other, "second")
        assert role_by_name(connection, ACCOUNT, "second") is None


def test_one_row_of_a_newer_state_makes_the_call_start_again(database: Database, other: Database) -> None:
    _add_role(other, "first")
    _add_role(other, "second")
    for read_before in (False, True):
        with database.snapshot(new_purpose()) as connection:
            database.generation(connection)
            if read_before:
                assert role_by_name(connection, ACCOUNT, "first") is not None
            _add_role(other, f"later-{read_before}")
            with pytest.raises(SnapshotMovedError):
                role_by_name(connection, ACCOUNT, "second")


def _role_statements(database: Database, name: str) -> tuple[RoleRecord | None, list[str]]:
    """The role, as a call reads it, and the statements of this call."""
    with sent_statements(database) as statements, database.snapshot(new_purpose()) as connection:
        database.generation(connection)
        found = role_by_name(connection, ACCOUNT, name)
    return found, statements


@pytest.mark.parametrize("name", ["first", "absent"])
def test_a_row_is_kept_until_another_process_changes_rights(database: Database, other: Database, name: str) -> None:
    _add_role(other, "first")
    before, _ = _role_statements(database, name)
    kept, statements = _role_statements(database, name)
    assert kept == before
    assert len(statements) == 1, statements
    if name == "absent":
        _add_role(other, "absent")
    else:
        other.write(lambda connection: set_description(connection, "AROAfirst", "new"))
    changed, statements = _role_statements(database, name)
    assert changed is not None
    assert changed.description == ("" if name == "absent" else "new")
    assert len(statements) > 1


def test_a_kept_row_shows_a_use_that_another_process_has_written(database: Database, other: Database) -> None:
    """A use leaves the generation as it is, so that rights stay cached."""
    _add_role(other, "first")
    _role_statements(database, "first")
    for at_seconds in (5, 6):
        with database.snapshot() as connection:
            generation = database.generation(connection)
        other.write(
            lambda connection, at=at_seconds: write_uses(connection, {}, {"AROAfirst": Use(at, "sts", "eu-west-1")})
        )
        for _ in range(2):
            role, statements = _role_statements(database, "first")
            assert role is not None
            assert (role.last_used_at_seconds, role.last_used_region) == (at_seconds, "eu-west-1")
        assert len(statements) == 1
        with database.snapshot() as connection:
            assert database.generation(connection) == generation


def test_a_writer_reads_no_kept_row(database: Database) -> None:
    """It sees its own changes, and keeps nothing that it may still take back."""
    _add_role(database, "first")
    _role_statements(database, "first")

    def change(connection: Any) -> None:
        set_description(connection, "AROAfirst", "not yet")
        found = role_by_name(connection, ACCOUNT, "first")
        assert found is not None
        assert found.description == "not yet"
        raise ValueError

    with pytest.raises(ValueError):
        database.write(change)
    found, _ = _role_statements(database, "first")
    assert found is not None
    assert found.description == ""


def test_two_databases_keep_their_own_rows(database: Database) -> None:
    world = WorldHandle(builtin_world(), on="postgresql")
    _add_role(database, "first")
    with database.snapshot() as connection:
        wanted = database.generation(connection)
    world.database.write(lambda connection: connection.execute(t.generations.update().values(value=wanted)))
    assert _role_statements(database, "first")[0] is not None
    with world.database.snapshot() as connection:
        assert world.database.generation(connection) == wanted
        assert role_by_name(connection, ACCOUNT, "first") is None
    world.close()


def test_kept_rows_are_forgotten_with_the_server(database: Database) -> None:
    """A standby that took over may not have the last changes, and then gives their generation to others."""
    _add_role(database, "first")
    _role_statements(database, "first")
    _end_all_sessions(database)
    _, statements = _role_statements(database, "first")
    assert any("FROM roles" in one for one in statements)


@pytest.mark.parametrize("noticed", ["by a snapshot", "by a writer", "by a statement"])
def test_a_server_that_took_over_gives_no_generation_again(noticed: str) -> None:
    """A standby lacks the last changes of rights. Its own next ones get the same numbers in the database."""
    url, declared = databases().new_url(), read_world_file(str(builtin_world_path()))
    database = open_database(url, declared, Clock())
    sandbox = Generations(database, Clock(), declared.settings)

    def seen() -> IdentityStore:
        with database.snapshot() as connection:
            return sandbox.current(connection)

    _add_role(database, "first")
    lost = seen()
    assert seen() is lost
    # A thread that still reads from the server that is about to be lost.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(seen).result()
        with database.snapshot() as connection:
            old = link_of(connection)
            if noticed == "by a statement":
                _end_all_sessions(database)
                with pytest.raises(DBAPIError):
                    connection.execute(select(t.users.c.name)).all()
        _end_all_sessions(database)
        # As the standby has it.
        standby = Database(url)
        standby.write(lambda it: it.exec_driver_sql("UPDATE generations SET value = value - 2 WHERE name = 'iam'"))
        standby.close()
        if noticed == "by a writer":
            _add_role(database, "second")
        now = seen()
        assert not old.is_current
        assert now is not lost
        # The older number counts: it is not read anew for each call.
        assert seen() is now
        assert pool.submit(seen).result() is now
        _add_role(database, "third")
        assert seen() is not lost
        assert database.changed_between(lost.generation, seen().generation) is None
    database.close()
    databases().drop(url.rpartition("/")[2])


def test_a_thread_leaves_the_lost_server_with_its_next_call(database: Database) -> None:
    """The lost one may go on, cut off from the others."""
    with ThreadPoolExecutor(1) as pool:

        def read() -> Link:
            with database.snapshot() as connection:
                return link_of(connection)

        other = pool.submit(read).result()
        assert pool.submit(read).result() is other
        read().lost = True
        mine = read()
        assert pool.submit(read).result() is not other
        assert read() is mine


def test_many_or_long_rows_are_not_kept(database: Database) -> None:
    statement = PreparedSelect(
        select(t.users.c.name, t.users.c.path).where(t.users.c.account_id == bindparam("a")), "a"
    )
    for number, (count, path) in enumerate([(3, "/"), (40, "/"), (40, "/" + "x" * 500 + "/")]):
        with database.transaction() as connection:
            connection.execute(t.users.delete())
            connection.execute(insert(t.users), [_user(f"u{number}-{each}") | {"path": path} for each in range(count)])
        for _ in range(2):
            with sent_statements(database) as statements, database.snapshot(new_purpose()) as connection:
                assert len(statement.all(connection, ACCOUNT)) == count
        assert (len(statements) == 1) is (number == 0)


def test_a_row_that_is_not_there_is_not_there_in_the_state_of_the_call(database: Database, other: Database) -> None:
    """No row, no generation: so the call looks again in a transaction."""
    with database.snapshot(new_purpose()) as connection:
        database.generation(connection)
        _add_role(other, "first")
        with pytest.raises(SnapshotMovedError):
            role_by_name(connection, ACCOUNT, "absent")
    with database.snapshot(new_purpose()) as connection:
        assert role_by_name(connection, ACCOUNT, "absent") is None


def test_rows_that_change_without_the_generation_are_read_in_a_transaction(database: Database) -> None:
    rooms = select(t.chime_users.c.user_id).where(t.chime_users.c.account_id.in_(select(t.accounts.c.account_id)))
    for statement, expected in ((rooms, False), (select(t.roles.c.name), True), (select(t.credential_reports), False)):
        assert bool(PostgresqlSelect(statement, ())._first) is expected


def test_rights_that_change_under_a_call_make_it_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is answered by the newer rights, and leaves one entry in the log."""
    world = WorldHandle(builtin_world(), on="postgresql")
    iam = world.client("iam")
    # Another user: an answer that is kept needs no further read.
    iam.get_user(UserName="admin")
    # The second of two calls without a read in between: it reads the generation first.
    world.client("sts").get_caller_identity()
    begin, moved = Link._begin_reading, []

    def move_first(link: Any) -> None:
        if not moved:
            moved.append(True)
            with world.database.transaction() as connection:
                connection.execute(t.users.update().where(t.users.c.name == "developer").values(path="/moved/"))
        begin(link)

    with world.database.snapshot() as connection:
        link_of(connection)._shared.kept.clear()
    postgresql_dialect.DIALECT._reading_more.clear()
    monkeypatch.setattr(Link, "_begin_reading", move_first)
    assert iam.get_user(UserName="developer")["User"]["Path"] == "/moved/"
    assert moved == [True]
    assert [outcome.operation for outcome in world.outcomes] == ["GetUser", "GetCallerIdentity", "GetUser"]
    world.close()


def test_names_are_sorted_by_their_bytes(database: Database) -> None:
    """As on SQLite. The collation of many databases would put b before B and _ nowhere."""
    names = ["b", "B-", "a_", "a-", "Z", "é", "z"]
    with database.transaction() as connection:
        for number, name in enumerate(names):
            connection.execute(insert(t.accounts).values(account_id=f"{number:012}", name=name, position=number + 1))
    with database.snapshot() as connection:
        wanted = select(t.accounts.c.name).where(t.accounts.c.account_id != ACCOUNT).order_by(t.accounts.c.name)
        found = connection.execute(wanted)
        assert list(found.scalars()) == sorted(names, key=str.encode)


def test_every_text_is_compared_by_its_bytes_after_a_migration_too(database: Database) -> None:
    """A database from before had the database's collation in all columns."""
    other_collations = text(
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name != "
        "'alembic_version' AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
    )
    with database.transaction() as connection:
        assert connection.execute(other_collations).scalar() == 0
        connection.execute(text('ALTER TABLE users ALTER COLUMN name TYPE varchar(64) COLLATE "POSIX"'))
        assert connection.execute(other_collations).scalar() == 1
        postgresql_dialect.DIALECT.after_upgrade(connection)
        assert connection.execute(other_collations).scalar() == 0


def test_a_server_that_was_restarted_is_found_again(database: Database) -> None:
    """Reading and writing go on by themselves: nothing had begun when the dead connection was noticed."""
    with database.snapshot() as connection:
        assert _count(connection) == 0
    _end_all_sessions(database)
    with database.transaction() as connection:
        connection.execute(insert(t.users).values(**_user("new")))
    _end_all_sessions(database)
    with database.snapshot("a purpose") as connection:
        assert _count(connection) == 1


@pytest.mark.parametrize("reads", [1, PREPARE_AFTER + 2])
def test_a_writer_takes_over_the_connection_of_a_reader(database: Database, reads: int) -> None:
    """With a ROLLBACK, psycopg drops every prepared statement once it has prepared one itself, as readers let it."""

    def read() -> int:
        counts = []
        for _ in range(reads):
            with database.snapshot("a purpose") as connection:
                assert role_by_name(connection, ACCOUNT, "none") is None
                counts.append(_count(connection))
        return counts[-1]

    def fail(connection: Any) -> None:
        # The select is prepared in each connection.
        assert role_by_name(connection, ACCOUNT, "none") is None
        raise ValueError

    def in_a_thread(work: Any) -> Any:
        # The connection of a thread goes back into the pool with the thread.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result()

    for _ in range(2):
        assert in_a_thread(read) == 0
        gc.collect()
        with pytest.raises(ValueError):
            database.write(fail)
        with pytest.raises(ValueError):
            database.write(fail)


def test_a_thread_recovers_from_a_time_without_a_server(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.snapshot() as connection:
        assert _count(connection) == 0
    _end_all_sessions(database)

    def refuse(*_arguments: object) -> None:
        raise OperationalError("connect", None, Exception("Connection refused"))

    with monkeypatch.context() as patched:
        patched.setattr(database._readers._engine, "connect", refuse)
        for _ in range(3):
            with pytest.raises(OperationalError), database.snapshot():
                pass
    with database.snapshot() as connection:
        assert _count(connection) == 0


def test_a_connection_that_ends_in_the_middle_is_an_unavailable_database(database: Database) -> None:
    def interrupted() -> None:
        with database.transaction() as connection:
            connection.execute(insert(t.users).values(**_user("lost")))
            _end_all_sessions(database)
            _count(connection)

    with pytest.raises(OperationalError):
        interrupted()
    with database.snapshot() as connection:
        assert _count(connection) == 0
    with database.snapshot() as connection:
        _end_all_sessions(database)
        with pytest.raises(OperationalError):
            _count(connection)
    with database.snapshot() as connection:
        assert _count(connection) == 0


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_transaction_that_others_made_fail_is_run_again(database: Database, state: str) -> None:
    raising = text(f"DO $$ BEGIN RAISE EXCEPTION 'try again' USING ERRCODE = '{state}'; END $$")
    attempts = []

    def work(connection: Any) -> int:
        attempts.append(1)
        connection.execute(insert(t.users).values(**_user(f"user-{len(attempts)}")))
        if len(attempts) < 3:
            connection.execute(raising)
        return _count(connection)

    assert database.write(work) == 1
    assert len(attempts) == 3

    def hopeless(connection: Any) -> None:
        attempts.append(1)
        connection.execute(raising)

    attempts.clear()
    with pytest.raises(DBAPIError):
        database.write(hopeless)
    assert len(attempts) == WRITE_ATTEMPTS


def test_another_error_is_not_tried_again(database: Database) -> None:
    attempts = []

    def work(connection: Any) -> None:
        attempts.append(1)
        connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError):
        database.write(work)
    assert attempts == [1]


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("chime", "create_account", {"Name": "a\0b"}),
        ("chime", "get_account", {"AccountId": "a\0b"}),
        ("iam", "create_role", {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Description": "a\0b"}),
        ("iam", "get_role", {"RoleName": "a\0b"}),
        ("iam", "tag_role", {"RoleName": "chime-reader", "Tags": [{"Key": "a", "Value": "a\0b"}]}),
        ("organizations", "create_policy", {"Content": "{}", "Description": "a\0b", "Name": "n", "Type": "TAG_POLICY"}),
    ],
)
def test_text_that_cannot_be_stored_never_comes_to_the_database(
    service: str, operation: str, parameters: dict[str, Any]
) -> None:
    world = WorldHandle(builtin_world(), on="postgresql")
    with pytest.raises(ClientError) as caught:
        getattr(world.client(service), operation)(**parameters)
    assert 400 <= caught.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    world.close()


def test_text_with_a_nul_is_found_nowhere() -> None:
    """PostgreSQL cannot store it, and its protocol would cut it off: that is another name."""
    world = WorldHandle(builtin_world(), on="postgresql")
    with world.database.snapshot() as connection:
        from_name = PostgresqlSelect(select(t.users.c.name).where(t.users.c.name == "admin\0x"), ())
        assert from_name.first(connection, ()) is None
        assert from_name.all(connection, ()) == []
    world.close()


def test_no_text_is_cut_off_at_a_nul(database: Database) -> None:
    statement = t.users.update().where(t.users.c.user_id == bindparam("of")).values(path=bindparam("new"))
    with database.transaction() as connection:
        connection.execute(insert(t.users).values(**_user("kept")))
    update = PreparedUpdate(statement, t.users, "of", "new")
    with pytest.raises(DBAPIError, match="NUL"):
        database.write(lambda connection: update.execute(connection, "AIDAkept", "/a\0b/"))
    database.write(lambda connection: update.execute(connection, "AIDAkept", "/a/"))
    with database.snapshot() as connection:
        assert connection.execute(select(t.users.c.path)).scalar() == "/a/"


def test_calls_that_arrived_together_share_a_read_of_the_generation(database: Database, other: Database) -> None:
    purpose = new_purpose()
    with database.snapshot(purpose):
        pass
    for name in ("first", "second"):
        # What was acknowledged before the calls arrived is seen by all of them.
        _add_role(other, name)
        with sent_statements(database) as statements, database.together():
            for _ in range(3):
                with database.snapshot(purpose) as connection:
                    assert role_by_name(connection, ACCOUNT, name) is not None
        assert len([one for one in statements if one == "rolecall_generation"]) == 1
    # Without a purpose a snapshot is of its own state, and after the block nothing is shared.
    with database.together():
        with database.snapshot(purpose) as connection:
            before = database.generation(connection)
        _add_role(other, "third")
        with database.snapshot(purpose) as connection:
            assert database.generation(connection) == before
            with pytest.raises(SnapshotMovedError):
                role_by_name(connection, ACCOUNT, "third")
        for again in (purpose, ""):
            with database.snapshot(again) as connection:
                assert database.generation(connection) == before + 1
        _add_role(other, "fourth")
        with database.snapshot() as connection:
            assert database.generation(connection) == before + 2
    with database.snapshot(purpose) as connection:
        assert database.generation(connection) == before + 2


def test_a_lost_connection_is_replaced_among_calls_that_arrived_together(database: Database) -> None:
    with database.together():
        # The thread has no connection yet.
        for _ in range(2):
            with database.snapshot("a purpose"):
                pass
    with database.together():
        for _ in range(2):
            with database.snapshot("a purpose"):
                pass
        _end_all_sessions(database)
        with pytest.raises(OperationalError), database.snapshot("a purpose") as connection:
            _count(connection)
        for _ in range(2):
            with database.snapshot("a purpose") as connection:
                assert _count(connection) == 0


# Statements of a call whose identity and policies are known already, without BEGIN and COMMIT. On PostgreSQL each is a
# round trip; a call that goes on to read begins its transaction in the first one.
CALLS = [
    ("sts", "get_caller_identity", {}, {"sqlite": 1, "postgresql": 1}),
    (
        "sts",
        "assume_role",
        {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/chime-reader", "RoleSessionName": "session"},
        {"sqlite": 1, "postgresql": 1},
    ),
    ("iam", "get_role", {"RoleName": "chime-reader"}, {"sqlite": 2, "postgresql": 1}),
    ("iam", "get_user", {"UserName": "developer"}, {"sqlite": 2, "postgresql": 1}),
]


@pytest.mark.parametrize("on", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), CALLS)
def test_how_many_statements_a_call_takes(
    on: str, service: str, operation: str, parameters: dict[str, Any], expected: dict[str, int]
) -> None:
    world = WorldHandle(builtin_world(), on=on)
    call = getattr(world.client(service), operation)
    for _ in range(3):
        call(**parameters)
    with sent_statements(world.database) as statements:
        call(**parameters)
    counted = [one for one in statements if one not in ("BEGIN", "COMMIT")]
    assert len(counted) == expected[on], counted
    world.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda url: url.replace("%20", "-"), "password authentication failed"),
        (lambda url: url + "_missing", "does not exist"),
        (lambda url: url.replace(f":{databases().server.port}/", ":1/"), "Connection refused"),
    ],
    ids=["password", "database", "server"],
)
def test_an_error_of_the_connection_is_one_line_without_the_password(url: str, spoil: Any, said: str) -> None:
    database = Database(spoil(url))
    with pytest.raises(OperationalError) as caught:
        migrate.upgrade(database)
    line = database_problem(caught.value)
    database.close()
    assert said in line
    assert "\n" not in line
    assert PASSWORD not in str(caught.value) + line
    assert "secret" not in line


def test_a_server_that_is_too_old_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_dialect, "MINIMUM_SERVER_VERSION", 99)
    with pytest.raises(UnsuitableDatabaseError, match=r"the server is PostgreSQL \d+, and Rolecall needs 99 or newer"):
        migrate.upgrade(database)


def test_a_database_of_another_encoding_is_refused() -> None:
    name = "other_encoding"
    databases().server.execute(f"CREATE DATABASE {name} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    database = Database(databases().server.url(name))
    with pytest.raises(UnsuitableDatabaseError, match="encoding LATIN1"):
        migrate.upgrade(database)
    database.close()
    databases().drop(name)


@pytest.mark.parametrize("url", ["mysql://somewhere/db", "postgresql+asyncpg://somewhere/db"])
def test_other_databases_and_drivers_are_refused(url: str) -> None:
    with pytest.raises(ArgumentError):
        Database(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://someone:hidden@somewhere/db", "postgresql+psycopg://somewhere/db?password=hidden"],
)
def test_a_shown_url_has_no_password(url: str) -> None:
    assert "hidden" not in shown_url(url)
    assert "somewhere" in shown_url(url)
    store = DecisionStore(url)
    assert "hidden" not in store.path


def _logged(request_id: str, **changes: Any) -> LoggedCall:
    values = dict.fromkeys(LoggedCall._fields, "") | {
        "received_at_seconds": 1000.5,
        "at_seconds": 1000.5,
        "status": 403,
        "latency_seconds": 0.001,
        "request_id": request_id,
        "outcome": "ImplicitDeny",
        "actions": "|iam:getrole|",
        "operation": "GetRole",
        "account_id": ACCOUNT,
        "identity": '{"entity_id":"AIDA1"}',
    }
    return LoggedCall(**(values | changes))


def _details(request_id: str) -> RefusalDetails:
    return RefusalDetails(request_id, ACCOUNT, "", "us-east-1", 1000, '{"why":"é"}', {"digest": "{}"})


def test_any_process_finds_the_calls_of_another(url: str) -> None:
    first, second = DecisionStore(url), DecisionStore(url)
    first.write([_logged("one")], {"one": _details("one")}, {"allowed": 1}, 1001)
    second.write([_logged("two", message="a\0b")], {"two": _details("two")}, {}, 1001)
    for store in (first, second):
        assert [call.request_id for call in store.calls(CallFilter(outcome="implicitdeny"), as_written=True)] == [
            "two",
            "one",
        ]
        assert [call.request_id for call in store.calls(CallFilter(action="iam:Get*"))] == ["two", "one"]
        found = store.details("one", 1002)
        assert found is not None
        assert (found.explanation, found.policies) == ('{"why":"é"}', {"digest": "{}"})
        assert store.dropped() == {"allowed": 1, "refused": 0}
        assert [access.entity_id for access in store.accesses([ACCOUNT], 0)] == ["AIDA1"]
        assert store.kept_calls() == 2
        assert store.counts().calls[0].calls == 2
    assert second.call("two").message == "a\ufffdb"  # type: ignore[union-attr]
    first.clear(2000)
    assert second.kept_calls() == 0
    first.close()
    second.close()


def test_the_log_is_pruned(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolecall.storage.decision_log._PRUNE_AFTER_CALLS", 1)
    store = DecisionStore(url)
    store.write([_logged("old")], {"old": _details("old")}, {}, 1001)
    store.write([_logged("new")], {}, {}, 1000 + 25 * 3600)
    assert store.details("old") is None
    assert store.kept_calls() == 2
    store.close()


def test_the_log_survives_a_restart_of_the_server(url: str, database: Database) -> None:
    store = DecisionStore(url)
    store.write([_logged("one")], {}, {}, 1001)
    _end_all_sessions(database)
    store.write([_logged("two")], {}, {}, 1001)
    assert store.kept_calls() == 2
    store.close()


def test_the_first_writers_of_two_processes_make_one_log(url: str) -> None:
    stores = [DecisionStore(url) for _ in range(4)]

    def write(number: int) -> None:
        for count in range(5):
            stores[number].write([_logged(f"{number}-{count}")], {}, {}, 1001)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert stores[0].kept_calls() == 20
    for store in stores:
        store.close()


def test_a_log_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    store = DecisionStore("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(OperationalError):
        store.kept_calls()
    store.close()


def _schema(url: str) -> dict[str, Any]:
    """The description of a schema, in a form in which two can be compared."""
    engine = create_engine(url)
    inspector = inspect(engine)
    found = {
        table: {
            "columns": sorted(
                (column["name"], str(column["type"]), column["nullable"], getattr(column["type"], "collation", None))
                for column in inspector.get_columns(table)
            ),
            "primary key": sorted(inspector.get_pk_constraint(table)["constrained_columns"]),
            "foreign keys": sorted(
                (each["constrained_columns"], each["referred_table"], each["options"])
                for each in inspector.get_foreign_keys(table)
            ),
            "indexes": sorted((each["column_names"], each["unique"]) for each in inspector.get_indexes(table)),
            "checks": sorted(each["name"] or "" for each in inspector.get_check_constraints(table)),
        }
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return found


def test_the_migrations_build_the_schema_that_the_code_makes() -> None:
    names = [databases().new(), migrated_template()]
    migrated, made = map(databases().server.url, names)
    database = Database(migrated)
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        command.upgrade(configuration(connection), "0001")
    assert migrate.upgrade(database) == "0001"
    database.close()
    found, expected = _schema(migrated), _schema(made)
    assert found.pop("alembic_version")
    assert expected.pop("alembic_version")
    assert sorted(found) == sorted(expected)
    for table in expected:
        assert found[table] == expected[table], table
    databases().drop(names[0])

"""Transactions, snapshots, and the generation number that shows when authorisation data changed."""

from __future__ import annotations

import ast
import importlib.resources
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql_server import databases
from postgresql_worlds import migrated_template
from sqlalchemy import DateTime, bindparam, delete, false, func, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from syntax_trees import walk

from rolecall.storage import keyring, migrate
from rolecall.storage import tables as t
from rolecall.storage.engine import Database
from rolecall.storage.named import ListByPath
from rolecall.storage.prepared import PreparedInsert, PreparedSelect, PreparedUpdate
from rolecall.storage.problems import AlreadyThere, problem_for_conflict, problem_in_block

ACCOUNT = "111122223333"


@pytest.fixture(params=["file", "memory", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        url = databases().new_url(migrated_template())
    else:
        url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'test.db'}"
    database = Database(url)
    migrate.upgrade(database)
    with database.transaction() as connection:
        connection.execute(insert(t.accounts).values(account_id=ACCOUNT, name="one", position=0))
    yield database
    database.close()
    if request.param == "postgresql":
        databases().drop(url.rpartition("/")[2])


def _generation(database: Database) -> int:
    with database.snapshot() as connection:
        return database.generation(connection)


def _user(number: int) -> dict[str, Any]:
    return {
        "user_id": f"AIDA{number}",
        "account_id": ACCOUNT,
        "name": f"User{number}",
        "name_key": f"user{number}",
        "created_at_seconds": 1,
    }


def _chime_account() -> dict[str, Any]:
    return {"account_id": "chime-1", "aws_account_id": ACCOUNT, "name": "Chime", "created_at_seconds": 1}


# No decision about a permission reads these, so writing them leaves every cache as it is.
WITHOUT_AUTHORITY = {
    "directory_groups",
    "directory_members",
    "directory_users",
    "identity_centers",
    "permission_set_assignments",
    "permission_set_roles",
    "permission_sets",
    "dpop_proofs",
    "signin_client_tokens",
    "signin_codes",
    "signin_sessions",
    "sso_clients",
    "sso_codes",
    "sso_sessions",
    "sso_tokens",
    "generations",
    "access_reports",
    "account_creations",
    "account_aliases",
    "account_properties",
    "server_certificates",
    "service_credentials",
    "ssh_public_keys",
    "chime_accounts",
    "chime_users",
    "service_linked_role_deletions",
    "mfa_code_uses",
    "login_profiles",
    "old_passwords",
    "password_policies",
    "signing_certificates",
    "delegation_requests",
    "fault_hits",
    "credential_reports",
    "instance_profiles",
    # Tags of these are read with each call, and nothing remembers them.
    "resources",
    "resource_settings",
    "resource_tags",
    "instance_profile_tags",
    "channel_messages",
    "channel_relations",
    "messaging_events",
    "chime_bots",
    "chime_delegate_groups",
    "chime_retention_settings",
    "chime_room_memberships",
    "chime_rooms",
    "ordered_phone_numbers",
    "phone_number_associations",
    "phone_number_orders",
    "phone_numbers",
    "telephony_settings",
}


def test_a_write_raises_the_generation_exactly_when_it_bears_on_authorisation(database: Database) -> None:
    # One database for all tables: making it takes a hundred times as long as the write.
    tables = [table for table in t.metadata.sorted_tables if table.name != "generations"]
    raised = {}
    for table in tables:
        before = _generation(database)
        with database.transaction() as connection:
            connection.execute(delete(table).where(false()))
        raised[table.name] = _generation(database) - before
    assert raised == {table.name: 0 if table.name in WITHOUT_AUTHORITY else 1 for table in tables}


@pytest.mark.parametrize(
    "statement",
    [
        insert(t.users).values(**_user(7)),
        update(t.accounts).values(name="two"),
        delete(t.accounts).where(t.accounts.c.account_id == "nobody"),
    ],
    ids=["insert", "update", "delete"],
)
def test_every_kind_of_write_is_seen(database: Database, statement: Any) -> None:
    before = _generation(database)
    with database.transaction() as connection:
        connection.execute(statement)
    assert _generation(database) == before + 1


def test_a_write_that_is_rolled_back_raises_nothing_and_leaves_nothing(database: Database) -> None:
    before = _generation(database)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(insert(t.users), [_user(1), _user(2), _user(1)])
    assert _generation(database) == before
    with database.snapshot() as connection:
        assert connection.execute(select(func.count()).select_from(t.users)).scalar_one() == 0


def test_a_chime_write_after_an_iam_write_does_not_raise_again(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(t.users).values(**_user(1)))
    before = _generation(database)
    with database.transaction() as connection:
        connection.execute(insert(t.chime_accounts).values(**_chime_account()))
    assert _generation(database) == before


def test_rotating_the_key_ring_raises_the_generation(database: Database) -> None:
    before = _generation(database)
    with database.transaction() as connection:
        keyring.add(connection, "first", b"a" * 32, 1)
        keyring.add(connection, "second", b"b" * 32, 2)
    assert _generation(database) == before + 1
    with database.snapshot() as connection:
        assert [key_id for key_id, _, _ in keyring.load(connection)] == ["first", "second"]


def test_foreign_keys_hold(database: Database) -> None:
    orphan = {**_user(1), "account_id": "999999999999"}
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(insert(t.users).values(**orphan))


def test_names_are_unique_without_regard_to_case(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(t.users).values(**_user(1)))
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(insert(t.users).values(**{**_user(2), "name_key": "user1"}))


def test_a_snapshot_does_not_see_what_is_committed_meanwhile(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'snapshot.db'}")
    migrate.upgrade(database)
    with database.snapshot() as connection:
        before = database.generation(connection)
        other = sqlite3.connect(tmp_path / "snapshot.db", isolation_level=None)
        other.execute("UPDATE generations SET value = value + 1")
        other.close()
        assert database.generation(connection) == before
    assert _generation(database) == before + 1
    database.close()


def test_writers_wait_for_each_other_instead_of_failing(database: Database) -> None:
    failures: list[Exception] = []

    def write(thread: int) -> None:
        try:
            for number in range(20):
                with database.transaction() as connection:
                    connection.execute(insert(t.users).values(**_user(thread * 1000 + number)))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.snapshot() as connection:
        assert connection.execute(select(func.count()).select_from(t.users)).scalar_one() == 80


def test_wal_mode_and_full_synchronous(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'pragma.db'}")
    migrate.upgrade(database)
    with database.snapshot() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_a_prepared_select_answers_what_the_statement_answers(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(t.chime_accounts).values(**_chime_account(), enable_dial_out=True))
    columns = t.chime_accounts.c
    statement = select(columns.name, columns.enable_dial_out, columns.disable_remote_control).where(
        columns.account_id == bindparam("account_id")
    )
    prepared = PreparedSelect(statement, "account_id")
    with database.snapshot() as connection:
        row = prepared.first(connection, "chime-1")
        assert row is not None
        assert list(row) == list(connection.execute(statement, {"account_id": "chime-1"}).one())
        assert row[1] is True
        assert row[2] is False
        assert prepared.first(connection, "other") is None


def test_a_prepared_select_refuses_what_the_driver_could_not_convert() -> None:
    statement = select(type_coerce(t.users.c.created_at_seconds, DateTime))
    with pytest.raises(ValueError, match="cannot convert"):
        PreparedSelect(statement)
    with pytest.raises(ValueError, match="binds"):
        PreparedSelect(select(t.users.c.name).where(t.users.c.user_id == bindparam("user_id")), "other")


def test_a_prepared_select_keeps_the_values_of_the_statement_itself(database: Database) -> None:
    with database.transaction() as connection:
        for number, path in enumerate(["/", "/team/", "/team/red/", "/Team/"]):
            connection.execute(insert(t.users), {**_user(number), "path": path})
    listed = ListByPath(t.users, [t.users.c.name, t.users.c.path])
    with database.snapshot() as connection:
        everything = listed.rows(connection, ACCOUNT, "/", "", 100)
        assert [row[1] for row in listed.rows(connection, ACCOUNT, "/team/", "", 100)] == ["/team/", "/team/red/"]
        assert listed.rows(connection, ACCOUNT, "/", everything[1][0].lower(), 1) == everything[2:3]
        assert listed.rows(connection, "999988887777", "/", "", 100) == []
        with pytest.raises(ValueError, match="takes 1 values"):
            PreparedSelect(select(t.users.c.name).where(t.users.c.user_id == bindparam("a")), "a").all(connection)


def test_a_prepared_insert_raises_the_generation_as_other_writes_do(database: Database) -> None:
    row = {column.name: None for column in t.users.columns} | _user(1) | {"path": "/"}
    before = _generation(database)
    with database.transaction() as connection:
        PreparedInsert(t.users).execute(connection, [row])
    assert _generation(database) == before + 1
    deletion = {"task_id": "task/1", "account_id": ACCOUNT, "role_name": "r", "status": "SUCCEEDED"}
    with database.transaction() as connection:
        rest = {"reason": "", "resources": "[]", "created_at_seconds": 1}
        PreparedInsert(t.service_linked_role_deletions).execute(connection, [{**deletion, **rest}])
    assert _generation(database) == before + 1


def test_a_prepared_update_changes_rows_and_raises_the_generation(database: Database) -> None:
    row = {column.name: None for column in t.users.columns} | _user(1) | {"path": "/"}
    with database.transaction() as connection:
        PreparedInsert(t.users).execute(connection, [row])
    before = _generation(database)
    statement = update(t.users).where(t.users.c.user_id == bindparam("of")).values(path=bindparam("new"))
    with database.transaction() as connection:
        PreparedUpdate(statement, t.users, "of", "new").execute(connection, row["user_id"], "/team/")
    with database.snapshot() as connection:
        assert list(connection.execute(select(t.users.c.path))) == [("/team/",)]
    assert _generation(database) == before + 1
    with pytest.raises(ValueError, match="the statement binds"):
        PreparedUpdate(statement, t.users, "of")
    deletions = t.service_linked_role_deletions
    quiet = update(deletions).where(deletions.c.task_id == bindparam("of")).values(reason=bindparam("new"))
    with database.transaction() as connection:
        PreparedUpdate(quiet, deletions, "of", "new").execute(connection, "task/1", "x")
    assert _generation(database) == before + 1


def test_a_prepared_insert_needs_every_column(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(KeyError):
        PreparedInsert(t.users).execute(connection, [_user(1) | {"path": "/"}])


def test_a_conflict_leaves_the_rest_of_the_transaction(database: Database) -> None:
    def conflict(connection: Any) -> None:
        with problem_in_block(connection, AlreadyThere("two")):
            connection.execute(insert(t.accounts).values(account_id="222233334444", name="new", position=1))
            connection.execute(insert(t.accounts).values(account_id=ACCOUNT, name="two", position=1))

    with database.transaction() as connection:
        connection.execute(insert(t.accounts).values(account_id="333344445555", name="kept", position=2))
        with pytest.raises(AlreadyThere):
            conflict(connection)
    with database.snapshot() as connection:
        names = connection.execute(select(t.accounts.c.name).order_by(t.accounts.c.position)).scalars()
        assert list(names) == ["one", "kept"]


def test_a_statement_that_is_refused_leaves_the_rest_of_the_transaction(database: Database) -> None:
    def conflict(connection: Any) -> None:
        with problem_for_conflict(connection, AlreadyThere("two")):
            connection.execute(insert(t.accounts).values(account_id=ACCOUNT, name="two", position=1))

    def same_name_for_all(connection: Any) -> None:
        with problem_for_conflict(connection, AlreadyThere("same")):
            connection.execute(update(t.users).values(name_key="same"))

    with database.transaction() as connection:
        connection.execute(insert(t.users), [_user(1), _user(2)])
        connection.execute(insert(t.accounts).values(account_id="333344445555", name="kept", position=2))
        with pytest.raises(AlreadyThere):
            conflict(connection)
        # It has changed one row when it comes to the other.
        with pytest.raises(AlreadyThere):
            same_name_for_all(connection)
        connection.execute(insert(t.accounts).values(account_id="444455556666", name="last", position=3))
    with database.snapshot() as connection:
        names = connection.execute(select(t.accounts.c.name).order_by(t.accounts.c.position)).scalars()
        assert list(names) == ["one", "kept", "last"]
        keys = connection.execute(select(t.users.c.name_key).order_by(t.users.c.name_key)).scalars()
        assert list(keys) == ["user1", "user2"]


def test_a_block_for_one_statement_runs_one_statement_with_one_row() -> None:
    """What came before a second statement would stay: see ``problem_for_conflict``."""
    blocks = 0
    for path in Path(str(importlib.resources.files("rolecall"))).rglob("*.py"):
        text = path.read_text()
        functions = walk(ast.parse(text)) if "with problem_for_conflict(" in text else ()
        for function in functions:
            if not isinstance(function, ast.FunctionDef):
                continue
            made = {ast.unparse(each.targets[0]): each.value for each in walk(function) if isinstance(each, ast.Assign)}
            for block in walk(function):
                if isinstance(block, ast.With) and "problem_for_conflict(" in ast.unparse(block.items[0]):
                    blocks += 1
                    assert _runs_one_row(block, made), f"{path}:{block.lineno}"
    assert blocks > 20


def _runs_one_row(block: ast.With, made: dict[str, ast.expr]) -> bool:
    """``made`` has what the function assigns to its names."""
    calls = [each for each in walk(ast.Module(block.body, [])) if isinstance(each, ast.Call)]
    executing = [each for each in calls if isinstance(each.func, ast.Attribute) and each.func.attr == "execute"]
    # Another function that gets the connection could run anything.
    given = [each for each in calls if "connection" in map(ast.unparse, each.args) and each not in executing]
    if len(executing) != 1 or given:
        return False
    rows = executing[0].args[-1]
    if "connection" in map(ast.unparse, executing[0].args):
        # A prepared statement. An update or delete takes values, and an insert takes rows.
        inserts = "insert" in ast.unparse(executing[0].func).lower()
        return not inserts or (isinstance(rows, ast.List) and len(rows.elts) == 1)
    row = made.get(ast.unparse(rows), rows) if len(executing[0].args) == 2 else None
    return row is None or isinstance(row, ast.Dict | ast.DictComp | ast.Call)


def test_each_of_many_threads_has_a_connection(tmp_path: Path) -> None:
    """``serve --threads`` takes up to 64. SQLAlchemy's pool gives 15 connections, and then waits for half a minute."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrate.upgrade(database)
    together = threading.Barrier(24)
    seen: list[int] = []

    def read() -> None:
        with database.snapshot() as connection:
            together.wait(20)
            seen.append(database.generation(connection))

    threads = [threading.Thread(target=read) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    assert len(seen) == 24


def test_a_thread_that_comes_new_to_a_database_in_memory_leaves_the_work_of_others_alone() -> None:
    """Its first snapshot prepares the connection that all threads share, and must wait for it."""
    database = Database("sqlite://")
    migrate.upgrade(database)
    seen: list[int] = []

    def read() -> None:
        with database.snapshot() as connection:
            seen.append(connection.execute(select(func.count()).select_from(t.accounts)).scalar_one())

    newcomer = threading.Thread(target=read)

    def write() -> None:
        with database.transaction() as connection:
            connection.execute(insert(t.accounts).values(account_id=ACCOUNT, name="", position=0))
            newcomer.start()
            # Time enough for a new thread that does not wait its turn. A thread that waits ends only after this.
            newcomer.join(0.2)
            raise LookupError

    with pytest.raises(LookupError):
        write()
    newcomer.join()
    assert seen == [0]
    database.close()

"""Rows in memory against rows in the database: what a set-up asks and writes is the same as with one statement each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from amounts import examples
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import and_, delete, event, insert, select, update

from rolecall.storage import migrate
from rolecall.storage import tables as t
from rolecall.storage.engine import Database
from rolecall.storage.problems import BadRowError
from rolecall.storage.world_rows import WorldRows

ACCOUNTS = ("111122223333", "444455556666")
_NO_COLUMNS: frozenset[str] = frozenset()


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database("sqlite://")
    migrate.upgrade(database)
    yield database
    database.close()


def _names(connection: Any) -> list[tuple[str, str]]:
    rows = connection.execute(select(t.accounts.c.account_id, t.accounts.c.name).order_by(t.accounts.c.account_id))
    return [tuple(row) for row in rows]


def test_many_rows_take_one_statement(database: Database) -> None:
    statements: list[str] = []
    with database.transaction() as connection:
        event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
        rows = WorldRows(connection)
        for number in range(500):
            rows.put(t.accounts, {"account_id": f"{number:012}"}, {"name": str(number), "position": number}, {})
        rows.written()
        for number in range(500):
            rows.put(t.accounts, {"account_id": f"{number:012}"}, {"name": f"new {number}"}, {})
        rows.written()
        assert len(_names(connection)) == 500
    assert statements == ["SELECT", "INSERT", "UPDATE", "SELECT"]


def test_a_row_that_others_refer_to_comes_first(database: Database) -> None:
    with database.transaction() as connection:
        rows = WorldRows(connection)
        user = {"name": "Ana", "path": "/", "user_id": "AIDA1", "created_at_seconds": 1}
        rows.put(t.users, {"account_id": ACCOUNTS[0], "name_key": "ana"}, user, {})
        rows.put(t.accounts, {"account_id": ACCOUNTS[0]}, {"name": "one", "position": 0}, {})
        rows.written()
        assert rows.find(t.users, {"user_id": "AIDA1"}) == {
            **user,
            "account_id": ACCOUNTS[0],
            "name_key": "ana",
            "permissions_boundary_arn": None,
        }


def test_what_another_writer_added_is_noted(database: Database) -> None:
    with database.transaction() as connection:
        rows = WorldRows(connection)
        key = {"account_id": ACCOUNTS[0]}
        assert rows.find(t.accounts, key) is None
        rows.written().execute(insert(t.accounts).values(**key, name="one", position=0))
        rows.noted(t.accounts, key)
        rows.noted(t.accounts, key)
        found = rows.find(t.accounts, key)
        assert found is not None
        assert found["name"] == "one"
        rows.put(t.accounts, key, {"name": "two"}, {})
        assert _names(rows.written()) == [(ACCOUNTS[0], "two")]


def test_a_row_that_refers_to_nothing_is_named(database: Database) -> None:
    row = {"account_id": "999988887777", "global_endpoint_token_version": "v2Token"}
    with database.transaction() as connection:
        rows = WorldRows(connection)
        rows.put_row("account_preferences", row)
        with pytest.raises(BadRowError, match=r"^a row of account_preferences cannot be stored: FOREIGN KEY"):
            rows.written()


_ACCOUNT = st.sampled_from(ACCOUNTS)
_KEY = st.sampled_from(["a", "b", "c"])
_TEXT = st.sampled_from(["x", "y"])


class SetUps(RuleBasedStateMachine):
    """The same questions and writes, in memory and by one statement each, in two databases."""

    def __init__(self) -> None:
        super().__init__()
        self.databases = [Database("sqlite://"), Database("sqlite://")]
        self.opened = []
        for database in self.databases:
            migrate.upgrade(database)
            transaction = database.transaction()
            connection = transaction.__enter__()
            self.opened.append((transaction, connection))
            for position, account_id in enumerate(ACCOUNTS):
                connection.execute(insert(t.accounts).values(account_id=account_id, name="", position=position))
        self.plain = self.opened[1][1]
        self.rows = WorldRows(self.opened[0][1])

    def teardown(self) -> None:
        for transaction, _ in self.opened:
            transaction.__exit__(None, None, None)
        for database in self.databases:
            database.close()

    @rule(account_id=_ACCOUNT, key=_KEY, name=_TEXT, created=st.integers(1, 3))
    def put_user(self, account_id: str, key: str, name: str, created: int) -> None:
        unique = {"account_id": account_id, "name_key": key}
        values, new = {"name": name}, {"user_id": f"AIDA{account_id}{key}", "created_at_seconds": created, "path": "/"}
        self.rows.put(t.users, unique, values, new)
        present = self._plain_rows(t.users, unique)
        if not present:
            self.plain.execute(insert(t.users).values(**unique, **values, **new))
        else:
            self.plain.execute(update(t.users).where(_of(t.users, unique)).values(**values))

    @precondition(lambda self: self._plain_rows(t.users, {}))
    @rule(place=st.integers(0, 5), tags=st.dictionaries(_KEY, _TEXT, max_size=3))
    def replace_tags(self, place: int, tags: dict[str, str]) -> None:
        users = self._plain_rows(t.users, {})
        owner = {"user_id": users[place % len(users)]["user_id"]}
        rows = [{"key_key": key, "key": key, "value": value} for key, value in tags.items()]
        self.rows.replace(t.user_tags, owner, rows, _NO_COLUMNS)
        self.plain.execute(delete(t.user_tags).where(_of(t.user_tags, owner)))
        for row in rows:
            self.plain.execute(insert(t.user_tags).values(**owner, **row))

    @rule(name=_TEXT, account_id=_ACCOUNT)
    def find_by_name(self, name: str, account_id: str) -> None:
        key = {"name": name, "account_id": account_id}
        found = self.rows.find(t.users, key)
        assert (found is not None) == bool(self._plain_rows(t.users, key))
        assert found is None or dict(found) in self._plain_rows(t.users, key)

    @rule()
    def write(self) -> None:
        for table in (t.users, t.user_tags):
            written = [dict(row._mapping) for row in self.rows.written().execute(_all_of(table))]
            assert written == self._plain_rows(table, {})

    @invariant()
    def every_row_is_found(self) -> None:
        for row in self._plain_rows(t.users, {}):
            assert self.rows.find(t.users, {"user_id": row["user_id"]}) == row

    def _plain_rows(self, table: Any, key: dict[str, Any]) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in self.plain.execute(_all_of(table).where(_of(table, key)))]


def _all_of(table: Any) -> Any:
    return select(table).order_by(*table.primary_key.columns)


def _of(table: Any, key: dict[str, Any]) -> Any:
    return and_(True, *(table.c[name] == value for name, value in key.items()))


SetUps.TestCase.settings = settings(
    max_examples=examples(12), stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow], deadline=None
)
TestSetUps = SetUps.TestCase

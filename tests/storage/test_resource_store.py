"""The resource store, on SQLite; and that its statements are PostgreSQL's too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from rolecall.storage import migrate, resources
from rolecall.storage import tables as t
from rolecall.storage.engine import Database
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.resources import BEFORE_THE_FIRST, Place, Resource

ACCOUNT, OTHER = "111122223333", "444455556666"
PLACE = Place(ACCOUNT, "us-east-1", "chime-sdk-voice/voice-connector")


@pytest.fixture
def connection() -> Iterator[Any]:
    database = Database("sqlite://")
    migrate.upgrade(database)
    with database.transaction() as connection:
        for position, account_id in enumerate((ACCOUNT, OTHER)):
            row = {"account_id": account_id, "name": account_id, "position": position}
            connection.execute(insert(t.accounts), row)
        yield connection
    database.close()


def made(connection: Any, resource_id: str, place: Place = PLACE, at_seconds: int = 1) -> Resource:
    resource = Resource(f"key of {resource_id} in {place.region}", resource_id, at_seconds, {"Name": resource_id})
    resources.add(connection, place, resource)
    return resource


def test_a_resource_is_found_in_its_place_alone(connection: Any) -> None:
    resource = made(connection, "one")
    assert resources.find(connection, PLACE, "one") == resource
    assert resources.find(connection, PLACE, "one", locked=True) == resource
    elsewhere = [PLACE._replace(account_id=OTHER), PLACE._replace(region="eu-west-1"), PLACE._replace(kind="other")]
    for place in elsewhere:
        assert resources.find(connection, place, "one") is None
        assert resources.page(connection, place, BEFORE_THE_FIRST, 9) == []
        assert resources.tags_by_id(connection, place, "one") == []


def test_an_id_is_taken_once_and_the_transaction_goes_on(connection: Any) -> None:
    first = made(connection, "one")
    with pytest.raises(AlreadyThere):
        resources.add(connection, PLACE, first._replace(key="another", content={}))
    assert resources.find(connection, PLACE, "one") == first
    made(connection, "one", PLACE._replace(region="eu-west-1"))


def test_pages_are_in_the_order_of_making_then_of_ids(connection: Any) -> None:
    for resource_id, at_seconds in (("d", 2), ("c", 1), ("a", 3), ("b", 1)):
        made(connection, resource_id, at_seconds=at_seconds)
    found: list[str] = []
    after = BEFORE_THE_FIRST
    for _ in range(4):
        page = resources.page(connection, PLACE, after, 1)
        found += [each.resource_id for each in page]
        after = (page[0].created_at_seconds, page[0].resource_id)
    assert found == ["b", "c", "d", "a"]
    assert resources.page(connection, PLACE, after, 1) == []


def test_content_settings_and_tags_change_and_go_with_the_resource(connection: Any) -> None:
    key, other = made(connection, "one").key, made(connection, "two").key
    resources.set_content(connection, key, {"Name": "é", "Deep": [{"a": None, "b": 1.5}]})
    assert resources.find(connection, PLACE, "one") == Resource(
        key, "one", 1, {"Name": "é", "Deep": [{"a": None, "b": 1.5}]}
    )
    for resource_key in (key, other):
        resources.put_setting(connection, resource_key, "Termination", {"CpsLimit": 1})
        resources.put_tags(connection, resource_key, [("team", "blue"), ("Team", "")])
    resources.put_setting(connection, key, "Termination", {"CpsLimit": 2})
    assert resources.setting(connection, key, "Termination") == {"CpsLimit": 2}
    assert resources.setting(connection, other, "Termination") == {"CpsLimit": 1}
    assert resources.setting(connection, key, "Origination") is None
    listed = resources.settings_of_kind(connection, ACCOUNT, PLACE.kind, "Termination")
    assert [(region, each.resource_id, content) for region, each, content in listed] == [
        ("us-east-1", "one", {"CpsLimit": 2}),
        ("us-east-1", "two", {"CpsLimit": 1}),
    ]
    resources.put_tags(connection, key, [("team", "red")])
    resources.remove_tags(connection, key, ["Team", "unknown"])
    assert resources.tags_of(connection, key) == resources.tags_by_id(connection, PLACE, "one") == [("team", "red")]
    assert resources.tags_of(connection, other) == [("Team", ""), ("team", "blue")]
    resources.remove(connection, key)
    assert resources.find(connection, PLACE, "one") is None
    assert resources.setting(connection, key, "Termination") is None
    assert resources.tags_of(connection, key) == []
    resources.remove_setting(connection, other, "Termination")
    assert resources.setting(connection, other, "Termination") is None


def test_a_resource_ends_with_its_parent_or_before(connection: Any) -> None:
    parent = made(connection, "parent")
    child = Resource("key of child", "child", 1, {}, parent_key=parent.key, ends_at_seconds=50)
    resources.add(connection, PLACE, child)
    assert resources.find(connection, PLACE, "child") == child
    assert not child.has_ended(49.9)
    assert child.has_ended(50)
    resources.set_end(connection, parent.key, 40.7)
    found = resources.find(connection, PLACE, "child", locked=True)
    assert found is not None
    assert found.ends_at_seconds == 40
    for now_seconds, listed in ((39.9, 2), (40, 0)):
        page = resources.page(connection, PLACE, BEFORE_THE_FIRST, 9, now_seconds=now_seconds)
        assert len(page) == listed
    of_parent = {"now_seconds": 1, "parent_key": parent.key}
    assert resources.page(connection, PLACE, BEFORE_THE_FIRST, 9, **of_parent) == [found]
    assert resources.count(connection, PLACE, **of_parent) == 1
    assert resources.count(connection, PLACE, now_seconds=50, parent_key=parent.key) == 0
    assert resources.count(connection, PLACE, now_seconds=1) == 2
    resources.set_end(connection, parent.key, None)
    assert resources.find(connection, PLACE, "child") == child
    resources.remove_ended(connection, PLACE, 50)
    assert resources.find(connection, PLACE, "child") == child
    resources.remove_ended(connection, PLACE._replace(region="eu-west-1"), 51)
    assert resources.find(connection, PLACE, "child") == child
    resources.remove_ended(connection, PLACE, 51)
    assert resources.find(connection, PLACE, "child") is None
    resources.add(connection, PLACE, child)
    resources.remove(connection, parent.key)
    assert resources.find(connection, PLACE, "child") is None


def test_a_token_makes_one_resource_of_a_place(connection: Any) -> None:
    first = Resource("a", "one", 1, {}, create_token="token", secret={"Token": 1})
    resources.add(connection, PLACE, first)
    assert resources.find_by_token(connection, PLACE, "token") == first
    assert resources.find_by_token(connection, PLACE, "TOKEN") is None
    second = first._replace(key="b", resource_id="two")
    with pytest.raises(AlreadyThere):
        resources.add(connection, PLACE, second)
    other = PLACE._replace(account_id=OTHER)
    assert resources.find_by_token(connection, other, "token") is None
    resources.add(connection, other, second)
    resources.drop_token(connection, "a")
    assert resources.find_by_token(connection, PLACE, "token") is None
    resources.add(connection, PLACE, first._replace(key="c", resource_id="three"))
    # Without a token there may be many.
    made(connection, "four")
    made(connection, "five")


def test_a_page_of_ids_with_a_beginning(connection: Any) -> None:
    for resource_id in ("a/1", "a/2", "ab/1", "A/1", "b/1"):
        made(connection, resource_id)
    page = resources.page(connection, PLACE, BEFORE_THE_FIRST, 9, id_prefix="a/")
    assert [resource.resource_id for resource in page] == ["a/1", "a/2"]


def test_the_statements_are_those_of_postgresql_too() -> None:
    dialect = postgresql.dialect()
    locked = str(resources._BY_ID_LOCKED.compile(dialect=dialect))
    assert locked.endswith("FOR UPDATE OF resources")
    page = str(resources._PAGE.compile(dialect=dialect))
    assert "(resources.created_at_seconds, resources.resource_id) > (" in page
    for table in (t.resources, t.resource_settings, t.resource_tags):
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert len(index.name or "") <= 63, "PostgreSQL cuts longer names"
            assert re.match("CREATE (UNIQUE )?INDEX", str(CreateIndex(index).compile(dialect=dialect)))

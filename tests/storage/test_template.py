"""Copies of a database that was set up once: each has its own time and its own content."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from rolecall.app import world_template
from rolecall.ids import Identifiers
from rolecall.storage import tables as t
from rolecall.storage.engine import Database
from rolecall.storage.template import DatabaseTemplate
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file


@pytest.fixture(scope="module")
def template() -> DatabaseTemplate:
    return world_template(read_world_file(str(builtin_world_path())), Identifiers())


def _created(database: Database) -> set[int]:
    with database.snapshot() as connection:
        return set(connection.execute(select(t.users.c.created_at_seconds)).scalars())


def test_each_copy_has_its_own_time(template: DatabaseTemplate) -> None:
    copies = [template.copy(now_seconds) for now_seconds in (1000, 2000, 2000, 1000)]
    assert [_created(copy) for copy in copies] == [{1000}, {2000}, {2000}, {1000}]
    for copy in copies:
        copy.close()


def test_a_copy_keeps_its_changes_to_itself(template: DatabaseTemplate) -> None:
    first, second = template.copy(1000), template.copy(1000)
    first.write(lambda connection: connection.execute(delete(t.access_keys)))
    third = template.copy(1000)
    for copy, has_keys in ((first, False), (second, True), (third, True)):
        with copy.snapshot() as connection:
            assert (connection.execute(select(t.access_keys.c.access_key_id)).first() is not None) is has_keys
        copy.close()

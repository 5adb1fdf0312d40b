"""Members of the sandbox file's records: their keys, their columns, and what is written when."""

from __future__ import annotations

from typing import Any

import pytest

from rolecall.storage import tables as t
from rolecall.worlds import checking as c
from rolecall.worlds import world as w
from rolecall.worlds.chime_accounts import DeclaredChimeAccount, DeclaredChimeUser
from rolecall.worlds.members import Declared, column, columns_of, member, members_of, moment, new_columns_of, section_of

TABLES = [
    (w.DeclaredKey, t.access_keys),
    (w.DeclaredGroup, t.groups),
    (w.DeclaredUser, t.users),
    (w.DeclaredVersion, t.policy_versions),
    (w.DeclaredPolicy, t.policies),
    (w.DeclaredRole, t.roles),
    (w.DeclaredOidcProvider, t.oidc_providers),
    (DeclaredChimeAccount, t.chime_accounts),
    (DeclaredChimeUser, t.chime_users),
    (w.DeclaredInstance, t.attachments),
    (w.DeclaredTask, t.attachments),
    (w.DeclaredPod, t.attachments),
]


class Thing(Declared):
    """A record with every kind of member."""

    name: str = column(c.text)
    limit: int | None = column(c.whole_number, None, "limit_count", key="most")
    colour: str = column(c.text, "", show=str.upper)
    created_at_seconds: int | None = moment(once=True)
    seen_at_seconds: int | None = moment()
    parts: tuple[str, ...] = member(c.list_of(c.text), ())


@pytest.mark.parametrize(("make", "table"), TABLES, ids=lambda each: getattr(each, "__name__", ""))
def test_every_column_of_a_record_is_in_its_table(make: type, table: Any) -> None:
    columns = [each.column for each in members_of(make).values() if each.column]
    assert columns
    assert set(columns) <= set(table.columns.keys())
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize(("make", "table"), TABLES, ids=lambda each: getattr(each, "__name__", ""))
def test_every_key_of_a_record_is_there_once(make: type, table: Any) -> None:
    keys = [each.key for each in members_of(make).values()]
    assert len(set(keys)) == len(keys)


def test_keys_and_columns_have_the_members_name_unless_they_are_given() -> None:
    found = {name: (each.key, each.column, each.required) for name, each in members_of(Thing).items()}
    assert found == {
        "name": ("name", "name", True),
        "limit": ("most", "limit_count", False),
        "colour": ("colour", "colour", False),
        "created_at_seconds": ("created_at", "created_at_seconds", False),
        "seen_at_seconds": ("seen_at", "seen_at_seconds", False),
        "parts": ("parts", "", False),
    }


def test_a_column_is_written_always_or_once() -> None:
    bare, whole = Thing(name="a"), Thing(name="b", limit=3, colour="red", created_at_seconds=1, seen_at_seconds=2)
    # A member without a value takes the present value away, but makes no column of a new row.
    assert columns_of(bare) == {"name": "a", "limit_count": None, "colour": "", "seen_at_seconds": None}
    assert new_columns_of(bare) == {}
    assert columns_of(whole) == {"name": "b", "limit_count": 3, "colour": "red", "seen_at_seconds": 2}
    assert new_columns_of(whole) == {"created_at_seconds": 1}


def test_a_snapshot_has_the_keys_of_the_file_in_the_order_of_the_record() -> None:
    row = {"colour": "red", "name": "b", "limit_count": None, "created_at_seconds": 0, "seen_at_seconds": None}
    shown = section_of(Thing, row, parts=["x"])
    assert list(shown.items()) == [
        ("name", "b"),
        ("colour", "RED"),
        ("created_at", "1970-01-01T00:00:00Z"),
        ("parts", ["x"]),
    ]

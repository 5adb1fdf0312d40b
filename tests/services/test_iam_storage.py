"""What storage itself refuses, for two transactions that pass the same check at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from iam_calls import ACCOUNT, READ_ONLY, WORLD
from sqlalchemy import Connection

from rolecall.storage.entity_policies import attach_policy, attached_arns
from rolecall.storage.entity_tags import put_tags, tags_of
from rolecall.storage.groups import GroupRecord, add_group, add_member, group_by_name, move_group, remove_group
from rolecall.storage.policies import policy_by_arn
from rolecall.storage.problems import AlreadyThere, StillReferenced
from rolecall.storage.users import UserRecord, add_user, move_user, remove_user, user_by_name


@pytest.fixture
def database(make_world: Any) -> Any:
    return make_world(WORLD).database


def user_id(connection: Connection, name: str) -> str:
    user = user_by_name(connection, ACCOUNT, name)
    assert user is not None
    return user.user_id


def group_id(connection: Connection, name: str) -> str:
    group = group_by_name(connection, ACCOUNT, name)
    assert group is not None
    return group.group_id


CLASHES: dict[str, Callable[[Connection], None]] = {
    "user": lambda db: add_user(db, UserRecord("AIDANEW", ACCOUNT, "ANA", "/", None, 0)),
    "renamed user": lambda db: move_user(db, user_id(db, "bob"), "Ana", "/"),
    "group": lambda db: add_group(db, GroupRecord("AGPANEW", ACCOUNT, "Spare", "/", 0)),
    "renamed group": lambda db: move_group(db, group_id(db, "developers"), "SPARE", "/"),
    "member": lambda db: add_member(db, group_id(db, "developers"), user_id(db, "ana"), 0),
    "attachment": lambda db: attach_policy(db, "user", user_id(db, "ana"), READ_ONLY, None, 0),
    "attachment of a policy that is gone": lambda db: attach_policy(db, "user", user_id(db, "ana"), "x", "gone", 0),
}


@pytest.mark.parametrize("what", CLASHES)
def test_what_is_there_already(database: Any, what: str) -> None:
    with database.transaction() as connection, pytest.raises(AlreadyThere):
        CLASHES[what](connection)


def test_what_is_still_in_use(database: Any) -> None:
    with database.transaction() as connection:
        for name in ("ana", "full", "bob"):
            with pytest.raises(StillReferenced):
                remove_user(connection, user_id(connection, name))
        for name in ("developers", "spare"):
            with pytest.raises(StillReferenced):
                remove_group(connection, group_id(connection, name))


def test_attachments_of_different_kinds_are_distinct(database: Any) -> None:
    with database.snapshot() as connection:
        assert attached_arns(connection, "user", user_id(connection, "ana")) == [READ_ONLY]
        assert attached_arns(connection, "group", user_id(connection, "ana")) == []


def test_tag_keys_ignore_case_where_the_service_does(database: Any) -> None:
    with database.transaction() as connection:
        policy = policy_by_arn(connection, f"arn:aws:iam::{ACCOUNT}:policy/limits")
        assert policy is not None
        put_tags(connection, "policy", policy.policy_id, [("a", "1"), ("A", "2")])
        assert sorted(tags_of(connection, "policy", policy.policy_id)) == [("A", "2"), ("a", "1")]
        bob = user_id(connection, "bob")
        put_tags(connection, "user", bob, [("a", "1")])
        put_tags(connection, "user", bob, [("A", "2")])
        assert tags_of(connection, "user", bob) == [("A", "2")]

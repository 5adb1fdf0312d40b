"""IAM groups and their members: rows in, frozen records out."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select

from rolecall.arns import iam_arn
from rolecall.storage import tables as t
from rolecall.storage.named import CountInAccount, ListByPath, move_entity
from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.problems import AlreadyThere, StillReferenced, problem_for_conflict
from rolecall.storage.users import USER_COLUMNS, UserRecord


class GroupRecord(Struct, frozen=True):
    """A group of IAM users."""

    group_id: str
    account_id: str
    name: str
    path: str
    created_at_seconds: int

    @property
    def arn(self) -> str:
        return iam_arn(self.account_id, "group", self.path, self.name)


# In the order of GroupRecord's fields.
_COLUMNS = (t.groups.c.group_id, t.groups.c.account_id, t.groups.c.name, t.groups.c.path, t.groups.c.created_at_seconds)
_BY_NAME = PreparedSelect(
    select(*_COLUMNS).where(
        t.groups.c.account_id == bindparam("account_id"), t.groups.c.name_key == bindparam("name_key")
    ),
    "account_id",
    "name_key",
)
_LIST = ListByPath(t.groups, _COLUMNS)
_COUNT = CountInAccount(t.groups)


def group_by_name(connection: Connection, account_id: str, name: str) -> GroupRecord | None:
    """The account's group with that name, in any case of letters; None when there is none."""
    row = _BY_NAME.first(connection, account_id, name.lower())
    return None if row is None else GroupRecord(*row)


def list_groups(
    connection: Connection, account_id: str, *, path_prefix: str = "/", after_name_key: str = "", limit: int = 100
) -> list[GroupRecord]:
    """Groups by name, starting after ``after_name_key`` (a name in lower case)."""
    return [GroupRecord(*row) for row in _LIST.rows(connection, account_id, path_prefix, after_name_key, limit)]


def count_groups(connection: Connection, account_id: str) -> int:
    return _COUNT.of(connection, account_id)


def add_group(connection: Connection, group: GroupRecord) -> None:
    """Store a new group. Raises AlreadyThere when the account has a group with that name."""
    values = {
        "group_id": group.group_id,
        "account_id": group.account_id,
        "name": group.name,
        "name_key": group.name.lower(),
        "path": group.path,
        "created_at_seconds": group.created_at_seconds,
    }
    with problem_for_conflict(connection, AlreadyThere(group.name)):
        connection.execute(insert(t.groups), values)


def move_group(connection: Connection, group_id: str, name: str, path: str) -> None:
    """Give a group another name and path. Raises AlreadyThere when another group of the account has the name."""
    move_entity(connection, t.groups.c.group_id, group_id, name, path)


def remove_group(connection: Connection, group_id: str) -> None:
    """Delete a group. Raises StillReferenced while it has users or policies."""
    with problem_for_conflict(connection, StillReferenced(group_id)):
        connection.execute(delete(t.groups).where(t.groups.c.group_id == group_id))


def members_of(
    connection: Connection, group_id: str, *, after_name_key: str = "", limit: int = 100
) -> list[UserRecord]:
    """Users of a group by name, starting after ``after_name_key`` (a name in lower case)."""
    statement = (
        select(*USER_COLUMNS)
        .join(t.group_members, t.group_members.c.user_id == t.users.c.user_id)
        .where(t.group_members.c.group_id == group_id, t.users.c.name_key > after_name_key)
        .order_by(t.users.c.name_key)
        .limit(limit)
    )
    return [UserRecord(*row) for row in connection.execute(statement)]


def groups_of(connection: Connection, user_id: str) -> list[GroupRecord]:
    """The groups of a user, by name."""
    statement = (
        select(*_COLUMNS)
        .join(t.group_members, t.group_members.c.group_id == t.groups.c.group_id)
        .where(t.group_members.c.user_id == user_id)
        .order_by(t.groups.c.name_key)
    )
    return [GroupRecord(*row) for row in connection.execute(statement)]


def add_member(connection: Connection, group_id: str, user_id: str, now_seconds: int) -> None:
    """Add a user to a group. Raises AlreadyThere when the user is a member already, or when user or group is gone."""
    values = {"group_id": group_id, "user_id": user_id, "added_at_seconds": now_seconds}
    with problem_for_conflict(connection, AlreadyThere(user_id)):
        connection.execute(insert(t.group_members), values)


def remove_member(connection: Connection, group_id: str, user_id: str) -> None:
    """Remove a user from a group, if it is a member."""
    members = t.group_members
    connection.execute(delete(members).where(members.c.group_id == group_id, members.c.user_id == user_id))

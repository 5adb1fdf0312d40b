"""IAM users: rows in, frozen records out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, update

from rolecall.arns import iam_arn
from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.named import CountInAccount, ListByPath, move_entity
from rolecall.storage.prepared import PreparedInsert, PreparedSelect
from rolecall.storage.problems import AlreadyThere, StillReferenced, problem_for_conflict


class UserRecord(Struct, frozen=True):
    """An IAM user. Other functions read its tags, keys, groups and policies."""

    user_id: str
    account_id: str
    name: str
    path: str
    permissions_boundary_arn: str | None
    created_at_seconds: int

    @property
    def arn(self) -> str:
        return iam_arn(self.account_id, "user", self.path, self.name)


# In the order of UserRecord's fields.
USER_COLUMNS = (
    t.users.c.user_id,
    t.users.c.account_id,
    t.users.c.name,
    t.users.c.path,
    t.users.c.permissions_boundary_arn,
    t.users.c.created_at_seconds,
)
_BY_NAME = PreparedSelect(
    select(*USER_COLUMNS).where(
        t.users.c.account_id == bindparam("account_id"), t.users.c.name_key == bindparam("name_key")
    ),
    "account_id",
    "name_key",
)
_BY_ID = PreparedSelect(select(*USER_COLUMNS).where(t.users.c.user_id == bindparam("user_id")), "user_id")
_LIST = ListByPath(t.users, USER_COLUMNS)
_COUNT = CountInAccount(t.users)
_INSERT = PreparedInsert(t.users)


def user_by_name(connection: Connection, account_id: str, name: str) -> UserRecord | None:
    """The account's user with that name, in any case of letters; None when there is none."""
    return _record(_BY_NAME.first(connection, account_id, name.lower()))


def user_by_id(connection: Connection, user_id: str) -> UserRecord | None:
    return _record(_BY_ID.first(connection, user_id))


def list_users(
    connection: Connection, account_id: str, *, path_prefix: str = "/", after_name_key: str = "", limit: int = 100
) -> list[UserRecord]:
    """Users by name, starting after ``after_name_key`` (a name in lower case)."""
    return [UserRecord(*row) for row in _LIST.rows(connection, account_id, path_prefix, after_name_key, limit)]


def count_users(connection: Connection, account_id: str) -> int:
    return _COUNT.of(connection, account_id)


def add_user(connection: Connection, user: UserRecord) -> None:
    """Store a new user. Raises AlreadyThere when the account has a user with that name."""
    values = {
        "user_id": user.user_id,
        "account_id": user.account_id,
        "name": user.name,
        "name_key": user.name.lower(),
        "path": user.path,
        "permissions_boundary_arn": user.permissions_boundary_arn,
        "created_at_seconds": user.created_at_seconds,
    }
    with problem_for_conflict(connection, AlreadyThere(user.name)):
        _INSERT.execute(connection, [values])


def move_user(connection: Connection, user_id: str, name: str, path: str) -> None:
    """Give a user another name and path. Raises AlreadyThere when another user of the account has the name."""
    move_entity(connection, t.users.c.user_id, user_id, name, path)


def set_permissions_boundary(connection: Connection, user_id: str, policy_arn: str | None) -> None:
    statement = update(t.users).where(t.users.c.user_id == user_id).values(permissions_boundary_arn=policy_arn)
    connection.execute(statement.execution_options(**{CHANGES_ALONE: user_id}))


def remove_user(connection: Connection, user_id: str) -> None:
    """Delete a user and its tags. Raises StillReferenced while it has keys, policies or groups."""
    with problem_for_conflict(connection, StillReferenced(user_id)):
        statement = delete(t.users).where(t.users.c.user_id == user_id)
        connection.execute(statement.execution_options(**{CHANGES_ALONE: user_id}))


def _record(row: Sequence[Any] | None) -> UserRecord | None:
    return None if row is None else UserRecord(*row)

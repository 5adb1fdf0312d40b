"""Instance profiles: rows in, frozen records out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from rolecall.arns import iam_arn
from rolecall.storage.named import CountInAccount, ListByPath
from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.tables import instance_profiles as t


class InstanceProfile(Struct, frozen=True):
    """A container for one role. ``role_id`` is None while it is empty."""

    instance_profile_id: str
    account_id: str
    name: str
    path: str
    role_id: str | None
    created_at_seconds: int

    @property
    def arn(self) -> str:
        return iam_arn(self.account_id, "instance-profile", self.path, self.name)


_COLUMNS = tuple(t.c[name] for name in InstanceProfile.__struct_fields__)
_LIST = ListByPath(t, _COLUMNS)
_COUNT = CountInAccount(t)
_BY_ID = PreparedSelect(
    select(*_COLUMNS).where(t.c.instance_profile_id == bindparam("instance_profile_id")), "instance_profile_id"
)
_BY_NAME = PreparedSelect(
    select(*_COLUMNS).where(t.c.account_id == bindparam("account_id"), t.c.name_key == bindparam("name_key")),
    "account_id",
    "name_key",
)


def profile_by_name(connection: Connection, account_id: str, name: str) -> InstanceProfile | None:
    """The account's instance profile with that name, in any case of letters; None when there is none."""
    row = _BY_NAME.first(connection, account_id, name.lower())
    return None if row is None else InstanceProfile(*row)


def profile_by_id(connection: Connection, instance_profile_id: str) -> InstanceProfile | None:
    row = _BY_ID.first(connection, instance_profile_id)
    return None if row is None else InstanceProfile(*row)


def list_profiles(
    connection: Connection, account_id: str, *, path_prefix: str = "/", after_name_key: str = "", limit: int = 100
) -> list[InstanceProfile]:
    """Instance profiles by name, starting after ``after_name_key`` (a name in lower case)."""
    return [InstanceProfile(*row) for row in _LIST.rows(connection, account_id, path_prefix, after_name_key, limit)]


def profiles_of_roles(connection: Connection, role_ids: list[str]) -> dict[str, list[InstanceProfile]]:
    """The instance profiles of each of these roles, by name. A role without profiles is left out."""
    statement = select(*_COLUMNS).where(t.c.role_id.in_(role_ids)).order_by(t.c.name_key)
    found: dict[str, list[InstanceProfile]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.role_id, []).append(InstanceProfile(*row))
    return found


def count_profiles(connection: Connection, account_id: str) -> int:
    return _COUNT.of(connection, account_id)


def add_profile(connection: Connection, profile: InstanceProfile) -> None:
    """Store a new profile. Raises AlreadyThere when the account has an instance profile with that name."""
    with problem_for_conflict(connection, AlreadyThere(profile.name)):
        connection.execute(insert(t), {**asdict(profile), "name_key": profile.name.lower()})


def lock_profile(connection: Connection, instance_profile_id: str) -> None:
    """Lock the profile before its tags are counted for a quota. Other writers wait, if several may write."""
    locked = select(t.c.instance_profile_id).where(t.c.instance_profile_id == instance_profile_id).with_for_update()
    connection.execute(locked)


def put_role(connection: Connection, instance_profile_id: str, role_id: str) -> bool:
    """Put a role into an empty profile. False when the profile has a role, or is gone.

    Raises AlreadyThere when the role is gone.
    """
    empty = t.c.instance_profile_id == instance_profile_id, t.c.role_id.is_(None)
    with problem_for_conflict(connection, AlreadyThere(role_id)):
        return connection.execute(update(t).where(*empty).values(role_id=role_id)).rowcount > 0


def take_role(connection: Connection, instance_profile_id: str, role_id: str) -> bool:
    """Take a role out of a profile. False when it was not in the profile."""
    holding = t.c.instance_profile_id == instance_profile_id, t.c.role_id == role_id
    return connection.execute(update(t).where(*holding).values(role_id=None)).rowcount > 0


def remove_profile(connection: Connection, instance_profile_id: str) -> bool:
    """Delete an empty profile and its tags. False when it has a role."""
    empty = t.c.instance_profile_id == instance_profile_id, t.c.role_id.is_(None)
    return connection.execute(delete(t).where(*empty)).rowcount > 0

"""Passwords for the console: rows in, frozen records out. Only hashes are stored."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, func, insert, select, update

from rolecall.storage import tables as t
from rolecall.storage.problems import AlreadyThere, problem_for_conflict

# The largest PasswordReusePrevention is 24. It counts the present password too.
KEPT_OLD_PASSWORDS = 23


class LoginProfile(Struct, frozen=True):
    """``user_id`` is None for the root user. ``password_hash`` is None until the root user sets a first password.

    ``password_changed_at_seconds`` is None for the first password.
    """

    account_id: str
    user_id: str | None
    password_hash: str | None
    reset_required: bool
    created_at_seconds: int
    max_signin_session_duration_seconds: int | None = None
    password_changed_at_seconds: int | None = None

    @property
    def owner_id(self) -> str:
        return self.user_id or self.account_id


_PROFILES = t.login_profiles
_OLD = t.old_passwords
_COLUMNS = tuple(_PROFILES.c[name] for name in LoginProfile.__struct_fields__)


def login_profile_of(connection: Connection, account_id: str, user_id: str | None) -> LoginProfile | None:
    """The profile of a user. ``user_id`` None means the account's root user."""
    row = connection.execute(select(*_COLUMNS).where(_PROFILES.c.owner_id == (user_id or account_id))).first()
    return None if row is None else LoginProfile(*row)


def add_login_profile(connection: Connection, profile: LoginProfile) -> None:
    """Raises AlreadyThere when the owner has a profile, or is gone."""
    values = {"owner_id": profile.owner_id, **asdict(profile)}
    with problem_for_conflict(connection, AlreadyThere(profile.owner_id)):
        connection.execute(insert(_PROFILES), values)


def set_password(connection: Connection, profile: LoginProfile, password_hash: str, now_seconds: int) -> None:
    """Give the profile another password. The previous password is stored as an old one."""
    of_profile = _PROFILES.c.owner_id == profile.owner_id
    changed = {"password_hash": password_hash, "password_changed_at_seconds": now_seconds}
    connection.execute(update(_PROFILES).where(of_profile).values(**changed))
    if profile.password_hash is None:
        return
    of_owner = _OLD.c.owner_id == profile.owner_id
    newest = connection.execute(select(func.max(_OLD.c.number)).where(of_owner)).scalar() or 0
    values = {"owner_id": profile.owner_id, "number": newest + 1, "password_hash": profile.password_hash}
    connection.execute(insert(_OLD), values)
    connection.execute(delete(_OLD).where(of_owner, _OLD.c.number <= newest + 1 - KEPT_OLD_PASSWORDS))


def set_reset_required(connection: Connection, profile: LoginProfile, *, required: bool) -> None:
    of_profile = _PROFILES.c.owner_id == profile.owner_id
    connection.execute(update(_PROFILES).where(of_profile).values(reset_required=required))


def set_max_signin_session_duration(connection: Connection, profile: LoginProfile, seconds: int | None) -> None:
    """Set the longest sign-in session of the user. None clears the setting."""
    of_profile = _PROFILES.c.owner_id == profile.owner_id
    connection.execute(update(_PROFILES).where(of_profile).values(max_signin_session_duration_seconds=seconds))


def remembered_passwords(connection: Connection, profile: LoginProfile, count: int) -> list[str]:
    """The hashes of the newest passwords, the present one first."""
    statement = (
        select(_OLD.c.password_hash)
        .where(_OLD.c.owner_id == profile.owner_id)
        .order_by(_OLD.c.number.desc())
        .limit(max(count - 1, 0))
    )
    present = [] if profile.password_hash is None else [profile.password_hash]
    return [*present, *connection.execute(statement).scalars()][:count]


def remove_login_profile(connection: Connection, profile: LoginProfile) -> None:
    """Delete a profile and its old passwords."""
    connection.execute(delete(_PROFILES).where(_PROFILES.c.owner_id == profile.owner_id))

"""IAM Identity Center's directory and permission sets: rows in, frozen records out."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, select

from rolecall.storage import tables as t


class IdentityCenter(Struct, frozen=True):
    """The instance of a sandbox. ``session_duration_seconds`` is how long a user stays signed in."""

    instance_id: str
    identity_store_id: str
    start_url: str
    region: str
    session_duration_seconds: int

    @property
    def arn(self) -> str:
        return f"arn:aws:sso:::instance/{self.instance_id}"


class DirectoryUser(Struct, frozen=True):
    """A user of the directory. ``attributes`` are those for access control: keys and values of session tags."""

    user_id: str
    name: str
    email: str
    display_name: str
    attributes: tuple[tuple[str, str], ...]


class AssignedAccount(Struct, frozen=True):
    account_id: str
    name: str
    email: str


class AssignedRole(Struct, frozen=True):
    """A permission set in an account, and the role that it has there."""

    name: str
    account_id: str
    role_id: str
    session_duration_seconds: int


_USER = select(
    t.directory_users.c.user_id,
    t.directory_users.c.name,
    t.directory_users.c.email,
    t.directory_users.c.display_name,
    t.directory_users.c.attributes,
)


def sso_provider_name(instance_id: str) -> str:
    """The SAML provider that IAM Identity Center has in each account, and that the roles trust."""
    return f"AWSSSO_{instance_id.removeprefix('ssoins-')}_DO_NOT_DELETE"


def identity_center(connection: Connection) -> IdentityCenter | None:
    """The instance, or None in a sandbox without one."""
    c = t.identity_centers.c
    row = connection.execute(
        select(c.instance_id, c.identity_store_id, c.start_url, c.region, c.session_duration_seconds)
    ).first()
    return None if row is None else IdentityCenter(*row)


def user_by_id(connection: Connection, user_id: str) -> DirectoryUser | None:
    row = connection.execute(_USER.where(t.directory_users.c.user_id == user_id)).first()
    return None if row is None else _user(row)


def user_by_name(connection: Connection, name: str) -> DirectoryUser | None:
    """The user with that name, in any case of letters."""
    row = connection.execute(_USER.where(t.directory_users.c.name_key == name.lower())).first()
    return None if row is None else _user(row)


def directory_users(connection: Connection, limit: int) -> list[DirectoryUser]:
    """Users by name."""
    rows = connection.execute(_USER.order_by(t.directory_users.c.name_key).limit(limit))
    return [_user(row) for row in rows]


def assigned_accounts(connection: Connection, user_id: str) -> list[AssignedAccount]:
    """The accounts in which the user has a permission set, by id."""
    accounts, members, assignments = t.accounts.c, t.organization_accounts.c, t.permission_set_assignments.c
    rows = connection.execute(
        select(accounts.account_id, accounts.name, members.email)
        .outerjoin_from(t.accounts, t.organization_accounts, members.account_id == accounts.account_id)
        .where(
            accounts.account_id.in_(
                select(assignments.account_id).where(assignments.principal_id.in_(_principal_ids(connection, user_id)))
            )
        )
        .order_by(accounts.account_id)
    )
    return [AssignedAccount(account_id, name, email or "") for account_id, name, email in rows]


def assigned_roles(connection: Connection, user_id: str, account_id: str) -> list[AssignedRole]:
    """The permission sets that the user has in the account, by name."""
    sets, roles, assignments = t.permission_sets.c, t.permission_set_roles.c, t.permission_set_assignments.c
    rows = connection.execute(
        select(sets.name, roles.account_id, roles.role_id, sets.session_duration_seconds)
        .join_from(t.permission_sets, t.permission_set_roles, roles.permission_set_id == sets.permission_set_id)
        .where(
            roles.account_id == account_id,
            sets.permission_set_id.in_(
                select(assignments.permission_set_id).where(
                    assignments.account_id == account_id,
                    assignments.principal_id.in_(_principal_ids(connection, user_id)),
                )
            ),
        )
        .order_by(sets.name_key)
    )
    return [AssignedRole(*row) for row in rows]


def _principal_ids(connection: Connection, user_id: str) -> Sequence[str]:
    """The user and the user's groups."""
    members = t.directory_members.c
    return [user_id, *connection.scalars(select(members.group_id).where(members.user_id == user_id))]


def _user(row: Sequence[str]) -> DirectoryUser:
    user_id, name, email, display_name, attributes = row
    return DirectoryUser(user_id, name, email, display_name, tuple(json.loads(attributes).items()))

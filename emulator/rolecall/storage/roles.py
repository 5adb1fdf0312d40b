"""Roles: rows in, frozen records out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, update

from rolecall.arns import iam_arn
from rolecall.caches import KEPT_POLICY_CHARACTERS, BoundedCache
from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.named import CountInAccount, ListByPath
from rolecall.storage.prepared import PreparedInsert, PreparedSelect
from rolecall.storage.problems import AlreadyThere, StillReferenced, problem_for_conflict

SERVICE_LINKED_PATH = "/aws-service-role/"
# Paths of roles that AWS makes, such as those of IAM Identity Center.
RESERVED_PATH = "/aws-reserved/"
SSO_PATH = f"{RESERVED_PATH}sso.amazonaws.com/"
_trusted: BoundedCache[str, Mapping[str, str]] = BoundedCache(1024, KEPT_POLICY_CHARACTERS)


class RoleRecord(Struct, frozen=True):
    """A role. ``linked_service`` is the service that owns a service-linked role, else None.

    ``trust_principal_ids`` maps a principal in the trust policy to the unique id that it named when the policy was
    saved.
    """

    role_id: str
    account_id: str
    name: str
    path: str
    description: str
    trust_policy: str
    trust_principal_ids: Mapping[str, str]
    max_session_duration_seconds: int
    permissions_boundary_arn: str | None
    linked_service: str | None
    created_at_seconds: int
    last_used_at_seconds: int | None = None
    last_used_region: str | None = None
    max_signin_session_duration_seconds: int | None = None

    @property
    def arn(self) -> str:
        return iam_arn(self.account_id, "role", self.path, self.name)

    @property
    def is_reserved(self) -> bool:
        """Whether AWS made the role for itself, as for a permission set of IAM Identity Center."""
        return self.path.startswith(RESERVED_PATH)


# In the order of RoleRecord's fields.
_COLUMNS = tuple(t.roles.c[name] for name in RoleRecord.__struct_fields__)
_TRUSTED_AT = RoleRecord.__struct_fields__.index("trust_principal_ids")
_BY_NAME = PreparedSelect(
    select(*_COLUMNS).where(
        t.roles.c.account_id == bindparam("account_id"), t.roles.c.name_key == bindparam("name_key")
    ),
    "account_id",
    "name_key",
)
_LIST = ListByPath(t.roles, _COLUMNS)
_COUNT = CountInAccount(t.roles)
_INSERT = PreparedInsert(t.roles)


def role_by_name(connection: Connection, account_id: str, name: str) -> RoleRecord | None:
    """The account's role with that name, in any case of letters; None when there is none."""
    row = _BY_NAME.first(connection, account_id, name.lower())
    return None if row is None else _record(row)


def roles_by_id(connection: Connection, role_ids: Iterable[str]) -> dict[str, RoleRecord]:
    """The roles with these unique ids. An id that no longer exists is left out."""
    rows = connection.execute(select(*_COLUMNS).where(t.roles.c.role_id.in_(set(role_ids))))
    return {row.role_id: _record(row) for row in rows}


def list_roles(
    connection: Connection, account_id: str, *, path_prefix: str = "/", after_name_key: str = "", limit: int = 100
) -> list[RoleRecord]:
    """Roles by name, starting after ``after_name_key`` (a name in lower case)."""
    return [_record(row) for row in _LIST.rows(connection, account_id, path_prefix, after_name_key, limit)]


def count_roles(connection: Connection, account_id: str) -> int:
    return _COUNT.of(connection, account_id)


def add_role(connection: Connection, role: RoleRecord) -> None:
    """Store a new role. Raises AlreadyThere when the account has a role with that name."""
    values = {
        "role_id": role.role_id,
        "account_id": role.account_id,
        "name": role.name,
        "name_key": role.name.lower(),
        "path": role.path,
        "description": role.description,
        "trust_policy": role.trust_policy,
        "trust_principal_ids": json.dumps(dict(role.trust_principal_ids)),
        "max_session_duration_seconds": role.max_session_duration_seconds,
        "permissions_boundary_arn": role.permissions_boundary_arn,
        "linked_service": role.linked_service,
        "created_at_seconds": role.created_at_seconds,
        "last_used_at_seconds": role.last_used_at_seconds,
        "last_used_region": role.last_used_region,
        "max_signin_session_duration_seconds": role.max_signin_session_duration_seconds,
    }
    with problem_for_conflict(connection, AlreadyThere(role.name)):
        _INSERT.execute(connection, [values])


def set_description(connection: Connection, role_id: str, description: str) -> None:
    _set(connection, role_id, description=description)


def set_max_session_duration(connection: Connection, role_id: str, max_session_duration_seconds: int) -> None:
    _set(connection, role_id, max_session_duration_seconds=max_session_duration_seconds)


def set_max_signin_session_duration(connection: Connection, role_id: str, seconds: int | None) -> None:
    """Set the longest sign-in session of the role. None clears the setting."""
    _set(connection, role_id, max_signin_session_duration_seconds=seconds)


def set_trust_policy(
    connection: Connection, role_id: str, trust_policy: str, trust_principal_ids: Mapping[str, str]
) -> None:
    _set(
        connection,
        role_id,
        trust_policy=trust_policy,
        trust_principal_ids=json.dumps(dict(trust_principal_ids)),
    )


def set_permissions_boundary(connection: Connection, role_id: str, policy_arn: str | None) -> None:
    _set(connection, role_id, permissions_boundary_arn=policy_arn)


def remove_role(connection: Connection, role_id: str) -> None:
    """Delete a role and its tags. Raises StillReferenced while it has policies."""
    with problem_for_conflict(connection, StillReferenced(role_id)):
        statement = delete(t.roles).where(t.roles.c.role_id == role_id)
        connection.execute(statement.execution_options(**{CHANGES_ALONE: role_id}))


def _set(connection: Connection, role_id: str, **values: Any) -> None:
    statement = update(t.roles).where(t.roles.c.role_id == role_id).values(**values)
    connection.execute(statement.execution_options(**{CHANGES_ALONE: role_id}))


def _record(row: Sequence[Any]) -> RoleRecord:
    values = list(row)
    values[_TRUSTED_AT] = _trusted_ids(values[_TRUSTED_AT])
    return RoleRecord(*values)


def _trusted_ids(text: str) -> Mapping[str, str]:
    """The ids in their stored form. Many roles trust the same principals, so the mapping is shared."""
    known = _trusted.get(text)
    if known is None:
        known = MappingProxyType(json.loads(text))
        _trusted.put(text, known)
    return known

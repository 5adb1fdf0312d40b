"""Customer managed policies and their versions: rows in, frozen records out. AWS managed policies are not stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from rolecall.arns import iam_arn, parse_arn
from rolecall.storage import tables as t
from rolecall.storage.problems import AlreadyThere, StillReferenced, problem_for_conflict


class PolicyRecord(Struct, frozen=True):
    """A customer managed policy without its documents. Version numbers start at 1 and are never reused."""

    policy_id: str
    account_id: str
    name: str
    path: str
    description: str
    default_version: int
    latest_version: int
    created_at_seconds: int
    updated_at_seconds: int

    @property
    def arn(self) -> str:
        return iam_arn(self.account_id, "policy", self.path, self.name)


class PolicyVersionRecord(Struct, frozen=True):
    """One version of a customer managed policy."""

    policy_id: str
    version: int
    document: str
    created_at_seconds: int


_BY_NAME = select(t.policies).where(
    t.policies.c.account_id == bindparam("account_id"), t.policies.c.name_key == bindparam("name_key")
)
_BY_NAME_FOR_UPDATE = _BY_NAME.with_for_update()
_ATTACHED = (
    (t.user_attached_policies, t.users, "user_id"),
    (t.group_attached_policies, t.groups, "group_id"),
    (t.role_attached_policies, t.roles, "role_id"),
)


def policy_by_arn(connection: Connection, arn: str, *, for_update: bool = False) -> PolicyRecord | None:
    """The customer managed policy with an ARN; None when there is none, or when the path or the case differs.

    With ``for_update`` other writers of this policy wait, if the database allows several writers.
    """
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.resource_type != "policy":
        return None
    statement = _BY_NAME_FOR_UPDATE if for_update else _BY_NAME
    values = {"account_id": parsed.account_id, "name_key": parsed.resource_name.lower()}
    row = connection.execute(statement, values).first()
    policy = None if row is None else _record(row)
    return policy if policy is not None and policy.arn == arn else None


def list_policies(
    connection: Connection,
    account_id: str,
    *,
    path_prefix: str = "/",
    after_name_key: str = "",
    limit: int | None = None,
) -> list[PolicyRecord]:
    """The account's policies by name, starting after ``after_name_key`` (a name in lower case)."""
    statement = (
        select(t.policies)
        .where(
            t.policies.c.account_id == account_id,
            t.policies.c.name_key > after_name_key,
            # Not LIKE: SQLite's LIKE ignores case, and paths may hold its wildcards.
            func.substr(t.policies.c.path, 1, len(path_prefix)) == path_prefix,
        )
        .order_by(t.policies.c.name_key)
        .limit(limit)
    )
    return [_record(row) for row in connection.execute(statement)]


def count_policies(connection: Connection, account_id: str) -> int:
    statement = select(func.count()).select_from(t.policies).where(t.policies.c.account_id == account_id)
    return int(connection.execute(statement).scalar_one())


def add_policy(
    connection: Connection,
    *,
    policy_id: str,
    account_id: str,
    name: str,
    path: str,
    description: str,
    document: str,
    now_seconds: int,
) -> PolicyRecord:
    """Store a new policy with its version 1. Raises AlreadyThere when the account has a policy with that name."""
    policy = PolicyRecord(policy_id, account_id, name, path, description, 1, 1, now_seconds, now_seconds)
    values = {
        "policy_id": policy_id,
        "account_id": account_id,
        "name": name,
        "name_key": name.lower(),
        "path": path,
        "description": description,
        "default_version": 1,
        "latest_version": 1,
        "created_at_seconds": now_seconds,
        "updated_at_seconds": now_seconds,
    }
    with problem_for_conflict(connection, AlreadyThere(name)):
        connection.execute(insert(t.policies), values)
    _add_version_row(connection, PolicyVersionRecord(policy_id, 1, document, now_seconds))
    return policy


def remove_policy(connection: Connection, policy_id: str) -> None:
    """Delete a policy with its versions and tags. Raises StillReferenced while it is attached."""
    with problem_for_conflict(connection, StillReferenced(policy_id)):
        connection.execute(delete(t.policies).where(t.policies.c.policy_id == policy_id))


def policy_versions(connection: Connection, policy_id: str) -> list[PolicyVersionRecord]:
    """The versions that still exist, newest first."""
    versions = t.policy_versions
    statement = select(versions).where(versions.c.policy_id == policy_id).order_by(versions.c.version.desc())
    return [PolicyVersionRecord(*row) for row in connection.execute(statement)]


def policy_version(connection: Connection, policy_id: str, version: int) -> PolicyVersionRecord | None:
    versions = t.policy_versions
    statement = select(versions).where(versions.c.policy_id == policy_id, versions.c.version == version)
    row = connection.execute(statement).first()
    return None if row is None else PolicyVersionRecord(*row)


def add_version(
    connection: Connection, policy: PolicyRecord, document: str, *, as_default: bool, now_seconds: int
) -> PolicyVersionRecord:
    """Store the next version. Its number is one above the highest number ever given, even to a deleted version."""
    version = PolicyVersionRecord(policy.policy_id, policy.latest_version + 1, document, now_seconds)
    _add_version_row(connection, version)
    values = {"latest_version": version.version, "updated_at_seconds": now_seconds}
    if as_default:
        values["default_version"] = version.version
    connection.execute(update(t.policies).where(t.policies.c.policy_id == policy.policy_id).values(**values))
    return version


def set_default_version(connection: Connection, policy_id: str, version: int, now_seconds: int) -> None:
    connection.execute(
        update(t.policies)
        .where(t.policies.c.policy_id == policy_id)
        .values(default_version=version, updated_at_seconds=now_seconds)
    )


def remove_version(connection: Connection, policy_id: str, version: int) -> None:
    versions = t.policy_versions
    connection.execute(delete(versions).where(versions.c.policy_id == policy_id, versions.c.version == version))


def attachment_counts(connection: Connection, account_id: str, arn: str | None = None) -> dict[str, int]:
    """How many of the account's entities each managed policy is attached to, by policy ARN; or only for ``arn``."""
    counts: dict[str, int] = {}
    for attached, owners, owner in _ATTACHED:
        statement = (
            select(attached.c.policy_arn, func.count())
            .select_from(attached.join(owners, owners.c[owner] == attached.c[owner]))
            .where(owners.c.account_id == account_id)
            .group_by(attached.c.policy_arn)
        )
        if arn is not None:
            statement = statement.where(attached.c.policy_arn == arn)
        _add_counts(counts, connection.execute(statement).all())
    return counts


def boundary_counts(connection: Connection, account_id: str, arn: str | None = None) -> dict[str, int]:
    """How many of the account's users and roles each managed policy bounds, by policy ARN; or only for ``arn``."""
    counts: dict[str, int] = {}
    for owners in (t.users, t.roles):
        boundary = owners.c.permissions_boundary_arn
        statement = (
            select(boundary, func.count())
            .where(owners.c.account_id == account_id, boundary.is_not(None))
            .group_by(boundary)
        )
        if arn is not None:
            statement = statement.where(boundary == arn)
        _add_counts(counts, connection.execute(statement).all())
    return counts


def _add_counts(counts: dict[str, int], rows: Sequence[Sequence[Any]]) -> None:
    for arn, count in rows:
        counts[arn] = counts.get(arn, 0) + count


def _add_version_row(connection: Connection, version: PolicyVersionRecord) -> None:
    values = {
        "policy_id": version.policy_id,
        "version": version.version,
        "document": version.document,
        "created_at_seconds": version.created_at_seconds,
    }
    connection.execute(insert(t.policy_versions), values)


def _record(row: Row[Any]) -> PolicyRecord:
    return PolicyRecord(
        policy_id=row.policy_id,
        account_id=row.account_id,
        name=row.name,
        path=row.path,
        description=row.description,
        default_version=row.default_version,
        latest_version=row.latest_version,
        created_at_seconds=row.created_at_seconds,
        updated_at_seconds=row.updated_at_seconds,
    )

"""Service-linked roles: created from a row of their table, deleted by a task that checks for resources that use them.

A feature that needs a service-linked role calls :func:`ensure` with that row. A feature with resources that use such a
role adds a function to :data:`RESOURCE_FINDERS`. While that function finds a resource, deletion of the role fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select

from rolecall.ids import ROLE_PREFIX, Identifiers
from rolecall.storage import tables as t
from rolecall.storage.roles import SERVICE_LINKED_PATH, RoleRecord, add_role, remove_role, role_by_name

MAX_SESSION_DURATION_SECONDS = 3600


class LinkedRole(Protocol):
    """A row of the table of service-linked roles: service principal, role name, and the role's only policy."""

    @property
    def service(self) -> str: ...

    @property
    def role_name(self) -> str: ...

    @property
    def policy_arn(self) -> str | None: ...


DeletionStatus = Literal["NOT_STARTED", "IN_PROGRESS", "SUCCEEDED", "FAILED"]


class RoleUsage(Struct, frozen=True):
    """Resources in one Region that use a service-linked role: ARNs, or ids of resources without an ARN."""

    region: str
    resources: tuple[str, ...]


class Deletion(Struct, frozen=True):
    """One request to delete a service-linked role. ``usages`` lists the resources that made it fail."""

    task_id: str
    account_id: str
    role_name: str
    status: DeletionStatus
    reason: str
    usages: tuple[RoleUsage, ...]
    created_at_seconds: int


ResourceFinder = Callable[[Connection, str], Sequence[RoleUsage]]

# Service principal -> finder of the resources that use its role. The modules of such features add their finders.
RESOURCE_FINDERS: dict[str, ResourceFinder] = {}


def resources_using(connection: Connection, account_id: str, service: str) -> list[RoleUsage]:
    """The account's resources that use the role of ``service``; empty when the role may be deleted."""
    finder = RESOURCE_FINDERS.get(service)
    return [] if finder is None else list(finder(connection, account_id))


def trust_policy(service: str) -> str:
    """The trust policy of a service-linked role in the form of GetRole and ListRoles. It trusts only the service."""
    return _trust_policy(service, "sts:AssumeRole")


def created_trust_policy(service: str) -> str:
    """The same policy in the form of CreateServiceLinkedRole's answer: with lists of one element."""
    return _trust_policy([service], ["sts:AssumeRole"])


def _trust_policy(service: str | list[str], action: str | list[str]) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def role_name(facts: LinkedRole, custom_suffix: str = "") -> str:
    return f"{facts.role_name}_{custom_suffix}" if custom_suffix else facts.role_name


def ensure(
    connection: Connection, account_id: str, facts: LinkedRole, now_seconds: float, ids: Identifiers
) -> RoleRecord:
    """The account's role of a service, created now if it is missing. ``facts`` is the service's row of the table.

    Raises AlreadyThere when an ordinary role has its name.
    """
    found = role_by_name(connection, account_id, facts.role_name)
    if found is not None and found.linked_service == facts.service:
        return found
    return create(connection, account_id, facts, now_seconds, ids)


def create(
    connection: Connection,
    account_id: str,
    facts: LinkedRole,
    now_seconds: float,
    ids: Identifiers,
    *,
    custom_suffix: str = "",
    description: str = "",
) -> RoleRecord:
    """Create a service-linked role with its only policy. Raises AlreadyThere when a role has that name."""
    role = RoleRecord(
        role_id=ids.unique_id(ROLE_PREFIX),
        account_id=account_id,
        name=role_name(facts, custom_suffix),
        path=f"{SERVICE_LINKED_PATH}{facts.service}/",
        description=description,
        trust_policy=trust_policy(facts.service),
        trust_principal_ids={},
        max_session_duration_seconds=MAX_SESSION_DURATION_SECONDS,
        permissions_boundary_arn=None,
        linked_service=facts.service,
        created_at_seconds=int(now_seconds),
    )
    add_role(connection, role)
    if facts.policy_arn is not None:
        connection.execute(
            insert(t.role_attached_policies),
            {
                "role_id": role.role_id,
                "policy_arn": facts.policy_arn,
                "policy_id": None,
                "attached_at_seconds": int(now_seconds),
            },
        )
    return role


def run_deletion(
    connection: Connection, role: RoleRecord, reason_when_used: str, now_seconds: float, ids: Identifiers
) -> Deletion:
    """Delete a service-linked role unless a resource uses it, and store a record of the result.

    The task is complete when this returns. AWS takes minutes to ask every Region; nothing here does. The record of a
    refused deletion holds ``reason_when_used``.
    """
    service = role.linked_service or ""
    usages = tuple(resources_using(connection, role.account_id, service))
    deletion = Deletion(
        task_id=f"task{role.path}{role.name}/{ids.uuid()}",
        account_id=role.account_id,
        role_name=role.name,
        status="FAILED" if usages else "SUCCEEDED",
        reason=reason_when_used if usages else "",
        usages=usages,
        created_at_seconds=int(now_seconds),
    )
    if not usages:
        attached = t.role_attached_policies
        connection.execute(delete(attached).where(attached.c.role_id == role.role_id))
        remove_role(connection, role.role_id)
    connection.execute(
        insert(t.service_linked_role_deletions),
        {
            "task_id": deletion.task_id,
            "account_id": deletion.account_id,
            "role_name": deletion.role_name,
            "status": deletion.status,
            "reason": deletion.reason,
            "resources": json.dumps([asdict(usage) for usage in usages]),
            "created_at_seconds": deletion.created_at_seconds,
        },
    )
    return deletion


def deletion_by_task(connection: Connection, account_id: str, task_id: str) -> Deletion | None:
    """The account's deletion with that task id; None when there is none."""
    deletions = t.service_linked_role_deletions
    statement = select(deletions).where(deletions.c.account_id == account_id, deletions.c.task_id == task_id)
    row = connection.execute(statement).first()
    if row is None:
        return None
    return Deletion(
        task_id=row.task_id,
        account_id=row.account_id,
        role_name=row.role_name,
        status=row.status,
        reason=row.reason,
        usages=tuple(RoleUsage(usage["region"], tuple(usage["resources"])) for usage in json.loads(row.resources)),
        created_at_seconds=row.created_at_seconds,
    )

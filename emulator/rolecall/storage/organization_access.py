"""Who may manage an organization beside its management account, services that may work in it, and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select

from rolecall.storage import tables as t

# The service whose delegated administrators may use centralized root access. Every organization trusts it at first.
IAM = "iam.amazonaws.com"


class ResourcePolicy(Struct, frozen=True):
    """The policy with which an organization lets member accounts manage it."""

    policy_id: str
    document: str


def tags(connection: Connection, organization_id: str, resource_id: str) -> dict[str, str]:
    """The tags of the root, a unit, an account or a policy, by key."""
    kept = t.organization_tags.c
    statement = (
        select(kept.key, kept.value)
        .where(kept.organization_id == organization_id, kept.resource_id == resource_id)
        .order_by(kept.key)
    )
    return {row.key: row.value for row in connection.execute(statement)}


def put_tags(connection: Connection, organization_id: str, resource_id: str, given: Mapping[str, str]) -> None:
    remove_tags(connection, organization_id, resource_id, given)
    rows = [
        {"organization_id": organization_id, "resource_id": resource_id, "key": key, "value": value}
        for key, value in given.items()
    ]
    if rows:
        connection.execute(insert(t.organization_tags), rows)


def remove_tags(connection: Connection, organization_id: str, resource_id: str, keys: Iterable[str]) -> None:
    kept = t.organization_tags.c
    connection.execute(
        delete(t.organization_tags).where(
            kept.organization_id == organization_id, kept.resource_id == resource_id, kept.key.in_(list(keys))
        )
    )


def resource_policy(connection: Connection, organization_id: str) -> ResourcePolicy | None:
    kept = t.organization_resource_policies.c
    row = connection.execute(
        select(kept.policy_id, kept.document).where(kept.organization_id == organization_id)
    ).first()
    return None if row is None else ResourcePolicy(row.policy_id, row.document)


def put_resource_policy(connection: Connection, organization_id: str, policy: ResourcePolicy) -> None:
    remove_resource_policy(connection, organization_id)
    connection.execute(
        insert(t.organization_resource_policies).values(
            organization_id=organization_id, policy_id=policy.policy_id, document=policy.document
        )
    )


def remove_resource_policy(connection: Connection, organization_id: str) -> None:
    kept = t.organization_resource_policies.c
    connection.execute(delete(t.organization_resource_policies).where(kept.organization_id == organization_id))


def service_access(connection: Connection, organization_id: str, default_at_seconds: int) -> dict[str, int]:
    """The services that may work in all accounts, each with the time of its permission."""
    kept = t.organization_service_access.c
    statement = select(kept.service_principal, kept.enabled_at_seconds).where(kept.organization_id == organization_id)
    found = {row.service_principal: row.enabled_at_seconds for row in connection.execute(statement)}
    found.setdefault(IAM, default_at_seconds)
    return {name: at for name, at in sorted(found.items()) if at is not None}


def set_service_access(
    connection: Connection, organization_id: str, service_principal: str, at_seconds: int | None
) -> None:
    """Let a service work in all accounts from a time on, or no more for None."""
    kept = t.organization_service_access.c
    connection.execute(
        delete(t.organization_service_access).where(
            kept.organization_id == organization_id, kept.service_principal == service_principal
        )
    )
    if at_seconds is not None or service_principal == IAM:
        connection.execute(
            insert(t.organization_service_access).values(
                organization_id=organization_id, service_principal=service_principal, enabled_at_seconds=at_seconds
            )
        )


def delegations(connection: Connection, organization_id: str, default_at_seconds: int) -> dict[str, dict[str, int]]:
    """By account: the services that it administers, each with the time of its registration."""
    declared, kept = t.delegated_administrators.c, t.delegated_services.c
    found: dict[str, dict[str, int]] = {}
    for account_id in connection.execute(
        select(declared.account_id).where(declared.organization_id == organization_id)
    ).scalars():
        found.setdefault(account_id, {})[IAM] = default_at_seconds
    rows = connection.execute(
        select(kept.account_id, kept.service_principal, kept.registered_at_seconds)
        .join(t.accounts, t.accounts.c.account_id == kept.account_id)
        .where(t.accounts.c.organization_id == organization_id)
        .order_by(kept.account_id, kept.service_principal)
    )
    for row in rows:
        found.setdefault(row.account_id, {})[row.service_principal] = row.registered_at_seconds
    return {account_id: dict(sorted(services.items())) for account_id, services in sorted(found.items())}


def register_delegation(
    connection: Connection, organization_id: str, account_id: str, service_principal: str, now_seconds: int
) -> None:
    connection.execute(
        insert(t.delegated_services).values(
            account_id=account_id, service_principal=service_principal, registered_at_seconds=now_seconds
        )
    )
    if service_principal == IAM:
        connection.execute(
            insert(t.delegated_administrators).values(account_id=account_id, organization_id=organization_id)
        )


def deregister_delegation(connection: Connection, account_id: str, service_principal: str) -> None:
    kept = t.delegated_services.c
    connection.execute(
        delete(t.delegated_services).where(kept.account_id == account_id, kept.service_principal == service_principal)
    )
    if service_principal == IAM:
        connection.execute(
            delete(t.delegated_administrators).where(t.delegated_administrators.c.account_id == account_id)
        )

"""Policies of an organization, of every type, and where they are attached: rows in, frozen records out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from rolecall.arns import FULL_ACCESS
from rolecall.storage import tables as t
from rolecall.storage.gather import CONTROL_POLICY_TYPES, ROOT_TARGET, policy_type_enabled
from rolecall.storage.problems import AlreadyThere, problem_for_conflict

# Texts of the policies that AWS attaches itself, as DescribePolicy shows them, and their descriptions.
_DOCUMENTS = {
    "SERVICE_CONTROL_POLICY": (
        '{\n  "Version": "2012-10-17",\n  "Statement": [\n    {\n      "Effect": "Allow",\n      "Action": "*",\n'
        '      "Resource": "*"\n    }\n  ]\n}'
    ),
    "RESOURCE_CONTROL_POLICY": (
        '{\n  "Version": "2012-10-17",\n  "Statement": [\n    {\n      "Effect": "Allow",\n      "Principal": "*",\n'
        '      "Action": "*",\n      "Resource": "*"\n    }\n  ]\n}'
    ),
}
_DESCRIPTIONS = {
    "SERVICE_CONTROL_POLICY": "Allows access to every operation",
    "RESOURCE_CONTROL_POLICY": "Allows access to every resource",
}


class PolicyRecord(Struct, frozen=True):
    """A policy of an organization. ``stored`` is False for full access that is attached everywhere."""

    policy_id: str
    policy_type: str
    name: str
    description: str
    document: str
    stored: bool = True

    @property
    def aws_managed(self) -> bool:
        return self.policy_id == f"p-{FULL_ACCESS.get(self.policy_type)}"


def full_access(policy_type: str) -> PolicyRecord:
    """AWS's own policy of a type, attached everywhere."""
    name = FULL_ACCESS[policy_type]
    return PolicyRecord(
        f"p-{name}", policy_type, name, _DESCRIPTIONS[policy_type], _DOCUMENTS[policy_type], stored=False
    )


def _record(row: Row[Any]) -> PolicyRecord:
    return PolicyRecord(row.policy_id, row.policy_type, row.name, row.description, row.document)


def policy(connection: Connection, organization_id: str, policy_id: str) -> PolicyRecord | None:
    """The policy with an id; None when there is no such policy."""
    policies = t.organization_policies
    statement = select(policies).where(policies.c.organization_id == organization_id, policies.c.policy_id == policy_id)
    row = connection.execute(statement).first()
    if row is not None:
        return _record(row)
    return next((full_access(each) for each, name in FULL_ACCESS.items() if policy_id == f"p-{name}"), None)


def policies_of_type(connection: Connection, organization_id: str, policy_type: str) -> list[PolicyRecord]:
    """All policies of a type, by name. AWS's own policy is among them."""
    policies = t.organization_policies
    statement = (
        select(policies)
        .where(policies.c.organization_id == organization_id, policies.c.policy_type == policy_type)
        .order_by(policies.c.name)
    )
    found = [_record(row) for row in connection.execute(statement)]
    if policy_type in FULL_ACCESS and not any(each.aws_managed for each in found):
        found = sorted([*found, full_access(policy_type)], key=lambda each: each.name)
    return found


def policy_count(connection: Connection, organization_id: str, policy_type: str) -> int:
    """How many policies of a type the organization made itself."""
    policies = t.organization_policies.c
    statement = (
        select(func.count())
        .select_from(t.organization_policies)
        .where(
            policies.organization_id == organization_id,
            policies.policy_type == policy_type,
            policies.policy_id != f"p-{FULL_ACCESS.get(policy_type)}",
        )
    )
    return int(connection.execute(statement).scalar_one())


def add_policy(connection: Connection, organization_id: str, new: PolicyRecord) -> None:
    """Raises AlreadyThere when a policy of the type has that name."""
    values = {
        "organization_id": organization_id,
        "policy_id": new.policy_id,
        "policy_type": new.policy_type,
        "name": new.name,
        "description": new.description,
        "document": new.document,
    }
    with problem_for_conflict(connection, AlreadyThere(new.name)):
        connection.execute(insert(t.organization_policies), values)


def change_policy(connection: Connection, organization_id: str, changed: PolicyRecord) -> None:
    """Give a policy another name, description or document. Raises AlreadyThere when the name is taken."""
    policies = t.organization_policies
    statement = (
        update(policies)
        .where(policies.c.organization_id == organization_id, policies.c.policy_id == changed.policy_id)
        .values(name=changed.name, description=changed.description, document=changed.document)
    )
    with problem_for_conflict(connection, AlreadyThere(changed.name)):
        connection.execute(statement)


def remove_policy(connection: Connection, organization_id: str, policy_id: str) -> None:
    policies, tags = t.organization_policies.c, t.organization_tags.c
    connection.execute(
        delete(t.organization_policies).where(
            policies.organization_id == organization_id, policies.policy_id == policy_id
        )
    )
    connection.execute(
        delete(t.organization_tags).where(tags.organization_id == organization_id, tags.resource_id == policy_id)
    )


def every_target(connection: Connection, organization_id: str) -> list[str]:
    """The root, all units and all accounts."""
    units, accounts = t.organizational_units.c, t.accounts.c
    return [
        ROOT_TARGET,
        *connection.execute(select(units.ou_id).where(units.organization_id == organization_id)).scalars(),
        *connection.execute(select(accounts.account_id).where(accounts.organization_id == organization_id)).scalars(),
    ]


def targets_of(connection: Connection, organization_id: str, found: PolicyRecord) -> list[str]:
    """Where a policy is attached. Full access without a row is attached everywhere while its type is on."""
    if not found.stored:
        enabled = policy_type_enabled(connection, organization_id, found.policy_type)
        return sorted(every_target(connection, organization_id)) if enabled else []
    targets = t.organization_policy_targets.c
    statement = (
        select(targets.target)
        .where(targets.organization_id == organization_id, targets.policy_id == found.policy_id)
        .order_by(targets.target)
    )
    return list(connection.execute(statement).scalars())


def policies_at(connection: Connection, organization_id: str, policy_type: str, target: str) -> list[PolicyRecord]:
    """The policies of a type that are attached to a target itself, by name."""
    targets = t.organization_policy_targets.c
    statement = select(targets.policy_id).where(targets.organization_id == organization_id, targets.target == target)
    attached = set(connection.execute(statement).scalars())
    enabled = policy_type_enabled(connection, organization_id, policy_type)
    return [
        each
        for each in policies_of_type(connection, organization_id, policy_type)
        if each.policy_id in attached or (enabled and not each.stored)
    ]


def attach(connection: Connection, organization_id: str, policy_id: str, targets: Iterable[str]) -> None:
    """Raises AlreadyThere when the policy is attached to one of the targets."""
    rows = [{"organization_id": organization_id, "policy_id": policy_id, "target": target} for target in targets]
    if rows:
        with problem_for_conflict(connection, AlreadyThere(policy_id)):
            connection.execute(insert(t.organization_policy_targets), rows)


def detach(connection: Connection, organization_id: str, found: PolicyRecord, target: str) -> None:
    """Detach a policy. Full access gets a row and stays attached to all other targets."""
    if not found.stored:
        others = [each for each in every_target(connection, organization_id) if each != target]
        add_policy(connection, organization_id, found)
        attach(connection, organization_id, found.policy_id, others)
        return
    targets = t.organization_policy_targets.c
    connection.execute(
        delete(t.organization_policy_targets).where(
            targets.organization_id == organization_id,
            targets.policy_id == found.policy_id,
            targets.target == target,
        )
    )


def attach_full_access(connection: Connection, organization_id: str, target: str) -> None:
    """What AWS attaches to a new unit or account."""
    for policy_type in CONTROL_POLICY_TYPES:
        found = policy(connection, organization_id, f"p-{FULL_ACCESS[policy_type]}")
        enabled = policy_type_enabled(connection, organization_id, policy_type)
        if enabled and found is not None and found.stored:
            attach(connection, organization_id, found.policy_id, [target])


def switch_policy_type(connection: Connection, organization_id: str, policy_type: str, *, on: bool) -> None:
    """Switch a type on or off. Off detaches its policies everywhere; on attaches full access everywhere."""
    types = t.organization_policy_types
    connection.execute(
        delete(types).where(types.c.organization_id == organization_id, types.c.policy_type == policy_type)
    )
    connection.execute(insert(types).values(organization_id=organization_id, policy_type=policy_type, enabled=on))
    for each in policies_of_type(connection, organization_id, policy_type):
        if each.stored and each.aws_managed:
            remove_policy(connection, organization_id, each.policy_id)
        elif each.stored and not on:
            targets = t.organization_policy_targets.c
            connection.execute(
                delete(t.organization_policy_targets).where(
                    targets.organization_id == organization_id, targets.policy_id == each.policy_id
                )
            )


def enabled_types(connection: Connection, organization_id: str) -> set[str]:
    """The types that are switched on."""
    types = t.organization_policy_types.c
    rows = connection.execute(
        select(types.policy_type, types.enabled).where(types.organization_id == organization_id)
    ).all()
    switched = {row.policy_type: row.enabled for row in rows}
    known = set(CONTROL_POLICY_TYPES) | switched.keys()
    return {each for each in known if switched.get(each, each in CONTROL_POLICY_TYPES)}

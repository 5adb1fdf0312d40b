"""Policies of users, groups and roles: managed policies by attachment, inline policies by name.

As on AWS, attaching or putting the same policy again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Delete,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.problems import AlreadyThere, problem_for_conflict

EntityKind = Literal["user", "group", "role"]


class KindTables(Struct, frozen=True):
    """The tables of one kind of entity. ``owner`` is the column that names the entity in each of them."""

    owners: Table
    attached: Table
    inline: Table
    owner: str
    # Groups have no permissions boundary.
    has_boundary: bool


KIND_TABLES: Mapping[EntityKind, KindTables] = MappingProxyType(
    {
        "user": KindTables(t.users, t.user_attached_policies, t.user_inline_policies, "user_id", True),
        "group": KindTables(t.groups, t.group_attached_policies, t.group_inline_policies, "group_id", False),
        "role": KindTables(t.roles, t.role_attached_policies, t.role_inline_policies, "role_id", True),
    }
)


class _PolicyStatements(Struct, frozen=True):
    """The statements for one kind's tables, built once."""

    lock_owner: Select[Any]
    select_attached: Select[Any]
    insert_attached: Insert
    delete_attached: Delete
    select_names: Select[Any]
    select_documents: Select[Any]
    select_document: Select[Any]
    insert_document: Insert
    update_document: Update
    delete_document: Delete


def _statements(tables: KindTables) -> _PolicyStatements:
    attached, inline = tables.attached, tables.inline
    of_attached = attached.c[tables.owner] == bindparam("owner")
    of_inline = inline.c[tables.owner] == bindparam("owner")
    named = (of_inline, inline.c.name == bindparam("policy_name"))
    owner_column = tables.owners.c[tables.owner]
    return _PolicyStatements(
        lock_owner=select(owner_column).where(owner_column == bindparam("owner")).with_for_update(),
        select_attached=select(attached.c.policy_arn).where(of_attached).order_by(attached.c.policy_arn),
        insert_attached=insert(attached),
        delete_attached=delete(attached).where(of_attached, attached.c.policy_arn == bindparam("arn")),
        select_names=select(inline.c.name).where(of_inline).order_by(inline.c.name),
        select_documents=select(inline.c.name, inline.c.document).where(of_inline).order_by(inline.c.name),
        select_document=select(inline.c.document).where(*named),
        insert_document=insert(inline),
        update_document=update(inline).where(*named),
        delete_document=delete(inline).where(*named),
    )


_STATEMENTS = {kind: _statements(tables) for kind, tables in KIND_TABLES.items()}


def lock_entity(connection: Connection, kind: EntityKind, owner_id: str) -> None:
    """Lock the entity before its policies are counted for a quota. Other writers wait, if several may write."""
    connection.execute(_STATEMENTS[kind].lock_owner, {"owner": owner_id})


def attached_arns(connection: Connection, kind: EntityKind, owner_id: str) -> list[str]:
    """ARNs of the managed policies attached to an entity, sorted."""
    return list(connection.execute(_STATEMENTS[kind].select_attached, {"owner": owner_id}).scalars())


def attach_policy(
    connection: Connection, kind: EntityKind, owner_id: str, policy_arn: str, policy_id: str | None, now_seconds: int
) -> None:
    """Attach a managed policy that is not attached yet. ``policy_id`` is None for an AWS managed policy.

    Raises AlreadyThere when the policy is attached, or when the entity or the policy was deleted meanwhile.
    """
    values = {
        KIND_TABLES[kind].owner: owner_id,
        "policy_arn": policy_arn,
        "policy_id": policy_id,
        "attached_at_seconds": now_seconds,
    }
    with problem_for_conflict(connection, AlreadyThere(policy_arn)):
        connection.execute(_STATEMENTS[kind].insert_attached, values)


def detach_policy(connection: Connection, kind: EntityKind, owner_id: str, policy_arn: str) -> bool:
    """Detach a managed policy. False when it was not attached."""
    statement = _STATEMENTS[kind].delete_attached.execution_options(**{CHANGES_ALONE: owner_id})
    return connection.execute(statement, {"owner": owner_id, "arn": policy_arn}).rowcount > 0


def inline_names(connection: Connection, kind: EntityKind, owner_id: str) -> list[str]:
    """Names of an entity's inline policies, sorted."""
    return list(connection.execute(_STATEMENTS[kind].select_names, {"owner": owner_id}).scalars())


def inline_documents(connection: Connection, kind: EntityKind, owner_id: str) -> dict[str, str]:
    """An entity's inline policies: documents by name."""
    rows = connection.execute(_STATEMENTS[kind].select_documents, {"owner": owner_id})
    return {row[0]: row[1] for row in rows}


def inline_document(connection: Connection, kind: EntityKind, owner_id: str, name: str) -> str | None:
    """One inline policy's document; None when there is no policy with that name."""
    found = connection.execute(_STATEMENTS[kind].select_document, {"owner": owner_id, "policy_name": name}).scalar()
    return None if found is None else str(found)


def put_inline(connection: Connection, kind: EntityKind, owner_id: str, name: str, document: str) -> None:
    """Add an inline policy, or replace the document of the policy with that name."""
    statements = _STATEMENTS[kind]
    key = {"owner": owner_id, "policy_name": name}
    change = statements.update_document.values(document=document).execution_options(**{CHANGES_ALONE: owner_id})
    if connection.execute(change, key).rowcount == 0:
        values = {KIND_TABLES[kind].owner: owner_id, "name": name, "document": document}
        connection.execute(statements.insert_document, values)


def remove_inline(connection: Connection, kind: EntityKind, owner_id: str, name: str) -> bool:
    """Delete an inline policy. False when there was no policy with that name."""
    statement = _STATEMENTS[kind].delete_document.execution_options(**{CHANGES_ALONE: owner_id})
    return connection.execute(statement, {"owner": owner_id, "policy_name": name}).rowcount > 0


class PolicyUser(Struct, frozen=True):
    """An entity that uses a managed policy."""

    kind: EntityKind
    name: str
    entity_id: str


def entities_with_policy(
    connection: Connection,
    account_id: str,
    policy_arn: str,
    kind: EntityKind,
    *,
    as_boundary: bool = False,
    path_prefix: str = "/",
) -> list[PolicyUser]:
    """The account's entities of a kind that a policy is attached to, or that it bounds, by name."""
    tables = KIND_TABLES[kind]
    owners = tables.owners
    if as_boundary and not tables.has_boundary:
        return []
    statement = select(owners.c.name, owners.c[tables.owner]).where(
        owners.c.account_id == account_id,
        # Not LIKE: SQLite's LIKE ignores case, and paths may hold its wildcards.
        func.substr(owners.c.path, 1, len(path_prefix)) == path_prefix,
    )
    if as_boundary:
        statement = statement.where(owners.c.permissions_boundary_arn == policy_arn)
    else:
        attached = tables.attached
        statement = statement.join(attached, attached.c[tables.owner] == owners.c[tables.owner])
        statement = statement.where(attached.c.policy_arn == policy_arn)
    rows = connection.execute(statement.order_by(owners.c.name_key))
    return [PolicyUser(kind, row[0], row[1]) for row in rows]

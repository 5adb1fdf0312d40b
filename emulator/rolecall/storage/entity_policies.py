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
    Select,
    Table,
    bindparam,
    delete,
    func,
    select,
    update,
)

from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_BOUND
from rolecall.storage.dialects import dialect_of
from rolecall.storage.prepared import PreparedInsert, PreparedSelect, PreparedUpdate
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
    select_attached: PreparedSelect
    insert_attached: PreparedInsert
    delete_attached: PreparedUpdate
    select_names: PreparedSelect
    select_documents: PreparedSelect
    select_document: PreparedSelect
    insert_document: PreparedInsert
    update_document: PreparedUpdate
    delete_document: PreparedUpdate


def _statements(tables: KindTables) -> _PolicyStatements:
    attached, inline = tables.attached, tables.inline
    of_attached = attached.c[tables.owner] == bindparam("owner")
    of_inline = inline.c[tables.owner] == bindparam("owner")
    named = (of_inline, inline.c.name == bindparam("policy_name"))
    owner_column = tables.owners.c[tables.owner]
    detached = delete(attached).where(of_attached, attached.c.policy_arn == bindparam("arn"))
    changed = update(inline).where(*named).values(document=bindparam("new_document"))
    documents = select(inline.c.name, inline.c.document).where(of_inline).order_by(inline.c.name)
    alone = {CHANGES_BOUND: "owner"}
    return _PolicyStatements(
        lock_owner=select(owner_column).where(owner_column == bindparam("owner")).with_for_update(),
        select_attached=PreparedSelect(
            select(attached.c.policy_arn).where(of_attached).order_by(attached.c.policy_arn), "owner"
        ),
        insert_attached=PreparedInsert(attached),
        delete_attached=PreparedUpdate(detached.execution_options(**alone), attached, "owner", "arn"),
        select_names=PreparedSelect(select(inline.c.name).where(of_inline).order_by(inline.c.name), "owner"),
        select_documents=PreparedSelect(documents, "owner"),
        select_document=PreparedSelect(select(inline.c.document).where(*named), "owner", "policy_name"),
        insert_document=PreparedInsert(inline),
        update_document=PreparedUpdate(
            changed.execution_options(**alone), inline, "owner", "policy_name", "new_document"
        ),
        delete_document=PreparedUpdate(
            delete(inline).where(*named).execution_options(**alone), inline, "owner", "policy_name"
        ),
    )


_STATEMENTS = {kind: _statements(tables) for kind, tables in KIND_TABLES.items()}


def lock_entity(connection: Connection, kind: EntityKind, owner_id: str) -> None:
    """Lock the entity before its policies are counted for a quota. Other writers wait, if several may write."""
    if dialect_of(connection).locks_rows:
        connection.execute(_STATEMENTS[kind].lock_owner, {"owner": owner_id})


def attached_arns(connection: Connection, kind: EntityKind, owner_id: str) -> list[str]:
    """ARNs of the managed policies attached to an entity, sorted."""
    return [row[0] for row in _STATEMENTS[kind].select_attached.all(connection, owner_id)]


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
        _STATEMENTS[kind].insert_attached.execute(connection, [values])


def detach_policy(connection: Connection, kind: EntityKind, owner_id: str, policy_arn: str) -> bool:
    """Detach a managed policy. False when it was not attached."""
    return _STATEMENTS[kind].delete_attached.execute(connection, owner_id, policy_arn) > 0


def inline_names(connection: Connection, kind: EntityKind, owner_id: str) -> list[str]:
    """Names of an entity's inline policies, sorted."""
    return [row[0] for row in _STATEMENTS[kind].select_names.all(connection, owner_id)]


def inline_documents(connection: Connection, kind: EntityKind, owner_id: str) -> dict[str, str]:
    """An entity's inline policies: documents by name."""
    return {row[0]: row[1] for row in _STATEMENTS[kind].select_documents.all(connection, owner_id)}


def inline_document(connection: Connection, kind: EntityKind, owner_id: str, name: str) -> str | None:
    """One inline policy's document; None when there is no policy with that name."""
    row = _STATEMENTS[kind].select_document.first(connection, owner_id, name)
    return None if row is None else str(row[0])


def put_inline(connection: Connection, kind: EntityKind, owner_id: str, name: str, document: str) -> None:
    """Add an inline policy, or replace the document of the policy with that name."""
    statements = _STATEMENTS[kind]
    if not statements.update_document.execute(connection, owner_id, name, document):
        values = {KIND_TABLES[kind].owner: owner_id, "name": name, "document": document}
        statements.insert_document.execute(connection, [values])


def remove_inline(connection: Connection, kind: EntityKind, owner_id: str, name: str) -> bool:
    """Delete an inline policy. False when there was no policy with that name."""
    return _STATEMENTS[kind].delete_document.execute(connection, owner_id, name) > 0


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

"""Shared by users, groups, roles and policies: their columns, and the tables of their policies and tags."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint
from sqlalchemy.schema import SchemaItem

from rolecall.storage.schema import NOT_IN_SNAPSHOTS, Snapshot, cascade, table

# Entities whose rights no other entity's rights depend on. The rights of a group are its members'.
_RIGHTS_OF_THEIR_OWN = frozenset({"users", "roles"})


def _of_entity(owner_table: str, owner: str) -> str:
    return owner if owner_table in _RIGHTS_OF_THEIR_OWN else ""


def named_entity(table_name: str, identifier: str, *columns: SchemaItem, bears_on_rights: bool = True) -> Table:
    return table(
        table_name,
        bears_on_rights=bears_on_rights,
        of_entity=_of_entity(table_name, identifier),
        snapshot=Snapshot.KEYS,
        columns=[
            Column(identifier, String(32), primary_key=True),
            Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
            Column("name", String(128), nullable=False),
            Column("name_key", String(128), nullable=False),
            Column("path", String(512), nullable=False, default="/"),
            Column("created_at_seconds", BigInteger, nullable=False),
            *columns,
            UniqueConstraint("account_id", "name_key"),
        ],
    )


def attached_policies(table_name: str, owner_table: str, owner: str) -> Table:
    """Managed policies attached to one kind of entity. ``policy_id`` is null for AWS managed policies."""
    return table(
        table_name,
        bears_on_rights=True,
        of_entity=_of_entity(owner_table, owner),
        snapshot=Snapshot.KEYS,
        columns=[
            # No cascade: AWS refuses to delete an entity with policies, or a policy that is attached.
            Column(owner, String(32), ForeignKey(f"{owner_table}.{owner}"), primary_key=True),
            Column("policy_arn", String(2048), primary_key=True),
            Column("policy_id", String(32), ForeignKey("policies.policy_id"), nullable=True),
            Column("attached_at_seconds", BigInteger, nullable=False, info=NOT_IN_SNAPSHOTS),
            Index(None, "policy_id"),
            Index(None, "policy_arn"),
        ],
    )


def inline_policies(table_name: str, owner_table: str, owner: str) -> Table:
    return table(
        table_name,
        bears_on_rights=True,
        of_entity=_of_entity(owner_table, owner),
        snapshot=Snapshot.KEYS,
        columns=[
            Column(owner, String(32), ForeignKey(f"{owner_table}.{owner}"), primary_key=True),
            Column("name", String(128), primary_key=True),
            Column("document", Text, nullable=False),
        ],
    )


def tags(
    table_name: str,
    owner_table: str,
    owner: str,
    owner_characters: int = 32,
    snapshot: Snapshot = Snapshot.KEYS,
    *,
    bears_on_rights: bool = True,
) -> Table:
    """``key_key`` is the form in which a tag key is unique: in lower case if the service ignores case."""
    return table(
        table_name,
        bears_on_rights=bears_on_rights,
        of_entity=_of_entity(owner_table, owner),
        snapshot=snapshot,
        columns=[
            Column(owner, String(owner_characters), cascade(f"{owner_table}.{owner}"), primary_key=True),
            Column("key_key", String(128), primary_key=True),
            Column("key", String(128), nullable=False),
            Column("value", String(256), nullable=False),
        ],
    )

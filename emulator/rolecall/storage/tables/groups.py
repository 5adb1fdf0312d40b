"""Groups, with their members and policies."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String

from rolecall.storage.schema import NOT_IN_SNAPSHOTS, Snapshot, table
from rolecall.storage.tables.entities import attached_policies, inline_policies, named_entity

groups = named_entity("groups", "group_id")

group_members = table(
    "group_members",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("group_id", String(32), ForeignKey("groups.group_id"), primary_key=True),
        Column("user_id", String(32), ForeignKey("users.user_id"), primary_key=True),
        Column("added_at_seconds", BigInteger, nullable=False, info=NOT_IN_SNAPSHOTS),
        Index(None, "user_id"),
    ],
)

group_attached_policies = attached_policies("group_attached_policies", "groups", "group_id")

group_inline_policies = inline_policies("group_inline_policies", "groups", "group_id")

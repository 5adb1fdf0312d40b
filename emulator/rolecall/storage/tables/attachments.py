"""Attachments: the instances, tasks and pods whose programs get credentials from an address of their own."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Text

from rolecall.storage.schema import NOT_IN_SNAPSHOTS, Snapshot, cascade, table

# Every process must notice a change, because it may be the one that listens.
attachments = table(
    "attachments",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        # The id that AWS gives it, such as i-0123456789abcdef0.
        Column("attachment_id", String(64), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("kind", String(32), nullable=False),
        Column("host", String(64), nullable=False),
        # 0 stands for a free one.
        Column("port", Integer, nullable=False),
        # What its kind knows about it, as JSON.
        Column("facts", Text, nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        # Where a process listens for it now.
        Column("bound_port", Integer, nullable=True, info=NOT_IN_SNAPSHOTS),
        Index(None, "account_id"),
    ],
)

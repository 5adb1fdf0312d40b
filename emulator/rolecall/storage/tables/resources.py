"""Resources that a service keeps as its model spells them, with the settings and tags that hang on them.

A kind with invariants has tables of its own instead. So have secrets, and whatever an operation searches by.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Text, UniqueConstraint

from rolecall.storage.schema import AFTER_CREATION, IN_MEMBERS, Snapshot, cascade, table

# ``kind`` is a service and a resource type, ``chime-sdk-voice/voice-connector``. ``content`` is JSON. A resource goes
# with its parent. At ``ends_at_seconds`` of the sandbox's clock it ends: from then on no operation finds it. The
# operation that made it answers it again for the same ``create_token``. ``secret`` is a member's value, as JSON.
resources = table(
    "resources",
    bears_on_rights=False,
    kept_by="resource_key",
    adds_resources=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("resource_key", String(36), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("region", String(32), nullable=False),
        Column("kind", String(96), nullable=False),
        Column("resource_id", String(256), nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("content", Text, nullable=False, info=IN_MEMBERS),
        # Deferred, because a snapshot may have a resource before its parent.
        Column(
            "parent_key",
            String(36),
            ForeignKey("resources.resource_key", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        ),
        Column("ends_at_seconds", BigInteger, info=AFTER_CREATION),
        Column("create_token", String(160)),
        Column("secret", Text),
        UniqueConstraint("account_id", "region", "kind", "resource_id", name="uq_resources_id"),
        Index("ix_resources_page", "account_id", "region", "kind", "created_at_seconds", "resource_id"),
        Index("ix_resources_of_parent", "parent_key", "kind", "created_at_seconds", "resource_id"),
        Index("ix_resources_end", "account_id", "region", "kind", "ends_at_seconds"),
        Index("uq_resources_create_token", "account_id", "region", "kind", "create_token", unique=True),
    ],
)

# Documents of a resource that operations put, get and delete as a whole. ``name`` is the model's member.
resource_settings = table(
    "resource_settings",
    bears_on_rights=False,
    kept_by="resource_key",
    snapshot=Snapshot.ROWS,
    columns=[
        Column("resource_key", String(36), cascade("resources.resource_key"), primary_key=True),
        Column("name", String(96), primary_key=True),
        Column("content", Text, nullable=False),
    ],
)

# Every call reads the tags of its resource anew, so a write need not make caches forget.
resource_tags = table(
    "resource_tags",
    bears_on_rights=False,
    kept_by="resource_key",
    snapshot=Snapshot.ROWS,
    columns=[
        Column("resource_key", String(36), cascade("resources.resource_key"), primary_key=True),
        Column("key", String(128), primary_key=True),
        Column("value", String(256), nullable=False),
    ],
)

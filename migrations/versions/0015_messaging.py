"""Members and messages of channels, and the events that messaging announces"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_relations",
        sa.Column("channel_key", sa.String(length=36), nullable=False),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("member_key", sa.String(length=36), nullable=False),
        sa.Column("member_arn", sa.String(length=256), nullable=False),
        sa.Column("created_by_arn", sa.String(length=256), nullable=False),
        sa.Column("created_at_micros", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_micros", sa.BigInteger(), nullable=False),
        sa.Column("sub_channel_id", sa.String(length=128), nullable=False),
        sa.Column("membership_type", sa.String(length=16), nullable=False),
        sa.Column("read_marker_micros", sa.BigInteger(), nullable=True),
        sa.Column("preferences", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_key"],
            ["resources.resource_key"],
            name=op.f("fk_channel_relations_channel_key"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["member_key"], ["resources.resource_key"], name=op.f("fk_channel_relations_member_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "channel_key", "relation", "member_key", "sub_channel_id", name=op.f("pk_channel_relations")
        ),
    )
    op.create_index(
        "ix_channel_relations_of_member",
        "channel_relations",
        ["member_key", "relation", "created_at_micros", "channel_key"],
        unique=False,
    )
    op.create_index(
        "ix_channel_relations_page",
        "channel_relations",
        ["channel_key", "relation", "created_at_micros", "member_arn"],
        unique=False,
    )
    op.create_table(
        "channel_messages",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("channel_key", sa.String(length=36), nullable=False),
        sa.Column("sub_channel_id", sa.String(length=128), nullable=False),
        sa.Column("created_at_micros", sa.BigInteger(), nullable=False),
        sa.Column("sender_arn", sa.String(length=256), nullable=False),
        sa.Column("target_arn", sa.String(length=256), nullable=True),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("create_token", sa.String(length=64), nullable=True),
        sa.Column("callback_id", sa.String(length=64), nullable=True),
        sa.Column("settles_at_micros", sa.BigInteger(), nullable=True),
        sa.Column("settles_as", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_key"],
            ["resources.resource_key"],
            name=op.f("fk_channel_messages_channel_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_channel_messages")),
        sa.UniqueConstraint("callback_id", name=op.f("uq_channel_messages_callback_id")),
    )
    op.create_index(
        "ix_channel_messages_pending", "channel_messages", ["channel_key", "settles_at_micros"], unique=False
    )
    op.create_index(
        "ix_channel_messages_unlisted", "channel_messages", ["channel_key", "listed", "created_at_micros"], unique=False
    )
    op.create_index(
        "uq_channel_messages_create_token",
        "channel_messages",
        ["channel_key", "sender_arn", "create_token"],
        unique=True,
    )
    op.create_index("uq_channel_messages_page", "channel_messages", ["channel_key", "created_at_micros"], unique=True)
    op.create_table(
        "messaging_events",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("app_instance_arn", sa.String(length=256), nullable=False),
        sa.Column("channel_arn", sa.String(length=256), nullable=False),
        sa.Column("channel_key", sa.String(length=36), nullable=False),
        sa.Column("sub_channel_id", sa.String(length=128), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("message_type", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("to_members", sa.Boolean(), nullable=False),
        sa.Column("user_arns", sa.Text(), nullable=False),
        sa.Column("created_at_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_messaging_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_messaging_events_created_at_micros"), "messaging_events", ["created_at_micros"], unique=False
    )


def downgrade() -> None:
    for table in ("messaging_events", "channel_messages", "channel_relations"):
        op.drop_table(table)

"""Rooms, bots and settings of Chime accounts; phone numbers and their orders"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chime_rooms",
        sa.Column("room_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=2048), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("create_token", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["chime_accounts.account_id"], name=op.f("fk_chime_rooms_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_chime_rooms")),
        sa.UniqueConstraint("account_id", "create_token", name=op.f("uq_chime_rooms_account_id_create_token")),
    )
    op.create_index("ix_chime_rooms_page", "chime_rooms", ["account_id", "created_at_seconds", "room_id"], unique=False)
    op.create_table(
        "chime_room_memberships",
        sa.Column("room_id", sa.String(length=36), nullable=False),
        sa.Column("member_id", sa.String(length=36), nullable=False),
        sa.Column("member_type", sa.String(length=8), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("invited_by", sa.String(length=2048), nullable=False),
        sa.Column("updated_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["chime_rooms.room_id"], name=op.f("fk_chime_room_memberships_room_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("room_id", "member_id", name=op.f("pk_chime_room_memberships")),
    )
    op.create_index(op.f("ix_chime_room_memberships_member_id"), "chime_room_memberships", ["member_id"], unique=False)
    op.create_table(
        "chime_bots",
        sa.Column("bot_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("bot_email", sa.String(length=640), nullable=False),
        sa.Column("security_token", sa.String(length=64), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("events_https_endpoint", sa.Text(), nullable=True),
        sa.Column("events_lambda_arn", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["chime_accounts.account_id"], name=op.f("fk_chime_bots_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bot_id", name=op.f("pk_chime_bots")),
    )
    op.create_index("ix_chime_bots_page", "chime_bots", ["account_id", "created_at_seconds", "bot_id"], unique=False)
    op.create_table(
        "chime_retention_settings",
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("room_days", sa.BigInteger(), nullable=True),
        sa.Column("conversation_days", sa.BigInteger(), nullable=True),
        sa.Column("deletion_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["chime_accounts.account_id"],
            name=op.f("fk_chime_retention_settings_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_chime_retention_settings")),
    )
    op.create_table(
        "chime_delegate_groups",
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("group_name", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["chime_accounts.account_id"],
            name=op.f("fk_chime_delegate_groups_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "group_name", name=op.f("pk_chime_delegate_groups")),
    )
    op.create_table(
        "phone_numbers",
        sa.Column("phone_number", sa.String(length=16), nullable=False),
        sa.Column("aws_account_id", sa.String(length=12), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("product_type", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column("calling_name", sa.String(length=15), nullable=True),
        sa.Column("calling_name_requested_at_seconds", sa.BigInteger(), nullable=True),
        sa.Column("acquired_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at_seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["aws_account_id"],
            ["accounts.account_id"],
            name=op.f("fk_phone_numbers_aws_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("phone_number", name=op.f("pk_phone_numbers")),
    )
    op.create_index(
        "ix_phone_numbers_page", "phone_numbers", ["aws_account_id", "created_at_seconds", "phone_number"], unique=False
    )
    op.create_table(
        "phone_number_associations",
        sa.Column("phone_number", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("associated_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["phone_number"],
            ["phone_numbers.phone_number"],
            name=op.f("fk_phone_number_associations_phone_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("phone_number", "name", name=op.f("pk_phone_number_associations")),
    )
    op.create_index("ix_phone_number_associations_value", "phone_number_associations", ["name", "value"], unique=False)
    op.create_table(
        "phone_number_orders",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("aws_account_id", sa.String(length=12), nullable=False),
        sa.Column("product_type", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("done_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["aws_account_id"],
            ["accounts.account_id"],
            name=op.f("fk_phone_number_orders_aws_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_phone_number_orders")),
    )
    op.create_index(
        "ix_phone_number_orders_page",
        "phone_number_orders",
        ["aws_account_id", "created_at_seconds", "order_id"],
        unique=False,
    )
    op.create_table(
        "ordered_phone_numbers",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("phone_number", sa.String(length=16), nullable=False),
        sa.Column("acquired", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["phone_number_orders.order_id"],
            name=op.f("fk_ordered_phone_numbers_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("order_id", "position", name=op.f("pk_ordered_phone_numbers")),
        sa.UniqueConstraint("order_id", "phone_number", name=op.f("uq_ordered_phone_numbers_order_id_phone_number")),
    )
    op.create_table(
        "telephony_settings",
        sa.Column("aws_account_id", sa.String(length=12), nullable=False),
        sa.Column("business_calling_bucket", sa.String(length=256), nullable=True),
        sa.Column("voice_connector_bucket", sa.String(length=256), nullable=True),
        sa.Column("calling_name", sa.String(length=15), nullable=True),
        sa.Column("calling_name_updated_at_seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["aws_account_id"],
            ["accounts.account_id"],
            name=op.f("fk_telephony_settings_aws_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("aws_account_id", name=op.f("pk_telephony_settings")),
    )


def downgrade() -> None:
    for table in (
        "telephony_settings",
        "ordered_phone_numbers",
        "phone_number_orders",
        "phone_number_associations",
        "phone_numbers",
        "chime_delegate_groups",
        "chime_retention_settings",
        "chime_bots",
        "chime_room_memberships",
        "chime_rooms",
    ):
        op.drop_table(table)

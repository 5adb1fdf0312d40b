"""Resources kept as their model spells them, with settings and tags"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "resources",
        sa.Column("resource_key", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=96), nullable=False),
        sa.Column("resource_id", sa.String(length=256), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_resources_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("resource_key", name=op.f("pk_resources")),
        sa.UniqueConstraint("account_id", "region", "kind", "resource_id", name="uq_resources_id"),
    )
    op.create_index(
        "ix_resources_page", "resources", ["account_id", "region", "kind", "created_at_seconds", "resource_id"]
    )
    op.create_table(
        "resource_settings",
        sa.Column("resource_key", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_key"],
            ["resources.resource_key"],
            name=op.f("fk_resource_settings_resource_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("resource_key", "name", name=op.f("pk_resource_settings")),
    )
    op.create_table(
        "resource_tags",
        sa.Column("resource_key", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_key"], ["resources.resource_key"], name=op.f("fk_resource_tags_resource_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("resource_key", "key", name=op.f("pk_resource_tags")),
    )


def downgrade() -> None:
    for table in ("resource_tags", "resource_settings", "resources"):
        op.drop_table(table)

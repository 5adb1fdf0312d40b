"""Instance profiles, credential reports, and when a password was changed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "instance_profiles",
        sa.Column("instance_profile_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=128), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_instance_profiles_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.role_id"], name=op.f("fk_instance_profiles_role_id")),
        sa.PrimaryKeyConstraint("instance_profile_id", name=op.f("pk_instance_profiles")),
        sa.UniqueConstraint("account_id", "name_key", name=op.f("uq_instance_profiles_account_id_name_key")),
    )
    op.create_index(op.f("ix_instance_profiles_role_id"), "instance_profiles", ["role_id"])
    op.create_table(
        "instance_profile_tags",
        sa.Column("instance_profile_id", sa.String(length=32), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_profile_id"],
            ["instance_profiles.instance_profile_id"],
            name=op.f("fk_instance_profile_tags_instance_profile_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("instance_profile_id", "key_key", name=op.f("pk_instance_profile_tags")),
    )
    op.create_table(
        "credential_reports",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("generated_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("ready_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_credential_reports_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_credential_reports")),
    )
    op.add_column("login_profiles", sa.Column("password_changed_at_seconds", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("login_profiles", "password_changed_at_seconds")
    op.drop_table("credential_reports")
    op.drop_table("instance_profile_tags")
    op.drop_table("instance_profiles")

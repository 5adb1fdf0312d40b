"""IAM Identity Center: directory, permission sets, and who is signed in"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directory_groups",
        sa.Column("group_id", sa.String(length=47), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("name_key", sa.String(length=1024), nullable=False),
        sa.PrimaryKeyConstraint("group_id", name=op.f("pk_directory_groups")),
        sa.UniqueConstraint("name_key", name=op.f("uq_directory_groups_name_key")),
    )
    op.create_table(
        "directory_users",
        sa.Column("user_id", sa.String(length=47), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=128), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("display_name", sa.String(length=1024), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_directory_users")),
        sa.UniqueConstraint("name_key", name=op.f("uq_directory_users_name_key")),
    )
    op.create_table(
        "identity_centers",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("instance_id", sa.String(length=32), nullable=False),
        sa.Column("identity_store_id", sa.String(length=36), nullable=False),
        sa.Column("start_url", sa.String(length=512), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("session_duration_seconds", sa.Integer(), nullable=False),
        sa.CheckConstraint("number = 1", name=op.f("ck_identity_centers_number")),
        sa.CheckConstraint(
            "session_duration_seconds BETWEEN 900 AND 7776000", name=op.f("ck_identity_centers_session_duration")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_identity_centers")),
    )
    op.create_table(
        "permission_sets",
        sa.Column("permission_set_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("name_key", sa.String(length=32), nullable=False),
        sa.Column("description", sa.String(length=700), nullable=False),
        sa.Column("session_duration_seconds", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "session_duration_seconds BETWEEN 3600 AND 43200", name=op.f("ck_permission_sets_session_duration")
        ),
        sa.PrimaryKeyConstraint("permission_set_id", name=op.f("pk_permission_sets")),
        sa.UniqueConstraint("name_key", name=op.f("uq_permission_sets_name_key")),
    )
    op.create_table(
        "sso_clients",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("redirect_uris", sa.Text(), nullable=False),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_sso_clients")),
    )
    op.create_index(op.f("ix_sso_clients_expires_at_seconds"), "sso_clients", ["expires_at_seconds"], unique=False)
    op.create_table(
        "directory_members",
        sa.Column("user_id", sa.String(length=47), nullable=False),
        sa.Column("group_id", sa.String(length=47), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["directory_groups.group_id"], name=op.f("fk_directory_members_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["directory_users.user_id"], name=op.f("fk_directory_members_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "group_id", name=op.f("pk_directory_members")),
    )
    op.create_table(
        "sso_codes",
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("user_code", sa.String(length=16), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=47), nullable=True),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.String(length=128), nullable=False),
        sa.Column("polled_at_millis", sa.BigInteger(), nullable=True),
        sa.Column("session_id", sa.String(length=36), nullable=True),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'approved', 'denied', 'spent')", name=op.f("ck_sso_codes_status")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["sso_clients.client_id"], name=op.f("fk_sso_codes_client_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["directory_users.user_id"], name=op.f("fk_sso_codes_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_digest", name=op.f("pk_sso_codes")),
        sa.UniqueConstraint("user_code", name=op.f("uq_sso_codes_user_code")),
    )
    op.create_index(op.f("ix_sso_codes_expires_at_seconds"), "sso_codes", ["expires_at_seconds"], unique=False)
    op.create_table(
        "sso_sessions",
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=47), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["directory_users.user_id"], name=op.f("fk_sso_sessions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sso_sessions")),
    )
    op.create_index(op.f("ix_sso_sessions_expires_at_seconds"), "sso_sessions", ["expires_at_seconds"], unique=False)
    op.create_table(
        "permission_set_assignments",
        sa.Column("permission_set_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("principal_id", sa.String(length=47), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_permission_set_assignments_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["permission_set_id"],
            ["permission_sets.permission_set_id"],
            name=op.f("fk_permission_set_assignments_permission_set_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "permission_set_id", "account_id", "principal_id", name=op.f("pk_permission_set_assignments")
        ),
    )
    op.create_index(
        op.f("ix_permission_set_assignments_principal_id"), "permission_set_assignments", ["principal_id"], unique=False
    )
    op.create_table(
        "sso_tokens",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('access', 'refresh')", name=op.f("ck_sso_tokens_kind")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sso_sessions.session_id"], name=op.f("fk_sso_tokens_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_sso_tokens")),
    )
    op.create_index(op.f("ix_sso_tokens_session_id"), "sso_tokens", ["session_id"], unique=False)
    op.create_table(
        "permission_set_roles",
        sa.Column("role_id", sa.String(length=32), nullable=False),
        sa.Column("permission_set_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_permission_set_roles_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["permission_set_id"],
            ["permission_sets.permission_set_id"],
            name=op.f("fk_permission_set_roles_permission_set_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.role_id"], name=op.f("fk_permission_set_roles_role_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role_id", name=op.f("pk_permission_set_roles")),
        sa.UniqueConstraint(
            "permission_set_id", "account_id", name=op.f("uq_permission_set_roles_permission_set_id_account_id")
        ),
    )


def downgrade() -> None:
    for table in (
        "permission_set_roles",
        "sso_tokens",
        "permission_set_assignments",
        "sso_sessions",
        "sso_codes",
        "directory_members",
        "sso_clients",
        "permission_sets",
        "identity_centers",
        "directory_users",
        "directory_groups",
    ):
        op.drop_table(table)

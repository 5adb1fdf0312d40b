"""Sign-In: permission statements, console authorization, and the tokens of repeated calls"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signin_permission_statements",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("statement_id", sa.String(length=65), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_signin_permission_statements_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "statement_id", name=op.f("pk_signin_permission_statements")),
        sa.UniqueConstraint("account_id", "position", name=op.f("uq_signin_permission_statements_account_id_position")),
    )
    op.create_table(
        "console_authorizations",
        sa.Column("target_id", sa.String(length=34), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=True),
        sa.Column("organization_id", sa.String(length=34), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_console_authorizations_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_console_authorizations_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("target_id", name=op.f("pk_console_authorizations")),
    )
    op.create_table(
        "signin_client_tokens",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("client_token", sa.String(length=64), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_signin_client_tokens_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "operation", "client_token", name=op.f("pk_signin_client_tokens")),
    )
    op.create_index(
        op.f("ix_signin_client_tokens_expires_at_seconds"), "signin_client_tokens", ["expires_at_seconds"], unique=False
    )


def downgrade() -> None:
    for table in ("signin_client_tokens", "console_authorizations", "signin_permission_statements"):
        op.drop_table(table)

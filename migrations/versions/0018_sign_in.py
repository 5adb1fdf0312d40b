"""Sign-In: codes and sessions of aws login, and used proofs of possession"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signin_codes",
        sa.Column("code_digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("credentials_mark", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=256), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.String(length=128), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=True),
        sa.Column("signed_in_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_signin_codes_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_digest", name=op.f("pk_signin_codes")),
    )
    op.create_index(op.f("ix_signin_codes_expires_at_seconds"), "signin_codes", ["expires_at_seconds"], unique=False)
    op.create_table(
        "signin_sessions",
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("owner_arn", sa.String(length=2048), nullable=False),
        sa.Column("credentials_mark", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=256), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("key_thumbprint", sa.String(length=64), nullable=False),
        sa.Column("refresh_digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("revocation_reason", sa.String(length=256), nullable=False),
        sa.Column("user_agent", sa.String(length=1024), nullable=False),
        sa.Column("issued_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at_seconds", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('ACTIVE', 'REVOKED')", name=op.f("ck_signin_sessions_status")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_signin_sessions_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_signin_sessions")),
        sa.UniqueConstraint("refresh_digest", name=op.f("uq_signin_sessions_refresh_digest")),
    )
    op.create_index(
        op.f("ix_signin_sessions_account_id_issued_at_seconds"),
        "signin_sessions",
        ["account_id", "issued_at_seconds"],
        unique=False,
    )
    op.create_index(
        op.f("ix_signin_sessions_expires_at_seconds"), "signin_sessions", ["expires_at_seconds"], unique=False
    )
    op.create_table(
        "dpop_proofs",
        sa.Column("proof_digest", sa.String(length=64), nullable=False),
        sa.Column("grant_digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proof_digest", name=op.f("pk_dpop_proofs")),
    )
    op.create_index(op.f("ix_dpop_proofs_expires_at_seconds"), "dpop_proofs", ["expires_at_seconds"], unique=False)


def downgrade() -> None:
    for table in ("dpop_proofs", "signin_sessions", "signin_codes"):
        op.drop_table(table)

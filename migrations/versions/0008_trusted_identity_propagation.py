"""Trusted identity propagation of identity providers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("oidc_providers", "saml_providers")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("context_provider", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("identity_center_instance_arn", sa.String(length=1224), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "identity_center_instance_arn")
        op.drop_column(table, "context_provider")

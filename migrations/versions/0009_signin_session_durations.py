"""The longest sign-in session of roles and of users with a password"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("roles", "login_profiles")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("max_signin_session_duration_seconds", sa.Integer(), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "max_signin_session_duration_seconds")

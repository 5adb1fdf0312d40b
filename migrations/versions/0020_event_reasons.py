"""Why a client receives an event of messaging"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messaging_events", sa.Column("event_reason", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("messaging_events", "event_reason")

"""Parents, ends, create tokens and secrets of resources"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COLUMNS = ("parent_key", "ends_at_seconds", "create_token", "secret")
_INDEXES = {
    "ix_resources_of_parent": ["parent_key", "kind", "created_at_seconds", "resource_id"],
    "ix_resources_end": ["account_id", "region", "kind", "ends_at_seconds"],
    "uq_resources_create_token": ["account_id", "region", "kind", "create_token"],
}


def upgrade() -> None:
    # Alembic cannot add a column with a reference on SQLite. Both databases know this statement.
    op.execute(
        "ALTER TABLE resources ADD COLUMN parent_key VARCHAR(36) CONSTRAINT fk_resources_parent_key"
        " REFERENCES resources (resource_key) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
    )
    op.add_column("resources", sa.Column("ends_at_seconds", sa.BigInteger(), nullable=True))
    op.add_column("resources", sa.Column("create_token", sa.String(length=160), nullable=True))
    op.add_column("resources", sa.Column("secret", sa.Text(), nullable=True))
    for name, columns in _INDEXES.items():
        op.create_index(name, "resources", columns, unique=name.startswith("uq_"))


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, "resources")
    for column in reversed(_COLUMNS):
        op.drop_column("resources", column)

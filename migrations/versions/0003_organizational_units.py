"""Organizational units and resource control policies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organizational_units",
        sa.Column("ou_id", sa.String(length=68), nullable=False),
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("parent_id", sa.String(length=68), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_organizational_units_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["organizational_units.ou_id"],
            name=op.f("fk_organizational_units_parent_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ou_id", name=op.f("pk_organizational_units")),
    )
    op.create_table(
        "organizational_unit_accounts",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("ou_id", sa.String(length=68), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_organizational_unit_accounts_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["ou_id"],
            ["organizational_units.ou_id"],
            name=op.f("fk_organizational_unit_accounts_ou_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_organizational_unit_accounts")),
    )
    op.create_table(
        "resource_control_policies",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_resource_control_policies_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_resource_control_policies")),
    )
    op.create_table(
        "resource_control_policy_targets",
        sa.Column("policy_name", sa.String(length=128), nullable=False),
        sa.Column("target", sa.String(length=68), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_name"],
            ["resource_control_policies.name"],
            name=op.f("fk_resource_control_policy_targets_policy_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("policy_name", "target", name=op.f("pk_resource_control_policy_targets")),
    )
    # Made anew, which is safe because no table refers to this one.
    with op.batch_alter_table("service_control_policy_targets") as batch_op:
        batch_op.alter_column("target", existing_type=sa.String(length=34), type_=sa.String(length=68))


def downgrade() -> None:
    with op.batch_alter_table("service_control_policy_targets") as batch_op:
        batch_op.alter_column("target", existing_type=sa.String(length=68), type_=sa.String(length=34))
    op.drop_table("resource_control_policy_targets")
    op.drop_table("resource_control_policies")
    op.drop_table("organizational_unit_accounts")
    op.drop_table("organizational_units")

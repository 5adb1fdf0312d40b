"""Organizations: policies of every type in one table, and what the API keeps beside them"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KINDS = {"service": "SERVICE_CONTROL_POLICY", "resource": "RESOURCE_CONTROL_POLICY"}
_FULL_ACCESS = {"SERVICE_CONTROL_POLICY": "FullAWSAccess", "RESOURCE_CONTROL_POLICY": "RCPFullAWSAccess"}


def _policy_id(policy_type: str, name: str) -> str:
    if name == _FULL_ACCESS[policy_type]:
        return f"p-{name}"
    text = name if policy_type == "SERVICE_CONTROL_POLICY" else f"{policy_type}/{name}"
    return f"p-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _of_organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"],
        ["organizations.organization_id"],
        name=op.f(f"fk_{table}_organization_id"),
        ondelete="CASCADE",
    )


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.account_id"], name=op.f(f"fk_{table}_account_id"), ondelete="CASCADE"
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def upgrade() -> None:
    _policies()
    for kind, policy_type in _KINDS.items():
        _moved(kind, policy_type)
    op.create_table(
        "organization_accounts",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("email", sa.String(length=64), nullable=False),
        sa.Column("joined_method", sa.String(length=8), nullable=False),
        sa.Column("joined_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        _of_account("organization_accounts"),
        _key("organization_accounts", "account_id"),
        sa.UniqueConstraint("email", name=op.f("uq_organization_accounts_email")),
    )
    op.create_table(
        "organization_policy_types",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("policy_type", sa.String(length=40), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        _of_organization("organization_policy_types"),
        _key("organization_policy_types", "organization_id", "policy_type"),
    )
    op.create_table(
        "organization_tags",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("resource_id", sa.String(length=131), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        _of_organization("organization_tags"),
        _key("organization_tags", "organization_id", "resource_id", "key"),
    )
    op.create_table(
        "organization_resource_policies",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("policy_id", sa.String(length=131), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        _of_organization("organization_resource_policies"),
        _key("organization_resource_policies", "organization_id"),
    )
    op.create_table(
        "organization_service_access",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("service_principal", sa.String(length=128), nullable=False),
        sa.Column("enabled_at_seconds", sa.BigInteger(), nullable=True),
        _of_organization("organization_service_access"),
        _key("organization_service_access", "organization_id", "service_principal"),
    )
    op.create_table(
        "account_creations",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("account_name", sa.String(length=50), nullable=False),
        sa.Column("state", sa.String(length=11), nullable=False),
        sa.Column("requested_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("completed_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=True),
        sa.Column("failure_reason", sa.String(length=64), nullable=True),
        _of_organization("account_creations"),
        _key("account_creations", "request_id"),
    )
    op.create_table(
        "delegated_services",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("service_principal", sa.String(length=128), nullable=False),
        sa.Column("registered_at_seconds", sa.BigInteger(), nullable=False),
        _of_account("delegated_services"),
        _key("delegated_services", "account_id", "service_principal"),
    )


def _policies() -> None:
    op.create_table(
        "organization_policies",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("policy_id", sa.String(length=130), nullable=False),
        sa.Column("policy_type", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("description", sa.String(length=512), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        _of_organization("organization_policies"),
        _key("organization_policies", "organization_id", "policy_id"),
        sa.UniqueConstraint(
            "organization_id",
            "policy_type",
            "name",
            name=op.f("uq_organization_policies_organization_id_policy_type_name"),
        ),
    )
    op.create_table(
        "organization_policy_targets",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("policy_id", sa.String(length=130), nullable=False),
        sa.Column("target", sa.String(length=68), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "policy_id"],
            ["organization_policies.organization_id", "organization_policies.policy_id"],
            name=op.f("fk_organization_policy_targets_organization_id_policy_id"),
            ondelete="CASCADE",
        ),
        _key("organization_policy_targets", "organization_id", "policy_id", "target"),
    )


def _moved(kind: str, policy_type: str) -> None:
    """Move the policies of one kind into the table of all policies."""
    connection = op.get_bind()
    columns = [sa.column(name) for name in ("name", "organization_id", "document")]
    policies = connection.execute(sa.select(*columns).select_from(sa.table(f"{kind}_control_policies"))).all()
    targets = connection.execute(
        sa.select(sa.column("policy_name"), sa.column("target")).select_from(sa.table(f"{kind}_control_policy_targets"))
    ).all()
    organization_of = {row.name: row.organization_id for row in policies}
    new_policies = sa.table(
        "organization_policies",
        *(sa.column(n) for n in ("organization_id", "policy_id", "policy_type", "name", "description", "document")),
    )
    new_targets = sa.table(
        "organization_policy_targets", *(sa.column(name) for name in ("organization_id", "policy_id", "target"))
    )
    for row in policies:
        values = {
            "organization_id": row.organization_id,
            "policy_id": _policy_id(policy_type, row.name),
            "policy_type": policy_type,
            "name": row.name,
            "description": "",
            "document": row.document,
        }
        connection.execute(sa.insert(new_policies).values(**values))
    for row in targets:
        values = {
            "organization_id": organization_of[row.policy_name],
            "policy_id": _policy_id(policy_type, row.policy_name),
            "target": row.target,
        }
        connection.execute(sa.insert(new_targets).values(**values))
    op.drop_table(f"{kind}_control_policy_targets")
    op.drop_table(f"{kind}_control_policies")


def downgrade() -> None:
    raise NotImplementedError("policies of other types have no place in the older schema")

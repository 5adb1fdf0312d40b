"""Server certificates, SSH keys, service-specific credentials, reports of last accesses, properties, role templates"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_server_certificates()
    _create_user_credentials()
    _create_reports_and_properties()
    op.create_table(
        "acquired_roles",
        sa.Column("role_id", sa.String(length=32), nullable=False),
        sa.Column("template_arn", sa.String(length=2048), nullable=False),
        sa.Column("template_minor_version", sa.Integer(), nullable=False),
        sa.Column("replacement_values", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.role_id"], name=op.f("fk_acquired_roles_role_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role_id", name=op.f("pk_acquired_roles")),
    )


def _create_server_certificates() -> None:
    op.create_table(
        "server_certificates",
        sa.Column("certificate_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=128), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=True),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_server_certificates_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("certificate_id", name=op.f("pk_server_certificates")),
        sa.UniqueConstraint("account_id", "name_key", name=op.f("uq_server_certificates_account_id_name_key")),
    )
    op.create_table(
        "server_certificate_tags",
        sa.Column("certificate_id", sa.String(length=32), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["server_certificates.certificate_id"],
            name=op.f("fk_server_certificate_tags_certificate_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("certificate_id", "key_key", name=op.f("pk_server_certificate_tags")),
    )


def _create_user_credentials() -> None:
    op.create_table(
        "ssh_public_keys",
        sa.Column("key_id", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=48), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("uploaded_at_seconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('Active', 'Inactive')", name=op.f("ck_ssh_public_keys_status")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_ssh_public_keys_user_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_ssh_public_keys")),
        sa.UniqueConstraint("user_id", "fingerprint", name=op.f("uq_ssh_public_keys_user_id_fingerprint")),
    )
    op.create_table(
        "service_credentials",
        sa.Column("credential_id", sa.String(length=128), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("service_name", sa.String(length=128), nullable=False),
        sa.Column("public_name", sa.String(length=200), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('Active', 'Inactive')", name=op.f("ck_service_credentials_status")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_service_credentials_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_service_credentials_user_id")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_service_credentials")),
        sa.UniqueConstraint(
            "account_id",
            "service_name",
            "public_name",
            name=op.f("uq_service_credentials_account_id_service_name_public_name"),
        ),
    )
    op.create_index(op.f("ix_service_credentials_user_id"), "service_credentials", ["user_id"])


def _create_reports_and_properties() -> None:
    op.create_table(
        "access_reports",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("owner_id", sa.String(length=128), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_access_reports_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_access_reports")),
    )
    op.create_index(op.f("ix_access_reports_account_id"), "access_reports", ["account_id"])
    op.create_table(
        "account_properties",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_account_properties_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "name", name=op.f("pk_account_properties")),
    )


def downgrade() -> None:
    for table in (
        "acquired_roles",
        "account_properties",
        "access_reports",
        "service_credentials",
        "ssh_public_keys",
        "server_certificate_tags",
        "server_certificates",
    ):
        op.drop_table(table)

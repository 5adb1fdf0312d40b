"""MFA devices, identity providers, signing keys, organization features, delegation requests"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=128), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_signing_keys")),
    )
    with op.batch_alter_table("signing_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signing_keys_purpose"), ["purpose"], unique=False)

    op.create_table(
        "organization_features",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("feature", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_organization_features_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "feature", name=op.f("pk_organization_features")),
    )
    op.create_table(
        "account_preferences",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("global_endpoint_token_version", sa.String(length=8), nullable=False),
        sa.CheckConstraint(
            "global_endpoint_token_version IN ('v1Token', 'v2Token')",
            name=op.f("ck_account_preferences_global_endpoint_token_version"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_account_preferences_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_preferences")),
    )
    op.create_table(
        "delegated_administrators",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_delegated_administrators_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_delegated_administrators_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_delegated_administrators")),
    )
    op.create_table(
        "delegation_requests",
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("requestor_account_id", sa.String(length=12), nullable=False),
        sa.Column("owner_account_id", sa.String(length=12), nullable=True),
        sa.Column("owner_arn", sa.String(length=2048), nullable=True),
        sa.Column("approver_arn", sa.String(length=2048), nullable=True),
        sa.Column("approval", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("request_message", sa.Text(), nullable=True),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("permission_policy", sa.Text(), nullable=False),
        sa.Column("requestor_workflow_id", sa.String(length=400), nullable=False),
        sa.Column("redirect_url", sa.String(length=255), nullable=True),
        sa.Column("notification_channel", sa.String(length=400), nullable=False),
        sa.Column("session_duration_seconds", sa.Integer(), nullable=False),
        sa.Column("only_send_by_owner", sa.Boolean(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_seconds", sa.BigInteger(), nullable=True),
        sa.Column("exchanged_at_seconds", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('UNASSIGNED', 'ASSIGNED', 'PENDING_APPROVAL', 'FINALIZED', 'ACCEPTED', 'REJECTED', 'EXPIRED')",
            name=op.f("ck_delegation_requests_state"),
        ),
        sa.ForeignKeyConstraint(
            ["requestor_account_id"],
            ["accounts.account_id"],
            name=op.f("fk_delegation_requests_requestor_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_delegation_requests")),
        sa.UniqueConstraint(
            "requestor_account_id",
            "requestor_workflow_id",
            name="uq_delegation_requests_workflow",
        ),
    )
    with op.batch_alter_table("delegation_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delegation_requests_owner_account_id"), ["owner_account_id"], unique=False)

    op.create_table(
        "oidc_providers",
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("url", sa.String(length=255), nullable=False),
        sa.Column("key_source", sa.String(length=16), nullable=False),
        sa.Column("jwks", sa.Text(), nullable=True),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("key_source IN ('discovery', 'declared', 'own')", name=op.f("ck_oidc_providers_key_source")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_oidc_providers_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arn", name=op.f("pk_oidc_providers")),
    )
    with op.batch_alter_table("oidc_providers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_oidc_providers_account_id"), ["account_id"], unique=False)

    op.create_table(
        "outbound_federations",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("issuer_id", sa.String(length=36), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_outbound_federations_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_outbound_federations")),
        sa.UniqueConstraint("issuer_id", name=op.f("uq_outbound_federations_issuer_id")),
    )
    op.create_table(
        "saml_providers",
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("provider_uuid", sa.String(length=36), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("assertion_encryption_mode", sa.String(length=8), nullable=True),
        sa.Column("valid_until_seconds", sa.BigInteger(), nullable=True),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "assertion_encryption_mode IN ('Required', 'Allowed')",
            name=op.f("ck_saml_providers_assertion_encryption_mode"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_saml_providers_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arn", name=op.f("pk_saml_providers")),
    )
    with op.batch_alter_table("saml_providers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_saml_providers_account_id"), ["account_id"], unique=False)

    op.create_table(
        "mfa_devices",
        sa.Column("serial_number", sa.String(length=256), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("seed", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("of_root", sa.Boolean(), nullable=False),
        sa.Column("enabled_at_seconds", sa.BigInteger(), nullable=True),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_mfa_devices_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_mfa_devices_user_id")),
        sa.PrimaryKeyConstraint("serial_number", name=op.f("pk_mfa_devices")),
    )
    with op.batch_alter_table("mfa_devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mfa_devices_user_id"), ["user_id"], unique=False)

    op.create_table(
        "oidc_client_ids",
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["arn"], ["oidc_providers.arn"], name=op.f("fk_oidc_client_ids_arn"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arn", "client_id", name=op.f("pk_oidc_client_ids")),
    )
    op.create_table(
        "oidc_provider_tags",
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["arn"], ["oidc_providers.arn"], name=op.f("fk_oidc_provider_tags_arn"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arn", "key_key", name=op.f("pk_oidc_provider_tags")),
    )
    op.create_table(
        "oidc_thumbprints",
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("thumbprint", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["arn"], ["oidc_providers.arn"], name=op.f("fk_oidc_thumbprints_arn"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arn", "thumbprint", name=op.f("pk_oidc_thumbprints")),
    )
    op.create_table(
        "saml_private_keys",
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["arn"], ["saml_providers.arn"], name=op.f("fk_saml_private_keys_arn"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arn", "key_id", name=op.f("pk_saml_private_keys")),
    )
    op.create_table(
        "saml_provider_tags",
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["arn"], ["saml_providers.arn"], name=op.f("fk_saml_provider_tags_arn"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arn", "key_key", name=op.f("pk_saml_provider_tags")),
    )
    op.create_table(
        "mfa_code_uses",
        sa.Column("serial_number", sa.String(length=256), nullable=False),
        sa.Column("used_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["serial_number"],
            ["mfa_devices.serial_number"],
            name=op.f("fk_mfa_code_uses_serial_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("serial_number", name=op.f("pk_mfa_code_uses")),
    )
    op.create_table(
        "mfa_device_tags",
        sa.Column("serial_number", sa.String(length=256), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["serial_number"],
            ["mfa_devices.serial_number"],
            name=op.f("fk_mfa_device_tags_serial_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("serial_number", "key_key", name=op.f("pk_mfa_device_tags")),
    )
    with op.batch_alter_table("organizations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("management_account_id", sa.String(length=12), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("organizations", schema=None) as batch_op:
        batch_op.drop_column("management_account_id")

    op.drop_table("mfa_device_tags")
    op.drop_table("mfa_code_uses")
    op.drop_table("saml_provider_tags")
    op.drop_table("saml_private_keys")
    op.drop_table("oidc_thumbprints")
    op.drop_table("oidc_provider_tags")
    op.drop_table("oidc_client_ids")
    with op.batch_alter_table("mfa_devices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mfa_devices_user_id"))

    op.drop_table("mfa_devices")
    with op.batch_alter_table("saml_providers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_saml_providers_account_id"))

    op.drop_table("saml_providers")
    op.drop_table("outbound_federations")
    with op.batch_alter_table("oidc_providers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_oidc_providers_account_id"))

    op.drop_table("oidc_providers")
    with op.batch_alter_table("delegation_requests", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delegation_requests_owner_account_id"))

    op.drop_table("delegation_requests")
    op.drop_table("delegated_administrators")
    op.drop_table("account_preferences")
    op.drop_table("organization_features")
    with op.batch_alter_table("signing_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signing_keys_purpose"))

    op.drop_table("signing_keys")

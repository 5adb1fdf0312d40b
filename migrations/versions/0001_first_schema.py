"""The first schema: IAM, service control policies, sealing keys, Chime accounts and users"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "generations",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_generations")),
    )
    op.execute("INSERT INTO generations (name, value) VALUES ('iam', 1)")
    op.create_table(
        "organizations",
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organizations")),
    )
    op.create_table(
        "sandbox_states",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sandbox_states")),
    )
    op.create_table(
        "sealing_keys",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_sealing_keys")),
        sa.UniqueConstraint("position", name=op.f("uq_sealing_keys_position")),
    )
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.String(length=34), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.organization_id"], name=op.f("fk_accounts_organization_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "service_control_policies",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("organization_id", sa.String(length=34), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_service_control_policies_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_control_policies")),
    )
    op.create_table(
        "chime_accounts",
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("aws_account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("account_type", sa.String(length=24), nullable=False),
        sa.Column("default_license", sa.String(length=16), nullable=False),
        sa.Column("account_status", sa.String(length=16), nullable=False),
        sa.Column("disable_remote_control", sa.Boolean(), nullable=False),
        sa.Column("enable_dial_out", sa.Boolean(), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["aws_account_id"],
            ["accounts.account_id"],
            name=op.f("fk_chime_accounts_aws_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_chime_accounts")),
    )
    with op.batch_alter_table("chime_accounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_chime_accounts_aws_account_id"), ["aws_account_id"], unique=False)

    op.create_table(
        "groups",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=128), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_groups_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", name=op.f("pk_groups")),
        sa.UniqueConstraint("account_id", "name_key", name=op.f("uq_groups_account_id_name_key")),
    )
    op.create_table(
        "policies",
        sa.Column("policy_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=128), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.Column("latest_version", sa.Integer(), nullable=False),
        sa.Column("updated_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_policies_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_policies")),
        sa.UniqueConstraint("account_id", "name_key", name=op.f("uq_policies_account_id_name_key")),
    )
    op.create_table(
        "roles",
        sa.Column("role_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=128), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("trust_policy", sa.Text(), nullable=False),
        sa.Column("trust_principal_ids", sa.Text(), nullable=False),
        sa.Column("max_session_duration_seconds", sa.Integer(), nullable=False),
        sa.Column("permissions_boundary_arn", sa.String(length=2048), nullable=True),
        sa.Column("linked_service", sa.String(length=128), nullable=True),
        sa.Column("last_used_at_seconds", sa.BigInteger(), nullable=True),
        sa.Column("last_used_region", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "max_session_duration_seconds BETWEEN 3600 AND 43200", name=op.f("ck_roles_max_session_duration")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_roles_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role_id", name=op.f("pk_roles")),
        sa.UniqueConstraint("account_id", "name_key", name=op.f("uq_roles_account_id_name_key")),
    )
    op.create_table(
        "service_control_policy_targets",
        sa.Column("policy_name", sa.String(length=128), nullable=False),
        sa.Column("target", sa.String(length=34), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_name"],
            ["service_control_policies.name"],
            name=op.f("fk_service_control_policy_targets_policy_name"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("policy_name", "target", name=op.f("pk_service_control_policy_targets")),
    )
    op.create_table(
        "service_linked_role_deletions",
        sa.Column("task_id", sa.String(length=1000), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("role_name", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('NOT_STARTED', 'IN_PROGRESS', 'SUCCEEDED', 'FAILED')",
            name=op.f("ck_service_linked_role_deletions_status"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_service_linked_role_deletions_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_service_linked_role_deletions")),
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("name_key", sa.String(length=128), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("permissions_boundary_arn", sa.String(length=2048), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_users_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("account_id", "name_key", name=op.f("uq_users_account_id_name_key")),
    )
    op.create_table(
        "access_keys",
        sa.Column("access_key_id", sa.String(length=128), nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("secret_access_key", sa.String(length=256), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at_seconds", sa.BigInteger(), nullable=True),
        sa.Column("last_used_service", sa.String(length=64), nullable=True),
        sa.Column("last_used_region", sa.String(length=32), nullable=True),
        sa.CheckConstraint("status IN ('Active', 'Inactive', 'Expired')", name=op.f("ck_access_keys_status")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_access_keys_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_access_keys_user_id")),
        sa.PrimaryKeyConstraint("access_key_id", name=op.f("pk_access_keys")),
    )
    with op.batch_alter_table("access_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_keys_user_id"), ["user_id"], unique=False)

    op.create_table(
        "chime_users",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("primary_email", sa.String(length=320), nullable=True),
        sa.Column("email_key", sa.String(length=320), nullable=True),
        sa.Column("username", sa.String(length=320), nullable=True),
        sa.Column("display_name", sa.String(length=320), nullable=False),
        sa.Column("license_type", sa.String(length=16), nullable=False),
        sa.Column("user_type", sa.String(length=16), nullable=False),
        sa.Column("registration_status", sa.String(length=16), nullable=False),
        sa.Column("invitation_status", sa.String(length=16), nullable=True),
        sa.Column("invite_id", sa.String(length=36), nullable=True),
        sa.Column("registered_at_seconds", sa.BigInteger(), nullable=True),
        sa.Column("invited_at_seconds", sa.BigInteger(), nullable=True),
        sa.Column("personal_pin", sa.String(length=16), nullable=False),
        sa.Column("alexa_for_business_enabled", sa.Boolean(), nullable=False),
        sa.Column("alexa_for_business_room_arn", sa.String(length=2048), nullable=True),
        sa.Column("inbound_calling", sa.Boolean(), nullable=False),
        sa.Column("outbound_calling", sa.Boolean(), nullable=False),
        sa.Column("sms_messages", sa.Boolean(), nullable=False),
        sa.Column("logged_out_at_seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["chime_accounts.account_id"], name=op.f("fk_chime_users_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_chime_users")),
        sa.UniqueConstraint("account_id", "email_key", name=op.f("uq_chime_users_account_id_email_key")),
        sa.UniqueConstraint("account_id", "username", name=op.f("uq_chime_users_account_id_username")),
    )
    op.create_table(
        "group_attached_policies",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("policy_arn", sa.String(length=2048), nullable=False),
        sa.Column("policy_id", sa.String(length=32), nullable=True),
        sa.Column("attached_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.group_id"], name=op.f("fk_group_attached_policies_group_id")),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policies.policy_id"], name=op.f("fk_group_attached_policies_policy_id")
        ),
        sa.PrimaryKeyConstraint("group_id", "policy_arn", name=op.f("pk_group_attached_policies")),
    )
    with op.batch_alter_table("group_attached_policies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_attached_policies_policy_arn"), ["policy_arn"], unique=False)
        batch_op.create_index(batch_op.f("ix_group_attached_policies_policy_id"), ["policy_id"], unique=False)

    op.create_table(
        "group_inline_policies",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.group_id"], name=op.f("fk_group_inline_policies_group_id")),
        sa.PrimaryKeyConstraint("group_id", "name", name=op.f("pk_group_inline_policies")),
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("added_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.group_id"], name=op.f("fk_group_members_group_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_group_members_user_id")),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_members")),
    )
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_members_user_id"), ["user_id"], unique=False)

    op.create_table(
        "policy_tags",
        sa.Column("policy_id", sa.String(length=32), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policies.policy_id"], name=op.f("fk_policy_tags_policy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("policy_id", "key_key", name=op.f("pk_policy_tags")),
    )
    op.create_table(
        "policy_versions",
        sa.Column("policy_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policies.policy_id"], name=op.f("fk_policy_versions_policy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("policy_id", "version", name=op.f("pk_policy_versions")),
    )
    op.create_table(
        "role_attached_policies",
        sa.Column("role_id", sa.String(length=32), nullable=False),
        sa.Column("policy_arn", sa.String(length=2048), nullable=False),
        sa.Column("policy_id", sa.String(length=32), nullable=True),
        sa.Column("attached_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policies.policy_id"], name=op.f("fk_role_attached_policies_policy_id")
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.role_id"], name=op.f("fk_role_attached_policies_role_id")),
        sa.PrimaryKeyConstraint("role_id", "policy_arn", name=op.f("pk_role_attached_policies")),
    )
    with op.batch_alter_table("role_attached_policies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_role_attached_policies_policy_arn"), ["policy_arn"], unique=False)
        batch_op.create_index(batch_op.f("ix_role_attached_policies_policy_id"), ["policy_id"], unique=False)

    op.create_table(
        "role_inline_policies",
        sa.Column("role_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.role_id"], name=op.f("fk_role_inline_policies_role_id")),
        sa.PrimaryKeyConstraint("role_id", "name", name=op.f("pk_role_inline_policies")),
    )
    op.create_table(
        "role_tags",
        sa.Column("role_id", sa.String(length=32), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.role_id"], name=op.f("fk_role_tags_role_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("role_id", "key_key", name=op.f("pk_role_tags")),
    )
    op.create_table(
        "user_attached_policies",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("policy_arn", sa.String(length=2048), nullable=False),
        sa.Column("policy_id", sa.String(length=32), nullable=True),
        sa.Column("attached_at_seconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policies.policy_id"], name=op.f("fk_user_attached_policies_policy_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_user_attached_policies_user_id")),
        sa.PrimaryKeyConstraint("user_id", "policy_arn", name=op.f("pk_user_attached_policies")),
    )
    with op.batch_alter_table("user_attached_policies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_attached_policies_policy_arn"), ["policy_arn"], unique=False)
        batch_op.create_index(batch_op.f("ix_user_attached_policies_policy_id"), ["policy_id"], unique=False)

    op.create_table(
        "user_inline_policies",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_user_inline_policies_user_id")),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_user_inline_policies")),
    )
    op.create_table(
        "user_tags",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("key_key", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_user_tags_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "key_key", name=op.f("pk_user_tags")),
    )


def downgrade() -> None:
    op.drop_table("user_tags")
    op.drop_table("user_inline_policies")
    with op.batch_alter_table("user_attached_policies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_attached_policies_policy_id"))
        batch_op.drop_index(batch_op.f("ix_user_attached_policies_policy_arn"))

    op.drop_table("user_attached_policies")
    op.drop_table("role_tags")
    op.drop_table("role_inline_policies")
    with op.batch_alter_table("role_attached_policies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_role_attached_policies_policy_id"))
        batch_op.drop_index(batch_op.f("ix_role_attached_policies_policy_arn"))

    op.drop_table("role_attached_policies")
    op.drop_table("policy_versions")
    op.drop_table("policy_tags")
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_group_members_user_id"))

    op.drop_table("group_members")
    op.drop_table("group_inline_policies")
    with op.batch_alter_table("group_attached_policies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_group_attached_policies_policy_id"))
        batch_op.drop_index(batch_op.f("ix_group_attached_policies_policy_arn"))

    op.drop_table("group_attached_policies")
    op.drop_table("chime_users")
    with op.batch_alter_table("access_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_keys_user_id"))

    op.drop_table("access_keys")
    op.drop_table("users")
    op.drop_table("service_linked_role_deletions")
    op.drop_table("service_control_policy_targets")
    op.drop_table("roles")
    op.drop_table("policies")
    op.drop_table("groups")
    with op.batch_alter_table("chime_accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_chime_accounts_aws_account_id"))

    op.drop_table("chime_accounts")
    op.drop_table("service_control_policies")
    op.drop_table("accounts")
    op.drop_table("sealing_keys")
    op.drop_table("sandbox_states")
    op.drop_table("organizations")
    op.drop_table("generations")

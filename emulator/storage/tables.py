"""The schema: typed tables, with a constraint for every invariant. ``migrations/`` builds the same thing step by step.

Times are seconds since the epoch. ``name_key`` is a name in lower case, because IAM names are unique without regard
to case. Policy documents are stored as the text that was received.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _cascade(target: str) -> ForeignKey:
    return ForeignKey(target, ondelete="CASCADE")


# One row per cache that must notice changes; raised by every transaction that writes one of its tables.
generations = Table(
    "generations", metadata, Column("name", String(32), primary_key=True), Column("value", BigInteger, nullable=False)
)

sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at_seconds", BigInteger, nullable=False),
    Column("position", Integer, nullable=False, unique=True),
)

# What the sandbox was last set up from, so that a restart does not set it up again over the user's changes.
sandbox_states = Table(
    "sandbox_states",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

organizations = Table("organizations", metadata, Column("organization_id", String(34), primary_key=True))

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String(12), primary_key=True),
    Column("name", String(128), nullable=False, default=""),
    Column("position", Integer, nullable=False),
    Column("organization_id", String(34), ForeignKey("organizations.organization_id"), nullable=True),
)

service_control_policies = Table(
    "service_control_policies",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("organization_id", String(34), _cascade("organizations.organization_id"), nullable=False),
    Column("document", Text, nullable=False),
)

# Where a service control policy is attached: an account id, or ROOT.
service_control_policy_targets = Table(
    "service_control_policy_targets",
    metadata,
    Column("policy_name", String(128), _cascade("service_control_policies.name"), primary_key=True),
    Column("target", String(34), primary_key=True),
)


def _named_entity(table: str, identifier: str, *columns: SchemaItem) -> Table:
    return Table(
        table,
        metadata,
        Column(identifier, String(32), primary_key=True),
        Column("account_id", String(12), _cascade("accounts.account_id"), nullable=False),
        Column("name", String(128), nullable=False),
        Column("name_key", String(128), nullable=False),
        Column("path", String(512), nullable=False, default="/"),
        Column("created_at_seconds", BigInteger, nullable=False),
        *columns,
        UniqueConstraint("account_id", "name_key"),
    )


users = _named_entity("users", "user_id", Column("permissions_boundary_arn", String(2048), nullable=True))

groups = _named_entity("groups", "group_id")

roles = _named_entity(
    "roles",
    "role_id",
    Column("description", Text, nullable=False, default=""),
    Column("trust_policy", Text, nullable=False),
    # JSON object: ARN as written in the trust policy -> unique id it meant when the policy was saved.
    Column("trust_principal_ids", Text, nullable=False, default="{}"),
    Column("max_session_duration_seconds", Integer, nullable=False, default=3600),
    Column("permissions_boundary_arn", String(2048), nullable=True),
    # The service principal that owns a service-linked role; null for ordinary roles.
    Column("linked_service", String(128), nullable=True),
    Column("last_used_at_seconds", BigInteger, nullable=True),
    Column("last_used_region", String(32), nullable=True),
    CheckConstraint("max_session_duration_seconds BETWEEN 3600 AND 43200", name="max_session_duration"),
)

policies = _named_entity(
    "policies",
    "policy_id",
    Column("description", Text, nullable=False, default=""),
    Column("default_version", Integer, nullable=False, default=1),
    Column("latest_version", Integer, nullable=False, default=1),
    Column("updated_at_seconds", BigInteger, nullable=False),
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("policy_id", String(32), _cascade("policies.policy_id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created_at_seconds", BigInteger, nullable=False),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", String(32), ForeignKey("groups.group_id"), primary_key=True),
    Column("user_id", String(32), ForeignKey("users.user_id"), primary_key=True),
    Column("added_at_seconds", BigInteger, nullable=False),
    Index(None, "user_id"),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("access_key_id", String(128), primary_key=True),
    Column("account_id", String(12), _cascade("accounts.account_id"), nullable=False),
    # Null for a key of the account's root user.
    Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
    Column("secret_access_key", String(256), nullable=False),
    Column("status", String(8), nullable=False, default="Active"),
    Column("created_at_seconds", BigInteger, nullable=False),
    Column("last_used_at_seconds", BigInteger, nullable=True),
    Column("last_used_service", String(64), nullable=True),
    Column("last_used_region", String(32), nullable=True),
    CheckConstraint("status IN ('Active', 'Inactive', 'Expired')", name="status"),
    Index(None, "user_id"),
)


def _attached(table: str, owner_table: str, owner: str) -> Table:
    """Managed policies attached to one kind of entity. ``policy_id`` is null for AWS managed policies."""
    return Table(
        table,
        metadata,
        # No cascade: AWS refuses to delete an entity that still has policies, and a policy still attached.
        Column(owner, String(32), ForeignKey(f"{owner_table}.{owner}"), primary_key=True),
        Column("policy_arn", String(2048), primary_key=True),
        Column("policy_id", String(32), ForeignKey("policies.policy_id"), nullable=True),
        Column("attached_at_seconds", BigInteger, nullable=False),
        Index(None, "policy_id"),
        Index(None, "policy_arn"),
    )


def _inline(table: str, owner_table: str, owner: str) -> Table:
    return Table(
        table,
        metadata,
        Column(owner, String(32), ForeignKey(f"{owner_table}.{owner}"), primary_key=True),
        Column("name", String(128), primary_key=True),
        Column("document", Text, nullable=False),
    )


def _tags(table: str, owner_table: str, owner: str) -> Table:
    """``key_key`` is what makes a tag key unique: in lower case where the service ignores case, else the key itself."""
    return Table(
        table,
        metadata,
        Column(owner, String(32), _cascade(f"{owner_table}.{owner}"), primary_key=True),
        Column("key_key", String(128), primary_key=True),
        Column("key", String(128), nullable=False),
        Column("value", String(256), nullable=False),
    )


user_attached_policies = _attached("user_attached_policies", "users", "user_id")
group_attached_policies = _attached("group_attached_policies", "groups", "group_id")
role_attached_policies = _attached("role_attached_policies", "roles", "role_id")

user_inline_policies = _inline("user_inline_policies", "users", "user_id")
group_inline_policies = _inline("group_inline_policies", "groups", "group_id")
role_inline_policies = _inline("role_inline_policies", "roles", "role_id")

user_tags = _tags("user_tags", "users", "user_id")
role_tags = _tags("role_tags", "roles", "role_id")
policy_tags = _tags("policy_tags", "policies", "policy_id")

service_linked_role_deletions = Table(
    "service_linked_role_deletions",
    metadata,
    Column("task_id", String(1000), primary_key=True),
    Column("account_id", String(12), _cascade("accounts.account_id"), nullable=False),
    Column("role_name", String(128), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    # JSON list of ARNs or ids of the resources that still use the role.
    Column("resources", Text, nullable=False, default="[]"),
    Column("created_at_seconds", BigInteger, nullable=False),
    CheckConstraint("status IN ('NOT_STARTED', 'IN_PROGRESS', 'SUCCEEDED', 'FAILED')", name="status"),
)

chime_accounts = Table(
    "chime_accounts",
    metadata,
    Column("account_id", String(36), primary_key=True),
    Column("aws_account_id", String(12), _cascade("accounts.account_id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("account_type", String(24), nullable=False, default="Team"),
    Column("default_license", String(16), nullable=False, default="Pro"),
    Column("account_status", String(16), nullable=False, default="Active"),
    Column("disable_remote_control", Boolean, nullable=False, default=False),
    Column("enable_dial_out", Boolean, nullable=False, default=False),
    Column("created_at_seconds", BigInteger, nullable=False),
    Index(None, "aws_account_id"),
)

chime_users = Table(
    "chime_users",
    metadata,
    Column("user_id", String(36), primary_key=True),
    Column("account_id", String(36), _cascade("chime_accounts.account_id"), nullable=False),
    Column("primary_email", String(320), nullable=True),
    Column("email_key", String(320), nullable=True),
    Column("username", String(320), nullable=True),
    Column("display_name", String(320), nullable=False, default=""),
    Column("license_type", String(16), nullable=False),
    Column("user_type", String(16), nullable=False, default="PrivateUser"),
    Column("registration_status", String(16), nullable=False, default="Unregistered"),
    Column("invitation_status", String(16), nullable=True),
    Column("invite_id", String(36), nullable=True),
    Column("registered_at_seconds", BigInteger, nullable=True),
    Column("invited_at_seconds", BigInteger, nullable=True),
    Column("personal_pin", String(16), nullable=False),
    Column("alexa_for_business_enabled", Boolean, nullable=False, default=False),
    Column("alexa_for_business_room_arn", String(2048), nullable=True),
    Column("inbound_calling", Boolean, nullable=False, default=False),
    Column("outbound_calling", Boolean, nullable=False, default=False),
    Column("sms_messages", Boolean, nullable=False, default=False),
    Column("logged_out_at_seconds", BigInteger, nullable=True),
    UniqueConstraint("account_id", "email_key"),
    UniqueConstraint("account_id", "username"),
)

# Writing any other table changes who may do what, so it raises the generation.
TABLES_WITHOUT_AUTHORITY = frozenset({"generations", "chime_accounts", "chime_users", "service_linked_role_deletions"})

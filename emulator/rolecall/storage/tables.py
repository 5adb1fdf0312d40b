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
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from rolecall.storage.password_tables import login_profiles as login_profiles
from rolecall.storage.password_tables import old_passwords as old_passwords
from rolecall.storage.password_tables import password_policies as password_policies
from rolecall.storage.password_tables import signing_certificates as signing_certificates
from rolecall.storage.schema import cascade
from rolecall.storage.schema import metadata as metadata

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

organizations = Table(
    "organizations",
    metadata,
    Column("organization_id", String(34), primary_key=True),
    Column("management_account_id", String(12), nullable=True),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String(12), primary_key=True),
    Column("name", String(128), nullable=False, default=""),
    Column("position", Integer, nullable=False),
    Column("organization_id", String(34), ForeignKey("organizations.organization_id"), nullable=True),
)

# A unit without a parent hangs on the organization's root.
organizational_units = Table(
    "organizational_units",
    metadata,
    Column("ou_id", String(68), primary_key=True),
    Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("parent_id", String(68), cascade("organizational_units.ou_id"), nullable=True),
)

# Accounts that are in a unit; the others hang on the root.
organizational_unit_accounts = Table(
    "organizational_unit_accounts",
    metadata,
    Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
    Column("ou_id", String(68), cascade("organizational_units.ou_id"), nullable=False),
)


def _control_policies(kind: str) -> tuple[Table, Table]:
    """Policies of an organization, and where each is attached: an account id, the id of a unit, or ROOT."""
    policies_table = Table(
        f"{kind}_control_policies",
        metadata,
        Column("name", String(128), primary_key=True),
        Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
        Column("document", Text, nullable=False),
    )
    targets_table = Table(
        f"{kind}_control_policy_targets",
        metadata,
        Column("policy_name", String(128), cascade(f"{kind}_control_policies.name"), primary_key=True),
        Column("target", String(68), primary_key=True),
    )
    return policies_table, targets_table


service_control_policies, service_control_policy_targets = _control_policies("service")
resource_control_policies, resource_control_policy_targets = _control_policies("resource")


# Member accounts that may use centralized root access for the organization, besides its management account.
delegated_administrators = Table(
    "delegated_administrators",
    metadata,
    Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
    Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
)

# Centralized root access: RootCredentialsManagement, RootSessions.
organization_features = Table(
    "organization_features",
    metadata,
    Column("organization_id", String(34), cascade("organizations.organization_id"), primary_key=True),
    Column("feature", String(32), primary_key=True),
)

account_preferences = Table(
    "account_preferences",
    metadata,
    Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
    Column("global_endpoint_token_version", String(8), nullable=False, default="v1Token"),
    CheckConstraint("global_endpoint_token_version IN ('v1Token', 'v2Token')", name="global_endpoint_token_version"),
)

# Outbound web identity federation: the issuer of an account's tokens, kept while it is switched off.
outbound_federations = Table(
    "outbound_federations",
    metadata,
    Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
    Column("issuer_id", String(36), nullable=False, unique=True),
    Column("enabled", Boolean, nullable=False, default=False),
)

# Private keys of the issuers that Rolecall itself is. ``purpose`` names the issuer, such as "outbound 111122223333".
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("purpose", String(128), nullable=False),
    Column("algorithm", String(16), nullable=False),
    Column("private_key", Text, nullable=False),
    Column("certificate", Text, nullable=True),
    Column("created_at_seconds", BigInteger, nullable=False),
    Index(None, "purpose"),
)


def _named_entity(table: str, identifier: str, *columns: SchemaItem) -> Table:
    return Table(
        table,
        metadata,
        Column(identifier, String(32), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
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
    Column("policy_id", String(32), cascade("policies.policy_id"), primary_key=True),
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
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
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


def _tags(table: str, owner_table: str, owner: str, owner_characters: int = 32) -> Table:
    """``key_key`` is what makes a tag key unique: in lower case where the service ignores case, else the key itself."""
    return Table(
        table,
        metadata,
        Column(owner, String(owner_characters), cascade(f"{owner_table}.{owner}"), primary_key=True),
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

# A virtual MFA device; ``user_id`` is null while nobody has enabled it, and when the account's root user has.
mfa_devices = Table(
    "mfa_devices",
    metadata,
    Column("serial_number", String(256), primary_key=True),
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
    Column("seed", String(128), nullable=False),
    Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
    Column("of_root", Boolean, nullable=False, default=False),
    Column("enabled_at_seconds", BigInteger, nullable=True),
    Column("created_at_seconds", BigInteger, nullable=False),
    Index(None, "user_id"),
)

# The time step of the newest code that a device was used with: a code is good once.
mfa_code_uses = Table(
    "mfa_code_uses",
    metadata,
    Column("serial_number", String(256), cascade("mfa_devices.serial_number"), primary_key=True),
    Column("used_step", BigInteger, nullable=False),
)


def _provider(table: str, *columns: SchemaItem) -> Table:
    """Identity providers of one kind, by ARN."""
    return Table(
        table,
        metadata,
        Column("arn", String(2048), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        *columns,
        Column("created_at_seconds", BigInteger, nullable=False),
        Index(None, "account_id"),
    )


def _of_provider(table: str, provider_table: str, *columns: SchemaItem) -> Table:
    """What a provider has several of."""
    owner = Column("arn", String(2048), cascade(f"{provider_table}.arn"), primary_key=True)
    return Table(table, metadata, owner, *columns)


# ``key_source`` says where the keys come from: the issuer's discovery document, ``jwks``, or Rolecall's own issuer.
oidc_providers = _provider(
    "oidc_providers",
    Column("url", String(255), nullable=False),
    Column("key_source", String(16), nullable=False, default="discovery"),
    Column("jwks", Text, nullable=True),
    CheckConstraint("key_source IN ('discovery', 'declared', 'own')", name="key_source"),
)

oidc_client_ids = _of_provider(
    "oidc_client_ids",
    "oidc_providers",
    Column("client_id", String(255), primary_key=True),
    Column("position", Integer, nullable=False),
)

oidc_thumbprints = _of_provider(
    "oidc_thumbprints",
    "oidc_providers",
    Column("thumbprint", String(40), primary_key=True),
    Column("position", Integer, nullable=False),
)

saml_providers = _provider(
    "saml_providers",
    Column("name", String(128), nullable=False),
    Column("provider_uuid", String(36), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("assertion_encryption_mode", String(8), nullable=True),
    Column("valid_until_seconds", BigInteger, nullable=True),
    CheckConstraint("assertion_encryption_mode IN ('Required', 'Allowed')", name="assertion_encryption_mode"),
)

# Keys for assertions that the identity provider encrypts.
saml_private_keys = _of_provider(
    "saml_private_keys",
    "saml_providers",
    Column("key_id", String(64), primary_key=True),
    Column("private_key", Text, nullable=False),
    Column("created_at_seconds", BigInteger, nullable=False),
)

mfa_device_tags = _tags("mfa_device_tags", "mfa_devices", "serial_number", 256)
oidc_provider_tags = _tags("oidc_provider_tags", "oidc_providers", "arn", 2048)
saml_provider_tags = _tags("saml_provider_tags", "saml_providers", "arn", 2048)

# Temporary delegation: a partner's request for access, and what became of it. ``permissions``, ``approval``: JSON.
delegation_requests = Table(
    "delegation_requests",
    metadata,
    Column("request_id", String(128), primary_key=True),
    Column("requestor_account_id", String(12), cascade("accounts.account_id"), nullable=False),
    Column("owner_account_id", String(12), nullable=True),
    Column("owner_arn", String(2048), nullable=True),
    Column("approver_arn", String(2048), nullable=True),
    # The approver's identity and session as they were at acceptance.
    Column("approval", Text, nullable=True),
    Column("state", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("request_message", Text, nullable=True),
    Column("permissions", Text, nullable=False),
    Column("permission_policy", Text, nullable=False),
    Column("requestor_workflow_id", String(400), nullable=False),
    Column("redirect_url", String(255), nullable=True),
    Column("notification_channel", String(400), nullable=False),
    Column("session_duration_seconds", Integer, nullable=False),
    Column("only_send_by_owner", Boolean, nullable=False, default=False),
    Column("notes", Text, nullable=True),
    Column("rejection_reason", Text, nullable=True),
    Column("created_at_seconds", BigInteger, nullable=False),
    Column("updated_at_seconds", BigInteger, nullable=False),
    Column("expires_at_seconds", BigInteger, nullable=False),
    # When the exchange token was sent, and when it was exchanged.
    Column("sent_at_seconds", BigInteger, nullable=True),
    Column("exchanged_at_seconds", BigInteger, nullable=True),
    UniqueConstraint("requestor_account_id", "requestor_workflow_id", name="uq_delegation_requests_workflow"),
    CheckConstraint(
        "state IN ('UNASSIGNED', 'ASSIGNED', 'PENDING_APPROVAL', 'FINALIZED', 'ACCEPTED', 'REJECTED', 'EXPIRED')",
        name="state",
    ),
    Index(None, "owner_account_id"),
)

service_linked_role_deletions = Table(
    "service_linked_role_deletions",
    metadata,
    Column("task_id", String(1000), primary_key=True),
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
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
    Column("aws_account_id", String(12), cascade("accounts.account_id"), nullable=False),
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
    Column("account_id", String(36), cascade("chime_accounts.account_id"), nullable=False),
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

# Counted apart from the rules: a rule that hits must not make every process read everything anew.
fault_hits = Table(
    "fault_hits",
    metadata,
    Column("rule_id", String(36), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
)

# Writing any other table changes who may do what, so it raises the generation.
TABLES_WITHOUT_AUTHORITY = frozenset(
    {
        "generations",
        "chime_accounts",
        "chime_users",
        "service_linked_role_deletions",
        "mfa_code_uses",
        "login_profiles",
        "old_passwords",
        "password_policies",
        "signing_certificates",
        "delegation_requests",
        "fault_hits",
    }
)

"""The organization: its accounts, units, policies, delegated administrators, and its centralized root access."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, ForeignKeyConstraint, Integer, String, Text
from sqlalchemy import UniqueConstraint as Unique

from rolecall.storage.schema import Snapshot, cascade, table

organizations = table(
    "organizations",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("organization_id", String(34), primary_key=True),
        Column("management_account_id", String(12), nullable=True),
    ],
)

accounts = table(
    "accounts",
    bears_on_rights=True,
    # The resources of an account go with it.
    kept_by="*",
    snapshot=Snapshot.KEYS,
    columns=[
        Column("account_id", String(12), primary_key=True),
        Column("name", String(128), nullable=False, default=""),
        Column("position", Integer, nullable=False),
        Column("organization_id", String(34), ForeignKey("organizations.organization_id"), nullable=True),
    ],
)

# What the organization knows of its accounts. An account that was not stored here yet was created with the sandbox.
organization_accounts = table(
    "organization_accounts",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("email", String(64), nullable=False, unique=True),
        Column("joined_method", String(8), nullable=False),
        Column("joined_at_seconds", BigInteger, nullable=False),
        Column("state", String(20), nullable=False),
    ],
)

# A unit without a parent is directly below the organization's root.
organizational_units = table(
    "organizational_units",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("ou_id", String(68), primary_key=True),
        Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
        Column("name", String(128), nullable=False),
        Column("parent_id", String(68), cascade("organizational_units.ou_id"), nullable=True),
    ],
)

# Accounts in a unit. The other accounts are directly below the root.
organizational_unit_accounts = table(
    "organizational_unit_accounts",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("ou_id", String(68), cascade("organizational_units.ou_id"), nullable=False),
    ],
)

# Policies of every type. FullAWSAccess and RCPFullAWSAccess are attached everywhere as long as they have no row.
organization_policies = table(
    "organization_policies",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("organization_id", String(34), cascade("organizations.organization_id"), primary_key=True),
        Column("policy_id", String(130), primary_key=True),
        Column("policy_type", String(40), nullable=False),
        Column("name", String(128), nullable=False),
        Column("description", String(512), nullable=False, default=""),
        Column("document", Text, nullable=False),
        Unique("organization_id", "policy_type", "name"),
    ],
)

# A target is an account id, a unit's id, or ROOT.
organization_policy_targets = table(
    "organization_policy_targets",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("organization_id", String(34), primary_key=True),
        Column("policy_id", String(130), primary_key=True),
        Column("target", String(68), primary_key=True),
        ForeignKeyConstraint(
            ["organization_id", "policy_id"],
            ["organization_policies.organization_id", "organization_policies.policy_id"],
            ondelete="CASCADE",
        ),
    ],
)

# Types of policies that were switched on or off. Without a row, service and resource control policies are on.
organization_policy_types = table(
    "organization_policy_types",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("organization_id", String(34), cascade("organizations.organization_id"), primary_key=True),
        Column("policy_type", String(40), primary_key=True),
        Column("enabled", Boolean, nullable=False),
    ],
)

# Tags of the root, of units, accounts and policies. ``resource_id`` is the id in the API.
organization_tags = table(
    "organization_tags",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("organization_id", String(34), cascade("organizations.organization_id"), primary_key=True),
        Column("resource_id", String(131), primary_key=True),
        Column("key", String(128), primary_key=True),
        Column("value", String(256), nullable=False),
    ],
)

# The policy with which an organization lets member accounts manage it.
organization_resource_policies = table(
    "organization_resource_policies",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("organization_id", String(34), cascade("organizations.organization_id"), primary_key=True),
        Column("policy_id", String(131), nullable=False),
        Column("document", Text, nullable=False),
    ],
)

# Services that may work in all accounts. IAM may unless its row has no time.
organization_service_access = table(
    "organization_service_access",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("organization_id", String(34), cascade("organizations.organization_id"), primary_key=True),
        Column("service_principal", String(128), primary_key=True),
        Column("enabled_at_seconds", BigInteger, nullable=True),
    ],
)

# Requests of CreateAccount.
account_creations = table(
    "account_creations",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("request_id", String(36), primary_key=True),
        Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
        Column("account_name", String(50), nullable=False),
        Column("state", String(11), nullable=False),
        Column("requested_at_seconds", BigInteger, nullable=False),
        Column("completed_at_seconds", BigInteger, nullable=False),
        Column("account_id", String(12), nullable=True),
        Column("failure_reason", String(64), nullable=True),
    ],
)

# Member accounts that may use centralized root access for the organization, as its management account may. They are
# the delegated administrators of IAM.
delegated_administrators = table(
    "delegated_administrators",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
    ],
)

# The services for which a member account was registered as an administrator.
delegated_services = table(
    "delegated_services",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("service_principal", String(128), primary_key=True),
        Column("registered_at_seconds", BigInteger, nullable=False),
    ],
)

# Centralized root access: RootCredentialsManagement, RootSessions.
organization_features = table(
    "organization_features",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("organization_id", String(34), cascade("organizations.organization_id"), primary_key=True),
        Column("feature", String(32), primary_key=True),
    ],
)

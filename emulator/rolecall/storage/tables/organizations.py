"""The organization: its accounts, units, control policies, and its centralized root access."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text

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
    snapshot=Snapshot.KEYS,
    columns=[
        Column("account_id", String(12), primary_key=True),
        Column("name", String(128), nullable=False, default=""),
        Column("position", Integer, nullable=False),
        Column("organization_id", String(34), ForeignKey("organizations.organization_id"), nullable=True),
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


def _control_policies(kind: str) -> tuple[Table, Table]:
    """Policies of an organization, and their targets: an account id, a unit's id, or ROOT."""
    policies_table = table(
        f"{kind}_control_policies",
        bears_on_rights=True,
        snapshot=Snapshot.KEYS,
        columns=[
            Column("name", String(128), primary_key=True),
            Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
            Column("document", Text, nullable=False),
        ],
    )
    targets_table = table(
        f"{kind}_control_policy_targets",
        bears_on_rights=True,
        snapshot=Snapshot.KEYS,
        columns=[
            Column("policy_name", String(128), cascade(f"{kind}_control_policies.name"), primary_key=True),
            Column("target", String(68), primary_key=True),
        ],
    )
    return policies_table, targets_table


service_control_policies, service_control_policy_targets = _control_policies("service")

resource_control_policies, resource_control_policy_targets = _control_policies("resource")

# Member accounts that may use centralized root access for the organization, as its management account may.
delegated_administrators = table(
    "delegated_administrators",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=False),
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

"""Which table a snapshot keeps where: in keys of the sandbox file, as plain rows, or not at all.

A table that nobody has put elsewhere is kept as plain rows, so that nothing is lost by being new. A feature whose
tables get keys of their own in the sandbox file moves them into ``DECLARED_TABLES``.
"""

from __future__ import annotations

from rolecall.storage.tables import metadata

# Told of by keys of the sandbox file; emulator/rolecall/sandbox/snapshots.py writes them.
DECLARED_TABLES = frozenset(
    {
        "organizations",
        "accounts",
        "delegated_administrators",
        "organization_features",
        "organizational_units",
        "organizational_unit_accounts",
        "service_control_policies",
        "service_control_policy_targets",
        "resource_control_policies",
        "resource_control_policy_targets",
        "users",
        "groups",
        "group_members",
        "roles",
        "policies",
        "policy_versions",
        "access_keys",
        "user_attached_policies",
        "group_attached_policies",
        "role_attached_policies",
        "user_inline_policies",
        "group_inline_policies",
        "role_inline_policies",
        "user_tags",
        "role_tags",
        "policy_tags",
        "chime_accounts",
        "chime_users",
    }
)

# Of one database and not of its world: counters, the keys behind session tokens, and what the world was set up from.
LEFT_OUT_TABLES = frozenset({"generations", "sealing_keys", "sandbox_states", "fault_hits"})

# When a policy was attached or a member joined is shown by no operation.
LEFT_OUT_COLUMNS = frozenset(
    {
        "user_attached_policies.attached_at_seconds",
        "group_attached_policies.attached_at_seconds",
        "role_attached_policies.attached_at_seconds",
        "group_members.added_at_seconds",
    }
)

# Kept row by row, under the key ``rows``, in an order in which a row follows those it refers to.
PLAIN_TABLES = tuple(
    str(table.name) for table in metadata.sorted_tables if table.name not in DECLARED_TABLES | LEFT_OUT_TABLES
)

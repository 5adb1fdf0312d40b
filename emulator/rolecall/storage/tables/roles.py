"""Roles with their policies and tags, and deletions of service-linked roles."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, String, Text

from rolecall.storage.schema import Snapshot, cascade, table
from rolecall.storage.tables.entities import attached_policies, inline_policies, named_entity, tags

roles = named_entity(
    "roles",
    "role_id",
    Column("description", Text, nullable=False, default=""),
    Column("trust_policy", Text, nullable=False),
    # JSON object: ARN in the trust policy -> unique id that it named when the policy was saved.
    Column("trust_principal_ids", Text, nullable=False, default="{}"),
    Column("max_session_duration_seconds", Integer, nullable=False, default=3600),
    Column("permissions_boundary_arn", String(2048), nullable=True),
    # The service principal that owns a service-linked role; null for ordinary roles.
    Column("linked_service", String(128), nullable=True),
    Column("last_used_at_seconds", BigInteger, nullable=True),
    Column("last_used_region", String(32), nullable=True),
    # The longest sign-in session of the role; null while it is not set.
    Column("max_signin_session_duration_seconds", Integer, nullable=True),
    CheckConstraint("max_session_duration_seconds BETWEEN 3600 AND 43200", name="max_session_duration"),
)

role_attached_policies = attached_policies("role_attached_policies", "roles", "role_id")

role_inline_policies = inline_policies("role_inline_policies", "roles", "role_id")

role_tags = tags("role_tags", "roles", "role_id")

service_linked_role_deletions = table(
    "service_linked_role_deletions",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("task_id", String(1000), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("role_name", String(128), nullable=False),
        Column("status", String(16), nullable=False),
        Column("reason", Text, nullable=False, default=""),
        # JSON list of ARNs or ids of the resources that still use the role.
        Column("resources", Text, nullable=False, default="[]"),
        Column("created_at_seconds", BigInteger, nullable=False),
        CheckConstraint("status IN ('NOT_STARTED', 'IN_PROGRESS', 'SUCCEEDED', 'FAILED')", name="status"),
    ],
)

"""Customer managed policies, with their versions and tags."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Text

from rolecall.storage.schema import Snapshot, cascade, table
from rolecall.storage.tables.entities import named_entity, tags

policies = named_entity(
    "policies",
    "policy_id",
    Column("description", Text, nullable=False, default=""),
    Column("default_version", Integer, nullable=False, default=1),
    Column("latest_version", Integer, nullable=False, default=1),
    Column("updated_at_seconds", BigInteger, nullable=False),
)

policy_versions = table(
    "policy_versions",
    bears_on_rights=True,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("policy_id", String(32), cascade("policies.policy_id"), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("document", Text, nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
    ],
)

policy_tags = tags("policy_tags", "policies", "policy_id")

"""Instance profiles, with their tags."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String

from rolecall.storage.tables.entities import named_entity, tags

# Tags are read with each call, and nothing remembers them. A profile itself gives nobody a right.
instance_profiles = named_entity(
    "instance_profiles",
    "instance_profile_id",
    # One role at most. No cascade: AWS refuses to delete a role that is in an instance profile.
    Column("role_id", String(32), ForeignKey("roles.role_id"), nullable=True),
    Index(None, "role_id"),
    bears_on_rights=False,
)

instance_profile_tags = tags("instance_profile_tags", "instance_profiles", "instance_profile_id", bears_on_rights=False)

"""What belongs to many users, groups, roles or policies at once: one query for each kind of thing, not one per entity.

Every function takes unique ids and returns a mapping by unique id, which lacks the entities without such a thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from rolecall.storage import tables as t
from rolecall.storage.entity_policies import KIND_TABLES, EntityKind
from rolecall.storage.entity_tags import Tag
from rolecall.storage.policies import PolicyVersionRecord

_TAGS = {"user": t.user_tags, "role": t.role_tags}


def attached_to(connection: Connection, kind: EntityKind, owner_ids: Sequence[str]) -> dict[str, list[str]]:
    """ARNs of the managed policies attached to each entity, sorted."""
    tables = KIND_TABLES[kind]
    owner, arn = tables.attached.c[tables.owner], tables.attached.c.policy_arn
    return _grouped(connection, select(owner, arn).where(owner.in_(owner_ids)).order_by(arn))


def inline_of(connection: Connection, kind: EntityKind, owner_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """The inline policies of each entity, name and document, by name."""
    tables = KIND_TABLES[kind]
    inline = tables.inline.c
    owner = inline[tables.owner]
    return _grouped(
        connection, select(owner, inline.name, inline.document).where(owner.in_(owner_ids)).order_by(inline.name)
    )


def tags_of_all(connection: Connection, kind: EntityKind, owner_ids: Sequence[str]) -> dict[str, list[Tag]]:
    """The tags of each user or role, by key."""
    tags = _TAGS[kind].c
    owner = tags[KIND_TABLES[kind].owner]
    return _grouped(connection, select(owner, tags.key, tags.value).where(owner.in_(owner_ids)).order_by(tags.key_key))


def group_names_of(connection: Connection, user_ids: Sequence[str]) -> dict[str, list[str]]:
    """The names of each user's groups, sorted without case."""
    members, groups = t.group_members.c, t.groups.c
    statement = (
        select(members.user_id, groups.name)
        .join(t.groups, groups.group_id == members.group_id)
        .where(members.user_id.in_(user_ids))
        .order_by(groups.name_key)
    )
    return _grouped(connection, statement)


def versions_of(connection: Connection, policy_ids: Sequence[str]) -> dict[str, list[PolicyVersionRecord]]:
    """The versions of each customer managed policy, newest first."""
    versions = t.policy_versions
    statement = select(versions).where(versions.c.policy_id.in_(policy_ids)).order_by(versions.c.version.desc())
    found: dict[str, list[PolicyVersionRecord]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.policy_id, []).append(PolicyVersionRecord(*row))
    return found


def _grouped(connection: Connection, statement: Select[Any]) -> dict[str, list[Any]]:
    """Rows by their first column: of each the second column, or a tuple of the others."""
    found: dict[str, list[Any]] = {}
    for owner_id, *values in connection.execute(statement):
        found.setdefault(owner_id, []).append(tuple(values) if len(values) > 1 else values[0])
    return found

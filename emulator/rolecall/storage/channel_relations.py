"""Who is a member, moderator or banned user of which channel, and which flow a channel has.

Two more relations, ``public`` and ``private``, say which channels an app instance has. Their member is the app
instance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, tuple_, update

from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.kept_reads import MISSING, part_of, view_of
from rolecall.storage.prepared import PreparedInsert, PreparedSelect
from rolecall.storage.problems import AlreadyThere, problem_for_conflict

MEMBER, MODERATOR, BAN, FLOW = "member", "moderator", "ban", "flow"


class Relation(NamedTuple):
    """One row: see the table. ``preferences`` is the document as JSON."""

    channel_key: str
    relation: str
    member_key: str
    member_arn: str
    created_by_arn: str
    created_at_micros: int
    updated_at_micros: int
    sub_channel_id: str = ""
    membership_type: str = ""
    read_marker_micros: int | None = None
    preferences: str | None = None


# Where a list goes on: creation time, ARN and sub-channel of the last member shown. In a list of the channels of a
# member, the channel's key stands in place of the ARN.
Position = tuple[Any, ...]

_R = t.channel_relations.c
_COLUMNS = [_R[name] for name in Relation._fields]
_INSERT = PreparedInsert(t.channel_relations)
_OF_PAIR = PreparedSelect(
    select(*_COLUMNS).where(_R.channel_key == bindparam("channel_key"), _R.member_key == bindparam("member_key")),
    "channel_key",
    "member_key",
)
_MEMBER_KEYS = select(_R.member_key).where(_R.channel_key == bindparam("channel_key"), _R.relation == MEMBER)
_KEYS_OF_CHANNEL = PreparedSelect(_MEMBER_KEYS, "channel_key")
_KEYS_OF_SUB_CHANNEL = PreparedSelect(
    _MEMBER_KEYS.where(_R.sub_channel_id == bindparam("sub_channel_id")), "channel_key", "sub_channel_id"
)
_resources = t.resources.alias("members")
_LIVING = or_(_resources.c.ends_at_seconds.is_(None), _resources.c.ends_at_seconds > bindparam("now_seconds"))
_PAGE = (
    select(*_COLUMNS, _resources.c.content)
    .join(_resources, _R.member_key == _resources.c.resource_key)
    .where(_R.channel_key == bindparam("channel_key"), _R.relation == bindparam("relation"), _LIVING)
    .order_by(_R.created_at_micros, _R.member_arn, _R.sub_channel_id)
)
_OF_MEMBER = (
    select(*_COLUMNS, _resources.c.content)
    .join(_resources, _R.channel_key == _resources.c.resource_key)
    .where(_R.member_key == bindparam("member_key"), _R.relation == bindparam("relation"), _LIVING)
    .order_by(_R.created_at_micros, _R.channel_key, _R.sub_channel_id)
)


def add(connection: Connection, relation: Relation) -> None:
    """Add a relation. Raises AlreadyThere."""
    with problem_for_conflict(connection, AlreadyThere(relation.member_arn)):
        _INSERT.execute(connection, [relation._asdict()])


def of_pair(connection: Connection, channel_key: str, member_key: str) -> list[Relation]:
    """Everything that one user or bot is in a channel."""
    view = view_of(connection)
    if view is None:
        return _of_pair(connection, channel_key, member_key)
    key = (_OF_PAIR, channel_key, member_key)
    found: list[Relation] = view.get(key)
    if found is MISSING:
        found = _of_pair(connection, channel_key, member_key)
        # A member that is deleted takes its rows with it, and a delete of a resource changes everything.
        view.put(key, found, part_of(t.channel_relations.name, channel_key))
    return found


def _of_pair(connection: Connection, channel_key: str, member_key: str) -> list[Relation]:
    return [Relation(*row) for row in _OF_PAIR.all(connection, channel_key, member_key)]


def page(
    connection: Connection,
    channel_key: str,
    relation: str,
    *,
    now_seconds: float,
    after: Position = (),
    limit: int | None = None,
    membership_type: str = "",
    sub_channel_id: str = "",
) -> list[tuple[Relation, Mapping[str, Any]]]:
    """The oldest members, moderators or bans behind ``after``, each with its user or bot. Expired ones are left out."""
    statement = _PAGE
    if after:
        statement = statement.where(tuple_(_R.created_at_micros, _R.member_arn, _R.sub_channel_id) > tuple_(*after))
    if membership_type:
        statement = statement.where(_R.membership_type == membership_type)
    if sub_channel_id:
        statement = statement.where(_R.sub_channel_id == sub_channel_id)
    values = {"channel_key": channel_key, "relation": relation, "now_seconds": int(now_seconds)}
    rows = connection.execute(statement.limit(limit), values)
    return [(Relation(*row[:-1]), json.loads(row[-1])) for row in rows]


def of_member(
    connection: Connection,
    member_key: str,
    relation: str,
    *,
    now_seconds: float,
    after: Position = (),
    limit: int | None = None,
) -> list[tuple[Relation, Mapping[str, Any]]]:
    """The relations of one member behind ``after``, oldest first, each with its channel. Expired ones are left out."""
    statement = _OF_MEMBER
    if after:
        statement = statement.where(tuple_(_R.created_at_micros, _R.channel_key, _R.sub_channel_id) > tuple_(*after))
    values = {"member_key": member_key, "relation": relation, "now_seconds": int(now_seconds)}
    rows = connection.execute(statement.limit(limit), values)
    return [(Relation(*row[:-1]), json.loads(row[-1])) for row in rows]


def member_keys(connection: Connection, channel_key: str, sub_channel_id: str = "") -> list[str]:
    """The keys of a channel's members, or of the members of one sub-channel."""
    if sub_channel_id:
        return [row[0] for row in _KEYS_OF_SUB_CHANNEL.all(connection, channel_key, sub_channel_id)]
    return [row[0] for row in _KEYS_OF_CHANNEL.all(connection, channel_key)]


def count(connection: Connection, *, relation: str, channel_key: str = "", member_key: str = "") -> int:
    """How many relations of a kind a channel has, or a member."""
    owner = _R.channel_key == channel_key if channel_key else _R.member_key == member_key
    return int(connection.execute(select(func.count()).where(owner, _R.relation == relation)).scalar_one())


def sub_channels(connection: Connection, channel_key: str, moderators: bool = True) -> list[tuple[str, int]]:
    """The sub-channels of an elastic channel, oldest first, with the number of their members.

    Without ``moderators``, members who moderate the channel do not count.
    """
    others = t.channel_relations.alias("others").c
    moderates = select(others.member_key).where(
        others.channel_key == _R.channel_key, others.relation == MODERATOR, others.member_key == _R.member_key
    )
    counted = func.count() if moderators else func.count().filter(~moderates.exists())
    statement = (
        select(_R.sub_channel_id, counted)
        .where(_R.channel_key == channel_key, _R.relation == MEMBER)
        .group_by(_R.sub_channel_id)
        .order_by(func.min(_R.created_at_micros), _R.sub_channel_id)
    )
    return [(row[0], row[1]) for row in connection.execute(statement)]


def remove(connection: Connection, relation: Relation) -> None:
    connection.execute(delete(t.channel_relations).where(_same(relation)).execution_options(**_of_channel(relation)))


def change(connection: Connection, relation: Relation) -> None:
    """Keep the time of the update, the read marker and the preferences of a relation."""
    names = ("updated_at_micros", "read_marker_micros", "preferences")
    values = {name: getattr(relation, name) for name in names}
    statement = update(t.channel_relations).where(_same(relation)).values(values)
    connection.execute(statement.execution_options(**_of_channel(relation)))


def move(connection: Connection, relation: Relation, sub_channel_id: str, now_micros: int) -> Relation:
    """Put a member into another sub-channel."""
    moved = relation._replace(sub_channel_id=sub_channel_id, updated_at_micros=now_micros)
    statement = update(t.channel_relations).where(_same(relation)).values(moved._asdict())
    connection.execute(statement.execution_options(**_of_channel(relation)))
    return moved


def _of_channel(relation: Relation) -> dict[str, Any]:
    return {CHANGES_ALONE: relation.channel_key}


def _same(relation: Relation) -> Any:
    return and_(*(_R[key.name] == getattr(relation, key.name) for key in t.channel_relations.primary_key))

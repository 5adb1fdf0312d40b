"""The resource store: resources of every kind without tables of its own, with their settings and tags.

Content comes and goes as the API spells it. One resource belongs to one account, Region and kind, and has an id there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Update, bindparam, delete, func, insert, or_, select, tuple_, update

from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE, CHANGES_BOUND
from rolecall.storage.kept_reads import MISSING, NEW, part_of, view_of
from rolecall.storage.prepared import PreparedSelect, PreparedUpdate
from rolecall.storage.problems import AlreadyThere, problem_for_conflict

Content = Mapping[str, Any]
Tag = tuple[str, str]


class Place(NamedTuple):
    """Where resources of a kind are: ``kind`` is service and resource type, ``chime-sdk-voice/voice-connector``."""

    account_id: str
    region: str
    kind: str


# Where a list goes on: the creation time and the id of the last resource shown.
Position = tuple[int, str]
BEFORE_THE_FIRST: Position = (-1, "")


class Resource(NamedTuple):
    """One resource. ``key`` names it within the database, ``resource_id`` within its place.

    ``ends_at_seconds`` is by the sandbox's clock: its own end, or its parent's if that comes first. ``secret`` is the
    value of the member that must not be in ``content``.
    """

    key: str
    resource_id: str
    created_at_seconds: int
    content: Content
    parent_key: str | None = None
    ends_at_seconds: int | None = None
    create_token: str | None = None
    secret: Any = None

    @property
    def position(self) -> Position:
        """Its place in lists, which are oldest first."""
        return self.created_at_seconds, self.resource_id

    def has_ended(self, now_seconds: float) -> bool:
        return self.ends_at_seconds is not None and self.ends_at_seconds <= now_seconds


# Older SQLite takes 999 parameters in a statement.
_KEYS_AT_ONCE = 500
_R = t.resources.c
_parents = t.resources.alias("parents")
_COLUMNS = (
    _R.resource_key,
    _R.resource_id,
    _R.created_at_seconds,
    _R.content,
    _R.parent_key,
    _R.ends_at_seconds,
    _R.create_token,
    _R.secret,
    _parents.c.ends_at_seconds.label("parent_ends_at_seconds"),
)
_WITH_PARENTS = t.resources.outerjoin(_parents, _R.parent_key == _parents.c.resource_key)
_SELECT = select(*_COLUMNS).select_from(_WITH_PARENTS)
_PLACED = [getattr(_R, name) == bindparam(name) for name in Place._fields]
_BY_ID = PreparedSelect(
    _SELECT.where(*_PLACED, _R.resource_id == bindparam("resource_id")), *Place._fields, "resource_id"
)
_BY_ID_LOCKED = _SELECT.where(*_PLACED, _R.resource_id == bindparam("resource_id")).with_for_update(of=t.resources)
_BY_TOKEN = _SELECT.where(*_PLACED, _R.create_token == bindparam("create_token"))
_PAGE = (
    _SELECT.where(
        *_PLACED,
        tuple_(_R.created_at_seconds, _R.resource_id) > tuple_(bindparam("after_seconds"), bindparam("after_id")),
        or_(_R.ends_at_seconds.is_(None), _R.ends_at_seconds > bindparam("now_seconds")),
        or_(_parents.c.ends_at_seconds.is_(None), _parents.c.ends_at_seconds > bindparam("now_seconds")),
    )
    .order_by(_R.created_at_seconds, _R.resource_id)
    .limit(bindparam("limit"))
)
_PAGE_OF_PARENT = _PAGE.where(_R.parent_key == bindparam("parent_key"))
_SET_CONTENT = PreparedUpdate(
    update(t.resources)
    .where(_R.resource_key == bindparam("key"))
    .values(content=bindparam("text"))
    .execution_options(**{CHANGES_BOUND: "key"}),
    t.resources,
    "key",
    "text",
)
_TAGS = (
    select(t.resource_tags.c.key, t.resource_tags.c.value)
    .where(t.resource_tags.c.resource_key == bindparam("resource_key"))
    .order_by(t.resource_tags.c.key)
)
_TAGS_BY_ID = PreparedSelect(
    select(t.resource_tags.c.key, t.resource_tags.c.value)
    .join(t.resources, _R.resource_key == t.resource_tags.c.resource_key)
    .where(*_PLACED, _R.resource_id == bindparam("resource_id"))
    .order_by(t.resource_tags.c.key),
    *Place._fields,
    "resource_id",
)
_TAG_BY_KEY = delete(t.resource_tags).where(
    t.resource_tags.c.resource_key == bindparam("owner"), t.resource_tags.c.key == bindparam("removed")
)
_SETTING = PreparedSelect(
    select(t.resource_settings.c.content).where(
        t.resource_settings.c.resource_key == bindparam("resource_key"), t.resource_settings.c.name == bindparam("name")
    ),
    "resource_key",
    "name",
)


def _resource(row: Sequence[Any]) -> Resource:
    key, resource_id, created_at_seconds, content, parent_key, own_end, create_token, secret, parents_end = row[:9]
    ends = [end for end in (own_end, parents_end) if end is not None]
    return Resource(
        key,
        resource_id,
        created_at_seconds,
        json.loads(content),
        parent_key,
        min(ends, default=None),
        create_token,
        None if secret is None else json.loads(secret),
    )


def content_text(content: Any) -> str:
    """The JSON of a content, as the table has it."""
    return json.dumps(content, separators=(",", ":"))


def find(connection: Connection, place: Place, resource_id: str, *, locked: bool = False) -> Resource | None:
    """The resource of that id, also one that has ended. ``locked`` is for a transaction that changes it.

    A transaction of SQLite that changes something holds the only lock already.
    """
    if locked and connection.dialect.name != "sqlite":
        row = connection.execute(_BY_ID_LOCKED, {**place._asdict(), "resource_id": resource_id}).first()
        return None if row is None else _resource(row)
    view = view_of(connection)
    if view is None:
        return _found(connection, place, resource_id)
    key = (place, resource_id)
    found: Resource | None = view.get(key)
    if found is MISSING:
        found = _found(connection, place, resource_id)
        view.put(key, found, *_parts_of(found))
    return found


def _found(connection: Connection, place: Place, resource_id: str) -> Resource | None:
    row = _BY_ID.first(connection, *place, resource_id)
    return None if row is None else _resource(row)


def _parts_of(found: Resource | None) -> tuple[str, ...]:
    """What a resource was read from: its own row, and its parent's, whose end it has."""
    if found is None:
        return (NEW,)
    keys = (found.key,) if found.parent_key is None else (found.key, found.parent_key)
    return tuple(content_part(key) for key in keys)


def content_part(key: str) -> str:
    """The part of the row of a resource."""
    return part_of(t.resources.name, key)


def living(connection: Connection, keys: Collection[str], *, now_seconds: float) -> set[str]:
    """Those of these keys whose resources exist and have not ended."""
    found: set[str] = set()
    remaining = list(keys)
    while remaining:
        some, remaining = remaining[:_KEYS_AT_ONCE], remaining[_KEYS_AT_ONCE:]
        ended = _R.ends_at_seconds <= int(now_seconds)
        statement = select(_R.resource_key).where(_R.resource_key.in_(some), or_(_R.ends_at_seconds.is_(None), ~ended))
        found.update(row[0] for row in connection.execute(statement))
    return found


def find_by_token(connection: Connection, place: Place, create_token: str) -> Resource | None:
    """The resource that was made with this token, also one that has ended."""
    row = connection.execute(_BY_TOKEN, {**place._asdict(), "create_token": create_token}).first()
    return None if row is None else _resource(row)


def page(
    connection: Connection,
    place: Place,
    after: Position,
    limit: int,
    *,
    now_seconds: float = 0,
    parent_key: str | None = None,
    id_prefix: str = "",
) -> list[Resource]:
    """At most ``limit`` resources that have not ended, oldest first, from behind ``after``.

    ``parent_key`` and ``id_prefix`` choose among them.
    """
    values: dict[str, Any] = {"after_seconds": after[0], "after_id": after[1], "limit": limit}
    values["now_seconds"] = int(now_seconds)
    statement = _PAGE
    if parent_key is not None:
        statement, values["parent_key"] = _PAGE_OF_PARENT, parent_key
    if id_prefix:
        statement = statement.where(func.substr(_R.resource_id, 1, len(id_prefix)) == id_prefix)
    return [_resource(row) for row in connection.execute(statement, {**place._asdict(), **values})]


def find_anywhere(connection: Connection, account_id: str, kind: str, resource_id: str) -> list[Resource]:
    """An account's resources of that id in all Regions, also those that have ended."""
    statement = _SELECT.where(_R.account_id == account_id, _R.kind == kind, _R.resource_id == resource_id)
    return [_resource(row) for row in connection.execute(statement.order_by(_R.region))]


def all_of_kind(connection: Connection, account_id: str, kind: str, region: str = "") -> list[Resource]:
    """An account's resources of a kind, of one Region or of all, oldest first. For kinds of which there are few."""
    statement = _SELECT.where(_R.account_id == account_id, _R.kind == kind)
    if region:
        statement = statement.where(_R.region == region)
    return [_resource(row) for row in connection.execute(statement.order_by(_R.created_at_seconds, _R.resource_id))]


def kinds_of(connection: Connection, account_id: str, now_seconds: float) -> list[tuple[str, str, int]]:
    """Which kinds of resources an account has in which Regions, and how many that have not ended: Region, kind, count.

    A resource whose parent has ended does not count.
    """
    statement = (
        select(_R.region, _R.kind, func.count())
        .select_from(_WITH_PARENTS)
        .where(_R.account_id == account_id, *_not_ended(now_seconds))
        .group_by(_R.region, _R.kind)
        .order_by(_R.region, _R.kind)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(statement)]


def kinds_of_children(connection: Connection, parent_key: str, now_seconds: float) -> list[tuple[str, int]]:
    """The kinds of the resources that belong to a parent, and how many of each have not ended."""
    statement = (
        select(_R.kind, func.count())
        .select_from(_WITH_PARENTS)
        .where(_R.parent_key == parent_key, *_not_ended(now_seconds))
        .group_by(_R.kind)
        .order_by(_R.kind)
    )
    return [(row[0], row[1]) for row in connection.execute(statement)]


def _not_ended(now_seconds: float) -> tuple[Any, Any]:
    ends = (_R.ends_at_seconds, _parents.c.ends_at_seconds)
    own, parents = (or_(each.is_(None), each > int(now_seconds)) for each in ends)
    return own, parents


def children(connection: Connection, parent_key: str, kind: str) -> list[Resource]:
    """All resources of a kind that belong to a parent, oldest first."""
    statement = _SELECT.where(_R.parent_key == parent_key, _R.kind == kind)
    return [_resource(row) for row in connection.execute(statement.order_by(_R.created_at_seconds, _R.resource_id))]


def count(connection: Connection, place: Place, *, now_seconds: float, parent_key: str | None = None) -> int:
    """How many resources have not ended, of a parent or in the whole place."""
    statement = select(func.count()).where(
        *(getattr(_R, name) == value for name, value in place._asdict().items()),
        or_(_R.ends_at_seconds.is_(None), _R.ends_at_seconds > int(now_seconds)),
    )
    if parent_key is not None:
        statement = statement.where(_R.parent_key == parent_key)
    return int(connection.execute(statement).scalar_one())


def add(connection: Connection, place: Place, resource: Resource) -> None:
    """Add a resource. Raises AlreadyThere when its id or its token is taken."""
    row = {**place._asdict(), **resource._asdict(), "content": content_text(resource.content)}
    row["resource_key"] = row.pop("key")
    if resource.secret is not None:
        row["secret"] = content_text(resource.secret)
    with problem_for_conflict(connection, AlreadyThere(resource.resource_id)):
        connection.execute(insert(t.resources), row)


def set_end(connection: Connection, key: str, ends_at_seconds: float | None) -> None:
    """Let a resource end then, by the sandbox's clock; never, with None."""
    end = None if ends_at_seconds is None else int(ends_at_seconds)
    connection.execute(_change(key).values(ends_at_seconds=end))


def drop_token(connection: Connection, key: str) -> None:
    """Let the token that made a resource make another one."""
    connection.execute(_change(key).values(create_token=None))


def _change(key: str) -> Update:
    return update(t.resources).where(_R.resource_key == key).execution_options(**{CHANGES_ALONE: key})


def remove_ended(connection: Connection, place: Place, before_seconds: float) -> None:
    """Delete the resources of a place that ended before that time."""
    ended = (
        *(getattr(_R, name) == value for name, value in place._asdict().items()),
        _R.ends_at_seconds < int(before_seconds),
    )
    # There is mostly none, and a delete makes everything be read again.
    if connection.execute(select(_R.resource_key).where(*ended).limit(1)).first() is not None:
        connection.execute(delete(t.resources).where(*ended))


def set_content(connection: Connection, key: str, content: Content) -> None:
    _SET_CONTENT.execute(connection, key, content_text(content))


def remove(connection: Connection, key: str) -> None:
    """Delete a resource with its settings and tags."""
    connection.execute(delete(t.resources).where(_R.resource_key == key))


def setting(connection: Connection, key: str, name: str) -> Content | None:
    """The document of that name that hangs on the resource, or None."""
    view = view_of(connection)
    if view is None:
        return _setting(connection, key, name)
    content: Content | None = view.get((key, name))
    if content is MISSING:
        content = _setting(connection, key, name)
        view.put((key, name), content, part_of(t.resource_settings.name, key))
    return content


def _setting(connection: Connection, key: str, name: str) -> Content | None:
    row = _SETTING.first(connection, key, name)
    return None if row is None else dict(json.loads(row[0]))


def put_setting(connection: Connection, key: str, name: str, content: Content) -> None:
    """Replace the document. The transaction has locked the resource, so no other one adds it meanwhile."""
    remove_setting(connection, key, name)
    row = {"resource_key": key, "name": name, "content": content_text(content)}
    connection.execute(insert(t.resource_settings), row)


def remove_setting(connection: Connection, key: str, name: str) -> None:
    """Delete the document; one that is not there is no error."""
    settings = t.resource_settings.c
    statement = delete(t.resource_settings).where(settings.resource_key == key, settings.name == name)
    connection.execute(statement.execution_options(**{CHANGES_ALONE: key}))


def settings_of_kind(
    connection: Connection, account_id: str, kind: str, name: str
) -> Sequence[tuple[str, Resource, Content]]:
    """The documents of that name in all Regions of an account: Region, resource and document, in this order."""
    settings = t.resource_settings.c
    statement = (
        select(_R.region, settings.content, *_COLUMNS)
        .select_from(_WITH_PARENTS.join(t.resource_settings, settings.resource_key == _R.resource_key))
        .where(_R.account_id == account_id, _R.kind == kind, settings.name == name)
        .order_by(_R.region, _R.created_at_seconds, _R.resource_id)
    )
    return [(row[0], _resource(row[2:]), json.loads(row[1])) for row in connection.execute(statement)]


def tags_of(connection: Connection, key: str) -> list[Tag]:
    """The tags of a resource, by key. Keys that differ in case alone are two."""
    return [(row[0], row[1]) for row in connection.execute(_TAGS, {"resource_key": key})]


def tags_by_id(connection: Connection, place: Place, resource_id: str) -> list[Tag]:
    """The tags of the resource of that id; none where there is no such resource."""
    view = view_of(connection)
    if view is None:
        return _tags_by_id(connection, place, resource_id)
    found = find(connection, place, resource_id)
    if found is None:
        return []
    # By the key, because a resource changes more often than its tags.
    tags: list[Tag] = view.get((_TAGS, found.key))
    if tags is MISSING:
        tags = _tags_by_id(connection, place, resource_id)
        view.put((_TAGS, found.key), tags, part_of(t.resource_tags.name, found.key))
    return tags


def _tags_by_id(connection: Connection, place: Place, resource_id: str) -> list[Tag]:
    return [(row[0], row[1]) for row in _TAGS_BY_ID.all(connection, *place, resource_id)]


def put_tags(connection: Connection, key: str, tags: Iterable[Tag]) -> None:
    """Add tags; those whose key is there already are replaced."""
    rows = [{"resource_key": key, "key": name, "value": value} for name, value in tags]
    if rows:
        remove_tags(connection, key, [row["key"] for row in rows])
        connection.execute(insert(t.resource_tags), rows)


def remove_tags(connection: Connection, key: str, names: Iterable[str]) -> None:
    """Remove the tags of these keys; a key that is not there is no error."""
    rows = [{"owner": key, "removed": name} for name in names]
    if rows:
        connection.execute(_TAG_BY_KEY.execution_options(**{CHANGES_ALONE: key}), rows)

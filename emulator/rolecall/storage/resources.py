"""The resource store: resources of every kind without tables of its own, with their settings and tags.

Content comes and goes as the API spells it. One resource belongs to one account, Region and kind, and has an id there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_, update

from rolecall.storage import tables as t
from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.problems import AlreadyThere, problem_for_conflict

Content = Mapping[str, Any]
Tag = tuple[str, str]


class Place(NamedTuple):
    """Where resources of a kind are: ``kind`` is service and resource type, ``chime-sdk-voice/voice-connector``."""

    account_id: str
    region: str
    kind: str


class Resource(NamedTuple):
    """One resource. ``key`` names it within the database, ``resource_id`` within its place."""

    key: str
    resource_id: str
    created_at_seconds: int
    content: Content


# Where a list goes on: the creation time and the id of the last resource shown.
Position = tuple[int, str]
BEFORE_THE_FIRST: Position = (-1, "")

_R = t.resources.c
_SELECT = select(_R.resource_key, _R.resource_id, _R.created_at_seconds, _R.content)
_PLACED = [getattr(_R, name) == bindparam(name) for name in Place._fields]
_BY_ID = PreparedSelect(
    _SELECT.where(*_PLACED, _R.resource_id == bindparam("resource_id")), *Place._fields, "resource_id"
)
_BY_ID_LOCKED = _SELECT.where(*_PLACED, _R.resource_id == bindparam("resource_id")).with_for_update()
_PAGE = (
    _SELECT.where(
        *_PLACED,
        tuple_(_R.created_at_seconds, _R.resource_id) > tuple_(bindparam("after_seconds"), bindparam("after_id")),
    )
    .order_by(_R.created_at_seconds, _R.resource_id)
    .limit(bindparam("limit"))
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
    return Resource(row[0], row[1], row[2], json.loads(row[3]))


def _text(content: Content) -> str:
    return json.dumps(content, separators=(",", ":"))


def find(connection: Connection, place: Place, resource_id: str, *, locked: bool = False) -> Resource | None:
    """The resource of that id. ``locked`` is for a transaction that changes it: others of its kind wait."""
    row: Sequence[Any] | None
    if locked:
        row = connection.execute(_BY_ID_LOCKED, {**place._asdict(), "resource_id": resource_id}).first()
    else:
        row = _BY_ID.first(connection, *place, resource_id)
    return None if row is None else _resource(row)


def page(connection: Connection, place: Place, after: Position, limit: int) -> list[Resource]:
    """At most ``limit`` resources, oldest first, from behind ``after``."""
    position = {"after_seconds": after[0], "after_id": after[1], "limit": limit}
    return [_resource(row) for row in connection.execute(_PAGE, {**place._asdict(), **position})]


def add(connection: Connection, place: Place, resource: Resource) -> None:
    """Add a resource. Raises AlreadyThere when its id is taken."""
    row = {**place._asdict(), **resource._asdict(), "content": _text(resource.content)}
    row["resource_key"] = row.pop("key")
    with problem_for_conflict(connection, AlreadyThere(resource.resource_id)):
        connection.execute(insert(t.resources), row)


def set_content(connection: Connection, key: str, content: Content) -> None:
    connection.execute(update(t.resources).where(_R.resource_key == key).values(content=_text(content)))


def remove(connection: Connection, key: str) -> None:
    """Delete a resource with its settings and tags."""
    connection.execute(delete(t.resources).where(_R.resource_key == key))


def setting(connection: Connection, key: str, name: str) -> Content | None:
    """The document of that name that hangs on the resource, or None."""
    row = _SETTING.first(connection, key, name)
    return None if row is None else dict(json.loads(row[0]))


def put_setting(connection: Connection, key: str, name: str, content: Content) -> None:
    """Replace the document. The transaction has locked the resource, so no other one adds it meanwhile."""
    remove_setting(connection, key, name)
    connection.execute(insert(t.resource_settings), {"resource_key": key, "name": name, "content": _text(content)})


def remove_setting(connection: Connection, key: str, name: str) -> None:
    """Delete the document; one that is not there is no error."""
    settings = t.resource_settings.c
    connection.execute(delete(t.resource_settings).where(settings.resource_key == key, settings.name == name))


def settings_of_kind(
    connection: Connection, account_id: str, kind: str, name: str
) -> Sequence[tuple[str, Resource, Content]]:
    """The documents of that name in all Regions of an account: Region, resource and document, in this order."""
    settings = t.resource_settings.c
    statement = (
        select(*_SELECT.selected_columns, _R.region, settings.content)
        .join(t.resource_settings, settings.resource_key == _R.resource_key)
        .where(_R.account_id == account_id, _R.kind == kind, settings.name == name)
        .order_by(_R.region, _R.created_at_seconds, _R.resource_id)
    )
    return [(row[4], _resource(row), json.loads(row[5])) for row in connection.execute(statement)]


def tags_of(connection: Connection, key: str) -> list[Tag]:
    """The tags of a resource, by key. Keys that differ in case alone are two."""
    return [(row[0], row[1]) for row in connection.execute(_TAGS, {"resource_key": key})]


def tags_by_id(connection: Connection, place: Place, resource_id: str) -> list[Tag]:
    """The tags of the resource of that id; none where there is no such resource."""
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
        connection.execute(_TAG_BY_KEY, rows)

"""Attachments: rows in, frozen records out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.tables import attachments as t


class Attachment(Struct, frozen=True):
    """An instance, task or pod with an address of its own. ``facts`` are what its kind knows about it.

    ``port`` is the wanted one, 0 for a free one. ``bound_port`` is where a process listens now, None while none does.
    """

    attachment_id: str
    account_id: str
    kind: str
    host: str
    port: int
    facts: Mapping[str, Any]
    created_at_seconds: int
    bound_port: int | None = None


_COLUMNS = (
    t.c.attachment_id,
    t.c.account_id,
    t.c.kind,
    t.c.host,
    t.c.port,
    t.c.facts,
    t.c.created_at_seconds,
    t.c.bound_port,
)
_BY_ID = PreparedSelect(select(*_COLUMNS).where(t.c.attachment_id == bindparam("attachment_id")), "attachment_id")


def attachment_by_id(connection: Connection, attachment_id: str) -> Attachment | None:
    row = _BY_ID.first(connection, attachment_id)
    return None if row is None else _attachment(row)


def list_attachments(connection: Connection, kind: str = "") -> list[Attachment]:
    """All attachments, or only the attachments of one kind, oldest first."""
    statement = select(*_COLUMNS).order_by(t.c.created_at_seconds, t.c.attachment_id)
    if kind:
        statement = statement.where(t.c.kind == kind)
    return [_attachment(row) for row in connection.execute(statement)]


def add_attachment(connection: Connection, attachment: Attachment) -> None:
    """Store a new attachment. Raises AlreadyThere when there is one with its id."""
    values = {name: getattr(attachment, name) for name in Attachment.__struct_fields__}
    with problem_for_conflict(connection, AlreadyThere(attachment.attachment_id)):
        connection.execute(insert(t), {**values, "facts": facts_text(attachment.facts)})


def remove_attachment(connection: Connection, attachment_id: str) -> bool:
    """False when there is none with this id."""
    return connection.execute(delete(t).where(t.c.attachment_id == attachment_id)).rowcount > 0


def set_bound_port(connection: Connection, attachment_id: str, port: int | None) -> None:
    connection.execute(update(t).where(t.c.attachment_id == attachment_id).values(bound_port=port))


def forget_bound_ports(connection: Connection) -> None:
    """For the start of a server: nothing listens yet."""
    connection.execute(update(t).where(t.c.bound_port.is_not(None)).values(bound_port=None))


def facts_text(facts: Mapping[str, Any]) -> str:
    """The form in which a row keeps the facts."""
    return json.dumps(dict(facts), sort_keys=True)


def _attachment(row: Any) -> Attachment:
    values = dict(zip(Attachment.__struct_fields__, row, strict=True))
    return Attachment(**{**values, "facts": json.loads(values["facts"])})

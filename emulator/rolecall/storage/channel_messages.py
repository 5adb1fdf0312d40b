"""Messages of channels: see the table. Times are microseconds since the epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, update

from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.kept_reads import MISSING, part_of, view_of
from rolecall.storage.prepared import PreparedInsert, PreparedSelect
from rolecall.storage.resources import Resource, content_part

_Shown = TypeVar("_Shown")
SENT, PENDING, FAILED, DENIED = "SENT", "PENDING", "FAILED", "DENIED"


class Message(NamedTuple):
    """One message. ``content`` has the members that the sender chose, and what became of them."""

    message_id: str
    channel_key: str
    sub_channel_id: str
    created_at_micros: int
    sender_arn: str
    target_arn: str | None
    listed: bool
    status: str
    content: Mapping[str, Any]
    create_token: str | None = None
    callback_id: str | None = None
    settles_at_micros: int | None = None
    settles_as: str | None = None


# The columns of a row by their position.
CREATED_AT, SENDER, CONTENT, SETTLES_AT = (
    Message._fields.index(name) for name in ("created_at_micros", "sender_arn", "content", "settles_at_micros")
)

_M = t.channel_messages.c
_SELECT = select(*(_M[name] for name in Message._fields))
_INSERT = PreparedInsert(t.channel_messages)
_BY_ID = PreparedSelect(_SELECT.where(_M.message_id == bindparam("message_id")), "message_id")
_BY_CALLBACK = PreparedSelect(_SELECT.where(_M.callback_id == bindparam("callback_id")), "callback_id")
_BY_TOKEN = PreparedSelect(
    _SELECT.where(
        _M.channel_key == bindparam("channel_key"),
        _M.sender_arn == bindparam("sender_arn"),
        _M.create_token == bindparam("create_token"),
    ),
    "channel_key",
    "sender_arn",
    "create_token",
)
_LAST = PreparedSelect(
    select(func.max(_M.created_at_micros)).where(_M.channel_key == bindparam("channel_key")), "channel_key"
)
_PENDING = PreparedSelect(
    select(_M.message_id).where(_M.channel_key == bindparam("channel_key"), _M.settles_at_micros.is_not(None)).limit(1),
    "channel_key",
)
_OVERDUE = PreparedSelect(
    _SELECT.where(_M.channel_key == bindparam("channel_key"), _M.settles_at_micros <= bindparam("now_micros")).order_by(
        _M.settles_at_micros
    ),
    "channel_key",
    "now_micros",
)
# A pending message that its time has settled as sent is listed before the next write of its channel keeps it so.
_SHOWN = _SELECT.where(
    _M.channel_key == bindparam("channel_key"),
    _M.created_at_micros >= bindparam("from_micros"),
    _M.created_at_micros <= bindparam("to_micros"),
    _M.sub_channel_id == bindparam("sub_channel_id"),
    or_(_M.listed.is_(True), and_(_M.settles_at_micros <= bindparam("now_micros"), _M.settles_as == SENT)),
    or_(_M.target_arn.is_(None), _M.target_arn == bindparam("reader_arn"), _M.sender_arn == bindparam("reader_arn")),
)
_NAMES = ("channel_key", "from_micros", "to_micros", "sub_channel_id", "now_micros", "reader_arn", "limit")
_PAGES = {
    ascending: PreparedSelect(
        _SHOWN.order_by(_M.created_at_micros if ascending else _M.created_at_micros.desc()).limit(bindparam("limit")),
        *_NAMES,
    )
    for ascending in (True, False)
}


def message_of(row: Sequence[Any]) -> Message:
    """The message of a row of :func:`page`."""
    return Message._make((*row[:CONTENT], json.loads(row[CONTENT]), *row[CONTENT + 1 :]))


def _messages(rows: Sequence[Sequence[Any]]) -> list[Message]:
    """The same for many rows: reading all contents as one text takes a third of the time."""
    contents = json.loads(f"[{','.join([row[CONTENT] for row in rows])}]")
    return [
        Message._make((*row[:CONTENT], content, *row[CONTENT + 1 :]))
        for row, content in zip(rows, contents, strict=True)
    ]


def _row(message: Message) -> dict[str, Any]:
    return {**message._asdict(), "content": json.dumps(message.content, separators=(",", ":"))}


def add(connection: Connection, message: Message) -> None:
    """Add a message. The transaction has locked its channel, so its time and its token are free."""
    _INSERT.execute(connection, [_row(message)])


def last_micros(connection: Connection, channel_key: str) -> int:
    """When the last message of a channel was made; 0 before the first."""
    row = _LAST.first(connection, channel_key)
    return 0 if row is None or row[0] is None else int(row[0])


def find(connection: Connection, channel_key: str, message_id: str) -> Message | None:
    row = _BY_ID.first(connection, message_id)
    return None if row is None or row[1] != channel_key else message_of(row)


def find_by_token(connection: Connection, channel_key: str, sender_arn: str, create_token: str) -> Message | None:
    """The message that an earlier call of this sender with the same token made."""
    row = _BY_TOKEN.first(connection, channel_key, sender_arn, create_token)
    return None if row is None else message_of(row)


def find_by_callback(connection: Connection, channel_key: str, callback_id: str) -> Message | None:
    """The message that a channel flow got under this id. It keeps the id after the callback."""
    row = _BY_CALLBACK.first(connection, callback_id)
    return None if row is None or row[1] != channel_key else message_of(row)


class PageAsked(NamedTuple):
    """A page of the messages of a channel that a reader may see, made between two times, both included."""

    channel_key: str
    sub_channel_id: str
    reader_arn: str
    from_micros: int
    to_micros: int
    ascending: bool
    limit: int


def page(connection: Connection, asked: PageAsked, now_micros: int) -> list[Sequence[Any]]:
    """The rows of a page, and one more if there are more. Their content is text."""
    channel_key, sub_channel_id, reader_arn, from_micros, to_micros, ascending, limit = asked
    values = (channel_key, from_micros, to_micros, sub_channel_id, now_micros, reader_arn, limit + 1)
    return _PAGES[ascending].all(connection, *values)


def kept_page(
    connection: Connection,
    asked: PageAsked,
    read: Callable[[PageAsked], tuple[_Shown, int | None, Sequence[Resource | None]]],
    *,
    changes_with_time: bool,
) -> tuple[_Shown, int | None]:
    """The page that ``read`` makes, and the time of its last message if there are more.

    ``read`` also gives the senders; one that was deleted is None. The page is kept until the channel's messages or a
    sender change. A page that ``changes_with_time`` is not kept, and so are other pages that may: a flow may have to
    decide a message, or a sender may end or have ended.
    """
    view = None if changes_with_time else view_of(connection)
    known: Any = MISSING if view is None else view.get(asked, page=True)
    if known is MISSING:
        shown, more, senders = read(asked)
        known = shown, more
        lasting = [sender.key for sender in senders if sender is not None and sender.ends_at_seconds is None]
        if view is not None and len(lasting) == len(senders) and not _has_pending(connection, asked.channel_key):
            parts = (part_of(t.channel_messages.name, asked.channel_key), *map(content_part, lasting))
            view.put(asked, known, *parts, page=True)
    found: tuple[_Shown, int | None] = known
    return found


def _has_pending(connection: Connection, channel_key: str) -> bool:
    return _PENDING.first(connection, channel_key) is not None


def newest(connection: Connection, channel_key: str, between_micros: tuple[int, int], limit: int) -> list[Message]:
    """The last messages of a channel, newest first, of every status and for every reader.

    They were made between two times, the first included.
    """
    since, before = between_micros
    statement = _SELECT.where(
        _M.channel_key == channel_key, _M.created_at_micros >= since, _M.created_at_micros < before
    )
    rows = connection.execute(statement.order_by(_M.created_at_micros.desc()).limit(limit))
    return _messages([tuple(row) for row in rows])


def overdue(connection: Connection, channel_key: str, now_micros: int) -> list[Message]:
    """The pending messages of a channel whose time is over, in the order in which it was over."""
    return _messages(_OVERDUE.all(connection, channel_key, now_micros))


def pending(connection: Connection, now_micros: int) -> list[tuple[Message, str, Mapping[str, Any]]]:
    """The pending messages of all channels, oldest first: each with the ARN of its channel, and its sender.

    A sender that left the channel has no content here.
    """
    channels, senders, members = t.resources.alias("channels"), t.resources.alias("senders"), t.channel_relations
    is_sender = and_(
        members.c.channel_key == _M.channel_key,
        members.c.relation == "member",
        members.c.member_arn == _M.sender_arn,
        members.c.sub_channel_id == _M.sub_channel_id,
    )
    statement = (
        select(*(_M[name] for name in Message._fields), channels.c.content, senders.c.content)
        .join(channels, _M.channel_key == channels.c.resource_key)
        .outerjoin(members, is_sender)
        .outerjoin(senders, members.c.member_key == senders.c.resource_key)
        .where(_M.settles_at_micros > now_micros)
        .order_by(_M.settles_at_micros, _M.created_at_micros)
    )
    return [
        (message_of(row[:-2]), json.loads(row[-2])["ChannelArn"], json.loads(row[-1] or "{}"))
        for row in connection.execute(statement)
    ]


def change(connection: Connection, message: Message) -> None:
    """Replace the message of that id."""
    statement = update(t.channel_messages).where(_M.message_id == message.message_id).values(_row(message))
    connection.execute(statement.execution_options(**{CHANGES_ALONE: message.channel_key}))


def remove(connection: Connection, message_id: str) -> None:
    connection.execute(delete(t.channel_messages).where(_M.message_id == message_id))


def remove_of_sub_channel(connection: Connection, channel_key: str, sub_channel_id: str) -> None:
    of_channel = _M.channel_key == channel_key
    statement = delete(t.channel_messages).where(of_channel, _M.sub_channel_id == sub_channel_id)
    connection.execute(statement.execution_options(**{CHANGES_ALONE: channel_key}))


def remove_unlisted(connection: Connection, channel_key: str, before_micros: int) -> None:
    """Forget messages made before then that no list shows and no flow is processing."""
    statement = delete(t.channel_messages).where(
        _M.channel_key == channel_key,
        _M.created_at_micros < before_micros,
        _M.listed.is_(False),
        _M.settles_at_micros.is_(None),
    )
    connection.execute(statement.execution_options(**{CHANGES_ALONE: channel_key}))

"""Chat rooms of Amazon Chime accounts and their members: rows in, records out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from rolecall.storage import tables as t
from rolecall.storage.problems import AlreadyThere, problem_for_conflict


class ChimeRoom(NamedTuple):
    """A chat room. ``created_by`` is the ARN of the caller who made it."""

    room_id: str
    account_id: str
    name: str
    created_by: str
    created_at_seconds: int
    updated_at_seconds: int
    create_token: str | None = None


class RoomMember(NamedTuple):
    """A membership with what the member's own row says: a user's email address and name, or a bot's."""

    room_id: str
    member_id: str
    member_type: str
    role: str
    invited_by: str
    updated_at_seconds: int
    email: str | None
    full_name: str | None


Position = tuple[int, str]
BEFORE_THE_FIRST: Position = (-1, "")

_ROOMS, _MEMBERS, _USERS, _BOTS = t.chime_rooms, t.chime_room_memberships, t.chime_users, t.chime_bots
_COLUMNS = [_ROOMS.c[name] for name in ChimeRoom._fields]
_SELECT_MEMBERS = select(
    *(_MEMBERS.c[name] for name in RoomMember._fields[:6]),
    func.coalesce(_USERS.c.primary_email, _BOTS.c.bot_email),
    func.coalesce(_USERS.c.display_name, _BOTS.c.display_name),
).select_from(
    _MEMBERS.outerjoin(_USERS, _USERS.c.user_id == _MEMBERS.c.member_id).outerjoin(
        _BOTS, _BOTS.c.bot_id == _MEMBERS.c.member_id
    )
)


def room(connection: Connection, account_id: str, room_id: str, *, locked: bool = False) -> ChimeRoom | None:
    """The account's room of that id. ``locked`` is for a transaction that changes it or its members."""
    statement = select(*_COLUMNS).where(_ROOMS.c.account_id == account_id, _ROOMS.c.room_id == room_id)
    row = connection.execute(statement.with_for_update() if locked else statement).first()
    return None if row is None else ChimeRoom._make(row)


def room_by_token(connection: Connection, account_id: str, create_token: str) -> ChimeRoom | None:
    """The room that was made with this token."""
    statement = select(*_COLUMNS).where(_ROOMS.c.account_id == account_id, _ROOMS.c.create_token == create_token)
    row = connection.execute(statement).first()
    return None if row is None else ChimeRoom._make(row)


def list_rooms(
    connection: Connection, account_id: str, *, member_id: str, after: Position, limit: int
) -> list[ChimeRoom]:
    """The account's rooms, oldest first. A ``member_id`` that is not empty leaves its rooms."""
    statement = select(*_COLUMNS).where(
        _ROOMS.c.account_id == account_id, tuple_(_ROOMS.c.created_at_seconds, _ROOMS.c.room_id) > after
    )
    if member_id:
        statement = statement.where(
            _ROOMS.c.room_id.in_(select(_MEMBERS.c.room_id).where(_MEMBERS.c.member_id == member_id))
        )
    statement = statement.order_by(_ROOMS.c.created_at_seconds, _ROOMS.c.room_id).limit(limit)
    return [ChimeRoom._make(row) for row in connection.execute(statement)]


def count_rooms(connection: Connection, account_id: str) -> int:
    return int(connection.execute(select(func.count()).where(_ROOMS.c.account_id == account_id)).scalar_one())


def add_room(connection: Connection, room: ChimeRoom) -> None:
    """Add a room. Raises AlreadyThere when its token has made one."""
    with problem_for_conflict(connection, AlreadyThere(room.room_id)):
        connection.execute(insert(_ROOMS), room._asdict())


def update_room(connection: Connection, room_id: str, changes: Mapping[str, Any]) -> None:
    connection.execute(update(_ROOMS).where(_ROOMS.c.room_id == room_id).values(**changes))


def remove_room(connection: Connection, room_id: str) -> None:
    """Delete a room with its memberships."""
    connection.execute(delete(_ROOMS).where(_ROOMS.c.room_id == room_id))


def member(connection: Connection, room_id: str, member_id: str) -> RoomMember | None:
    statement = _SELECT_MEMBERS.where(_MEMBERS.c.room_id == room_id, _MEMBERS.c.member_id == member_id)
    row = connection.execute(statement).first()
    return None if row is None else RoomMember._make(row)


def list_members(connection: Connection, room_id: str, *, after: str, limit: int) -> list[RoomMember]:
    """A room's members by id, from behind ``after``."""
    statement = _SELECT_MEMBERS.where(_MEMBERS.c.room_id == room_id, _MEMBERS.c.member_id > after)
    rows = connection.execute(statement.order_by(_MEMBERS.c.member_id).limit(limit))
    return [RoomMember._make(row) for row in rows]


def count_members(connection: Connection, room_id: str) -> int:
    return int(connection.execute(select(func.count()).where(_MEMBERS.c.room_id == room_id)).scalar_one())


def add_member(connection: Connection, member: RoomMember) -> None:
    """Add a membership. Raises AlreadyThere when the room has the member."""
    values = dict(zip(RoomMember._fields[:6], member, strict=False))
    with problem_for_conflict(connection, AlreadyThere(member.member_id)):
        connection.execute(insert(_MEMBERS), values)


def update_member(connection: Connection, room_id: str, member_id: str, changes: Mapping[str, Any]) -> None:
    statement = update(_MEMBERS).where(_MEMBERS.c.room_id == room_id, _MEMBERS.c.member_id == member_id)
    connection.execute(statement.values(**changes))


def remove_member(connection: Connection, room_id: str, member_id: str) -> None:
    statement = delete(_MEMBERS).where(_MEMBERS.c.room_id == room_id, _MEMBERS.c.member_id == member_id)
    connection.execute(statement)

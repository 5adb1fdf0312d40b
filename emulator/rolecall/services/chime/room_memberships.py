"""Members of chat rooms: users and bots of the room's account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.contents.rooms import MAXIMUM_ROOM_MEMBERS, MEMBER, USER
from rolecall.errors import AwsError, bad_request, limit_exceeded
from rolecall.services.batches import errors_of
from rolecall.services.chime.rooms import owned_room
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_bots, chime_rooms, chime_users
from rolecall.storage.chime_rooms import ChimeRoom, RoomMember
from rolecall.storage.problems import AlreadyThere

BOT = "Bot"


class MembershipItem(TypedDict, total=False):
    """One member of a batch."""

    MemberId: str
    Role: str


@operation("chime", "CreateRoomMembership")
def create_room_membership(call: Call, *, AccountId: str, RoomId: str, MemberId: str, Role: str = MEMBER) -> Answer:
    room = owned_room(call, AccountId, RoomId, locked=True)
    return {"RoomMembership": _shown(room, _add(call, room, MemberId, Role))}


@operation("chime", "BatchCreateRoomMembership")
def batch_create_room_membership(
    call: Call, *, AccountId: str, RoomId: str, MembershipItemList: Sequence[MembershipItem]
) -> Answer:
    """Adds the members that it can. Errors lists the others, in the order of the request."""
    room = owned_room(call, AccountId, RoomId, locked=True)
    if any("MemberId" not in item for item in MembershipItemList):
        raise bad_request("Each item of MembershipItemList must have a MemberId.")

    def add(item: MembershipItem) -> None:
        _add(call, room, item["MemberId"], item.get("Role", MEMBER))

    return {"Errors": errors_of(MembershipItemList, add, lambda item: {"MemberId": item["MemberId"]})}


@operation("chime", "ListRoomMemberships")
def list_room_memberships(
    call: Call, *, AccountId: str, RoomId: str, MaxResults: int = DEFAULT_MAX_RESULTS, NextToken: str | None = None
) -> Answer:
    room = owned_room(call, AccountId, RoomId)
    [after] = ("",) if NextToken is None else position_of(call, (room.room_id,), NextToken)
    found = chime_rooms.list_members(call.db, room.room_id, after=after, limit=MaxResults + 1)
    members, rest = one_page(call, (room.room_id,), found, MaxResults, lambda each: (each.member_id,))
    return {"RoomMemberships": [_shown(room, member) for member in members], **rest}


@operation("chime", "UpdateRoomMembership")
def update_room_membership(
    call: Call, *, AccountId: str, RoomId: str, MemberId: str, Role: str | None = None
) -> Answer:
    """API reference: the role can be updated only for users."""
    room = owned_room(call, AccountId, RoomId, locked=True)
    member = _existing(call, room, MemberId)
    if member.member_type != USER:
        raise bad_request("The role can be updated only for users.")
    changes = {"role": Role or member.role, "updated_at_seconds": int(call.now_seconds)}
    chime_rooms.update_member(call.db, room.room_id, member.member_id, changes)
    return {"RoomMembership": _shown(room, member._replace(**changes))}  # type: ignore[arg-type]


@operation("chime", "DeleteRoomMembership")
def delete_room_membership(call: Call, *, AccountId: str, RoomId: str, MemberId: str) -> Answer:
    room = owned_room(call, AccountId, RoomId, locked=True)
    chime_rooms.remove_member(call.db, room.room_id, _existing(call, room, MemberId).member_id)
    return {}


def _existing(call: Call, room: ChimeRoom, member_id: str) -> RoomMember:
    found = chime_rooms.member(call.db, room.room_id, member_id)
    if found is None:
        raise AwsError("NotFoundException", f"Member {member_id} of room {room.room_id} was not found.")
    return found


def _add(call: Call, room: ChimeRoom, member_id: str, role: str) -> RoomMember:
    """Add a user or bot to a locked room. Raises AwsError NotFound, Conflict and ResourceLimitExceeded."""
    bot = chime_bots.bot(call.db, room.account_id, member_id)
    user = chime_users.user(call.db, call.account_id, room.account_id, member_id) if bot is None else None
    if bot is None and user is None:
        raise AwsError("NotFoundException", f"Member {member_id} was not found.")
    if chime_rooms.member(call.db, room.room_id, member_id) is not None:
        raise AwsError("ConflictException", f"Room {room.room_id} already has member {member_id}.")
    if chime_rooms.count_members(call.db, room.room_id) >= MAXIMUM_ROOM_MEMBERS:
        raise limit_exceeded(f"A room may have at most {MAXIMUM_ROOM_MEMBERS} members.")
    member = RoomMember(
        room_id=room.room_id,
        member_id=member_id,
        member_type=USER if bot is None else BOT,
        role=role,
        invited_by=call.caller.principal.arn,
        updated_at_seconds=int(call.now_seconds),
        email=bot.bot_email if bot is not None else user and user.primary_email,
        full_name=bot.display_name if bot is not None else user and user.display_name,
    )
    try:
        chime_rooms.add_member(call.db, member)
    except AlreadyThere as problem:  # pragma: no cover - the locked room lets no second call in
        raise AwsError("ConflictException", f"Room {room.room_id} already has member {member_id}.") from problem
    return member


def _shown(room: ChimeRoom, member: RoomMember) -> Answer:
    """A membership as the model's RoomMembership."""
    return {
        "RoomId": room.room_id,
        "Member": {
            "MemberId": member.member_id,
            "MemberType": member.member_type,
            "Email": member.email,
            "FullName": member.full_name or None,
            "AccountId": room.account_id,
        },
        "Role": member.role,
        "InvitedBy": member.invited_by,
        "UpdatedTimestamp": member.updated_at_seconds,
    }

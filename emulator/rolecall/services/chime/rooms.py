"""Chat rooms of Enterprise accounts: CreateRoom, GetRoom, ListRooms, UpdateRoom, DeleteRoom, RedactRoomMessage."""

from __future__ import annotations

from rolecall.contents.rooms import MAXIMUM_ROOMS
from rolecall.errors import AwsError, limit_exceeded
from rolecall.services.chime.common import enterprise_account
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_rooms
from rolecall.storage.chime_rooms import BEFORE_THE_FIRST, ChimeRoom
from rolecall.storage.problems import AlreadyThere


@operation("chime", "CreateRoom")
def create_room(call: Call, *, AccountId: str, Name: str, ClientRequestToken: str | None = None) -> Answer:
    """The same token answers the room that it made."""
    account = enterprise_account(call, AccountId, locked=True)
    if ClientRequestToken is not None:
        known = chime_rooms.room_by_token(call.db, account.account_id, ClientRequestToken)
        if known is not None:
            return {"Room": shown_room(known)}
    if chime_rooms.count_rooms(call.db, account.account_id) >= MAXIMUM_ROOMS:
        raise limit_exceeded(f"An account may have at most {MAXIMUM_ROOMS} rooms.")
    now = int(call.now_seconds)
    room = ChimeRoom(
        room_id=call.ids.uuid(),
        account_id=account.account_id,
        name=Name,
        created_by=call.caller.principal.arn,
        created_at_seconds=now,
        updated_at_seconds=now,
        create_token=ClientRequestToken,
    )
    try:
        chime_rooms.add_room(call.db, room)
    except AlreadyThere:  # pragma: no cover - the locked account lets no second call in
        raise AwsError("ConflictException", "The token is used by another call at this moment.") from None
    return {"Room": shown_room(room)}


@operation("chime", "GetRoom")
def get_room(call: Call, *, AccountId: str, RoomId: str) -> Answer:
    return {"Room": shown_room(owned_room(call, AccountId, RoomId))}


@operation("chime", "ListRooms")
def list_rooms(
    call: Call,
    *,
    AccountId: str,
    MemberId: str | None = None,
    MaxResults: int = DEFAULT_MAX_RESULTS,
    NextToken: str | None = None,
) -> Answer:
    """The account's rooms, or those that a user or bot is a member of, oldest first."""
    account = enterprise_account(call, AccountId)
    filters = (account.account_id, MemberId)
    found = chime_rooms.list_rooms(
        call.db,
        account.account_id,
        member_id=MemberId or "",
        after=BEFORE_THE_FIRST if NextToken is None else position_of(call, filters, NextToken),
        limit=MaxResults + 1,
    )
    rooms, rest = one_page(call, filters, found, MaxResults, lambda each: (each.created_at_seconds, each.room_id))
    return {"Rooms": [shown_room(room) for room in rooms], **rest}


@operation("chime", "UpdateRoom")
def update_room(call: Call, *, AccountId: str, RoomId: str, Name: str | None = None) -> Answer:
    room = owned_room(call, AccountId, RoomId, locked=True)
    changes = {"name": room.name if Name is None else Name, "updated_at_seconds": int(call.now_seconds)}
    chime_rooms.update_room(call.db, room.room_id, changes)
    return {"Room": shown_room(room._replace(**changes))}  # type: ignore[arg-type]


@operation("chime", "DeleteRoom")
def delete_room(call: Call, *, AccountId: str, RoomId: str) -> Answer:
    """The room's memberships go with it."""
    chime_rooms.remove_room(call.db, owned_room(call, AccountId, RoomId, locked=True).room_id)
    return {}


@operation("chime", "RedactRoomMessage")
def redact_room_message(call: Call, *, AccountId: str, RoomId: str, MessageId: str) -> Answer:
    """Only the Chime application wrote messages, so no room of the sandbox has one to redact."""
    room = owned_room(call, AccountId, RoomId)
    raise message_not_found(MessageId, f"room {room.room_id}")


@operation("chime", "RedactConversationMessage")
def redact_conversation_message(call: Call, *, AccountId: str, ConversationId: str, MessageId: str) -> Answer:
    """Only the Chime application made conversations, so the sandbox has none."""
    enterprise_account(call, AccountId)
    raise message_not_found(MessageId, f"conversation {ConversationId}")


def owned_room(call: Call, account_id: str, room_id: str, *, locked: bool = False) -> ChimeRoom:
    """The room of that id in the caller's Chime account. Raises NotFoundException, BadRequestException."""
    account = enterprise_account(call, account_id)
    found = chime_rooms.room(call.db, account.account_id, room_id, locked=locked)
    if found is None:
        raise AwsError("NotFoundException", f"Room {room_id} was not found.")
    return found


def message_not_found(message_id: str, place: str) -> AwsError:
    return AwsError("NotFoundException", f"Message {message_id} of {place} was not found.")


def shown_room(room: ChimeRoom) -> Answer:
    """A room as the model's Room."""
    return {
        "RoomId": room.room_id,
        "Name": room.name,
        "AccountId": room.account_id,
        "CreatedBy": room.created_by,
        "CreatedTimestamp": room.created_at_seconds,
        "UpdatedTimestamp": room.updated_at_seconds,
    }

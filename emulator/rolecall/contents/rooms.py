"""How many rooms there may be (Amazon Chime API reference, CreateRoom and CreateRoomMembership)."""

from __future__ import annotations

MAXIMUM_ROOMS = 1500
MAXIMUM_ROOM_MEMBERS = 1000
MEMBER, ADMINISTRATOR = "Member", "Administrator"
USER = "User"
# Types of the accounts that have rooms, bots and retention.
ENTERPRISE = "Enterprise"

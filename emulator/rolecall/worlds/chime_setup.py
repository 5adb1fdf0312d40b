"""Writes the declared accounts of Amazon Chime: their users, their rooms, and how long they keep messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from rolecall.arns import root_arn
from rolecall.contents.rooms import ADMINISTRATOR, MEMBER, USER
from rolecall.ids import Identifiers, uuid_of
from rolecall.storage import tables as t
from rolecall.storage.world_rows import Row, WorldRows
from rolecall.worlds.chime_accounts import (
    DeclaredChimeAccount,
    DeclaredChimeRetention,
    DeclaredChimeRoom,
    DeclaredChimeUser,
)
from rolecall.worlds.members import columns_of, declared, new_columns_of

_PIN_DIGITS = 10
_DEFAULT_LICENSE = "Pro"


def put_chime_account(
    db: WorldRows, account_id: str, account: DeclaredChimeAccount, now_seconds: int, ids: Identifiers
) -> None:
    """Create what an AWS account declares of one Chime account, or bring it up to date."""
    owner = {"aws_account_id": account_id}
    by_id = {"account_id": account.chime_account_id or ids.uuid()}
    known = db.find(t.chime_accounts, {**owner, **by_id}) or _same_named(db, owner, account)
    key = by_id if known is None else {"account_id": known["account_id"]}
    new = {**owner, "created_at_seconds": now_seconds, **new_columns_of(account)}
    db.put(t.chime_accounts, key, declared(columns_of(account)), _without(new, key))
    by_email, by_name = dict[str, str](), dict[str, str]()
    for user in account.users:
        user_id = _put_user(db, key, user, now_seconds, ids)
        by_email |= {} if user.email is None else {user.email.lower(): user_id}
        by_name |= {} if user.username is None else {user.username: user_id}

    def member_id(called: str) -> str:
        return by_name.get(called) or by_email[called.lower()]

    for room in account.rooms:
        _put_room(db, key["account_id"], room, member_id, root_arn(account_id), now_seconds)
    if account.retention is not None:
        _put_retention(db, key, account.retention, now_seconds)


def _same_named(db: WorldRows, owner: Mapping[str, str], account: DeclaredChimeAccount) -> Row | None:
    """The Chime account with the declared name, unless an id is declared. Equal names are declared with ids."""
    if account.chime_account_id is not None:
        return None
    return db.find(t.chime_accounts, {**owner, "name": account.name})


def _put_user(
    db: WorldRows, account: Mapping[str, str], user: DeclaredChimeUser, now_seconds: int, ids: Identifiers
) -> str:
    always = {"primary_email": user.email, "license_type": user.license or _DEFAULT_LICENSE}
    values = {**declared(columns_of(user)), **always}
    if user.email is None:
        key = {**account, "username": user.username}
    else:
        key = {**account, "email_key": user.email.lower()}
    made_up = {"user_id": user.user_id or ids.uuid(), **_registered(user, now_seconds, ids)}
    db.put(t.chime_users, key, _without(values, key), _without(made_up, values.keys() | key.keys()))
    row = db.find(t.chime_users, key)
    return "" if row is None else str(row["user_id"])


def _registered(user: DeclaredChimeUser, now_seconds: int, ids: Identifiers) -> dict[str, Any]:
    """The registration of a new user whose declaration does not mention it: the user is registered now."""
    if user.registration_status is not None:
        return {"personal_pin": ""}
    return {
        "display_name": (user.email or user.username or "").partition("@")[0],
        "registration_status": "Registered",
        "registered_at_seconds": now_seconds,
        "personal_pin": ids.digits(_PIN_DIGITS),
    }


def _put_room(
    db: WorldRows,
    chime_account_id: str,
    room: DeclaredChimeRoom,
    member_id: Callable[[str], str],
    created_by: str,
    now_seconds: int,
) -> None:
    """A room without an id gets one from its account and its name. Members that the file does not know stay."""
    derived = hashlib.sha256(json.dumps([chime_account_id, "room", room.name]).encode()).digest()
    key = {"room_id": room.room_id or uuid_of(derived[:16])}
    dates = {"created_at_seconds": now_seconds, "updated_at_seconds": now_seconds}
    values = {"account_id": chime_account_id, "name": room.name}
    db.put(t.chime_rooms, key, values, {"created_by": created_by, **dates})
    for role, names in ((MEMBER, room.members), (ADMINISTRATOR, room.administrators)):
        for name in names:
            member = {**key, "member_id": member_id(name)}
            new = {"invited_by": created_by, "updated_at_seconds": now_seconds}
            db.put(t.chime_room_memberships, member, {"member_type": USER, "role": role}, new)


def _put_retention(
    db: WorldRows, account: Mapping[str, str], retention: DeclaredChimeRetention, now_seconds: int
) -> None:
    """Without a grace period: it is in force from now on."""
    values = {"room_days": retention.room_days, "conversation_days": retention.conversation_days}
    db.put(t.chime_retention_settings, account, values, {"deletion_at_seconds": now_seconds})


def _without(columns: Mapping[str, Any], others: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if name not in others}

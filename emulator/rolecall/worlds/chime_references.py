"""Accounts of Amazon Chime that a sandbox file declares twice, and rooms that cannot be."""

from __future__ import annotations

from typing import Any

from rolecall.contents.rooms import ENTERPRISE, MAXIMUM_ROOM_MEMBERS, MAXIMUM_ROOMS
from rolecall.worlds.located import Path
from rolecall.worlds.plain_values import WITHOUT_CASE, Found, Values, mappings_in, repeated, text_in, texts_in


def dangling_chime(path: Path, account: Values) -> Found:
    """Every such problem of an AWS account, with the path of its value."""
    chime_accounts = list(mappings_in(account, "chime_accounts"))
    # Chime itself allows two accounts with one name; their ids differ.
    by_name = [(index, account) for index, account in chime_accounts if "id" not in account]
    yield from repeated((*path, "chime_accounts"), "name", by_name, WITHOUT_CASE)
    for index, chime_account in chime_accounts:
        yield from _users((*path, "chime_accounts", index, "users"), chime_account)
        yield from _rooms((*path, "chime_accounts", index), chime_account)


def _users(path: Path, chime_account: Values) -> Found:
    users = list(mappings_in(chime_account, "users"))
    for position, user in users:
        if "email" not in user and "username" not in user:
            yield (*path, position), "lacks email or username"
    yield from repeated(path, "email", users, WITHOUT_CASE)
    seen: set[str] = set()
    for position, user in users:
        name = text_in(user, "username")
        if name and name in seen:
            yield (*path, position, "username"), f"{name!r} is declared twice"
        seen.add(name)


def _rooms(path: Path, chime_account: Values) -> Found:
    for key in ("rooms", "retention"):
        if chime_account.get(key) and not text_in(chime_account, "type", "Team").startswith(ENTERPRISE):
            yield (*path, key), "only an Enterprise account has this, such as one of the type EnterpriseLWA"
    rooms = list(mappings_in(chime_account, "rooms"))
    if len(rooms) > MAXIMUM_ROOMS:
        yield (*path, "rooms"), f"an account may have at most {MAXIMUM_ROOMS} rooms"
    seen: set[str] = set()
    for index, room in rooms:
        name = "" if "id" in room else text_in(room, "name")
        if name and name in seen:
            yield (*path, "rooms", index, "name"), f"{name!r} is declared twice: give each an id"
        seen.add(name)
    users = [user for _, user in mappings_in(chime_account, "users")]
    known = {text_in(user, "username") for user in users}
    emails = {text_in(user, "email").lower() for user in users}
    for index, room in rooms:
        yield from _members((*path, "rooms", index), room, known, emails)


def _members(path: Path, room: Values, known: set[str], emails: set[str]) -> Found:
    seen: set[Any] = set()
    for key in ("members", "administrators"):
        for position, name in texts_in(room, key):
            is_name = name in known
            if not is_name and name.lower() not in emails:
                yield (*path, key, position), f"no user with the email address or the username {name!r} is declared"
            elif (name if is_name else name.lower()) in seen:
                yield (*path, key, position), f"{name!r} appears twice"
            seen.add(name if is_name else name.lower())
    if len(seen) > MAXIMUM_ROOM_MEMBERS:
        yield path, f"a room may have at most {MAXIMUM_ROOM_MEMBERS} members"

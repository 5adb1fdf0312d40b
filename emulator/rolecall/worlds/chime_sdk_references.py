"""Resources of the Chime SDK that a sandbox file declares twice, and users and bots that it does not declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rolecall.contents.meeting_features import MAXIMUM_ATTENDEES
from rolecall.service_records import DEFAULT_REGION
from rolecall.worlds.located import Path
from rolecall.worlds.plain_values import Found, Values, mappings_in, text_in, texts_in

# The list of a kind, and the member that names a resource without an id.
_NAMED_IN_REGIONS = {
    "app_instances": "name",
    "meetings": "external_meeting_id",
    "voice_connectors": "name",
    "sip_media_applications": "name",
}
_BY_NAME = ": give each an id"


def dangling_chime_sdk(world: Any) -> Found:
    """Every such problem, with the path of its value."""
    for position, account in mappings_in(world, "accounts"):
        path: Path = ("accounts", position)
        for key, name in _NAMED_IN_REGIONS.items():
            yield from _twice_in_a_region((*path, key), list(mappings_in(account, key)), name)
        for index, instance in mappings_in(account, "app_instances"):
            yield from _app_instance((*path, "app_instances", index), instance)
        for index, meeting in mappings_in(account, "meetings"):
            yield from _meeting((*path, "meetings", index), meeting)


def _twice_in_a_region(path: Path, declared: Sequence[tuple[int, Values]], name: str) -> Found:
    regions: dict[str, list[tuple[int, Values]]] = {}
    for index, each in declared:
        regions.setdefault(text_in(each, "region", DEFAULT_REGION), []).append((index, each))
    for those in regions.values():
        yield from _twice(path, "id", those)
        yield from _twice(path, name, [each for each in those if "id" not in each[1]], _BY_NAME)


def _twice(path: Path, key: str, declared: Iterable[tuple[int, Values]], ending: str = "") -> Found:
    """Ids and names of the Chime SDK that differ in case are different."""
    seen: set[str] = set()
    for index, each in declared:
        value = text_in(each, key)
        if value and value in seen:
            yield (*path, index, key), f"{value!r} is declared twice{ending}"
        seen.add(value)


def _app_instance(path: Path, instance: Values) -> Found:
    users, bots = list(mappings_in(instance, "users")), list(mappings_in(instance, "bots"))
    yield from _twice((*path, "users"), "id", users)
    yield from _twice((*path, "bots"), "id", bots)
    # The file calls a bot by its name, so each name means one.
    yield from _twice((*path, "bots"), "name", bots)
    user_ids = {text_in(user, "id") for _, user in users}
    for index, bot in bots:
        if text_in(bot, "name") in user_ids - {""}:
            yield (*path, "bots", index, "name"), f"{bot['name']!r} is the id of a user: a bot needs another name"
    known = user_ids | {text_in(bot, "name") for _, bot in bots}
    yield from _names((*path, "admins"), instance, known)
    channels = list(mappings_in(instance, "channels"))
    yield from _twice((*path, "channels"), "id", channels)
    yield from _twice((*path, "channels"), "name", [each for each in channels if "id" not in each[1]], _BY_NAME)
    for index, channel in channels:
        yield from _channel((*path, "channels", index), channel, known)


def _channel(path: Path, channel: Values, known: set[str]) -> Found:
    for key in ("members", "moderators"):
        yield from _names((*path, key), channel, known)
    creator = text_in(channel, "created_by")
    if creator and creator not in known:
        yield (*path, "created_by"), _unknown(creator)
    if not any(channel.get(key) for key in ("created_by", "members", "moderators")):
        yield path, "lacks created_by, which a channel without members and moderators needs"
    members = {name for _, name in texts_in(channel, "members")}
    for index, message in mappings_in(channel, "messages"):
        sender = text_in(message, "sender")
        if sender and sender not in members:
            yield (*path, "messages", index, "sender"), f"{sender!r} is no member of the channel"


def _names(path: Path, owner: Mapping[str, Any], known: set[str]) -> Found:
    seen: set[str] = set()
    for position, name in texts_in(owner, str(path[-1])):
        if name not in known:
            yield (*path, position), _unknown(name)
        elif name in seen:
            yield (*path, position), f"{name!r} appears twice"
        seen.add(name)


def _unknown(name: str) -> str:
    return f"no user with the id {name!r} and no bot of that name is declared in this app instance"


def _meeting(path: Path, meeting: Values) -> Found:
    attendees = list(mappings_in(meeting, "attendees"))
    yield from _twice((*path, "attendees"), "id", attendees)
    yield from _twice((*path, "attendees"), "external_user_id", attendees)
    if len(attendees) > MAXIMUM_ATTENDEES:
        yield (*path, "attendees"), f"a meeting may have at most {MAXIMUM_ATTENDEES} attendees"

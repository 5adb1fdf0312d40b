"""Resources of the Chime SDK that a sandbox file declares twice, and users and bots that it does not declare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rolecall.arns import parse_arn
from rolecall.contents.app_instances import MAXIMUM_ENDPOINTS
from rolecall.contents.channels import ELASTIC_REGION, MAXIMUM_FLOWS
from rolecall.contents.meeting_features import MAXIMUM_ATTENDEES
from rolecall.service_records import DEFAULT_REGION
from rolecall.worlds.located import Path
from rolecall.worlds.phone_number_references import dangling_numbers
from rolecall.worlds.plain_values import Found, Values, mappings_in, text_in, texts_in
from rolecall.worlds.voice_references import dangling_voice

# The list of a kind, and the member that names a resource without an id.
_NAMED_IN_REGIONS = {
    "app_instances": "name",
    "meetings": "external_meeting_id",
    "voice_connectors": "name",
    "sip_media_applications": "name",
    "voice_connector_groups": "name",
    "sip_rules": "name",
}
_BY_NAME = ": give each an id"
_SIZES = ("maximum_sub_channels", "target_memberships_per_sub_channel")


def dangling_chime_sdk(world: Any) -> Found:
    """Every such problem, with the path of its value."""
    yield from dangling_numbers(world)
    for position, account in mappings_in(world, "accounts"):
        path: Path = ("accounts", position)
        for key, name in _NAMED_IN_REGIONS.items():
            yield from _twice_in_a_region((*path, key), list(mappings_in(account, key)), name)
        for index, instance in mappings_in(account, "app_instances"):
            yield from _app_instance((*path, "app_instances", index), instance, text_in(account, "id"))
        for index, meeting in mappings_in(account, "meetings"):
            yield from _meeting((*path, "meetings", index), meeting)
        yield from _inner_ids(path, account)
        yield from dangling_voice(path, account)


def _inner_ids(path: Path, account: Values) -> Found:
    """Ids of attendees and of devices. No two in a Region are the same, also in other meetings and of other users."""
    declared: list[tuple[Path, str, Values]] = []
    for index, meeting in mappings_in(account, "meetings"):
        place, region = (*path, "meetings", index, "attendees"), text_in(meeting, "region", DEFAULT_REGION)
        declared += [((*place, i), f"{region} attendee", each) for i, each in mappings_in(meeting, "attendees")]
    for index, instance in mappings_in(account, "app_instances"):
        place, region = (*path, "app_instances", index, "users"), text_in(instance, "region", DEFAULT_REGION)
        for i, user in mappings_in(instance, "users"):
            those = mappings_in(user, "endpoints")
            declared += [((*place, i, "endpoints", j), f"{region} endpoint", each) for j, each in those]
    seen: set[tuple[str, str]] = set()
    for at, kind, each in declared:
        own_id = text_in(each, "id")
        if own_id and (kind, own_id) in seen:
            yield (*at, "id"), f"{own_id!r} is declared twice"
        seen.add((kind, own_id))


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


def _app_instance(path: Path, instance: Values, account_id: str) -> Found:
    users, bots = list(mappings_in(instance, "users")), list(mappings_in(instance, "bots"))
    yield from _twice((*path, "users"), "id", users)
    yield from _twice((*path, "bots"), "id", bots)
    # The file calls a bot by its name, so each name means one.
    yield from _twice((*path, "bots"), "name", bots)
    user_ids = {text_in(user, "id") for _, user in users}
    for index, bot in bots:
        if text_in(bot, "name") in user_ids - {""}:
            yield (*path, "bots", index, "name"), f"{bot['name']!r} is the id of a user: a bot needs another name"
    region = text_in(instance, "region", DEFAULT_REGION)
    for index, user in users:
        yield from _endpoints((*path, "users", index, "endpoints"), user, account_id, region)
    known = user_ids | {text_in(bot, "name") for _, bot in bots}
    yield from _names((*path, "admins"), instance, known)
    channels = list(mappings_in(instance, "channels"))
    yield from _twice((*path, "channels"), "id", channels)
    yield from _twice((*path, "channels"), "name", [each for each in channels if "id" not in each[1]], _BY_NAME)
    flows = list(mappings_in(instance, "channel_flows"))
    yield from _flows((*path, "channel_flows"), flows, account_id, region)
    flow_names = {text_in(flow, "name") for _, flow in flows}
    admins = {name for _, name in texts_in(instance, "admins")}
    for index, channel in channels:
        yield from _channel((*path, "channels", index), channel, known)
        yield from _banned((*path, "channels", index), channel, admins)
        flow = text_in(channel, "flow")
        if flow and flow not in flow_names:
            yield (*path, "channels", index, "flow"), f"no channel flow {flow!r} is declared in this app instance"
        if channel.get("elastic") is not None:
            yield from _elastic((*path, "channels", index), channel, region)


def _endpoints(path: Path, user: Values, account_id: str, region: str) -> Found:
    """Developer Guide, Using mobile push notifications: where the Pinpoint application is."""
    endpoints = list(mappings_in(user, "endpoints"))
    tokens: set[str] = set()
    for index, endpoint in endpoints:
        token = "" if "id" in endpoint else text_in(endpoint, "device_token")
        if token and token in tokens:
            # The token is a secret, so no message repeats it.
            yield (*path, index, "device_token"), "another endpoint of the user has this token: give each an id"
        tokens.add(token)
        application = parse_arn(text_in(endpoint, "application"))
        if application is not None and (application.account_id, application.region) != (account_id, region):
            message = "the Pinpoint application must be in the account and the Region of the app instance"
            yield (*path, index, "application"), message
    if len(endpoints) > MAXIMUM_ENDPOINTS:
        yield path, f"a user may have at most {MAXIMUM_ENDPOINTS} endpoints"


def _flows(path: Path, flows: Sequence[tuple[int, Values]], account_id: str, region: str) -> Found:
    yield from _twice(path, "id", flows)
    # The file calls a flow by its name, so each name means one.
    yield from _twice(path, "name", flows)
    for index, flow in flows:
        function = parse_arn(text_in(flow, "lambda"))
        if function is None or function.service != "lambda":
            continue
        if (function.account_id, function.region) != (account_id, region):
            message = "the Lambda function must be in the account and the Region of the app instance"
            yield (*path, index, "lambda"), message
    if len(flows) > MAXIMUM_FLOWS:
        yield path, f"an app instance may have at most {MAXIMUM_FLOWS} channel flows"


def _banned(path: Path, channel: Values, admins: set[str]) -> Found:
    """A ban ends a membership. Moderators and administrators cannot be banned."""
    members = {name for _, name in texts_in(channel, "members")}
    moderators = {name for _, name in texts_in(channel, "moderators")} | admins
    for position, name in texts_in(channel, "banned"):
        if name in moderators:
            yield (*path, "banned", position), f"{name!r} is a moderator or an administrator, who cannot be banned"
        elif name in members:
            yield (*path, "banned", position), f"{name!r} is a member of the channel"


def _elastic(path: Path, channel: Values, region: str) -> Found:
    """Developer Guide, Elastic channels."""
    if region != ELASTIC_REGION:
        yield (*path, "elastic"), f"elastic channels exist in {ELASTIC_REGION} only"
    if channel.get("mode") == "UNRESTRICTED":
        yield (*path, "mode"), "an elastic channel must be RESTRICTED"
    if channel.get("messages"):
        yield (*path, "messages"), "a message of an elastic channel is in a sub-channel, which the file cannot name"
    moderators = {name for _, name in texts_in(channel, "moderators")}
    members = texts_in(channel, "members")
    for position, name in members:
        if name in moderators:
            yield (
                (*path, "members", position),
                f"{name!r} moderates the elastic channel, and joins its sub-channels itself",
            )
    elastic = channel["elastic"] if isinstance(channel["elastic"], dict) else {}
    sizes = [size for size in map(elastic.get, _SIZES) if isinstance(size, int)]
    if len(sizes) == len(_SIZES) and len(members) > math.prod(sizes):
        yield (*path, "members"), f"the sub-channels have room for {math.prod(sizes)} members"


def _channel(path: Path, channel: Values, known: set[str]) -> Found:
    for key in ("members", "moderators", "banned"):
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
    yield from _twice((*path, "attendees"), "external_user_id", attendees)
    if len(attendees) > MAXIMUM_ATTENDEES:
        yield (*path, "attendees"), f"a meeting may have at most {MAXIMUM_ATTENDEES} attendees"

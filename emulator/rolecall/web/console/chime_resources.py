"""Resources of the Chime SDK: lists of meetings, channels and every other kind, and one of them with what it holds.

Content is as the API spells it. A channel has its members and its messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Request, Response
from sqlalchemy import Connection

from rolecall.clock import iso8601
from rolecall.sandbox import Sandbox
from rolecall.services.chime_sdk_messaging.kinds import CHANNEL, micros, seconds
from rolecall.services.chime_sdk_messaging.message_shapes import kept_since_micros
from rolecall.services.chime_sdk_messaging.message_shapes import shown as shown_message
from rolecall.services.chime_sdk_messaging.processing import settled
from rolecall.storage import channel_messages, channel_relations, resources
from rolecall.storage.channel_messages import Message
from rolecall.storage.gather import account_names
from rolecall.storage.resources import Place, Resource
from rolecall.web.console.chime import LISTED, account_of, timed_place
from rolecall.web.console.json_pages import shown_also_as_json
from rolecall.web.console.pages import ConsoleError, Page, Values, shown

NO_RESOURCE_MESSAGE = "The account has no such resource there, or it has ended."
NO_SECRET_MESSAGE = "This resource has no secret."  # noqa: S105
_CHILDREN_SHOWN = 20
_MESSAGES = 100
_BEHIND_THE_LAST = 2**62
_RELATIONS = {
    channel_relations.MEMBER: "Members",
    channel_relations.MODERATOR: "Moderators",
    channel_relations.BAN: "Banned",
    channel_relations.FLOW: "Channel flow",
}


def _place(request: Request, connection: Connection, given: Mapping[str, str]) -> Place:
    account_id = account_of(request, account_names(connection)) if given is request.args else given.get("account", "")
    return Place(account_id, given.get("region", ""), given.get("kind", ""))


def _list(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    with sandbox.database.snapshot() as connection:
        place = _place(request, connection, request.args)
        after = timed_place(request) or resources.BEFORE_THE_FIRST
        found = resources.page(connection, place, after, LISTED + 1, now_seconds=sandbox.clock.now_seconds())
    last = found[LISTED - 1] if len(found) > LISTED else None
    return shown_also_as_json(
        request,
        "chime_resources.html",
        {"Resources": [_shown(each) for each in found[:LISTED]]},
        place=place,
        dumped=as_text,
        after=None if last is None else json.dumps([str(last.created_at_seconds), last.resource_id]),
    )


def _shown(resource: Resource) -> dict[str, Any]:
    """A resource: its content as the API has it, and what the store knows about it."""
    ends = resource.ends_at_seconds
    return {
        "Id": resource.resource_id,
        "Created": iso8601(resource.created_at_seconds),
        "Ends": None if ends is None else iso8601(ends),
        "HasSecret": resource.secret is not None,
        "Content": resource.content,
    }


def as_text(value: Any) -> str:
    """A value as people read JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _one(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    now_seconds = sandbox.clock.now_seconds()
    with sandbox.database.snapshot() as connection:
        place = _place(request, connection, request.args)
        resource = _existing(connection, place, request.args.get("id", ""), now_seconds)
        content: dict[str, Any] = {
            "Resource": _shown(resource),
            "Tags": [{"Key": key, "Value": value} for key, value in resources.tags_of(connection, resource.key)],
            "Children": [
                {"Kind": kind, "Count": count, "Resources": _children(connection, place, resource, kind, now_seconds)}
                for kind, count in resources.kinds_of_children(connection, resource.key, now_seconds)
            ],
        }
        earlier = None
        if place.kind == CHANNEL.name:
            more, earlier = _channel(connection, resource, now_seconds, _before(request))
            content |= more
    return shown_also_as_json(
        request, "chime_resource.html", content, place=place, earlier=earlier, dumped=as_text, iso8601=iso8601
    )


def _existing(connection: Connection, place: Place, resource_id: str, now_seconds: float) -> Resource:
    found = resources.find(connection, place, resource_id)
    if found is None or found.has_ended(now_seconds):
        raise ConsoleError(NO_RESOURCE_MESSAGE, 404)
    return found


def _children(
    connection: Connection, place: Place, parent: Resource, kind: str, now_seconds: float
) -> list[dict[str, Any]]:
    """The first children of a kind. They are in the Region of their parent."""
    found = resources.page(
        connection,
        place._replace(kind=kind),
        resources.BEFORE_THE_FIRST,
        _CHILDREN_SHOWN,
        now_seconds=now_seconds,
        parent_key=parent.key,
    )
    return [_shown(each) for each in found]


def _channel(
    connection: Connection, channel: Resource, now_seconds: float, before_micros: int
) -> tuple[dict[str, Any], int | None]:
    """Who is what in a channel, and its last messages, newest first. The number is for earlier messages."""
    relations = {
        title: [
            {
                "Arn": each.member_arn,
                "Name": member.get("Name"),
                "Type": each.membership_type or None,
                "SubChannelId": each.sub_channel_id or None,
                "Since": iso8601(seconds(each.created_at_micros)),
            }
            for each, member in channel_relations.page(
                connection, channel.key, relation, now_seconds=now_seconds, limit=LISTED
            )
        ]
        for relation, title in _RELATIONS.items()
    }
    kept = kept_since_micros(connection, now_seconds, channel), before_micros
    found = channel_messages.newest(connection, channel.key, kept, _MESSAGES + 1)
    now_micros = micros(now_seconds)
    messages = [_message(channel, settled(each, now_micros)) for each in found[:_MESSAGES]]
    earlier = found[_MESSAGES - 1].created_at_micros if len(found) > _MESSAGES else None
    return {"Relations": relations, "Messages": messages}, earlier


def _message(channel: Resource, message: Message) -> dict[str, Any]:
    """A message as its sender gets it from the API."""
    arn = message.sender_arn
    return shown_message(channel.content["ChannelArn"], message, {"Arn": arn}, arn)


def _before(request: Request) -> int:
    text = request.args.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else _BEHIND_THE_LAST


def _secret(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    """The secret member of a resource, such as the JoinToken of an attendee."""
    with sandbox.database.snapshot() as connection:
        place = _place(request, connection, request.form)
        resource = _existing(connection, place, request.form.get("id", ""), sandbox.clock.now_seconds())
    if resource.secret is None:
        raise ConsoleError(NO_SECRET_MESSAGE, 404)
    text = resource.secret if isinstance(resource.secret, str) else as_text(resource.secret)
    return shown("chime_secret.html", name="Secret", of=resource.resource_id, secret=text)


PAGES = (
    Page("/chime/resources", _list),
    Page("/chime/resource", _one),
    Page("/chime/resource/secret", None, act=_secret),
)

"""Channels and channel flows as kinds of the resource store, and what all operations on them need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rolecall.contents.channels import ELASTIC as ELASTIC
from rolecall.errors import AwsError
from rolecall.services.app_instance_kinds import APP_INSTANCE, PAGE_SIZE, identity_of
from rolecall.services.kinds import kind_with_arn
from rolecall.services.paging import one_page, position_of
from rolecall.services.registry import Answer, Call
from rolecall.storage.channel_relations import Position, Relation, of_member, page
from rolecall.storage.resources import Content, Resource

SERVICE = "chime-sdk-messaging"
CHANNEL = kind_with_arn(SERVICE, "channel", "ChannelArn", parent=APP_INSTANCE, page_size=PAGE_SIZE)
FLOW = kind_with_arn(SERVICE, "channel-flow", "ChannelFlowArn", parent=APP_INSTANCE, page_size=PAGE_SIZE)


def forbidden(message: str) -> AwsError:
    """The refusal of a call that IAM allows and a role does not. AWS's messages are not recorded."""
    return AwsError("ForbiddenException", message)


def conflict(message: str) -> AwsError:
    """AWS's messages are not recorded."""
    return AwsError("ConflictException", message)


def micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def seconds(time_micros: int) -> float:
    """Answers have milliseconds."""
    return time_micros // 1000 / 1000


def identity(call: Call, arn: str, resource: Resource | None = None) -> dict[str, str]:
    """ARN and present name of a user or bot. Without a name, and when it was deleted, the ARN alone."""
    found = identity_of(call, arn) if resource is None else resource
    return named(arn, {} if found is None else found.content)


def named(arn: str, content: Content) -> dict[str, str]:
    name = content.get("Name")
    return {"Arn": arn, **({} if name is None else {"Name": name})}


def shown_membership(call: Call, channel: Resource, relation: Relation, member: Mapping[str, Any]) -> dict[str, Any]:
    """A membership as the API and its events show it; ``member`` is the content of the user or bot."""
    return {
        "InvitedBy": identity(call, relation.created_by_arn),
        "Type": relation.membership_type,
        "Member": named(relation.member_arn, member),
        "ChannelArn": channel.content["ChannelArn"],
        "CreatedTimestamp": seconds(relation.created_at_micros),
        "LastUpdatedTimestamp": seconds(relation.updated_at_micros),
        **sub_channel_of(relation),
    }


def sub_channel_of(relation: Relation) -> dict[str, str]:
    return {"SubChannelId": relation.sub_channel_id} if relation.sub_channel_id else {}


def parts_of(call: Call, content: Content, *path: str) -> dict[str, Any]:
    """The content as the structure at this path of the answer has it: it, or an older model, may lack some members."""
    return {name: value for name, value in content.items() if (*path, name) in call.model.output_paths}


def listed(
    call: Call,
    filters: Sequence[str | None],
    token: str | None,
    max_results: int | None,
    fetch: Callable[[Position, int], Sequence[tuple[Relation, Mapping[str, Any]]]],
    *,
    by_channel: bool = False,
) -> tuple[Sequence[tuple[Relation, Mapping[str, Any]]], Answer]:
    """A page of relations, and NextToken. ``by_channel`` is for the relations of one member.

    Raises AwsError BadRequestException for a token of another list.
    """
    limit, scope = max_results or PAGE_SIZE, (call.region, *filters)
    after = () if token is None else position_of(call, scope, token)

    def position(found: tuple[Relation, Mapping[str, Any]]) -> Position:
        relation = found[0]
        other = relation.channel_key if by_channel else relation.member_arn
        return relation.created_at_micros, other, relation.sub_channel_id

    return one_page(call, scope, fetch(after, limit + 1), limit, position)


def listed_of_channel(
    call: Call,
    filters: Sequence[str | None],
    token: str | None,
    max_results: int | None,
    channel_key: str,
    relation: str,
    **kinds: str,
) -> tuple[Sequence[tuple[Relation, Mapping[str, Any]]], Answer]:
    """A page of a channel's relations of a kind, each with its user or bot, and NextToken. See :func:`listed`."""

    def fetch(after: Position, limit: int) -> Sequence[tuple[Relation, Mapping[str, Any]]]:
        return page(call.db, channel_key, relation, now_seconds=call.now_seconds, after=after, limit=limit, **kinds)

    return listed(call, filters, token, max_results, fetch)


def listed_of_member(
    call: Call,
    filters: Sequence[str | None],
    token: str | None,
    max_results: int | None,
    member_key: str,
    relation: str,
) -> tuple[Sequence[tuple[Relation, Mapping[str, Any]]], Answer]:
    """A page of one member's relations of a kind, each with its channel, and NextToken. See :func:`listed`."""

    def fetch(after: Position, limit: int) -> Sequence[tuple[Relation, Mapping[str, Any]]]:
        return of_member(call.db, member_key, relation, now_seconds=call.now_seconds, after=after, limit=limit)

    return listed(call, filters, token, max_results, fetch, by_channel=True)

"""New members, moderators and bans of a channel, with the quotas that hold for every operation that makes some."""

from __future__ import annotations

from typing import Any

from rolecall.errors import limit_exceeded
from rolecall.services.chime_sdk_messaging.kinds import ELASTIC, micros
from rolecall.services.chime_sdk_messaging.roles import DEFAULT
from rolecall.services.registry import Call
from rolecall.storage import channel_relations as relations
from rolecall.storage.channel_relations import MEMBER, MODERATOR, Relation
from rolecall.storage.resources import Resource

# AWS General Reference, Amazon Chime SDK endpoints and quotas.
MAXIMUM_MEMBERS = 10_000
MAXIMUM_CHANNELS_OF_A_MEMBER = 20_000
MAXIMUM_MODERATORS = 1000


def relate(
    call: Call, channel: Resource, relation: str, arn: str, member: Resource, bearer: str, **more: Any
) -> Relation:
    """Add a relation of a channel with a user or bot. Raises AwsError ResourceLimitExceededException."""
    _check_quotas(call, channel, relation, member)
    now, membership_type = micros(call.now_seconds), more.pop("membership_type", DEFAULT if relation == MEMBER else "")
    made = Relation(channel.key, relation, member.key, arn, bearer, now, now, membership_type=membership_type, **more)
    relations.add(call.db, made)
    return made


def _check_quotas(call: Call, channel: Resource, relation: str, member: Resource) -> None:
    def has(maximum: int, **owner: str) -> bool:
        return relations.count(call.db, relation=relation, **owner) >= maximum

    if relation == MODERATOR and has(MAXIMUM_MODERATORS, channel_key=channel.key):
        raise limit_exceeded(f"A channel may have at most {MAXIMUM_MODERATORS} moderators.")
    if relation != MEMBER:
        return
    if ELASTIC not in channel.content and has(MAXIMUM_MEMBERS, channel_key=channel.key):
        raise limit_exceeded(f"A channel may have at most {MAXIMUM_MEMBERS} members.")
    if has(MAXIMUM_CHANNELS_OF_A_MEMBER, member_key=member.key):
        raise limit_exceeded(f"A user may be in at most {MAXIMUM_CHANNELS_OF_A_MEMBER} channels.")

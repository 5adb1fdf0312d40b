"""Who acts in a channel, and as what: the roles that AWS checks after IAM's policies.

Developer Guide, Understanding authorization by role. A caller names in ChimeBearer the user or bot that acts.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from rolecall.errors import AwsError, bad_request
from rolecall.services import verbs
from rolecall.services.app_instance_kinds import identity_of, is_admin
from rolecall.services.chime_sdk_messaging.kinds import CHANNEL, ELASTIC, forbidden
from rolecall.services.registry import Call
from rolecall.storage import channel_relations as relations
from rolecall.storage.channel_relations import BAN, MEMBER, MODERATOR, Relation
from rolecall.storage.kept_reads import view_of
from rolecall.storage.resources import Resource

HIDDEN, DEFAULT = "HIDDEN", "DEFAULT"
# Recorded, aws/amazon-chime-sdk-js issues 1148, 1270 and 1355.
_INVALID_ARN = "An invalid app instance user ARN was supplied for the {place}."
_HEADER, _PARAMETER = "x-amz-chime-bearer HTTP header", "input parameter"


def acting_identity(call: Call, arn: str | None, instance_arn: str = "") -> Resource:
    """The user or bot in ChimeBearer, of that app instance if one is given.

    Raises AwsError ForbiddenException for another one, BadRequestException without any.
    """
    if arn is None:
        raise bad_request("The x-amz-chime-bearer request header is mandatory.")
    return _identity(call, arn, instance_arn, _HEADER)


def named_identity(call: Call, arn: str, instance_arn: str) -> Resource:
    """The user or bot of the app instance that a parameter names. Raises AwsError ForbiddenException."""
    return _identity(call, arn, instance_arn, _PARAMETER)


def _identity(call: Call, arn: str, instance_arn: str, place: str) -> Resource:
    found = identity_of(call, arn) if arn.startswith(f"{instance_arn}/" if instance_arn else "arn:") else None
    if found is None:
        raise forbidden(_INVALID_ARN.format(place=place))
    return found


def instance_of(arn: str) -> str:
    """The ARN of the app instance of a user, a bot, a channel or a flow."""
    return "/".join(arn.split("/")[:2])


class Standing(Struct, frozen=True):
    """What a user or bot is in a channel. ``relations`` are all that it has to the channel."""

    call: Call
    channel: Resource
    channel_arn: str
    identity: Resource
    arn: str
    relations: list[Relation]

    @property
    def instance_arn(self) -> str:
        return instance_of(self.channel_arn)

    @property
    def is_elastic(self) -> bool:
        return ELASTIC in self.channel.content

    def has(self, relation: str) -> bool:
        return any(each.relation == relation for each in self.relations)

    @property
    def moderates(self) -> bool:
        return self.has(MODERATOR) or is_admin(self.call, self.arn)

    def membership(self, sub_channel_id: str = "") -> Relation | None:
        """The membership, in the sub-channel if one is given. A moderator may have several in an elastic channel."""
        for each in self.relations:
            if each.relation == MEMBER and sub_channel_id in ("", each.sub_channel_id):
                return each
        return None

    def must_moderate(self) -> None:
        if not self.moderates:
            raise forbidden(f"{self.arn} is no moderator of the channel and no administrator of the app instance.")

    def must_administrate(self) -> None:
        if not is_admin(self.call, self.arn):
            raise forbidden(f"{self.arn} is no administrator of the app instance.")

    def must_be_member(self, sub_channel_id: str = "") -> Relation:
        found = self.membership(sub_channel_id)
        if found is None:
            raise forbidden(f"{self.arn} is no member of the channel.")
        return found

    def must_read(self) -> None:
        """Members, moderators and administrators read every channel, all others only public ones."""
        if self.channel.content["Privacy"] == "PUBLIC" or self.has(MEMBER) or self.moderates:
            return
        raise forbidden(f"{self.arn} may not read the channel: it is private.")

    def must_read_messages(self, sub_channel_id: str) -> None:
        """In an elastic channel, a member reads its own sub-channel, and a moderator reads all of them.

        Raises AwsError ForbiddenException, NotFoundException for a sub-channel that is not there (not recorded).
        """
        self.must_read()
        if not self.is_elastic:
            return
        if not self.moderates:
            self.must_be_member(sub_channel_id)
        elif sub_channel_id and sub_channel_id not in dict(relations.sub_channels(self.call.db, self.channel.key)):
            raise AwsError("NotFoundException", f"Sub-channel {sub_channel_id} was not found.")

    def sub_channel(self, sub_channel_id: str | None) -> str:
        """The sub-channel of a message; empty in a channel without sub-channels. Raises BadRequestException."""
        if self.is_elastic == bool(sub_channel_id):
            return sub_channel_id or ""
        raise bad_request("SubChannelId is required in an elastic channel, and not allowed in any other.")


def standing(call: Call, channel_arn: str, bearer: str | None, *, locked: bool = False) -> Standing:
    """What the bearer is in a channel; ``locked`` where the call changes it.

    Raises AwsError NotFoundException for the channel, ForbiddenException for a bearer of another app instance.
    """
    find = partial(_found, call, channel_arn, bearer, locked=locked)
    view = None if locked else view_of(call.db)
    key = ("standing", call.region, call.account_id, channel_arn, bearer)
    channel, identity, known = find() if view is None else view.derived(key, find, lasts=_never_end)
    return Standing(call, channel, channel_arn, identity, bearer or "", known)


_Found = tuple[Resource, Resource, list[Relation]]


def _found(call: Call, channel_arn: str, bearer: str | None, *, locked: bool) -> _Found:
    channel = verbs.existing(call, CHANNEL, channel_arn, locked=locked)
    identity = acting_identity(call, bearer, instance_of(channel_arn))
    return channel, identity, relations.of_pair(call.db, channel.key, identity.key)


def _never_end(found: _Found) -> bool:
    """Whether channel and identity are there until they are changed: time alone ends neither."""
    channel, identity, _ = found
    return channel.ends_at_seconds is None and identity.ends_at_seconds is None


def standing_of(acting: Standing, arn: str, identity: Resource) -> Standing:
    """What another user or bot is in the same channel."""
    found = relations.of_pair(acting.call.db, acting.channel.key, identity.key)
    return Standing(acting.call, acting.channel, acting.channel_arn, identity, arn, found)


def absent(arn: str, relation: str) -> AwsError:
    """AWS's message is not recorded."""
    names = {MEMBER: "a member", MODERATOR: "a moderator", BAN: "banned"}
    return AwsError("NotFoundException", f"{arn} is not {names[relation]} in this channel.")

"""App instances of the Chime SDK with users and channels, made by real calls, as most tests of messaging begin."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SERVICE = "chime-sdk-identity"
MESSAGING = "chime-sdk-messaging"
DEFAULT_USERS = ("user-1", "user-2")
# The model of BatchCreateChannelMembership.
MAXIMUM_MEMBERS_OF_A_CALL = 100


@dataclass(frozen=True, slots=True)
class AppInstance:
    """An app instance. ``users`` are the ARNs of its users, by their ids."""

    arn: str
    users: Mapping[str, str]


def made_app_instance(
    client: Any, users: Sequence[str], admins: Sequence[str], members: Mapping[str, Any]
) -> AppInstance:
    """A new app instance with users of these ids, and administrators. Each id is the name of its user, too.

    Raises ClientError.
    """
    asked = {"Name": "rolecall", "ClientRequestToken": str(uuid.uuid4()), **members}
    arn = client.create_app_instance(**asked)["AppInstanceArn"]
    ids = dict.fromkeys((*users, *admins) or DEFAULT_USERS)
    made = {
        each: client.create_app_instance_user(
            AppInstanceArn=arn, AppInstanceUserId=each, Name=each, ClientRequestToken=str(uuid.uuid4())
        )["AppInstanceUserArn"]
        for each in ids
    }
    for each in admins:
        client.create_app_instance_admin(AppInstanceArn=arn, AppInstanceAdminArn=made[each])
    return AppInstance(arn, made)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel. ``members`` are the ARNs of its members, by their ids. The first of them, ``bearer``, made it."""

    arn: str
    app_instance: AppInstance
    members: Mapping[str, str]
    bearer: str


def made_channel(
    client: Any, instance: AppInstance, names: Sequence[str], moderators: Sequence[str], members: Mapping[str, Any]
) -> Channel:
    """A new channel of the app instance, which the first of these users makes and moderates. The others are members.

    ``moderators`` are ids of further moderators. Raises ClientError, KeyError for an id that the instance lacks.
    """
    users = {name: instance.users[name] for name in names or instance.users}
    [bearer, *others] = users.values()
    named = {"Name": "rolecall", "ClientRequestToken": str(uuid.uuid4())}
    arn = client.create_channel(AppInstanceArn=instance.arn, ChimeBearer=bearer, **{**named, **members})["ChannelArn"]
    for first in range(0, len(others), MAXIMUM_MEMBERS_OF_A_CALL):
        some = others[first : first + MAXIMUM_MEMBERS_OF_A_CALL]
        client.batch_create_channel_membership(ChannelArn=arn, ChimeBearer=bearer, MemberArns=some)
    for name in moderators:
        client.create_channel_moderator(ChannelArn=arn, ChimeBearer=bearer, ChannelModeratorArn=instance.users[name])
    return Channel(arn, instance, users, bearer)

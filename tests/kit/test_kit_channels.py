"""``sandbox.channel``: a channel with members and moderators, by real calls."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from rolecall import Rolecall


def members(client: Any, arn: str, bearer: str) -> list[str]:
    found = client.list_channel_memberships(ChannelArn=arn, ChimeBearer=bearer)["ChannelMemberships"]
    return sorted(each["Member"]["Arn"].rpartition("/")[2] for each in found)


def moderators(client: Any, arn: str, bearer: str) -> list[str]:
    found = client.list_channel_moderators(ChannelArn=arn, ChimeBearer=bearer)["ChannelModerators"]
    return sorted(each["Moderator"]["Arn"].rpartition("/")[2] for each in found)


def test_a_channel_has_two_members_of_a_new_app_instance_unless_they_are_named(rolecall: Rolecall) -> None:
    client = boto3.client("chime-sdk-messaging")
    made = rolecall.channel()
    assert members(client, made.arn, made.bearer) == ["user-1", "user-2"] == sorted(made.members)
    assert moderators(client, made.arn, made.bearer) == ["user-1"]
    assert made.bearer == made.members["user-1"] == made.app_instance.users["user-1"]

    named = rolecall.channel("ana", "bo", moderators=["cy"], Name="general", Privacy="PUBLIC", ChannelId="general")
    channel = client.describe_channel(ChannelArn=named.arn, ChimeBearer=named.bearer)["Channel"]
    assert (channel["Name"], channel["Privacy"], channel["ChannelArn"]) == (
        "general",
        "PUBLIC",
        f"{named.app_instance.arn}/channel/general",
    )
    assert members(client, named.arn, named.bearer) == ["ana", "bo"]
    assert moderators(client, named.arn, named.bearer) == ["ana", "cy"]
    assert list(named.app_instance.users) == ["ana", "bo", "cy"]


def test_a_channel_may_be_in_an_app_instance_that_is_there(rolecall: Rolecall) -> None:
    client = boto3.client("chime-sdk-messaging")
    instance = rolecall.app_instance("ana", "bo", "cy")
    everybody, some = rolecall.channel(app_instance=instance), rolecall.channel("cy", "bo", app_instance=instance)
    assert members(client, everybody.arn, everybody.bearer) == ["ana", "bo", "cy"]
    assert members(client, some.arn, instance.users["cy"]) == ["bo", "cy"]
    assert some.app_instance is instance
    with pytest.raises(ClientError, match="ForbiddenException"):
        client.send_channel_message(
            ChannelArn=some.arn,
            ChimeBearer=instance.users["ana"],
            Content="Hello",
            Type="STANDARD",
            Persistence="PERSISTENT",
        )


def test_more_members_than_one_call_takes(rolecall: Rolecall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolecall.kit.app_instances.MAXIMUM_MEMBERS_OF_A_CALL", 2)
    made = rolecall.channel("a1", "a2", "a3", "a4", "a5", "a6")
    assert members(boto3.client("chime-sdk-messaging"), made.arn, made.bearer) == ["a1", "a2", "a3", "a4", "a5", "a6"]


@pytest.mark.rolecall(
    config={
        "version": 1,
        "accounts": [
            {
                "id": "111122223333",
                "users": [
                    {"name": "admin", "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
                    {"name": "ana", "access_keys": [{"id": "ana_key", "secret": "ana-secret"}]},
                ],
            }
        ],
    }
)
def test_the_caller_needs_the_permission(rolecall: Rolecall) -> None:
    with pytest.raises(ClientError, match="chime:CreateAppInstance"):
        rolecall.channel(user="ana")

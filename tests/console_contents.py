"""What calls leave in a sandbox, for the tests of the console's pages: Chime accounts, a meeting, a channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

SERVICES = ("chime", "chime-sdk-identity", "chime-sdk-meetings", "chime-sdk-messaging")


@dataclass(frozen=True, slots=True)
class Contents:
    """The ids of what was made, and the secrets that no page may hold by itself."""

    account: str
    user: str
    meeting: str
    attendee: str
    channel: str
    instance: str
    secrets: tuple[str, ...]

    def pages(self, aws_account: str) -> dict[str, str]:
        """The addresses of the pages about it."""
        at = {"account": aws_account, "region": "us-east-1"}

        def one(kind: str, resource_id: str) -> str:
            return f"/chime/resource?{urlencode({**at, 'kind': kind, 'id': resource_id})}"

        channel = self.channel.split(":", 5)[5].split("/")
        return {
            "chime": "/chime",
            "chime-account": f"/chime/account?account={aws_account}&id={self.account}",
            "chime-channels": f"/chime/resources?{urlencode({**at, 'kind': 'chime-sdk-messaging/channel'})}",
            "chime-channel": one("chime-sdk-messaging/channel", f"{channel[1]}/{channel[3]}"),
            "chime-meeting": one("chime-sdk-meetings/meeting", self.meeting),
            "chime-attendee": one("chime-sdk-meetings/attendee", self.attendee),
            "chime-instance": one("chime-sdk-identity/app-instance", self.instance.rpartition("/")[2]),
        }


def fill(client: Callable[[str], Any], name: str = "team") -> Contents:
    """Make some of everything, with ``name`` wherever the API takes free text."""
    chime, identity, meetings, messaging = (client(service) for service in SERVICES)
    account = chime.create_account(Name=name[:100])["Account"]["AccountId"]
    user = chime.create_user(AccountId=account, Username=name, Email="ana@example.com")["User"]
    meeting = meetings.create_meeting(ClientRequestToken="token", MediaRegion="us-east-1", ExternalMeetingId=name[:64])
    meeting_id = meeting["Meeting"]["MeetingId"]
    attendee = meetings.create_attendee(MeetingId=meeting_id, ExternalUserId=name[:64])["Attendee"]
    instance = identity.create_app_instance(Name=name, Metadata=name)["AppInstanceArn"]
    members = [
        identity.create_app_instance_user(AppInstanceArn=instance, AppInstanceUserId=each, Name=name)[
            "AppInstanceUserArn"
        ]
        for each in ("ana", "ben")
    ]
    channel = messaging.create_channel(
        AppInstanceArn=instance,
        Name=name,
        Metadata=name,
        MemberArns=members[1:],
        ChimeBearer=members[0],
        Tags=[{"Key": "team", "Value": "core"}],
    )["ChannelArn"]
    sending = {"ChannelArn": channel, "Type": "STANDARD", "ChimeBearer": members[0]}
    for text, persistence in (("first message", "PERSISTENT"), (name, "PERSISTENT"), ("passing", "NON_PERSISTENT")):
        messaging.send_channel_message(Content=text, Metadata=name, Persistence=persistence, **sending)
    messaging.send_channel_message(
        Content="for ben alone", Persistence="PERSISTENT", Target=[{"MemberArn": members[1]}], **sending
    )
    secrets = (user["PersonalPIN"], attendee["JoinToken"])
    return Contents(account, user["UserId"], meeting_id, attendee["AttendeeId"], channel, instance, secrets)

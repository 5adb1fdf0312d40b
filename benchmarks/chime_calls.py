"""Calls of the Chime SDK with session credentials over a socket, beside a bare Flask application.

    python benchmarks/chime_calls.py

The bare application gives answers of the same size. Both servers have one worker and get their load in turn, on 8
connections. CreateMeeting, CreateAttendee and SendChannelMessage are sent once for each of many tokens. "One row": the
bare application writes one row durably before it answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import beside_flask
import servers
import signed_requests
from beside_flask import Measured

KEYS = ("test", "test")
ROLE_ARN = "arn:aws:iam::111122223333:role/chime-manager"
# So many attendees are created in one meeting.
PAGE, WRITES, ALIKE = 50, 400, 100
BARS = {"GetMeeting": 0.45, "DescribeChannel": 0.45, "SendChannelMessage": 0.45, "ListChannelMessages": 0.45}
_numbers = itertools.count()


def main() -> None:
    arguments = beside_flask.arguments_of(__doc__)
    with beside_flask.both_servers("chime") as (bare, ours):
        beside_flask.compare(bare, ours, measured(ours), arguments)


def measured(ours: servers.Server) -> dict[str, Measured]:
    """A channel with one member and a page of messages, a meeting, and the calls about them."""
    sts = signed_requests.client(ours.url, "sts", KEYS)
    session = sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="benchmark")["Credentials"]
    clients = {
        noun: signed_requests.client(ours.url, f"chime-sdk-{noun}", signed_requests.keys_of(session))
        for noun in ("identity", "messaging", "meetings")
    }
    instance = clients["identity"].create_app_instance(Name="benchmark")["AppInstanceArn"]
    user = clients["identity"].create_app_instance_user(AppInstanceArn=instance, AppInstanceUserId="ana", Name="Ana")[
        "AppInstanceUserArn"
    ]
    channel = clients["messaging"].create_channel(AppInstanceArn=instance, Name="general", ChimeBearer=user)
    named = {"ChannelArn": channel["ChannelArn"], "ChimeBearer": user}
    meeting = _created_meeting(clients["meetings"])["Meeting"]["MeetingId"]
    for _ in range(PAGE):
        _sent(clients["messaging"], named)
    reads: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "GetMeeting": (clients["meetings"], lambda c: c.get_meeting(MeetingId=meeting)),
        "DescribeChannel": (clients["messaging"], lambda c: c.describe_channel(**named)),
        "ListChannelMessages": (
            clients["messaging"],
            lambda c: c.list_channel_messages(**named, MaxResults=PAGE),
        ),
    }
    found = {name: _measured(name, client, call) for name, (client, call) in reads.items()}
    writes: dict[str, tuple[Any, Callable[[], Callable[[Any], Any]]]] = {
        "SendChannelMessage": (clients["messaging"], lambda: lambda c: _sent(c, named)),
        "CreateMeeting": (clients["meetings"], lambda: _created_meeting),
        "CreateAttendee": (clients["meetings"], lambda: _attendee_of(clients["meetings"])),
    }
    for name, (client, call_of) in writes.items():
        size = _size(call_of()(client))

        def again(client: Any = client, call_of: Callable[[], Callable[[Any], Any]] = call_of) -> list[bytes]:
            calls = [call for _ in range(WRITES // ALIKE) for call in [call_of()] * ALIKE]
            return [signed_requests.captured(client, call) for call in calls]

        found[name] = Measured((), size, BARS.get(name), again)
        if name in BARS:
            # An answer without any work is no peer of a call that waits for the disk.
            found[f"{name}, one row"] = Measured((), size, None, again, keeps=True)
    return found


def _measured(name: str, client: Any, call: Callable[[Any], Any]) -> Measured:
    return Measured(signed_requests.captured(client, call), _size(call(client)), BARS.get(name))


def _size(answer: dict[str, Any]) -> int:
    return int(answer["ResponseMetadata"]["HTTPHeaders"]["content-length"])


def _sent(client: Any, named: dict[str, str]) -> Any:
    message = {"Content": "Hello", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    return client.send_channel_message(**named, **message, ClientRequestToken=f"token-{next(_numbers)}")


def _created_meeting(client: Any) -> Any:
    asked = {"MediaRegion": "us-east-1", "ExternalMeetingId": "benchmark"}
    return client.create_meeting(**asked, ClientRequestToken=f"token-{next(_numbers)}")


def _attendee_of(client: Any) -> Callable[[Any], Any]:
    """CreateAttendee in a meeting of its own, because a meeting takes 250 of them."""
    meeting = _created_meeting(client)["Meeting"]["MeetingId"]
    return lambda c: c.create_attendee(MeetingId=meeting, ExternalUserId=f"user-{next(_numbers)}")


if __name__ == "__main__":
    main()

"""Random calls of messaging and of media pipelines through boto3, against small models of what ought to be."""

from __future__ import annotations

from typing import Any

import pipeline_calls as p
import pytest
from chime_worlds import CHIME_WORLD
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from state_machines import PLACE, Machine, at, run_machine

ADMINISTRATOR = "root"
PEOPLE = (ADMINISTRATOR, "ana", "ben", "cem")
PERSON = st.sampled_from(PEOPLE)
FORBIDDEN, CONFLICT, NOT_FOUND = "ForbiddenException", "ConflictException", "NotFoundException"


class Channel:
    """A channel of the model. Messages are lists of sender, text and whether they are redacted, by id."""

    def __init__(self, arn: str, mode: str, privacy: str, creator: str) -> None:
        self.arn, self.mode, self.privacy = arn, mode, privacy
        self.members, self.moderators, self.banned = {creator}, {creator}, set[str]()
        self.messages: dict[str, list[Any]] = {}

    def is_moderated_by(self, person: str) -> bool:
        return person == ADMINISTRATOR or person in self.moderators

    def is_read_by(self, person: str) -> bool:
        return self.privacy == "PUBLIC" or person in self.members or self.is_moderated_by(person)

    def lets_add(self, person: str, new: str) -> bool:
        """Developer Guide, Understanding authorization by role."""
        if self.is_moderated_by(person):
            return True
        joins = self.privacy == "PUBLIC" and person == new
        return self.mode == "UNRESTRICTED" and (person in self.members or joins)


class Messaging(Machine):
    """Channels with members, moderators, bans and messages. Every call is made in the name of one of four users."""

    service = "chime-sdk-messaging"
    declaration = CHIME_WORLD

    def __init__(self) -> None:
        super().__init__()
        identity = self.world.client("chime-sdk-identity", "admin")
        self.instance = identity.create_app_instance(Name="chat", ClientRequestToken="chat")["AppInstanceArn"]
        for name in PEOPLE:
            asked = {"AppInstanceArn": self.instance, "AppInstanceUserId": name, "Name": name}
            identity.create_app_instance_user(**asked, ClientRequestToken=name)
        administrator = self.user(ADMINISTRATOR)
        identity.create_app_instance_admin(AppInstanceArn=self.instance, AppInstanceAdminArn=administrator)
        self.channels: list[Channel] = []
        self.deleted: list[str] = []
        self.sent = 0

    def user(self, name: str) -> str:
        return f"{self.instance}/user/{name}"

    def expect(self, code: str, operation: str, person: str, **asked: Any) -> dict[str, Any]:
        """The answer of a call; nothing for a call that is refused with this code."""
        asked["ChimeBearer"] = self.user(person)
        if not code:
            return self.call(operation, **asked)
        self.refused(code, operation, **asked)
        return {}

    @rule(
        person=PERSON,
        mode=st.sampled_from(["RESTRICTED", "UNRESTRICTED"]),
        privacy=st.sampled_from(["PUBLIC", "PRIVATE"]),
    )
    def create(self, person: str, mode: str, privacy: str) -> None:
        asked = {"AppInstanceArn": self.instance, "Name": "c", "Mode": mode, "Privacy": privacy}
        made = self.expect("", "CreateChannel", person, **asked)["ChannelArn"]
        self.channels.append(Channel(made, mode, privacy, person))

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON, new=PERSON)
    def add_member(self, place: int, person: str, new: str) -> None:
        channel = at(self.channels, place)
        code = FORBIDDEN if not channel.lets_add(person, new) or new in channel.banned else ""
        code = code or (CONFLICT if new in channel.members else "")
        asked = {"ChannelArn": channel.arn, "MemberArn": self.user(new), "Type": "DEFAULT"}
        self.expect(code, "CreateChannelMembership", person, **asked)
        if not code:
            channel.members.add(new)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON, old=PERSON)
    def remove_member(self, place: int, person: str, old: str) -> None:
        channel = at(self.channels, place)
        code = FORBIDDEN if old != person and not channel.is_moderated_by(person) else ""
        code = code or (NOT_FOUND if old not in channel.members else "")
        self.expect(code, "DeleteChannelMembership", person, ChannelArn=channel.arn, MemberArn=self.user(old))
        if not code:
            channel.members.discard(old)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON, other=PERSON)
    def appoint(self, place: int, person: str, other: str) -> None:
        channel = at(self.channels, place)
        code = FORBIDDEN if not channel.is_moderated_by(person) or other in channel.banned else ""
        code = code or (CONFLICT if other in channel.moderators else "")
        asked = {"ChannelArn": channel.arn, "ChannelModeratorArn": self.user(other)}
        self.expect(code, "CreateChannelModerator", person, **asked)
        if not code:
            channel.moderators.add(other)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON, other=PERSON)
    def dismiss(self, place: int, person: str, other: str) -> None:
        channel = at(self.channels, place)
        code = FORBIDDEN if not channel.is_moderated_by(person) else ""
        code = code or (NOT_FOUND if other not in channel.moderators else "")
        asked = {"ChannelArn": channel.arn, "ChannelModeratorArn": self.user(other)}
        self.expect(code, "DeleteChannelModerator", person, **asked)
        if not code:
            channel.moderators.discard(other)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON, other=PERSON)
    def ban(self, place: int, person: str, other: str) -> None:
        channel = at(self.channels, place)
        code = FORBIDDEN if not channel.is_moderated_by(person) or channel.is_moderated_by(other) else ""
        code = code or (CONFLICT if other in channel.banned else "")
        self.expect(code, "CreateChannelBan", person, ChannelArn=channel.arn, MemberArn=self.user(other))
        if not code:
            channel.banned.add(other)
            channel.members.discard(other)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON, other=PERSON)
    def lift_ban(self, place: int, person: str, other: str) -> None:
        channel = at(self.channels, place)
        code = FORBIDDEN if not channel.is_moderated_by(person) else ""
        code = code or (NOT_FOUND if other not in channel.banned else "")
        self.expect(code, "DeleteChannelBan", person, ChannelArn=channel.arn, MemberArn=self.user(other))
        channel.banned -= set() if code else {other}

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON)
    def send(self, place: int, person: str) -> None:
        channel = at(self.channels, place)
        code = "" if person in channel.members else FORBIDDEN
        self.sent += 1
        text = f"message-{self.sent}"
        asked = {"ChannelArn": channel.arn, "Content": text, "Type": "STANDARD", "Persistence": "PERSISTENT"}
        asked["ClientRequestToken"] = text
        made = self.expect(code, "SendChannelMessage", person, **asked)
        if not code:
            channel.messages[made["MessageId"]] = [person, text, False]
            # The same token again: the same message.
            assert self.expect("", "SendChannelMessage", person, **asked)["MessageId"] == made["MessageId"]

    def some_message(self, place: int) -> tuple[Channel, str]:
        return tuple(at([(each, one) for each in self.channels for one in each.messages], place))  # type: ignore[return-value]

    @precondition(lambda self: any(each.messages for each in self.channels))
    @rule(place=PLACE, person=PERSON)
    def edit(self, place: int, person: str) -> None:
        channel, message_id = self.some_message(place)
        sender, _, is_redacted = channel.messages[message_id]
        code = FORBIDDEN if person != sender or person not in channel.members else ""
        code = code or (CONFLICT if is_redacted else "")
        asked = {"ChannelArn": channel.arn, "MessageId": message_id, "Content": "changed"}
        self.expect(code, "UpdateChannelMessage", person, **asked)
        if not code:
            channel.messages[message_id][1] = "changed"

    @precondition(lambda self: any(each.messages for each in self.channels))
    @rule(place=PLACE, person=PERSON)
    def redact(self, place: int, person: str) -> None:
        channel, message_id = self.some_message(place)
        is_own = channel.messages[message_id][0] == person and person in channel.members
        code = "" if is_own or channel.is_moderated_by(person) else FORBIDDEN
        self.expect(code, "RedactChannelMessage", person, ChannelArn=channel.arn, MessageId=message_id)
        if not code:
            channel.messages[message_id][1:] = ["", True]

    @precondition(lambda self: any(each.messages for each in self.channels))
    @rule(place=PLACE, person=PERSON)
    def delete_message(self, place: int, person: str) -> None:
        channel, message_id = self.some_message(place)
        code = "" if person == ADMINISTRATOR else FORBIDDEN
        asked = {"ChannelArn": channel.arn, "MessageId": message_id}
        self.expect(code, "DeleteChannelMessage", person, **asked)
        if not code:
            del channel.messages[message_id]
            self.expect(NOT_FOUND, "GetChannelMessage", person, **asked)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, person=PERSON)
    def delete(self, place: int, person: str) -> None:
        channel = at(self.channels, place)
        code = "" if channel.is_moderated_by(person) else FORBIDDEN
        self.expect(code, "DeleteChannel", person, ChannelArn=channel.arn)
        if not code:
            self.channels.remove(channel)
            self.deleted.append(channel.arn)

    @rule(seconds=st.sampled_from([0, 1, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.wait(seconds)

    def listed(self, operation: str, member: str, channel: Channel) -> set[str]:
        found = self.expect("", operation, ADMINISTRATOR, ChannelArn=channel.arn)[f"{member}s"]
        inner = {"ChannelMembership": "Member", "ChannelModerator": "Moderator", "ChannelBan": "Member"}[member]
        return {each[inner]["Name"] for each in found}

    def everything_is_as_in_the_model(self) -> None:
        for channel in self.channels:
            assert self.listed("ListChannelMemberships", "ChannelMembership", channel) == channel.members
            assert self.listed("ListChannelModerators", "ChannelModerator", channel) == channel.moderators
            assert self.listed("ListChannelBans", "ChannelBan", channel) == channel.banned
            for person in PEOPLE:
                code = "" if channel.is_read_by(person) else FORBIDDEN
                answer = self.expect(code, "ListChannelMessages", person, ChannelArn=channel.arn)
                if not code:
                    found = [(each["MessageId"], each.get("Content", "")) for each in answer["ChannelMessages"]]
                    wanted = [(one, text) for one, (_, text, _) in channel.messages.items()]
                    assert found[::-1] == wanted
        for person in PEOPLE:
            operation, member = "ListChannelMembershipsForAppInstanceUser", "ChannelMemberships"
            found = self.expect("", operation, person, AppInstanceUserArn=self.user(person))[member]
            arns = {each["ChannelSummary"]["ChannelArn"] for each in found}
            assert arns == {each.arn for each in self.channels if person in each.members}
        public = self.expect("", "ListChannels", "cem", AppInstanceArn=self.instance)["Channels"]
        assert {each["ChannelArn"] for each in public} == {
            each.arn for each in self.channels if each.privacy == "PUBLIC"
        }
        for arn in self.deleted[-2:]:
            self.expect(NOT_FOUND, "DescribeChannel", ADMINISTRATOR, ChannelArn=arn)


class MediaPipelines(Machine):
    """Captures that start, stop with their meeting and are deleted; configurations in use; pools that come and go."""

    service = p.SERVICE
    declaration = p.WORLD
    # How long a pipeline or a pool takes for a change of its status.
    MOVE_SECONDS = 5

    def __init__(self) -> None:
        super().__init__()
        self.meetings = self.world.client("chime-sdk-meetings", "admin")
        self.meeting_count = 0
        self.meeting: dict[str, Any] | None = None
        # By id: the moment of creation, the id of the meeting, and when that ended.
        self.captures: dict[str, dict[str, Any]] = {}
        self.configurations: dict[str, str] = {}
        # By id: the name of the configuration.
        self.insights: dict[str, str] = {}
        # By name: since when, and whether it goes.
        self.pools: dict[str, tuple[int, bool]] = {}

    @precondition(lambda self: self.meeting is None)
    @rule()
    def meet(self) -> None:
        self.meeting_count += 1
        self.meeting = p.meeting(self.world, f"m{self.meeting_count}")
        meeting_id = self.meeting["MeetingId"]
        joined = self.meetings.create_attendee(MeetingId=meeting_id, ExternalUserId="ana")["Attendee"]
        # Changing something keeps a meeting from ending unused.
        same = {"Audio": "Send", "Video": "Send", "Content": "None"}
        self.use = {"MeetingId": meeting_id, "AttendeeId": joined["AttendeeId"], "Capabilities": same}

    @precondition(lambda self: self.meeting is not None)
    @rule()
    def end_meeting(self) -> None:
        assert self.meeting is not None
        meeting_id, self.meeting = self.meeting["MeetingId"], None
        self.meetings.delete_meeting(MeetingId=meeting_id)
        for each in self.captures.values():
            if each["meeting"] == meeting_id:
                each["ended"] = self.now

    @precondition(lambda self: self.meeting is not None)
    @rule(token=st.sampled_from(["t1", "t2", ""]))
    def capture(self, token: str) -> None:
        assert self.meeting is not None
        asked = {**p.capturing(self.meeting["MeetingArn"]), **({"ClientRequestToken": token} if token else {})}
        made = self.call("CreateMediaCapturePipeline", **asked)["MediaCapturePipeline"]["MediaPipelineId"]
        before = [one for one, each in self.captures.items() if token and each["token"] == token]
        if before:
            assert [made] == before
            return
        assert made not in self.captures
        new = {"token": token, "made": self.now, "meeting": self.meeting["MeetingId"], "ended": None}
        self.captures[made] = new

    def status(self, capture: dict[str, Any]) -> str:
        started = capture["made"] + self.MOVE_SECONDS
        if self.now < started:
            return "Initializing"
        if capture["ended"] is None:
            return "InProgress"
        stopped = max(started, capture["ended"]) + self.MOVE_SECONDS
        return "Stopping" if self.now < stopped else "Stopped"

    @precondition(lambda self: self.captures)
    @rule(place=PLACE)
    def delete_capture(self, place: int) -> None:
        capture = at(self.captures, place)
        del self.captures[capture]
        self.call("DeleteMediaPipeline", MediaPipelineId=capture)
        for operation in ("GetMediaPipeline", "GetMediaCapturePipeline", "DeleteMediaPipeline"):
            self.refused(NOT_FOUND, operation, MediaPipelineId=capture)

    @rule(name=st.sampled_from(["calls", "others"]))
    def configure(self, name: str) -> None:
        asked = p.configuring(name)
        if name in self.configurations:
            self.refused(CONFLICT, "CreateMediaInsightsPipelineConfiguration", **asked)
            return
        made = self.call("CreateMediaInsightsPipelineConfiguration", **asked)["MediaInsightsPipelineConfiguration"]
        self.configurations[name] = made["MediaInsightsPipelineConfigurationArn"]

    @precondition(lambda self: self.configurations)
    @rule(place=PLACE)
    def analyse(self, place: int) -> None:
        name = at(self.configurations, place)
        asked = p.analysing(self.configurations[name])
        made = self.call("CreateMediaInsightsPipeline", **asked)["MediaInsightsPipeline"]["MediaPipelineId"]
        self.insights[made] = name

    @precondition(lambda self: self.insights)
    @rule(place=PLACE)
    def stop_analysis(self, place: int) -> None:
        pipeline = at(self.insights, place)
        del self.insights[pipeline]
        self.call("DeleteMediaPipeline", MediaPipelineId=pipeline)

    @precondition(lambda self: self.configurations)
    @rule(place=PLACE)
    def delete_configuration(self, place: int) -> None:
        name = at(self.configurations, place)
        if name in self.insights.values():
            self.refused(CONFLICT, "DeleteMediaInsightsPipelineConfiguration", Identifier=name)
            return
        self.call("DeleteMediaInsightsPipelineConfiguration", Identifier=name)
        del self.configurations[name]
        self.refused(NOT_FOUND, "GetMediaInsightsPipelineConfiguration", Identifier=name)

    @rule(name=st.sampled_from(["p1", "p2"]))
    def create_pool(self, name: str) -> None:
        asked = {"PoolName": name, "StreamConfiguration": {"Region": "us-east-1", "DataRetentionInHours": 1}}
        if name in self.pools:
            self.refused(CONFLICT, "CreateMediaPipelineKinesisVideoStreamPool", **asked)
            return
        self.call("CreateMediaPipelineKinesisVideoStreamPool", **asked)
        self.pools[name] = (self.now, False)

    @precondition(lambda self: self.pools)
    @rule(place=PLACE)
    def delete_pool(self, place: int) -> None:
        name = at(self.pools, place)
        if self.pools[name][1]:
            self.refused(CONFLICT, "DeleteMediaPipelineKinesisVideoStreamPool", Identifier=name)
            return
        self.call("DeleteMediaPipelineKinesisVideoStreamPool", Identifier=name)
        self.pools[name] = (self.now, True)

    @rule(seconds=st.sampled_from([1, 4, 5, 60]))
    def time_passes(self, seconds: int) -> None:
        if self.meeting is not None:
            self.meetings.update_attendee_capabilities(**self.use)
        self.wait(seconds)
        for name, (since, is_going) in list(self.pools.items()):
            if is_going and self.now >= since + self.MOVE_SECONDS:
                del self.pools[name]

    def everything_is_as_in_the_model(self) -> None:
        listed = {each["MediaPipelineId"] for each in self.call("ListMediaPipelines")["MediaPipelines"]}
        assert listed == self.captures.keys() | self.insights.keys()
        captures = self.call("ListMediaCapturePipelines")["MediaCapturePipelines"]
        assert {each["MediaPipelineId"] for each in captures} == set(self.captures)
        for capture, known in self.captures.items():
            found = self.call("GetMediaCapturePipeline", MediaPipelineId=capture)["MediaCapturePipeline"]
            assert found["Status"] == self.status(known)
        found = self.call("ListMediaInsightsPipelineConfigurations")["MediaInsightsPipelineConfigurations"]
        assert {each["MediaInsightsPipelineConfigurationName"] for each in found} == set(self.configurations)
        pools = self.call("ListMediaPipelineKinesisVideoStreamPools")["KinesisVideoStreamPools"]
        assert {each["PoolName"] for each in pools} == set(self.pools)


@pytest.mark.parametrize("machine", [Messaging, MediaPipelines], ids=lambda each: each.service)
def test_random_calls_agree_with_a_model(machine: type[Machine]) -> None:
    run_machine(machine)

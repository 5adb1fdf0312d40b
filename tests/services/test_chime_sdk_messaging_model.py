"""Random calls of messaging through boto3, against a small model of channels, members, bans and messages."""

from __future__ import annotations

from typing import Any

from chime_worlds import CHIME_WORLD
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from state_machines import PLACE, Machine, at, run_machine

USERS = ("root", "ana", "ben", "cem")
WHO = st.sampled_from(USERS)
FORBIDDEN, CONFLICT, NOT_FOUND = "ForbiddenException", "ConflictException", "NotFoundException"


class Channel:
    """What a channel ought to be. Messages are lists of id, sender, text, reader or None; the oldest is the first."""

    def __init__(self, by: str, privacy: str, mode: str) -> None:
        self.public, self.open = privacy == "PUBLIC", mode == "UNRESTRICTED"
        self.members, self.moderators, self.banned = {by: "DEFAULT"}, {by}, set[str]()
        self.messages: list[list[Any]] = []

    def moderated_by(self, who: str) -> bool:
        return who == "root" or who in self.moderators

    def read_by(self, who: str) -> bool:
        return self.public or who in self.members or self.moderated_by(who)

    def seen_by(self, who: str) -> list[list[Any]]:
        return [each for each in self.messages if who in (each[1], each[3]) or each[3] is None]


class Messaging(Machine):
    """One app instance with an administrator and three users."""

    service = "chime-sdk-messaging"
    declaration = CHIME_WORLD

    def __init__(self) -> None:
        super().__init__()
        identity = self.world.client("chime-sdk-identity", "admin")
        self.instance = identity.create_app_instance(Name="chat")["AppInstanceArn"]
        for name in USERS:
            identity.create_app_instance_user(AppInstanceArn=self.instance, AppInstanceUserId=name, Name=name)
        identity.create_app_instance_admin(AppInstanceArn=self.instance, AppInstanceAdminArn=self.user("root"))
        self.channels: dict[str, Channel] = {}
        self.tokens: dict[tuple[str, str, str], str] = {}

    def user(self, name: str) -> str:
        return f"{self.instance}/user/{name}"

    def expect(self, code: str, operation: str, who: str, **parameters: Any) -> dict[str, Any]:
        """The answer, or a refusal with this code."""
        asked = {"ChimeBearer": self.user(who), **parameters}
        if code == "":
            return self.call(operation, **asked)
        self.refused(code, operation, **asked)
        return {}

    def at(self, place: int) -> tuple[str, Channel]:
        arn = at(sorted(self.channels), place)
        return arn, self.channels[arn]

    def some_message(self, place: int) -> tuple[str, Channel, list[Any]]:
        return tuple(at([(arn, each, one) for arn, each in self.channels.items() for one in each.messages], place))  # type: ignore[return-value]

    def has_messages(self) -> bool:
        return any(each.messages for each in self.channels.values())

    @rule(
        who=WHO,
        name=st.sampled_from(["c1", "c2"]),
        privacy=st.sampled_from(["PUBLIC", "PRIVATE"]),
        mode=st.sampled_from(["RESTRICTED", "UNRESTRICTED"]),
    )
    def create_channel(self, who: str, name: str, privacy: str, mode: str) -> None:
        arn = f"{self.instance}/channel/{name}"
        code = CONFLICT if arn in self.channels else ""
        asked = {"AppInstanceArn": self.instance, "Name": name, "ChannelId": name, "Privacy": privacy, "Mode": mode}
        self.expect(code, "CreateChannel", who, **asked)
        self.channels.setdefault(arn, Channel(who, privacy, mode))

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, who=WHO, mode=st.sampled_from(["RESTRICTED", "UNRESTRICTED"]))
    def change_mode(self, place: int, who: str, mode: str) -> None:
        arn, channel = self.at(place)
        allowed = channel.moderated_by(who)
        self.expect("" if allowed else FORBIDDEN, "UpdateChannel", who, ChannelArn=arn, Mode=mode)
        channel.open = mode == "UNRESTRICTED" if allowed else channel.open

    @precondition(lambda self: len(self.channels) == 2)
    @rule(place=PLACE, who=WHO)
    def delete_channel(self, place: int, who: str) -> None:
        arn, channel = self.at(place)
        allowed = channel.moderated_by(who)
        self.expect("" if allowed else FORBIDDEN, "DeleteChannel", who, ChannelArn=arn)
        if allowed:
            del self.channels[arn]
            self.tokens = {key: value for key, value in self.tokens.items() if key[0] != arn}
            self.expect(NOT_FOUND, "DescribeChannel", who, ChannelArn=arn)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, who=WHO, whom=WHO, kind=st.sampled_from(["DEFAULT", "DEFAULT", "HIDDEN"]))
    def join(self, place: int, who: str, whom: str, kind: str) -> None:
        arn, channel = self.at(place)
        invites = channel.open and kind == "DEFAULT" and (who in channel.members or (channel.public and who == whom))
        if not (channel.moderated_by(who) or invites) or whom in channel.banned:
            code = FORBIDDEN
        else:
            code = CONFLICT if whom in channel.members else ""
        asked = {"ChannelArn": arn, "MemberArn": self.user(whom), "Type": kind}
        self.expect(code, "CreateChannelMembership", who, **asked)
        if code == "":
            channel.members[whom] = kind

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, who=WHO, whom=WHO)
    def leave(self, place: int, who: str, whom: str) -> None:
        arn, channel = self.at(place)
        code = "" if whom in channel.members else NOT_FOUND
        if who != whom and not channel.moderated_by(who):
            code = FORBIDDEN
        self.expect(code, "DeleteChannelMembership", who, ChannelArn=arn, MemberArn=self.user(whom))
        if code == "":
            del channel.members[whom]

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, who=WHO, whom=WHO, makes=st.booleans())
    def moderate(self, place: int, who: str, whom: str, makes: bool) -> None:
        arn, channel = self.at(place)
        is_one = whom in channel.moderators
        if not channel.moderated_by(who):
            code = FORBIDDEN
        elif makes:
            code = CONFLICT if is_one else FORBIDDEN if whom in channel.banned else ""
        else:
            code = "" if is_one else NOT_FOUND
        operation = "CreateChannelModerator" if makes else "DeleteChannelModerator"
        self.expect(code, operation, who, ChannelArn=arn, ChannelModeratorArn=self.user(whom))
        if code == "":
            (channel.moderators.add if makes else channel.moderators.discard)(whom)

    @precondition(lambda self: self.channels)
    @rule(place=PLACE, who=WHO, whom=WHO, bans=st.booleans())
    def ban(self, place: int, who: str, whom: str, bans: bool) -> None:
        arn, channel = self.at(place)
        is_banned = whom in channel.banned
        if not channel.moderated_by(who):
            code = FORBIDDEN
        elif bans:
            code = CONFLICT if is_banned else FORBIDDEN if channel.moderated_by(whom) else ""
        else:
            code = "" if is_banned else NOT_FOUND
        operation = "CreateChannelBan" if bans else "DeleteChannelBan"
        self.expect(code, operation, who, ChannelArn=arn, MemberArn=self.user(whom))
        if code == "":
            (channel.banned.add if bans else channel.banned.discard)(whom)
            if bans:
                channel.members.pop(whom, None)

    @precondition(lambda self: self.channels)
    @rule(
        place=PLACE,
        who=WHO,
        kept=st.booleans(),
        reader=st.one_of(st.none(), WHO),
        token=st.sampled_from(["", "", "", "t1"]),
    )
    def send(self, place: int, who: str, kept: bool, reader: str | None, token: str) -> None:
        arn, channel = self.at(place)
        code = "" if channel.members.get(who) == "DEFAULT" else FORBIDDEN
        if code == "" and reader is not None and reader not in channel.members:
            code = "BadRequestException"
        text = f"{len(channel.messages)} of {who}"
        asked: dict[str, Any] = {"ChannelArn": arn, "Content": text, "Type": "STANDARD"}
        asked["Persistence"] = "PERSISTENT" if kept else "NON_PERSISTENT"
        if reader is not None:
            asked["Target"] = [{"MemberArn": self.user(reader)}]
        if token:
            asked["ClientRequestToken"], shape = token, f"{kept} {reader}"
            known = self.tokens.get((arn, who, token))
            if code == "" and known is not None:
                code = "" if known.partition(" ")[2] == shape else CONFLICT
                answer = self.expect(code, "SendChannelMessage", who, **asked)
                assert code or answer["MessageId"] == known.partition(" ")[0]
                return
        answer = self.expect(code, "SendChannelMessage", who, **asked)
        if code == "":
            if token:
                self.tokens[arn, who, token] = f"{answer['MessageId']} {shape}"
            if kept:
                channel.messages.append([answer["MessageId"], who, text, reader])

    @precondition(has_messages)
    @rule(place=st.integers(0, 9), who=WHO)
    def edit(self, place: int, who: str) -> None:
        arn, channel, message = self.some_message(place)
        if not channel.read_by(who):
            code = FORBIDDEN
        elif message not in channel.seen_by(who):
            code = NOT_FOUND
        elif who != message[1] or who not in channel.members:
            code = FORBIDDEN
        else:
            code = CONFLICT if message[2] == "" else ""
        self.expect(code, "UpdateChannelMessage", who, ChannelArn=arn, MessageId=message[0], Content=f"{who} again")
        if code == "":
            message[2] = f"{who} again"

    @precondition(has_messages)
    @rule(place=st.integers(0, 9), who=WHO)
    def redact(self, place: int, who: str) -> None:
        arn, channel, message = self.some_message(place)
        if not channel.read_by(who):
            code = FORBIDDEN
        elif message not in channel.seen_by(who):
            code = NOT_FOUND
        else:
            allowed = channel.moderated_by(who) or (who == message[1] and who in channel.members)
            code = "" if allowed else FORBIDDEN
        self.expect(code, "RedactChannelMessage", who, ChannelArn=arn, MessageId=message[0])
        if code == "":
            message[2] = ""

    @precondition(has_messages)
    @rule(place=st.integers(0, 9), who=WHO)
    def delete_message(self, place: int, who: str) -> None:
        arn, channel, message = self.some_message(place)
        code = "" if who == "root" else FORBIDDEN
        self.expect(code, "DeleteChannelMessage", who, ChannelArn=arn, MessageId=message[0])
        if code == "":
            channel.messages.remove(message)
            self.tokens = {key: value for key, value in self.tokens.items() if value.partition(" ")[0] != message[0]}

    @rule(seconds=st.sampled_from([0, 1, 60]))
    def time_passes(self, seconds: int) -> None:
        self.wait(seconds)

    def everything_is_as_in_the_model(self) -> None:
        for arn, channel in self.channels.items():
            about = {"ChannelArn": arn}
            for who in USERS:
                code = "" if channel.read_by(who) else FORBIDDEN
                listed = self.expect(code, "ListChannelMessages", who, **about, SortOrder="ASCENDING")
                if code == "":
                    texts = [each["Content"] for each in listed["ChannelMessages"]]
                    assert texts == [each[2] for each in channel.seen_by(who)]
            for kind in ("DEFAULT", "HIDDEN"):
                listed = self.expect("", "ListChannelMemberships", "root", **about, Type=kind)
                names = {each["Member"]["Name"] for each in listed["ChannelMemberships"]}
                assert names == {name for name, each in channel.members.items() if each == kind}
            for operation, inner, expected in (
                ("ListChannelModerators", "Moderator", channel.moderators),
                ("ListChannelBans", "Member", channel.banned),
            ):
                [page] = [each for each in self.expect("", operation, "root", **about).values() if type(each) is list]
                assert {each[inner]["Name"] for each in page} == expected
        for who in USERS:
            mine = self.expect("", "ListChannelMembershipsForAppInstanceUser", who)["ChannelMemberships"]
            arns = {each["ChannelSummary"]["ChannelArn"] for each in mine}
            assert arns == {arn for arn, each in self.channels.items() if who in each.members}


def test_messaging_is_as_its_model() -> None:
    run_machine(Messaging)

"""Resources of the Chime SDK in a sandbox file: app instances, meetings, resources of the voice service.

The patterns are those of AWS's models; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rolecall.contents.channels import MAXIMUM_MESSAGE_BYTES, STANDARD
from rolecall.contents.expiration import CREATED, LAST_MESSAGE, MAXIMUM_DAYS
from rolecall.contents.meeting_features import check_capabilities
from rolecall.contents.meetings import MEDIA_REGIONS
from rolecall.contents.voice import DEFAULT_DISTRIBUTION, SIP_APPLICATION_REGIONS
from rolecall.data.phone_number_table import PRODUCT_TYPES, VOICE_CONNECTOR
from rolecall.errors import AwsError
from rolecall.service_records import DEFAULT_REGION, SERVICE_RECORDS
from rolecall.worlds import checking as c
from rolecall.worlds.members import Declared, list_of, member, record_of

MAXIMUM_TAGS = 50
# Of the integers of AWS's models.
MAXIMUM_INTEGER = 2**31 - 1
UUID = c.matching(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in small letters")
_NAME = c.matching(
    r"[\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,256}", "a name of up to 256 characters"
)
_METADATA = c.matching(r".{0,1024}", "a text of up to 1024 characters in one line")
_CHOSEN_ID = c.matching(
    r"[A-Za-z0-9]([A-Za-z0-9:\-_.@]{0,62}[A-Za-z0-9])?",
    "an id of up to 64 letters, digits and :-_.@ that begins and ends with a letter or digit",
)
_EXTERNAL_ID = c.matching(r"(?s)(?!(?i:aws:)).{2,64}", "a text of 2 to 64 characters that does not begin with aws:")
_VOICE_NAME = c.matching(r"[a-zA-Z0-9 _.-]{1,256}", "a name of up to 256 letters, digits, blanks and _.-")
_DEVICE_TOKEN = c.matching(r".{1,1600}", "a token of 1 to 1600 characters in one line")
_CAPABILITY = c.one_of("SendReceive", "Send", "Receive", "None")


def _too_many_tags(tags: Mapping[str, str]) -> str:
    return f"a resource may have at most {MAXIMUM_TAGS} tags" if len(tags) > MAXIMUM_TAGS else ""


_TAGS = c.checked(
    c.mapping_of(
        c.matching(r"(?s).{1,256}", "a tag value of 1 to 256 characters"),
        c.matching(r"(?s)(?!(?i:aws:)).{1,128}", "a tag key of up to 128 characters that does not begin with aws:"),
    ),
    _too_many_tags,
)


def _tags() -> Any:
    return member(_TAGS, factory=dict)


def _region(*services: str) -> Any:
    """The Region of the endpoint, where the resource is: one in which AWS has an endpoint of these services."""
    regions = frozenset[str].intersection(*(SERVICE_RECORDS[service].regions for service in services))
    return member(c.one_of(*sorted(regions)), DEFAULT_REGION)


_DAYS = c.between(1, MAXIMUM_DAYS)


def _id() -> Any:
    return member(UUID, None, key="id")


class DeclaredUserEndpoint(Declared):
    """A device of a user. Its tokens let others send to it."""

    endpoint_id: str | None = member(
        c.matching(r"[\w-]{1,64}", "an id of up to 64 letters, digits and _-"), None, key="id"
    )
    name: str | None = member(c.matching(r".{0,1600}", "a name of up to 1600 characters in one line"), None)
    type: str = member(c.one_of("APNS", "APNS_SANDBOX", "GCM"))
    application: str = member(
        c.matching(
            r"arn:aws:mobiletargeting:[a-z]{2}-[a-z]+-\d:\d{12}:apps/[\w-]+", "the ARN of a Pinpoint application"
        )
    )
    device_token: str = member(_DEVICE_TOKEN, secret=True)
    voip_device_token: str | None = member(_DEVICE_TOKEN, None, secret=True)
    allow_messages: str = member(c.one_of("ALL", "NONE"), "ALL")


class DeclaredAppInstanceUser(Declared):
    """Without a name, the id is the name."""

    user_id: str = member(_CHOSEN_ID, key="id")
    name: str | None = member(c.matching(r"(?=.*\S).{1,100}", "a name of up to 100 characters"), None)
    metadata: str | None = member(_METADATA, None)
    expiration_days: int | None = member(_DAYS, None)
    endpoints: tuple[DeclaredUserEndpoint, ...] = list_of(DeclaredUserEndpoint)
    tags: Mapping[str, str] = _tags()


class DeclaredAppInstanceBot(Declared):
    """A bot. The file calls it by its name."""

    name: str = member(_NAME)
    bot_id: str | None = _id()
    lex_bot_alias: str = member(
        c.matching(
            r"arn:aws:lex:[a-z]{2}-[a-z]+-\d{1}:\d{12}:bot-alias/[A-Z0-9]{10}/[A-Z0-9]{10}",
            "the ARN of an alias of a Lex V2 bot",
        )
    )
    locale: str = member(c.text)
    welcome_intent: str | None = member(c.matching(r"(?=.{1,100}$)([A-Za-z]_?)+", "the name of an intent"), None)
    standard_messages: str = member(c.one_of("AUTO", "ALL", "MENTIONS", "NONE"), "AUTO")
    targeted_messages: str = member(c.one_of("ALL", "NONE"), "ALL")
    metadata: str | None = member(_METADATA, None)
    tags: Mapping[str, str] = _tags()


def _too_long(content: str) -> str:
    maximum = MAXIMUM_MESSAGE_BYTES[STANDARD]
    return f"must have at most {maximum} bytes" if len(content.encode(errors="replace")) > maximum else ""


class DeclaredChannelMessage(Declared):
    """A persistent STANDARD message. The oldest is the first."""

    sender: str = member(c.text)
    content: str = member(c.checked(c.matching(r"(?s)[^\0]+", "a text that is not empty"), _too_long))
    metadata: str | None = member(_METADATA, None)


class DeclaredElastic(Declared):
    """What makes a channel elastic: its members are in sub-channels."""

    maximum_sub_channels: int = member(c.between(2, MAXIMUM_INTEGER))
    target_memberships_per_sub_channel: int = member(c.between(2, MAXIMUM_INTEGER))
    minimum_membership_percentage: int = member(c.between(1, 40))


class DeclaredExpiration(Declared):
    """When a channel expires: so many days after it was made, or after its last message."""

    days: int = member(_DAYS)
    criterion: str = member(c.one_of(CREATED, LAST_MESSAGE), CREATED)


class DeclaredChannelFlow(Declared):
    """A channel flow of one processor, which AWS allows. The file calls it by its name."""

    name: str = member(_NAME)
    flow_id: str | None = _id()
    lambda_arn: str = member(
        c.matching(
            r"arn:aws:lambda:[a-z]{2}-[a-z]+-\d{1}:\d{12}:function:[a-zA-Z0-9\-_\.]+(:(\$LATEST|[a-zA-Z0-9\-_]+))?",
            "the ARN of a Lambda function",
        ),
        key="lambda",
    )
    fallback: str = member(c.one_of("CONTINUE", "ABORT"), "CONTINUE")
    tags: Mapping[str, str] = _tags()


class DeclaredChannel(Declared):
    """Members and moderators are ids of users or names of bots. Without an id it gets one that stays the same."""

    name: str = member(_NAME)
    channel_id: str | None = member(_CHOSEN_ID, None, key="id")
    mode: str = member(c.one_of("RESTRICTED", "UNRESTRICTED"), "RESTRICTED")
    privacy: str = member(c.one_of("PRIVATE", "PUBLIC"), "PRIVATE")
    metadata: str | None = member(_METADATA, None)
    tags: Mapping[str, str] = _tags()
    created_by: str | None = member(c.text, None)
    members: tuple[str, ...] = member(c.list_of(c.text), ())
    moderators: tuple[str, ...] = member(c.list_of(c.text), ())
    banned: tuple[str, ...] = member(c.list_of(c.text), ())
    flow: str | None = member(c.text, None)
    expiration: DeclaredExpiration | None = member(record_of(DeclaredExpiration), None)
    elastic: DeclaredElastic | None = member(record_of(DeclaredElastic), None)
    messages: tuple[DeclaredChannelMessage, ...] = list_of(DeclaredChannelMessage)

    @property
    def creator(self) -> str:
        """Who made the channel: a moderator, or else a member, unless the file says so."""
        return self.created_by or (*self.moderators, *self.members)[0]


class DeclaredAppInstance(Declared):
    name: str = member(_NAME)
    instance_id: str | None = _id()
    region: str = _region("chime-sdk-identity", "chime-sdk-messaging")
    metadata: str | None = member(_METADATA, None)
    retention_days: int | None = member(_DAYS, None)
    tags: Mapping[str, str] = _tags()
    users: tuple[DeclaredAppInstanceUser, ...] = list_of(DeclaredAppInstanceUser)
    bots: tuple[DeclaredAppInstanceBot, ...] = list_of(DeclaredAppInstanceBot)
    admins: tuple[str, ...] = member(c.list_of(c.text), ())
    channel_flows: tuple[DeclaredChannelFlow, ...] = list_of(DeclaredChannelFlow)
    channels: tuple[DeclaredChannel, ...] = list_of(DeclaredChannel)


class DeclaredAttendee(Declared):
    """Without capabilities, an attendee may send and receive everything."""

    external_user_id: str = member(_EXTERNAL_ID)
    attendee_id: str | None = _id()
    audio: str = member(_CAPABILITY, "SendReceive")
    video: str = member(_CAPABILITY, "SendReceive")
    content: str = member(_CAPABILITY, "SendReceive")

    @property
    def capabilities(self) -> dict[str, str]:
        return {"Audio": self.audio, "Video": self.video, "Content": self.content}


def _forbidden_capabilities(attendee: DeclaredAttendee) -> str:
    try:
        check_capabilities({}, attendee.capabilities)
    except AwsError as error:
        return error.message
    return ""


class DeclaredMeeting(Declared):
    """A meeting whose attendees are connected, so that it lasts as long as AWS lets a meeting last."""

    external_meeting_id: str = member(_EXTERNAL_ID)
    meeting_id: str | None = _id()
    region: str = _region("chime-sdk-meetings")
    media_region: str = member(c.one_of(*sorted(MEDIA_REGIONS)), DEFAULT_REGION)
    meeting_host_id: str | None = member(_EXTERNAL_ID, None)
    tags: Mapping[str, str] = _tags()
    attendees: tuple[DeclaredAttendee, ...] = member(
        c.list_of(c.checked(record_of(DeclaredAttendee), _forbidden_capabilities)), ()
    )


class DeclaredVoiceConnector(Declared):
    name: str = member(_VOICE_NAME)
    connector_id: str | None = member(
        c.matching(r"[a-z0-9]{21,22}", "an id of 22 small letters and digits"), None, key="id"
    )
    region: str = _region("chime-sdk-voice")
    aws_region: str = member(
        c.one_of(
            *("us-east-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2"),
            *("ap-northeast-2", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2"),
        ),
        DEFAULT_REGION,
    )
    require_encryption: bool = member(c.boolean, True)
    network_type: str = member(c.one_of("IPV4_ONLY", "DUAL_STACK"), "IPV4_ONLY")
    tags: Mapping[str, str] = _tags()


class DeclaredSipApplication(Declared):
    name: str = member(_VOICE_NAME)
    application_id: str | None = _id()
    region: str = _region("chime-sdk-voice")
    aws_region: str = member(c.one_of(*SIP_APPLICATION_REGIONS), DEFAULT_REGION)
    lambda_arn: str = member(
        c.matching(
            r"arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1}:\d{12}:function:[a-zA-Z0-9-_]+"
            r"(:(\$LATEST|[a-zA-Z0-9-_]+))?",
            "the ARN of a Lambda function",
        ),
        key="lambda",
    )
    tags: Mapping[str, str] = _tags()


class DeclaredGroupedConnector(Declared):
    """A Voice Connector of a group, by its name or id."""

    connector: str = member(c.text)
    priority: int = member(c.between(1, 99), 1)


class DeclaredConnectorGroup(Declared):
    name: str = member(_VOICE_NAME)
    group_id: str | None = _id()
    region: str = _region("chime-sdk-voice")
    distribution: str = member(c.one_of(DEFAULT_DISTRIBUTION, "LoadBalancedDistribution"), DEFAULT_DISTRIBUTION)
    connectors: tuple[DeclaredGroupedConnector, ...] = list_of(DeclaredGroupedConnector)


class DeclaredRuleTarget(Declared):
    """A SIP media application that a rule calls, by its name or id."""

    application: str = member(c.text)
    priority: int = member(c.between(1, MAXIMUM_INTEGER), 1)


class DeclaredSipRule(Declared):
    """A rule for the host name of a Voice Connector, which the file calls by its name or id."""

    name: str = member(_VOICE_NAME)
    rule_id: str | None = _id()
    region: str = _region("chime-sdk-voice")
    disabled: bool = member(c.boolean, False)
    voice_connector: str = member(c.text)
    applications: tuple[DeclaredRuleTarget, ...] = member(c.list_of(record_of(DeclaredRuleTarget)))


class DeclaredPhoneNumber(Declared):
    """A number that the account has, and maybe the Voice Connector or the group that has it, by its name or id."""

    number: str = member(c.matching(r"\+[1-9]\d{1,14}", "a phone number in E.164 format"))
    product_type: str = member(c.one_of(*PRODUCT_TYPES), VOICE_CONNECTOR)
    name: str | None = member(
        c.matching(
            r"(?=.{0,256}$)([a-zA-Z0-9,._-]+(\s+[a-zA-Z0-9,._-]+)*)?",
            "a name of up to 256 letters, digits, blanks and ,._-",
        ),
        None,
    )
    calling_name: str | None = member(
        c.matching(r"([a-zA-Z0-9 ]{2,15})?", "a calling name of 2 to 15 letters, digits and blanks"), None
    )
    voice_connector: str | None = member(c.text, None)
    voice_connector_group: str | None = member(c.text, None)

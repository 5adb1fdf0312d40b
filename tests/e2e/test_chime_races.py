"""Two worker processes create, join or invite the same thing at the same time: it is there once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from served import Server, start

ATTEMPTS = 4
ROUNDS = 3
ENTERPRISE = "11111111-1111-4111-8111-111111111111"
MEMBER = "33333333-3333-4333-8333-333333333331"
ACCOUNT = "111122223333"
KEY = {"KmsKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/one"}
WORLD = {
    "version": 1,
    "accounts": [
        {
            "id": ACCOUNT,
            "users": [
                {
                    "name": "admin",
                    "access_keys": [{"id": "test", "secret": "test"}],
                    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                }
            ],
            "chime_accounts": [
                {
                    "id": ENTERPRISE,
                    "name": "Enterprise",
                    "type": "EnterpriseLWA",
                    "users": [{"id": MEMBER, "email": "ana@example.com"}],
                }
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def racing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Race]:
    folder = tmp_path_factory.mktemp("races")
    file = folder / "races.json"
    file.write_text(json.dumps(WORLD), encoding="utf-8")
    served = start(folder, "--workers", "2", "--config", str(file))
    try:
        yield Race(served)
        served.stop()
    finally:
        served.kill()


class Race:
    """Clients of a server with two worker processes, each with a connection of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        return self.called(self.server.client(service), operation, **parameters)

    def called(self, client: Any, operation: str, **parameters: Any) -> Any:
        """The one member of the answer, or the code of the refusal."""
        try:
            answer = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            return error.response["Error"]["Code"]
        del answer["ResponseMetadata"]
        return answer

    def outcomes(self, service: str, operation: str, *asked: dict[str, Any]) -> list[Any]:
        """What the attempts answer; each takes the next of these parameters."""
        clients = [self.server.client(service) for _ in range(ATTEMPTS)]
        with ThreadPoolExecutor(ATTEMPTS) as pool:
            attempts = [(client, asked[number % len(asked)]) for number, client in enumerate(clients)]
            return list(pool.map(lambda each: self.called(each[0], operation, **each[1]), attempts))


def one_made(outcomes: list[Any], code: str = "ConflictException") -> Any:
    """The answer of the one attempt that was not refused."""
    made = [each for each in outcomes if not isinstance(each, str)]
    assert (len(made), {each for each in outcomes if isinstance(each, str)}) == (1, {code}), outcomes
    return made[0]


def all_same(outcomes: list[Any]) -> Any:
    assert len({json.dumps(each, default=str, sort_keys=True) for each in outcomes}) == 1, outcomes
    return outcomes[0]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_users_rooms_and_members_of_chime(racing: Race, number: int) -> None:
    account = racing.call("chime", "CreateAccount", Name="team")["Account"]["AccountId"]
    of_account = {"AccountId": account}
    one_made(racing.outcomes("chime", "CreateUser", {**of_account, "Email": "x@example.com"}))
    racing.outcomes("chime", "InviteUsers", {**of_account, "UserEmailList": ["y@example.com"]})
    found = racing.call("chime", "ListUsers", **of_account)["Users"]
    assert sorted(each["PrimaryEmail"] for each in found) == ["x@example.com", "y@example.com"]
    asked = {"AccountId": ENTERPRISE, "Name": "red", "ClientRequestToken": f"token{number}"}
    room = all_same(racing.outcomes("chime", "CreateRoom", asked))["Room"]["RoomId"]
    joining = {"AccountId": ENTERPRISE, "RoomId": room, "MemberId": MEMBER}
    one_made(racing.outcomes("chime", "CreateRoomMembership", joining))
    members = racing.call("chime", "ListRoomMemberships", AccountId=ENTERPRISE, RoomId=room)["RoomMemberships"]
    assert [each["Member"]["MemberId"] for each in members] == [MEMBER]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_meetings_and_attendees(racing: Race, number: int) -> None:
    service = "chime-sdk-meetings"
    asked = {"ClientRequestToken": f"m{number}", "MediaRegion": "us-east-1", "ExternalMeetingId": "m1"}
    meeting = all_same(racing.outcomes(service, "CreateMeeting", asked))["Meeting"]["MeetingId"]
    joining = {"MeetingId": meeting, "ExternalUserId": "ana"}
    attendee = all_same(racing.outcomes(service, "CreateAttendee", joining))["Attendee"]
    assert racing.call(service, "ListAttendees", MeetingId=meeting)["Attendees"] == [attendee]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_app_instances_users_and_administrators(racing: Race, number: int) -> None:
    service = "chime-sdk-identity"
    asked = {"Name": "chat", "ClientRequestToken": f"i{number}"}
    instance = all_same(racing.outcomes(service, "CreateAppInstance", asked))["AppInstanceArn"]
    joining = {"AppInstanceArn": instance, "AppInstanceUserId": "ana", "Name": "Ana"}
    tokens = [{**joining, "ClientRequestToken": f"u{each}"} for each in range(ATTEMPTS)]
    user = one_made(racing.outcomes(service, "CreateAppInstanceUser", *tokens))["AppInstanceUserArn"]
    one_made(
        racing.outcomes(service, "CreateAppInstanceAdmin", {"AppInstanceArn": instance, "AppInstanceAdminArn": user})
    )
    users = racing.call(service, "ListAppInstanceUsers", AppInstanceArn=instance)["AppInstanceUsers"]
    assert [each["AppInstanceUserArn"] for each in users] == [user]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_numbers_rules_and_domains_of_voice(racing: Race, number: int) -> None:
    service = "chime-sdk-voice"
    e164 = f"+1206555010{number}"
    order = {"ProductType": "VoiceConnector", "E164PhoneNumbers": [e164]}
    orders = racing.outcomes(service, "CreatePhoneNumberOrder", order)
    ids = [each["PhoneNumberOrder"]["PhoneNumberOrderId"] for each in orders if not isinstance(each, str)]
    assert racing.server.request("POST", "/_rolecall/clock", b'{"advance_seconds": 5}').status == 200
    statuses = [
        racing.call(service, "GetPhoneNumberOrder", PhoneNumberOrderId=each)["PhoneNumberOrder"]["Status"]
        for each in ids
    ]
    assert statuses.count("Successful") == 1
    connectors = [
        racing.call(service, "CreateVoiceConnector", Name="c", RequireEncryption=True)["VoiceConnector"]
        for _ in range(2)
    ]
    named = [{"VoiceConnectorId": each["VoiceConnectorId"], "E164PhoneNumbers": [e164]} for each in connectors]
    racing.outcomes(service, "AssociatePhoneNumbersWithVoiceConnector", *named)
    found = racing.call(service, "GetPhoneNumber", PhoneNumberId=e164)["PhoneNumber"]
    assert len(found["Associations"]) == 1
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    application = {"AwsRegion": "us-east-1", "Name": "a", "Endpoints": [{"LambdaArn": function}]}
    made = racing.call(service, "CreateSipMediaApplication", **application)["SipMediaApplication"]
    target = {"SipMediaApplicationId": made["SipMediaApplicationId"], "Priority": 1, "AwsRegion": "us-east-1"}
    rule = {
        "Name": "r",
        "TriggerType": "RequestUriHostname",
        "TriggerValue": connectors[0]["OutboundHostName"],
        "TargetApplications": [target],
    }
    one_made(racing.outcomes(service, "CreateSipRule", rule))
    domain = {"Name": "d", "ServerSideEncryptionConfiguration": KEY, "ClientRequestToken": f"domain{number}"}
    all_same(racing.outcomes(service, "CreateVoiceProfileDomain", domain))


@pytest.mark.parametrize("number", range(ROUNDS))
def test_channels_members_and_messages(racing: Race, number: int) -> None:
    identity, service = "chime-sdk-identity", "chime-sdk-messaging"
    instance = racing.call(identity, "CreateAppInstance", Name="chat", ClientRequestToken=f"c{number}")[
        "AppInstanceArn"
    ]
    ana, ben = (
        racing.call(
            identity,
            "CreateAppInstanceUser",
            AppInstanceArn=instance,
            AppInstanceUserId=name,
            Name=name,
            ClientRequestToken=f"{name}{number}",
        )["AppInstanceUserArn"]
        for name in ("ana", "ben")
    )
    asked = {"AppInstanceArn": instance, "Name": "c", "ChimeBearer": ana}
    tokens = [{**asked, "ChannelId": "same", "ClientRequestToken": f"t{each}"} for each in range(ATTEMPTS)]
    channel = one_made(racing.outcomes(service, "CreateChannel", *tokens))["ChannelArn"]
    all_same(racing.outcomes(service, "CreateChannel", {**asked, "ClientRequestToken": "one"}))
    about = {"ChannelArn": channel, "ChimeBearer": ana}
    one_made(racing.outcomes(service, "CreateChannelMembership", {**about, "MemberArn": ben, "Type": "DEFAULT"}))
    members = racing.call(service, "ListChannelMemberships", **about)["ChannelMemberships"]
    assert sorted(each["Member"]["Arn"] for each in members) == [ana, ben]
    one_made(racing.outcomes(service, "CreateChannelModerator", {**about, "ChannelModeratorArn": ben}))
    racing.call(service, "DeleteChannelModerator", **about, ChannelModeratorArn=ben)
    message = {"Content": "Hello", "Type": "STANDARD", "Persistence": "PERSISTENT", "ClientRequestToken": "same"}
    sent = all_same(racing.outcomes(service, "SendChannelMessage", {**about, **message}))["MessageId"]
    listed = racing.call(service, "ListChannelMessages", **about)["ChannelMessages"]
    assert [each["MessageId"] for each in listed] == [sent]
    one_made(racing.outcomes(service, "CreateChannelBan", {**about, "MemberArn": ben}))
    members = racing.call(service, "ListChannelMemberships", **about)["ChannelMemberships"]
    assert [each["Member"]["Arn"] for each in members] == [ana]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_pipelines_pools_and_configurations(racing: Race, number: int) -> None:
    service = "chime-sdk-media-pipelines"
    meeting = racing.call(
        "chime-sdk-meetings",
        "CreateMeeting",
        ClientRequestToken=f"p{number}",
        MediaRegion="us-east-1",
        ExternalMeetingId="m1",
    )["Meeting"]["MeetingArn"]
    capture = {
        "SourceType": "ChimeSdkMeeting",
        "SourceArn": meeting,
        "SinkType": "S3Bucket",
        "SinkArn": "arn:aws:s3:::bucket",
        "ClientRequestToken": f"capture{number}",
    }
    before = racing.call(service, "ListMediaCapturePipelines")["MediaCapturePipelines"]
    made = all_same(racing.outcomes(service, "CreateMediaCapturePipeline", capture))["MediaCapturePipeline"]
    pipelines = racing.call(service, "ListMediaCapturePipelines")["MediaCapturePipelines"]
    ids = {each["MediaPipelineId"] for each in pipelines} - {each["MediaPipelineId"] for each in before}
    assert ids == {made["MediaPipelineId"]}
    assert len(pipelines) == len(before) + 1
    pool = {"PoolName": f"pool{number}", "StreamConfiguration": {"Region": "us-east-1"}}
    one_made(racing.outcomes(service, "CreateMediaPipelineKinesisVideoStreamPool", pool))

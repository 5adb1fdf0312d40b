"""The services of Chime at one address, and each at an address of its own."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from rolecall import Rolecall
from rolecall.inprocess import ENDPOINT_URL

ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ADMIN = {
    "name": "admin",
    "access_keys": [{"id": "admin_key", "secret": "admin-secret"}],
    "inline_policies": {"own": ALL},
}
WORLD = json.dumps({"version": 1, "accounts": [{"id": "111122223333", "users": [ADMIN]}]})
SHARED = "http://{}.us-east-1.amazonaws.com"


@pytest.mark.parametrize("address", ["plain", "prefix", "host"])
def test_the_services_are_told_apart(make_world: Any, address: str) -> None:
    world = make_world(WORLD)

    def client(service: str, host: str) -> Any:
        urls = {"plain": ENDPOINT_URL, "prefix": f"{ENDPOINT_URL}/{service}", "host": SHARED.format(host)}
        return world.client(service, endpoint_url=urls[address])

    meetings, identity = client("chime-sdk-meetings", "meetings-chime"), client("chime-sdk-identity", "identity-chime")
    voice = client("chime-sdk-voice", "voice-chime")
    meeting = meetings.create_meeting(ClientRequestToken="one", MediaRegion="us-east-1", ExternalMeetingId="m1")[
        "Meeting"
    ]
    instance = identity.create_app_instance(Name="chat", ClientRequestToken="one")["AppInstanceArn"]
    connector = voice.create_voice_connector(Name="c", RequireEncryption=True)["VoiceConnector"]
    # The same path and the same operation of three services.
    for made, arn in (
        (meetings, meeting["MeetingArn"]),
        (identity, instance),
        (voice, connector["VoiceConnectorArn"]),
    ):
        made.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "red"}])
        assert made.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "red"}]
    assert identity.describe_app_instance(AppInstanceArn=instance)["AppInstance"]["Name"] == "chat"
    if address == "plain":
        # At one address the ARN decides, and not the client, of which the call says nothing.
        assert voice.list_tags_for_resource(ResourceARN=instance)["Tags"]
        return
    with pytest.raises(ClientError) as caught:
        voice.list_tags_for_resource(ResourceARN=instance)
    assert caught.value.response["Error"]["Code"] == "NotFoundException"


def test_an_sdk_takes_the_address_of_each_service_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rolecall.start() as sandbox:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CHIME_SDK_MEETINGS", f"{sandbox.endpoint_url}/chime-sdk-meetings")
        made = boto3.client("chime-sdk-meetings").create_meeting(
            ClientRequestToken="one", MediaRegion="us-east-1", ExternalMeetingId="m1"
        )
        assert sandbox.decisions[0].operation == "CreateMeeting"
        assert made["ResponseMetadata"]["HTTPStatusCode"] == 200

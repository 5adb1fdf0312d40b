"""The services of Chime at one address, and each at an address of its own."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from chime_requests import SERVICES, model_of, operations, request_of, shared_routes

from rolecall import Rolecall
from rolecall.inprocess import ENDPOINT_URL
from rolecall.wire import match

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


# Method and path of operations that chime and chime-sdk-voice have by the same name, with their fixed parameters.
OF_NUMBERS = {
    ("GET", "/phone-number-countries"),
    ("GET", "/phone-number-orders"),
    ("POST", "/phone-number-orders"),
    ("GET", "/phone-number-orders/{}"),
    ("GET", "/phone-numbers"),
    ("GET", "/phone-numbers/{}"),
    ("POST", "/phone-numbers/{}"),
    ("DELETE", "/phone-numbers/{}"),
    ("POST", "/phone-numbers/{}?operation=restore"),
    ("POST", "/phone-numbers?operation=batch-delete"),
    ("POST", "/phone-numbers?operation=batch-update"),
    ("GET", "/search?type=phone-numbers"),
    ("GET", "/settings"),
    ("PUT", "/settings"),
    ("GET", "/settings/phone-number"),
    ("PUT", "/settings/phone-number"),
}
OF_TAGS = {("GET", "/tags"), ("POST", "/tags?operation=tag-resource"), ("POST", "/tags?operation=untag-resource")}
SDK_SERVICES = set(SERVICES) - {"chime"}


@pytest.mark.follows_the_model
def test_nineteen_pairs_of_method_and_path_are_shared() -> None:
    found = shared_routes()
    assert set(found) == OF_NUMBERS | OF_TAGS
    for route in OF_NUMBERS:
        assert {service for service, _ in found[route]} == {"chime", "chime-sdk-voice"}
        assert len({name for _, name in found[route]}) == 1
    for route in OF_TAGS:
        assert {service for service, _ in found[route]} == SDK_SERVICES
        assert len({name for _, name in found[route]}) == 1


def host_of(service: str, region: str = "us-east-1") -> str:
    return f"{model_of(service).metadata['endpointPrefix']}.{region}.amazonaws.com"


@pytest.mark.parametrize("service", SERVICES)
def test_an_address_of_its_own_tells_every_operation_of_a_service(service: str) -> None:
    """AWS's host names in any Region and with any suffix, and the name of the service at the front of the path."""
    names = [name for each, name in operations() if each == service]
    hosts = [host_of(service), host_of(service, "eu-central-1"), host_of(service).replace("amazonaws.com", "api.aws")]
    for name in names:
        requests = [request_of(service, name, host) for host in hosts]
        requests.append(request_of(service, name, "127.0.0.1:4580", f"/{service}"))
        for request in requests:
            found = match(request, "chime")
            assert (found.service.name, found.operation.name) == (service, name), request
        # The path decides before the host.
        other = "chime-sdk-voice" if service == "chime" else "chime"
        found = match(request_of(service, name, host_of(other), f"/{service}"), "chime")
        assert (found.service.name, found.operation.name) == (service, name)


@pytest.mark.parametrize("service", SERVICES)
def test_at_one_address_every_operation_finds_itself_or_its_namesake(service: str) -> None:
    """The ARN tells the service of an operation on tags. Numbers are of chime and chime-sdk-voice alike."""
    namesakes = {name for route, those in shared_routes().items() if route in OF_NUMBERS for _, name in those}
    for name in [name for each, name in operations() if each == service]:
        found = match(request_of(service, name, "127.0.0.1:4580"), "chime")
        assert found.operation.name == name
        if service in ("chime", "chime-sdk-voice") and name in namesakes:
            assert found.service.name in ("chime", "chime-sdk-voice")
        else:
            assert found.service.name == service
        # Clients of Chime's first endpoint put this before the path.
        old = match(request_of(service, name, "127.0.0.1:4580", "/console"), "chime")
        assert (old.service, old.operation) == (found.service, found.operation)


# By service: a call that takes nothing, and the Regions in which it is tried.
LISTS = {
    "chime-sdk-identity": ("list_app_instances", "eu-central-1", "eu-north-1"),
    "chime-sdk-media-pipelines": ("list_media_pipelines", "ap-south-1", "eu-west-1"),
    "chime-sdk-meetings": ("create_meeting", "af-south-1", "us-east-2"),
    "chime-sdk-messaging": ("get_messaging_session_endpoint", "eu-central-1", "us-west-2"),
    "chime-sdk-voice": ("list_voice_connectors", "eu-west-1", "ap-south-1"),
}
MEETING = {"ClientRequestToken": "token", "ExternalMeetingId": "standup", "MediaRegion": "eu-north-1"}


@pytest.mark.parametrize("service", LISTS)
def test_a_region_without_an_endpoint_answers_nothing(make_world: Any, service: str) -> None:
    """AWS's clients find no address there: Available Regions (Developer Guide). The error says where there is one."""
    world = make_world(WORLD)
    name, served, unserved = LISTS[service]
    parameters = MEETING if name == "create_meeting" else {}
    assert getattr(world.client(service, region=served), name)(**parameters)
    for region in (unserved, "us-gov-west-1" if service != "chime-sdk-meetings" else "eu-south-2", "cn-north-1"):
        with pytest.raises(ClientError) as caught:
            getattr(world.client(service, region=region), name)(**parameters)
        error = caught.value.response
        assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (
            "InvalidSignatureException",
            403,
        )
        message = error["Error"]["Message"]
        assert f"{service} has no endpoint in {region}" in message
        assert served in message.split("endpoints in")[1]


def test_chime_itself_has_one_endpoint_for_all_regions(make_world: Any) -> None:
    world = make_world(WORLD)
    made = world.client("chime", region="eu-north-1").create_account(Name="Team")["Account"]
    [found] = world.client("chime").list_accounts()["Accounts"]
    assert found["AccountId"] == made["AccountId"]


@pytest.mark.parametrize("suffix", ["amazonaws.com", "api.aws"])
def test_an_endpoint_of_a_region_takes_signatures_of_that_region_only(make_world: Any, suffix: str) -> None:
    world = make_world(WORLD)
    url = f"http://meetings-chime.eu-central-1.{suffix}"
    right = world.client("chime-sdk-meetings", region="eu-central-1", endpoint_url=url)
    assert right.create_meeting(**MEETING)["Meeting"]["MeetingArn"].startswith("arn:aws:chime:eu-central-1:")
    with pytest.raises(ClientError, match="Credential should be scoped to a valid region") as caught:
        world.client("chime-sdk-meetings", endpoint_url=url).create_meeting(**MEETING)
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"

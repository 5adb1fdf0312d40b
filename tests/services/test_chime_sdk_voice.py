"""Voice Connectors beyond what every kind has: what documents must hold, dependent actions, the service-linked role."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from rolecall.ids import Identifiers
from rolecall.worlds.snapshots import load_database, save_database

UNCHECKED = Config(parameter_validation=False)
ACCOUNT = "111122223333"
ROLE = "AWSServiceRoleForAmazonChimeVoiceConnector"
STREAM = {"DataRetentionInHours": 1, "Disabled": False}
LOGS = {"LoggingConfiguration": {"EnableSIPLogs": True}}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
}
DNIS = {"DNIS": [{"EmergencyPhoneNumber": "+12065550100", "CallingCountry": "US"}]}


def _user(name: str, *statements: dict[str, Any], attached: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "name": name,
        "access_keys": [{"id": f"{name}_key", "secret": f"{name}-secret"}],
        "attached_policies": [f"arn:aws:iam::aws:policy/{policy}" for policy in attached],
        "inline_policies": {"own": {"Version": "2012-10-17", "Statement": list(statements)}} if statements else {},
    }


def _allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [
                    _user("admin", _allow("*")),
                    _user("chime", _allow("chime:*")),
                    _user("logger", _allow("chime:*", "logs:*")),
                    _user("streamer", _allow("chime:*", "iam:CreateServiceLinkedRole")),
                    _user("analyst", _allow("chime:CreateVoiceConnector")),
                    _user("full", attached=("AmazonChimeFullAccess",)),
                    _user(
                        "blue",
                        _allow(
                            "chime:CreateVoiceConnector", Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}
                        ),
                        _allow("chime:*VoiceConnector", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}),
                    ),
                ],
            }
        ],
    }
)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


def voice_of(world: Any, user: str = "admin", **arguments: Any) -> Any:
    return world.client("chime-sdk-voice", user, **arguments)


def connector(voice: Any, **parameters: Any) -> dict[str, Any]:
    return dict(
        voice.create_voice_connector(**{"Name": "c", "RequireEncryption": True, **parameters})["VoiceConnector"]
    )


def refusal(voice: Any, operation: str, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        getattr(voice, xform_name(operation))(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def of(made: dict[str, Any]) -> dict[str, str]:
    return {"VoiceConnectorId": made["VoiceConnectorId"]}


def test_ids_names_and_arns_have_the_forms_of_aws(world: Any) -> None:
    made = connector(voice_of(world, region="eu-central-1"), AwsRegion="eu-west-2", NetworkType="DUAL_STACK")
    connector_id = made["VoiceConnectorId"]
    assert re.fullmatch("[a-z0-9]{22}", connector_id)
    assert made["OutboundHostName"] == f"{connector_id}.voiceconnector.chime.aws"
    assert made["VoiceConnectorArn"] == f"arn:aws:chime:eu-central-1:{ACCOUNT}:vc/{connector_id}"
    assert (made["AwsRegion"], made["NetworkType"]) == ("eu-west-2", "DUAL_STACK")
    assert "IntegrationType" not in made


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"Name": ""}, "'name' failed"),
        ({"Name": "ä"}, "'name' failed"),
        ({"AwsRegion": "mars-1"}, "'awsRegion' failed"),
        ({"Tags": [{"Key": "", "Value": "v"}]}, "'tags.1.member.key' failed"),
    ],
)
def test_what_cannot_be_a_connector_is_refused(world: Any, parameters: dict[str, Any], words: str) -> None:
    given = {"Name": "c", "RequireEncryption": True, **parameters}
    voice = voice_of(world, config=UNCHECKED)
    code, message = refusal(voice, "CreateVoiceConnector", **given)
    assert (code, words in message) == ("BadRequestException", True), message


@pytest.mark.parametrize(
    ("operation", "parameters", "words"),
    [
        ("PutVoiceConnectorOrigination", {"Origination": {}}, "must have Routes or Disabled"),
        ("PutVoiceConnectorOrigination", {"Origination": {"Routes": []}}, "1 to 20 Routes"),
        ("PutVoiceConnectorOrigination", {"Origination": {"Routes": [{"Host": "h"}] * 21}}, "1 to 20 Routes"),
        ("PutVoiceConnectorTermination", {"Termination": {}}, "must have CallingRegions"),
        ("PutVoiceConnectorTermination", {"Termination": {"CallingRegions": []}}, "must have CallingRegions"),
        ("PutVoiceConnectorTermination", {"Termination": {"CallingRegions": ["USA"]}}, "ISO 3166-1"),
        (
            "PutVoiceConnectorTermination",
            {"Termination": {"CallingRegions": ["US"], "CidrAllowedList": ["10.0.0.0/33"]}},
            "CIDR",
        ),
        (
            "PutVoiceConnectorTermination",
            {"Termination": {"CallingRegions": ["US"], "CidrAllowedList": ["10.0.0.1"]}},
            "CIDR",
        ),
    ],
)
def test_what_cannot_be_a_document_is_refused(world: Any, operation: str, parameters: Any, words: str) -> None:
    voice = voice_of(world)
    code, message = refusal(voice, operation, **of(connector(voice)), **parameters)
    assert (code, words in message) == ("BadRequestException", True), message


def test_emergency_calling_is_deleted_before_origination_and_termination(world: Any) -> None:
    voice = voice_of(world)
    named = of(connector(voice))
    voice.put_voice_connector_origination(**named, Origination={"Disabled": False})
    voice.put_voice_connector_termination(**named, Termination={"CallingRegions": ["US"]})
    voice.put_voice_connector_emergency_calling_configuration(**named, EmergencyCallingConfiguration=DNIS)
    for operation in ("DeleteVoiceConnectorOrigination", "DeleteVoiceConnectorTermination"):
        code, message = refusal(voice, operation, **named)
        assert (code, "EmergencyCallingConfiguration" in message) == ("BadRequestException", True)
    assert voice.get_voice_connector_origination(**named)["Origination"] == {"Disabled": False}
    voice.delete_voice_connector_emergency_calling_configuration(**named)
    voice.delete_voice_connector_origination(**named)
    voice.delete_voice_connector_termination(**named)


def test_switching_logs_on_needs_the_actions_of_log_delivery(world: Any) -> None:
    named = of(connector(voice_of(world)))
    chime = voice_of(world, "chime")
    code, message = refusal(chime, "PutVoiceConnectorLoggingConfiguration", **named, **LOGS)
    assert (code, "logs:CreateLogDelivery" in message) == ("AccessDeniedException", True)
    chime.put_voice_connector_logging_configuration(**named, LoggingConfiguration={"EnableSIPLogs": False})
    for user in ("logger", "full"):
        voice_of(world, user).put_voice_connector_logging_configuration(**named, **LOGS)
    assert chime.get_voice_connector_logging_configuration(**named)["LoggingConfiguration"] == {"EnableSIPLogs": True}
    # Service Authorization Reference: so does the deletion, which ends the log delivery.
    code, message = refusal(chime, "DeleteVoiceConnector", **named)
    assert (code, "logs:CreateLogDelivery" in message) == ("AccessDeniedException", True)
    voice_of(world, "logger").delete_voice_connector(**named)
    chime.delete_voice_connector(**of(connector(chime)))


def test_an_integration_needs_its_own_action(world: Any) -> None:
    analyst = voice_of(world, "analyst")
    connector(analyst)
    given = {"Name": "c", "RequireEncryption": True, "IntegrationType": "CONNECT_ANALYTICS_CONNECTOR"}
    code, message = refusal(analyst, "CreateVoiceConnector", **given)
    assert (code, "chime:CreateConnectAnalyticsConnector" in message) == ("AccessDeniedException", True)
    assert connector(voice_of(world), **given)["IntegrationType"] == "CONNECT_ANALYTICS_CONNECTOR"


def test_streaming_makes_the_service_linked_role_and_keeps_it(world: Any) -> None:
    iam, admin = world.client("iam"), voice_of(world)
    made = connector(admin)
    names = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    assert ROLE not in names, "a connector alone needs no role"
    chime = voice_of(world, "chime")
    off = {"DataRetentionInHours": 1, "Disabled": True}
    chime.put_voice_connector_streaming_configuration(**of(made), StreamingConfiguration=off)
    put = {**of(made), "StreamingConfiguration": STREAM}
    code, message = refusal(chime, "PutVoiceConnectorStreamingConfiguration", **put)
    assert (code, "iam:CreateServiceLinkedRole" in message) == ("AccessDeniedException", True)
    assert admin.get_voice_connector_streaming_configuration(**of(made))["StreamingConfiguration"] == off
    voice_of(world, "streamer").put_voice_connector_streaming_configuration(**put)
    assert iam.get_role(RoleName=ROLE)["Role"]["Path"] == "/aws-service-role/voiceconnector.chime.amazonaws.com/"
    # The role is there now, so nobody needs the permission to make it.
    chime.put_voice_connector_streaming_configuration(**put)
    task = iam.delete_service_linked_role(RoleName=ROLE)["DeletionTaskId"]
    status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
    usage = [{"Region": "us-east-1", "Resources": [made["VoiceConnectorArn"]]}]
    assert (status["Status"], status["Reason"]["RoleUsageList"]) == ("FAILED", usage)
    admin.delete_voice_connector(**of(made))
    task = iam.delete_service_linked_role(RoleName=ROLE)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"


def test_an_ordinary_role_in_the_place_of_the_service_linked_one_stops_streaming(world: Any) -> None:
    world.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_TRUST))
    voice = voice_of(world)
    named = of(connector(voice))
    put = {**named, "StreamingConfiguration": STREAM}
    assert refusal(voice, "PutVoiceConnectorStreamingConfiguration", **put)[0] == "BadRequestException"
    assert refusal(voice, "GetVoiceConnectorStreamingConfiguration", **named)[0] == "NotFoundException"


def test_tags_decide_who_may_do_what(world: Any) -> None:
    blue = voice_of(world, "blue")
    given = {"Name": "c", "RequireEncryption": True}
    assert refusal(blue, "CreateVoiceConnector", **given)[0] == "AccessDeniedException"
    made = connector(blue, Tags=[{"Key": "team", "Value": "blue"}])
    red = connector(voice_of(world), Tags=[{"Key": "team", "Value": "red"}])
    assert blue.get_voice_connector(**of(made))["VoiceConnector"] == made
    assert refusal(blue, "GetVoiceConnector", **of(red))[0] == "AccessDeniedException"
    voice_of(world).tag_resource(ResourceARN=red["VoiceConnectorArn"], Tags=[{"Key": "team", "Value": "blue"}])
    assert blue.get_voice_connector(**of(red))["VoiceConnector"] == red
    voice_of(world).untag_resource(ResourceARN=red["VoiceConnectorArn"], TagKeys=["team"])
    assert refusal(blue, "DeleteVoiceConnector", **of(red))[0] == "AccessDeniedException"


def test_a_tag_of_what_takes_none_is_refused(world: Any) -> None:
    voice = voice_of(world)
    for resource, code in (
        ("media-pipeline/m", {"NotFoundException"}),
        ("voice-profile/p", {"BadRequestException"}),
        ("anything", {"BadRequestException"}),
    ):
        arn = f"arn:aws:chime:us-east-1:{ACCOUNT}:{resource}"
        assert refusal(voice, "ListTagsForResource", ResourceARN=arn)[0] in code


def test_a_snapshot_keeps_connectors(world: Any, make_world: Any) -> None:
    voice = voice_of(world)
    made = connector(voice, Tags=[{"Key": "team", "Value": "blue"}])
    voice.put_voice_connector_termination(**of(made), Termination={"CallingRegions": ["US"]})
    text = save_database(world.database, world.declared.settings)
    again = make_world(WORLD)
    load_database(again.database, text, again.clock.now_seconds(), Identifiers())
    kept = voice_of(again)
    assert kept.get_voice_connector(**of(made))["VoiceConnector"] == made
    assert kept.get_voice_connector_termination(**of(made))["Termination"]["CallingRegions"] == ["US"]
    assert kept.list_tags_for_resource(ResourceARN=made["VoiceConnectorArn"])["Tags"] == [
        {"Key": "team", "Value": "blue"}
    ]

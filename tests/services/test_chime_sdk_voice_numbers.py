"""Connector groups, SIP media applications, rules, calls, and the phone numbers that are assigned to them."""

import json

import pytest
from botocore import xform_name
from chime_calls import NOBODY, refusal
from chime_worlds import CHIME_WORLD, FIRST

SEATTLE, SECOND, DIAL_IN = "+12065550100", "+12065550101", "+12065550102"
LAMBDA = "arn:aws:lambda:us-east-1:111122223333:function:answer"
ABSENT = "abcdefghijklmnopqrstu0"


@pytest.fixture
def world(make_world):
    return make_world(CHIME_WORLD)


@pytest.fixture
def voice(world):
    client = world.client("chime-sdk-voice", "admin")
    client.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[SEATTLE, SECOND])
    client.create_phone_number_order(ProductType="SipMediaApplicationDialIn", E164PhoneNumbers=[DIAL_IN])
    world.clock.advance(5)
    return client


def connector(client, name="one"):
    return client.create_voice_connector(Name=name, RequireEncryption=True)["VoiceConnector"]


def application(client, region="us-east-1"):
    function = LAMBDA.replace("us-east-1", region)
    made = client.create_sip_media_application(AwsRegion=region, Name="app", Endpoints=[{"LambdaArn": function}])
    return made["SipMediaApplication"]


def target(app, priority=1):
    return {
        "SipMediaApplicationId": app["SipMediaApplicationId"],
        "Priority": priority,
        "AwsRegion": app["AwsRegion"],
    }


def rule_of(client, app, **more):
    given = {"Name": "rule", "TriggerType": "ToPhoneNumber", "TriggerValue": DIAL_IN, **more}
    return client.create_sip_rule(TargetApplications=[target(app)], **given)["SipRule"]


def held(client, number=SEATTLE):
    answer = client.get_phone_number(PhoneNumberId=number)["PhoneNumber"]
    return answer["Status"], {each["Name"]: each["Value"] for each in answer["Associations"]}


def test_a_group_of_connectors(world, voice):
    one, other = connector(voice), connector(voice, "other")
    items = [{"VoiceConnectorId": one["VoiceConnectorId"], "Priority": 1}]
    group = voice.create_voice_connector_group(Name="group", VoiceConnectorItems=items)["VoiceConnectorGroup"]
    named = {"VoiceConnectorGroupId": group["VoiceConnectorGroupId"]}
    assert (group["Name"], group["VoiceConnectorItems"]) == ("group", items)
    assert voice.get_voice_connector_group(**named)["VoiceConnectorGroup"] == group
    assert voice.list_voice_connector_groups()["VoiceConnectorGroups"] == [group]
    both = [*items, {"VoiceConnectorId": other["VoiceConnectorId"], "Priority": 2}]
    changed = voice.update_voice_connector_group(**named, Name="renamed", VoiceConnectorItems=both)
    assert changed["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert voice.get_voice_connector_group(**named)["VoiceConnectorGroup"] == changed["VoiceConnectorGroup"]
    # Recorded: deleting a Voice Connector in use.
    assert refusal(voice, "DeleteVoiceConnector", VoiceConnectorId=one["VoiceConnectorId"]) == (
        "BadRequestException",
        "Service received a bad request",
    )
    assert refusal(voice, "DeleteVoiceConnectorGroup", **named)[0] == "ConflictException"
    voice.update_voice_connector_group(**named, Name="empty", VoiceConnectorItems=[])
    voice.delete_voice_connector_group(**named)
    voice.delete_voice_connector(VoiceConnectorId=one["VoiceConnectorId"])
    assert refusal(voice, "GetVoiceConnectorGroup", **named)[0] == "NotFoundException"


def test_groups_that_cannot_be(world, voice):
    ids = [connector(voice, str(number))["VoiceConnectorId"] for number in range(4)]
    for items, code in (
        ([ABSENT], "NotFoundException"),
        ([ids[0], ids[0]], "BadRequestException"),
        (ids, "ResourceLimitExceededException"),
    ):
        wanted = [{"VoiceConnectorId": each, "Priority": 1} for each in items]
        assert refusal(voice, "CreateVoiceConnectorGroup", Name="group", VoiceConnectorItems=wanted)[0] == code
    stranger = world.client("chime-sdk-voice", "stranger")
    wanted = [{"VoiceConnectorId": ids[0], "Priority": 1}]
    parameters = {"Name": "group", "VoiceConnectorItems": wanted}
    assert refusal(stranger, "CreateVoiceConnectorGroup", **parameters)[0] == "NotFoundException"


def test_numbers_of_a_connector_and_a_group(world, voice):
    one = {"VoiceConnectorId": connector(voice)["VoiceConnectorId"]}
    made = voice.create_voice_connector_group(Name="group")["VoiceConnectorGroup"]
    group = {"VoiceConnectorGroupId": made["VoiceConnectorGroupId"]}
    unknown = "+12065550142"
    answer = voice.associate_phone_numbers_with_voice_connector(**one, E164PhoneNumbers=[SEATTLE, DIAL_IN, unknown])
    errors = [(each["PhoneNumberId"], each["ErrorCode"]) for each in answer["PhoneNumberErrors"]]
    assert errors == [(DIAL_IN, "BadRequest"), (unknown, "NotFound")]
    assert held(voice) == ("Assigned", one)
    listed = voice.list_phone_numbers(FilterName="VoiceConnectorId", FilterValue=one["VoiceConnectorId"])[
        "PhoneNumbers"
    ]
    assert [each["E164PhoneNumber"] for each in listed] == [SEATTLE]
    moving = voice.associate_phone_numbers_with_voice_connector_group
    [error] = moving(**group, E164PhoneNumbers=[SEATTLE])["PhoneNumberErrors"]
    assert error["ErrorCode"] == "Conflict"
    assert held(voice) == ("Assigned", one)
    assert refusal(voice, "DeleteVoiceConnector", **one)[0] == "BadRequestException"
    assert moving(**group, E164PhoneNumbers=[SEATTLE], ForceAssociate=True)["PhoneNumberErrors"] == []
    assert held(voice) == ("Assigned", group)
    assert refusal(voice, "DeleteVoiceConnectorGroup", **group)[0] == "ConflictException"
    leaving = voice.disassociate_phone_numbers_from_voice_connector
    [error] = leaving(**one, E164PhoneNumbers=[SEATTLE])["PhoneNumberErrors"]
    assert error["ErrorCode"] == "NotFound"
    voice.disassociate_phone_numbers_from_voice_connector_group(**group, E164PhoneNumbers=[SEATTLE])
    assert held(voice) == ("Unassigned", {})
    voice.delete_voice_connector_group(**group)
    voice.delete_voice_connector(**one)
    for operation in ("Associate", "Disassociate"):
        joined = "With" if operation == "Associate" else "From"
        name = f"{operation}PhoneNumbers{joined}VoiceConnector"
        assert refusal(voice, name, **one, E164PhoneNumbers=[SEATTLE])[0] == "NotFoundException"


def test_a_rule_takes_a_number_until_it_is_deleted(world, voice):
    app = application(voice)
    rule = rule_of(voice, app)
    named = {"SipRuleId": rule["SipRuleId"]}
    assert held(voice, DIAL_IN) == ("Assigned", named)
    assert rule["TargetApplications"] == [target(app)]
    assert voice.get_sip_rule(**named)["SipRule"] == rule
    application_id = {"SipMediaApplicationId": app["SipMediaApplicationId"]}
    assert voice.list_sip_rules(**application_id)["SipRules"] == voice.list_sip_rules()["SipRules"] == [rule]
    assert voice.list_sip_rules(SipMediaApplicationId=NOBODY)["SipRules"] == []
    assert refusal(voice, "DeleteSipRule", **named)[0] == "ConflictException"
    assert refusal(voice, "DeleteSipMediaApplication", **application_id)[0] == "ConflictException"
    changed = voice.update_sip_rule(**named, Name="renamed", Disabled=True)
    assert changed["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert voice.get_sip_rule(**named)["SipRule"] == changed["SipRule"]
    assert (changed["SipRule"]["Name"], changed["SipRule"]["Disabled"]) == ("renamed", True)
    assert changed["SipRule"]["TargetApplications"] == [target(app)]
    voice.delete_sip_rule(**named)
    assert held(voice, DIAL_IN) == ("Unassigned", {})
    assert refusal(voice, "GetSipRule", **named)[0] == "NotFoundException"
    voice.delete_sip_media_application(**application_id)


def test_a_rule_on_a_connectors_host_name(world, voice):
    one, app = connector(voice), application(voice)
    host = {"TriggerType": "RequestUriHostname", "TriggerValue": one["OutboundHostName"]}
    rule_of(voice, app, **host, Disabled=True)
    parameters = {"Name": "second", **host, "TargetApplications": [target(app)]}
    assert refusal(voice, "CreateSipRule", **parameters)[0] == "ConflictException"
    assert refusal(voice, "DeleteVoiceConnector", VoiceConnectorId=one["VoiceConnectorId"])[0] == "BadRequestException"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"TriggerValue": SEATTLE}, "BadRequestException"),
        ({"TriggerValue": "+12065550142"}, "BadRequestException"),
        ({"TriggerType": "RequestUriHostname", "TriggerValue": "other.example.com"}, "BadRequestException"),
        ({"targets": [(NOBODY, "us-east-1")]}, "BadRequestException"),
        ({"targets": [("", "us-west-2")]}, "BadRequestException"),
        ({"targets": [("", "us-east-1"), ("", "us-east-1")]}, "BadRequestException"),
    ],
    ids=str,
)
def test_rules_that_cannot_be(world, voice, more, code):
    app = application(voice)
    targets = [
        {"SipMediaApplicationId": given or app["SipMediaApplicationId"], "Priority": number, "AwsRegion": region}
        for number, (given, region) in enumerate(more.pop("targets", [("", "us-east-1")]), start=1)
    ]
    given = {"Name": "rule", "TriggerType": "ToPhoneNumber", "TriggerValue": DIAL_IN, "TargetApplications": targets}
    assert refusal(voice, "CreateSipRule", **{**given, **more})[0] == code
    assert voice.list_sip_rules()["SipRules"] == []
    assert held(voice, DIAL_IN) == ("Unassigned", {})


def test_an_application_and_its_calls(world, voice):
    app = application(voice)
    named = {"SipMediaApplicationId": app["SipMediaApplicationId"]}
    made = {**named, "FromPhoneNumber": SEATTLE, "ToPhoneNumber": "+12065550142"}
    answer = voice.create_sip_media_application_call(**made, ArgumentsMap={"a": "b"})
    transaction = answer["SipMediaApplicationCall"]
    updated = voice.update_sip_media_application_call(**named, **transaction, Arguments={"c": "d"})
    assert updated["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert updated["SipMediaApplicationCall"] == transaction
    for wrong in ({"FromPhoneNumber": "+12065550142"}, {"SipMediaApplicationId": NOBODY}):
        assert refusal(voice, "CreateSipMediaApplicationCall", **{**made, **wrong})[0] == "BadRequestException"
    updating = "UpdateSipMediaApplicationCall"
    assert refusal(voice, updating, **named, TransactionId=NOBODY, Arguments={})[0] == "NotFoundException"
    other = {"SipMediaApplicationId": application(voice)["SipMediaApplicationId"]}
    assert refusal(voice, updating, **other, **transaction, Arguments={})[0] == "NotFoundException"
    world.clock.advance(24 * 3600)
    assert refusal(voice, updating, **named, **transaction, Arguments={})[0] == "NotFoundException"
    parameters = {"AwsRegion": "eu-central-1", "Name": "app", "Endpoints": [{"LambdaArn": LAMBDA}]}
    assert refusal(voice, "CreateSipMediaApplication", **parameters)[0] == "BadRequestException"


def test_the_function_of_an_application_is_in_its_region(voice):
    """API reference, SipMediaApplicationEndpoint: the function must be created in the Region of the application."""
    elsewhere = [{"LambdaArn": LAMBDA}]
    refused = refusal(voice, "CreateSipMediaApplication", AwsRegion="us-west-2", Name="app", Endpoints=elsewhere)
    assert (refused[0], "us-west-2" in refused[1]) == ("BadRequestException", True)
    named = {"SipMediaApplicationId": application(voice, "us-west-2")["SipMediaApplicationId"]}
    assert refusal(voice, "UpdateSipMediaApplication", **named, Endpoints=elsewhere)[0] == "BadRequestException"
    found = voice.get_sip_media_application(**named)["SipMediaApplication"]["Endpoints"]
    assert found == [{"LambdaArn": LAMBDA.replace("us-east-1", "us-west-2")}]


def test_credentials_of_a_connectors_termination(world, voice):
    one = {"VoiceConnectorId": connector(voice)["VoiceConnectorId"]}
    other = {"VoiceConnectorId": connector(voice)["VoiceConnectorId"]}
    credentials = [{"Username": name, "Password": "secret"} for name in ("ben", "ana")]
    for each in (one, other):
        voice.put_voice_connector_termination_credentials(**each, Credentials=credentials)
    voice.put_voice_connector_termination_credentials(**one, Credentials=[{"Username": "ana", "Password": "new"}])
    listing = voice.list_voice_connector_termination_credentials
    assert listing(**one)["Usernames"] == ["ana", "ben"]
    voice.delete_voice_connector_termination_credentials(**one, Usernames=["ben", "unknown"])
    assert (listing(**one)["Usernames"], listing(**other)["Usernames"]) == (["ana"], ["ana", "ben"])
    putting = "PutVoiceConnectorTerminationCredentials"
    for wrong in ([], [{"Username": "ana"}], [{"Password": "secret"}]):
        assert refusal(voice, putting, **one, Credentials=wrong)[0] == "BadRequestException"
    assert refusal(voice, "GetVoiceConnectorTerminationHealth", **one)[0] == "NotFoundException"
    termination = {"CallingRegions": ["US"], "CidrAllowedList": ["10.24.34.0/23"]}
    voice.put_voice_connector_termination(**one, Termination=termination)
    assert voice.get_voice_connector_termination_health(**one)["TerminationHealth"] == {}


def test_external_systems_of_a_connector(world, voice):
    one = {"VoiceConnectorId": connector(voice)["VoiceConnectorId"]}
    getting = "GetVoiceConnectorExternalSystemsConfiguration"
    assert refusal(voice, getting, **one)[0] == "NotFoundException"
    for systems in ({"SessionBorderControllerTypes": ["RIBBON_SBC"]}, {"ContactCenterSystemTypes": []}):
        put = voice.put_voice_connector_external_systems_configuration(**one, **systems)
        assert put["ExternalSystemsConfiguration"] == systems
        read = voice.get_voice_connector_external_systems_configuration(**one)
        assert read["ExternalSystemsConfiguration"] == systems
    voice.delete_voice_connector_external_systems_configuration(**one)
    assert refusal(voice, getting, **one)[0] == "NotFoundException"


def test_another_account_finds_none_of_these(world, voice):
    app = application(voice)
    group = voice.create_voice_connector_group(Name="group")["VoiceConnectorGroup"]
    found = {
        "GetSipMediaApplication": {"SipMediaApplicationId": app["SipMediaApplicationId"]},
        "DeleteSipMediaApplication": {"SipMediaApplicationId": app["SipMediaApplicationId"]},
        "GetVoiceConnectorGroup": {"VoiceConnectorGroupId": group["VoiceConnectorGroupId"]},
        "DeleteVoiceConnectorGroup": {"VoiceConnectorGroupId": group["VoiceConnectorGroupId"]},
        "GetSipRule": {"SipRuleId": rule_of(voice, app)["SipRuleId"]},
    }
    stranger, limited = (world.client("chime-sdk-voice", name) for name in ("stranger", "limited"))
    for operation, named in found.items():
        assert refusal(stranger, operation, **named)[0] == "NotFoundException"
        with pytest.raises(limited.exceptions.ClientError, match=f"chime:{operation}"):
            getattr(limited, xform_name(operation))(**named)
    assert app["SipMediaApplicationArn"] == f"arn:aws:chime:us-east-1:{FIRST}:sma/{app['SipMediaApplicationId']}"


def test_domains_of_voice_profiles(world):
    voice = world.client("chime-sdk-voice", "admin")
    key = {"KmsKeyArn": f"arn:aws:kms:us-east-1:{FIRST}:key/one"}
    wanted = {"Name": "domain", "ServerSideEncryptionConfiguration": key}
    made = voice.create_voice_profile_domain(**wanted, ClientRequestToken="token-1")["VoiceProfileDomain"]
    assert voice.create_voice_profile_domain(**wanted, ClientRequestToken="token-1")["VoiceProfileDomain"] == made
    elsewhere = {"KmsKeyArn": f"arn:aws:kms:us-east-1:{FIRST}:key/two"}
    parameters = {**wanted, "ServerSideEncryptionConfiguration": elsewhere, "ClientRequestToken": "token-1"}
    assert refusal(voice, "CreateVoiceProfileDomain", **parameters)[0] == "ConflictException"
    other = voice.create_voice_profile_domain(**wanted)["VoiceProfileDomain"]
    listed = voice.list_voice_profile_domains()["VoiceProfileDomains"]
    summaries = [
        {name: value for name, value in each.items() if name != "ServerSideEncryptionConfiguration"}
        for each in (made, other)
    ]
    assert sorted(listed, key=str) == sorted(summaries, key=str)
    wrong = {"KmsKeyArn": f"arn:aws:iam::{FIRST}:user/admin"}
    parameters = {"Name": "domain", "ServerSideEncryptionConfiguration": wrong}
    assert refusal(voice, "CreateVoiceProfileDomain", **parameters)[0] == "BadRequestException"
    deny = {"Effect": "Deny", "Action": "kms:CreateGrant", "Resource": key["KmsKeyArn"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    world.client("iam").put_user_policy(UserName="admin", PolicyName="no-grants", PolicyDocument=policy)
    with pytest.raises(voice.exceptions.ClientError, match="kms:CreateGrant"):
        voice.create_voice_profile_domain(**wanted)

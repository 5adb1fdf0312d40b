"""Operations that are not emulated, through real clients: authorised on the resource that they name."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sts_calls
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
IAM = f"arn:aws:iam::{ACCOUNT}"
CHIME = f"arn:aws:chime:us-east-1:{ACCOUNT}"
UNCHECKED = Config(parameter_validation=False)
CERTIFICATE = {"CertificateBody": "c", "PrivateKey": "k"}


def statement(effect: str, action: str | list[str], resource: str | list[str], **condition: Any) -> dict[str, Any]:
    conditions = {"Condition": {"StringEquals": condition}} if condition else {}
    return {"Effect": effect, "Action": action, "Resource": resource, **conditions}


POLICIES = {
    "team_keys": [statement("Allow", "iam:*SSHPublicKey*", f"{IAM}:user/team/*")],
    "tagged_keys": [statement("Allow", "iam:*SSHPublicKey*", "*", **{"iam:ResourceTag/team": "blue"})],
    "own_keys": [statement("Allow", "iam:ListSSHPublicKeys", f"{IAM}:user/${{aws:username}}")],
    "credentials": [
        statement(
            "Allow",
            "iam:CreateServiceSpecificCredential",
            "*",
            **{"iam:ServiceSpecificCredentialServiceName": "codecommit.amazonaws.com"},
        )
    ],
    "no_connectors": [
        statement("Allow", "chime:*", "*"),
        statement("Deny", "chime:DeleteVoiceConnector", f"{CHIME}:vc/*"),
    ],
    "one_connector": [statement("Allow", "chime:*", f"{CHIME}:vc/abcdef1ghij2klmno3pqr4")],
    "bearer_alone": [statement("Allow", "chime:*", f"{CHIME}:app-instance/i/user/u")],
    "bearer_and_channel": [
        statement("Allow", "chime:*", [f"{CHIME}:app-instance/i/user/u", f"{CHIME}:app-instance/i/channel/*"])
    ],
    "domains": [
        statement("Allow", ["chime:CreateVoiceProfileDomain", "kms:CreateGrant", "kms:DescribeKey"], "*"),
    ],
    "tagged_domains": [
        statement(
            "Allow",
            ["chime:CreateVoiceProfileDomain", "chime:TagResource", "kms:CreateGrant", "kms:DescribeKey"],
            "*",
        ),
    ],
    "meetings": [statement("Allow", "chime:CreateMeeting", f"{CHIME}:meeting/*")],
}


def user(name: str) -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": POLICIES[name]}
    key = {"id": f"{name}_key", "secret": f"{name}-secret"}
    return {"name": name, "access_keys": [key], "inline_policies": {"own": policy}}


@pytest.fixture(scope="module")
def world(make_shared_world: Any) -> Any:
    ana = {"name": "ana", "path": "/team/", "tags": {"team": "blue"}}
    account = {"id": ACCOUNT, "users": [*(user(name) for name in POLICIES), ana, {"name": "bob"}]}
    return make_shared_world(json.dumps({"version": 1, "accounts": [account, {"id": "444455556666"}]}))


def outcome(world: Any, service: str, caller: str, method: str, **parameters: Any) -> tuple[int, str]:
    endpoint = {}
    if service.startswith("chime-sdk-"):
        endpoint = {"endpoint_url": f"http://{service.removeprefix('chime-sdk-')}-chime.rolecall.localhost"}
    client = world.client(service, caller, config=UNCHECKED, **endpoint)
    try:
        answer = getattr(client, method)(**parameters)
    except ClientError as error:
        answer = error.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("Error", {}).get("Message", "")


BUILT = 200
NOT_BUILT = 501
REFUSED = 403
# Allowed and built: there is no such connector.
ABSENT = 404
CONNECTOR_ID = "abcdef1ghij2klmno3pqr4"
CONNECTOR, OTHER_CONNECTOR = {"VoiceConnectorId": CONNECTOR_ID}, {"VoiceConnectorId": "abcdef1ghij2klmno3pqr5"}
BLUE = [{"Key": "team", "Value": "blue"}]
DOMAIN = {
    "Name": "callers",
    "ServerSideEncryptionConfiguration": {"KmsKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"},
}
CHANNEL = {"ChannelArn": f"{CHIME}:app-instance/i/channel/c", "ChimeBearer": f"{CHIME}:app-instance/i/user/u"}


@pytest.mark.parametrize(
    ("service", "caller", "method", "parameters", "status"),
    [
        ("iam", "team_keys", "list_ssh_public_keys", {"UserName": "ana"}, BUILT),
        ("iam", "team_keys", "list_ssh_public_keys", {"UserName": "ANA"}, BUILT),
        ("iam", "team_keys", "list_ssh_public_keys", {"UserName": "bob"}, REFUSED),
        ("iam", "team_keys", "list_ssh_public_keys", {"UserName": "nobody"}, REFUSED),
        ("iam", "tagged_keys", "list_ssh_public_keys", {"UserName": "ana"}, BUILT),
        ("iam", "tagged_keys", "list_ssh_public_keys", {"UserName": "bob"}, REFUSED),
        ("iam", "own_keys", "list_ssh_public_keys", {}, BUILT),
        ("iam", "own_keys", "list_ssh_public_keys", {"UserName": "own_keys"}, BUILT),
        ("iam", "own_keys", "list_ssh_public_keys", {"UserName": "bob"}, REFUSED),
        (
            "iam",
            "credentials",
            "create_service_specific_credential",
            {"UserName": "bob", "ServiceName": "codecommit.amazonaws.com"},
            BUILT,
        ),
        (
            "iam",
            "credentials",
            "create_service_specific_credential",
            {"UserName": "bob", "ServiceName": "cassandra.amazonaws.com"},
            REFUSED,
        ),
        (
            "chime-sdk-voice",
            "no_connectors",
            "delete_voice_connector",
            CONNECTOR,
            REFUSED,
        ),
        (
            "chime-sdk-voice",
            "no_connectors",
            "get_voice_connector",
            CONNECTOR,
            ABSENT,
        ),
        (
            "chime-sdk-voice",
            "one_connector",
            "delete_voice_connector",
            CONNECTOR,
            ABSENT,
        ),
        (
            "chime-sdk-voice",
            "one_connector",
            "delete_voice_connector",
            OTHER_CONNECTOR,
            REFUSED,
        ),
        ("chime-sdk-voice", "one_connector", "list_voice_connectors", {}, REFUSED),
        # The reference lists chime:TagResource as a dependent action of this one.
        ("chime-sdk-voice", "domains", "create_voice_profile_domain", DOMAIN, 201),
        ("chime-sdk-voice", "domains", "create_voice_profile_domain", {**DOMAIN, "Tags": BLUE}, REFUSED),
        ("chime-sdk-voice", "tagged_domains", "create_voice_profile_domain", {**DOMAIN, "Tags": BLUE}, 201),
        ("chime-sdk-messaging", "bearer_alone", "describe_channel", CHANNEL, REFUSED),
        ("chime-sdk-messaging", "bearer_and_channel", "describe_channel", CHANNEL, 404),
        (
            "chime-sdk-meetings",
            "meetings",
            "create_meeting",
            {"ClientRequestToken": "t" * 8, "MediaRegion": "us-east-1", "ExternalMeetingId": "e1"},
            BUILT,
        ),
    ],
)
def test_an_operation_is_authorised_on_its_resource_even_when_it_is_not_built(
    world: Any, service: str, caller: str, method: str, parameters: dict[str, Any], status: int
) -> None:
    assert outcome(world, service, caller, method, **parameters)[0] == status


def test_a_refusal_names_the_resource(world: Any) -> None:
    message = outcome(world, "chime-sdk-voice", "no_connectors", "delete_voice_connector", **CONNECTOR)[1]
    assert message.startswith(
        f"User: {IAM}:user/no_connectors is not authorized to perform: chime:DeleteVoiceConnector on resource: "
        f"{CHIME}:vc/{CONNECTOR_ID} with an explicit deny in an identity-based policy"
    )


def test_a_resource_of_another_account_is_refused(world: Any) -> None:
    arn = "arn:aws:chime:us-east-1:444455556666:vc/abcdef1ghij2klmno3pqr4"
    tags = [{"Key": "a", "Value": "b"}]
    status, message = outcome(world, "chime-sdk-voice", "no_connectors", "tag_resource", ResourceARN=arn, Tags=tags)
    assert (status, "on resource: " + arn in message) == (REFUSED, True)


def test_a_policy_learns_nothing_about_another_accounts_resources(make_world: Any) -> None:
    """Else the author of the policy could guess names and values of tags until one fits."""
    condition = {"Null": {"aws:ResourceTag/owner": "false"}}
    bob = sts_calls.user("bob", sts_calls.allow("*", Condition=condition))
    world = make_world(sts_calls.declared(sts_calls.account(), sts_calls.account(sts_calls.OTHER, users=[bob])))
    admin, iam = world.client("iam"), world.client("iam", "bob")
    tags = [{"Key": "owner", "Value": "ana"}]
    provider = admin.create_open_id_connect_provider(Url="https://idp.example.com", Tags=tags)
    document = json.dumps(sts_calls.allow("*"))
    wanted = {
        "GetOpenIDConnectProvider": {"OpenIDConnectProviderArn": provider["OpenIDConnectProviderArn"]},
        "GetPolicy": {
            "PolicyArn": admin.create_policy(PolicyName="p", PolicyDocument=document, Tags=tags)["Policy"]["Arn"]
        },
    }
    for operation, named in wanted.items():
        status, code, message = sts_calls.refusal(iam, operation, **named)
        assert (status, code) == (403, "AccessDenied")
        # The same as for a resource that is not there.
        assert "because no identity-based policy allows" in message

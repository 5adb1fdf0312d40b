"""Federated callers and their sessions in CloudTrail's records, as in the examples of the IAM User Guide."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from saml_calls import ACCOUNT, PROVIDER, ROLE, assume, idp, world_text
from sts_calls import allow, role, role_arn
from web_identity_calls import (
    AUDIENCE,
    COGNITO,
    GOOGLE,
    ISSUER,
    SUBJECT,
    federated,
    federation_world,
    provider_arn,
    request,
    token,
)
from world_handle import WorldHandle

from rolecall.app import application_over, decision_log
from rolecall.call_log.cloudtrail import cloudtrail_records
from rolecall.storage.decision_log import CallFilter


def keep_log(world: Any) -> Any:
    log = decision_log("sqlite://", world.clock)
    world.application = application_over(world.database, world.declared, world.clock, decisions=log)
    return log


def newest(log: Any) -> dict[str, Any]:
    [record] = cloudtrail_records(log.calls(CallFilter(limit=1))[0])
    return record


def test_a_saml_user_is_named_by_the_qualifier_of_its_subject(make_world: Any) -> None:
    world = make_world(world_text())
    world.client("iam").create_saml_provider(Name="idp", SAMLMetadataDocument=idp().metadata)
    log = keep_log(world)
    answer = assume(world, idp().response(world.clock.now_seconds()))
    record = newest(log)
    assert record["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": f"{answer['NameQualifier']}:{answer['Subject']}",
        "userName": answer["Subject"],
        "identityProvider": answer["NameQualifier"],
    }
    assert (record["recipientAccountId"], record["readOnly"]) == (ACCOUNT, True)
    assert record["resources"] == [
        {"ARN": ROLE, "accountId": ACCOUNT, "type": "AWS::IAM::Role"},
        {"ARN": PROVIDER, "accountId": ACCOUNT, "type": "AWS::IAM::SAMLProvider"},
    ]
    assert record["requestParameters"] == {"roleArn": ROLE, "principalArn": PROVIDER}
    told = record["responseElements"]
    assert (told["subject"], told["issuer"]) == (answer["Subject"], answer["Issuer"])
    assert answer["Credentials"]["SessionToken"] not in str(record)
    log.close()


OF_POOL = {"StringEquals": {f"{COGNITO}:aud": "us-east-1:pool"}}


@pytest.fixture
def federation(tmp_path: Path) -> Any:
    world = WorldHandle(
        federation_world(
            tmp_path,
            role("google", federated(GOOGLE), allow("sts:*")),
            role("cognito", federated(COGNITO, Condition=OF_POOL), allow("sts:*")),
        )
    )
    yield world
    world.close()


def session_data(world: Any, log: Any, role_name: str, text: str) -> dict[str, Any]:
    """``webIdFederationData`` of a call with the session that the token gives."""
    credentials = world.client("sts").assume_role_with_web_identity(**request(role_name, text))["Credentials"]
    world.client("sts", credentials=credentials).get_caller_identity()
    found: dict[str, Any] = newest(log)["userIdentity"]["sessionContext"]["webIdFederationData"]
    return found


def test_a_web_identity_user_is_named_by_provider_audience_and_subject(federation: Any) -> None:
    log = keep_log(federation)
    federation.client("sts").assume_role_with_web_identity(**request())
    record = newest(log)
    assert record["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{provider_arn()}:{AUDIENCE}:{SUBJECT}",
        "userName": SUBJECT,
        "identityProvider": provider_arn(),
    }
    assert record["recipientAccountId"] == ACCOUNT
    log.close()


def test_application_and_user_of_a_built_in_provider_are_recorded(federation: Any) -> None:
    log = keep_log(federation)
    assert session_data(federation, log, "google", token(iss=f"https://{GOOGLE}", aud="app", azp="app")) == {
        "federatedProvider": GOOGLE,
        "attributes": {f"{GOOGLE}:aud": "app", f"{GOOGLE}:sub": SUBJECT},
    }
    text = token(iss=f"https://{COGNITO}", aud="us-east-1:pool", amr=["unauthenticated"])
    assert session_data(federation, log, "cognito", text) == {
        "federatedProvider": COGNITO,
        "attributes": {
            f"{COGNITO}:amr": '["unauthenticated"]',
            f"{COGNITO}:aud": "us-east-1:pool",
            f"{COGNITO}:sub": SUBJECT,
        },
    }
    log.close()


def test_a_provider_of_the_account_has_no_attributes(federation: Any) -> None:
    log = keep_log(federation)
    assert session_data(federation, log, "open", token()) == {
        "federatedProvider": provider_arn(),
        "attributes": {},
    }
    log.close()


def test_a_caller_with_a_refused_token_is_a_web_identity_user_without_a_name(federation: Any) -> None:
    log = keep_log(federation)
    with pytest.raises(ClientError):
        federation.client("sts").assume_role_with_web_identity(**request(text=token(iss=f"{ISSUER}/other")))
    record = newest(log)
    assert record["userIdentity"] == {"type": "WebIdentityUser"}
    assert record["errorCode"] == "InvalidIdentityTokenException"
    # The role's account has the record, for any caller.
    assert record["recipientAccountId"] == ACCOUNT
    assert record["requestParameters"] == {"roleArn": role_arn("open"), "roleSessionName": "session"}
    log.close()


# Types of resources in CloudTrail's records: the names of CloudFormation.
@pytest.mark.parametrize(
    ("operation", "parameters", "resource", "kind"),
    [
        ("get_user", {"UserName": "u"}, "user/u", "AWS::IAM::User"),
        ("get_role", {"RoleName": "r"}, "role/r", "AWS::IAM::Role"),
        ("get_group", {"GroupName": "g"}, "group/g", "AWS::IAM::Group"),
        ("get_policy", {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/p"}, "policy/p", "AWS::IAM::ManagedPolicy"),
        ("get_saml_provider", {"SAMLProviderArn": PROVIDER}, "saml-provider/idp", "AWS::IAM::SAMLProvider"),
        (
            "get_open_id_connect_provider",
            {"OpenIDConnectProviderArn": provider_arn()},
            "oidc-provider/idp.example.com/tenant",
            "AWS::IAM::OIDCProvider",
        ),
    ],
)
def test_a_resource_has_its_type(
    federation: Any, operation: str, parameters: dict[str, str], resource: str, kind: str
) -> None:
    log = keep_log(federation)
    # A missing resource has a type, too.
    with suppress(ClientError):
        getattr(federation.client("iam"), operation)(**parameters)
    expected = {"ARN": f"arn:aws:iam::{ACCOUNT}:{resource}", "accountId": ACCOUNT, "type": kind}
    assert newest(log)["resources"] == [expected]
    log.close()

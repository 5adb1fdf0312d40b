"""Tokens of AWS across partitions: a role of another partition accepts them, a role of the same partition does not."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from sts_calls import ACCOUNT, OTHER, account, allow, answered, declared, refusal, role, role_arn, root_arn, trust
from test_sts_cloudtrail import keep_log, newest
from web_identity_calls import federated, provider_arn, token

OPERATION = "AssumeRoleWithWebIdentity"
CHINA = {"partitions": {OTHER: "aws-cn"}}
REFUSED = (400, "InvalidIdentityToken")


@pytest.fixture
def made(make_world: Any) -> Any:
    """A world whose second account stands for one of another partition, and trusts the first account's issuer."""

    def make(settings: Any = CHINA, client_ids: Any = ("api",)) -> Any:
        foreign = role("foreign", trust(root_arn(ACCOUNT)), allow("*"))
        world = make_world(declared(account(), account(OTHER, roles=[foreign]), settings=settings))
        world.issuer = world.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
        trust_issuer(world, "other_admin", OTHER, client_ids)
        return world

    return make


def trust_issuer(world: Any, user: str, account_id: str, client_ids: Any = ("api",)) -> None:
    iam = world.client("iam", user)
    iam.create_open_id_connect_provider(Url=world.issuer, ClientIDList=list(client_ids))
    document = json.dumps(federated(provider_arn(world.issuer[8:], account_id)))
    iam.create_role(RoleName="partner", AssumeRolePolicyDocument=document)


def issued(world: Any, user: str = "admin", **parameters: Any) -> str:
    asked = {"Audience": ["api"], "SigningAlgorithm": "ES384", **parameters}
    return world.client("sts", user, region="eu-west-1").get_web_identity_token(**asked)["WebIdentityToken"]  # type: ignore[no-any-return]


def asked(text: str, account_id: str = OTHER) -> dict[str, str]:
    return {"RoleArn": role_arn("partner", account_id), "RoleSessionName": "session", "WebIdentityToken": text}


def test_a_role_of_another_partition_accepts_it(made: Any) -> None:
    world = made()
    answer = world.client("sts").assume_role_with_web_identity(**asked(issued(world)))
    assert answer["SubjectFromWebIdentityToken"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert answer["Provider"] == provider_arn(world.issuer[8:], OTHER)


def test_a_role_of_its_own_account_does_not(made: Any) -> None:
    world = made()
    trust_issuer(world, "admin", ACCOUNT)
    assert answered(world.client("sts"), OPERATION, **asked(issued(world), ACCOUNT))[:2] == REFUSED


@pytest.mark.parametrize(
    "settings",
    [{}, {"partitions": {OTHER: "aws"}}, {"partitions": {ACCOUNT: "aws-us-gov", OTHER: "aws-us-gov"}}],
)
def test_a_role_of_another_account_of_the_partition_does_not(made: Any, settings: dict[str, Any]) -> None:
    world = made(settings)
    assert answered(world.client("sts"), OPERATION, **asked(issued(world)))[:2] == REFUSED


@pytest.mark.parametrize("partitions", [{OTHER: "aws-eusc"}, {ACCOUNT: "aws-cn", OTHER: "aws-us-gov"}])
def test_every_pair_of_partitions(made: Any, partitions: dict[str, str]) -> None:
    world = made({"partitions": partitions})
    assert answered(world.client("sts"), OPERATION, **asked(issued(world))) == "allowed"


def test_a_token_with_several_audiences_does_not_serve(made: Any) -> None:
    world = made(client_ids=("api", "other"))
    assert answered(world.client("sts"), OPERATION, **asked(issued(world, Audience=["api", "other"])))[:2] == REFUSED
    assert answered(world.client("sts"), OPERATION, **asked(issued(world, Audience=["other"]))) == "allowed"


def test_a_forged_account_in_the_token_is_no_help(made: Any) -> None:
    world = made({})
    head, _, seal = issued(world).split(".")
    said = jwt.decode(issued(world), options={"verify_signature": False})
    said["https://sts.amazonaws.com/"]["aws_account"] = "999999999999"
    forged = jwt.encode(said, "k" * 32).split(".")[1]
    assert answered(world.client("sts"), OPERATION, **asked(f"{head}.{forged}.{seal}"))[:2] == REFUSED


def test_roles_are_not_assumed_across_partitions(made: Any) -> None:
    """ "Direct role assumption with the AssumeRole API doesn't work across partition boundaries." """
    wanted = {"RoleArn": role_arn("foreign", OTHER), "RoleSessionName": "session"}
    assert answered(made({}).client("sts"), "AssumeRole", **wanted) == "allowed"
    status, code, message = refusal(made().client("sts"), "AssumeRole", **wanted)
    assert (status, code) == (403, "AccessDenied")
    assert "no role trust policy allows the sts:AssumeRole action" in message


def test_a_token_of_another_issuer_is_not_recorded_by_its_id(made: Any) -> None:
    world = made()
    log = keep_log(world)
    answered(world.client("sts"), OPERATION, **asked(token(jti="token-1")))
    record = newest(log)
    assert "token-1" not in json.dumps(record)
    assert "crossPartitionData" not in record["additionalEventData"]


def test_what_cloudtrail_shows_of_both_calls(made: Any) -> None:
    """IAM User Guide, Auditing cross-partition identity federation."""
    world = made()
    log = keep_log(world)
    text = issued(world)
    token_id = jwt.decode(text, options={"verify_signature": False})["jti"]
    source = newest(log)
    assert source["responseElements"]["webIdentityTokenId"] == token_id
    assert text not in json.dumps(source)
    world.client("sts").assume_role_with_web_identity(**asked(text))
    destination = newest(log)
    assert destination["requestParameters"]["webIdentityTokenId"] == token_id
    assert destination["additionalEventData"]["crossPartitionData"] == {
        "sourcePrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/admin",
        "sourceRegion": "eu-west-1",
    }
    assert text not in json.dumps(destination)

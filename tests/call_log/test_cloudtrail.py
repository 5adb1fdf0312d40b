"""The decision log in CloudTrail's record format: over HTTP, member by member, for every kind of caller."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from logged_worlds import keep_log, refused, request_id

from rolecall.call_log.cloudtrail import cloudtrail_record, is_read_only
from rolecall.call_log.writer import DecisionLog
from rolecall.storage.decision_log import CallFilter

# CloudTrail User Guide, CloudTrail record contents: the members of every management event.
ALWAYS = {
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
}
SOMETIMES = {"errorCode", "errorMessage", "resources", "sharedEventID"}
DEVELOPER = "arn:aws:iam::111122223333:user/developer"
OTHER_ROLE = "chime-partner"
EXTERNAL_ID = "partner-id"
SESSION_POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"chime:List*","Resource":"*"}]}'
READER = "arn:aws:iam::111122223333:role/chime-reader"
_ADMIN = {
    "name": "admin",
    "access_keys": [{"id": "admin_key", "secret": "admin-secret"}],
    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
}
ROOT_SESSIONS = json.dumps(
    {
        "version": 1,
        "organization": {"id": "o-example1234", "features": ["RootSessions"]},
        "accounts": [{"id": "111122223333", "users": [_ADMIN]}, {"id": "444455556666"}],
    }
)
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "111122223333"},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
        }
    ],
}


@pytest.fixture
def log(world: Any) -> Iterator[DecisionLog]:
    kept = keep_log(world)
    yield kept
    kept.close()


def records(world: Any, **parameters: Any) -> list[dict[str, Any]]:
    """The endpoint's records, newest first, as a reader of trails gets them."""
    answer = world.application.test_client().get(
        "/_rolecall/decisions", query_string={"format": "cloudtrail", **parameters}
    )
    assert (answer.status_code, answer.content_type) == (200, "application/x-ndjson")
    assert answer.text.endswith("\n") or not answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def newest(world: Any) -> dict[str, Any]:
    found = records(world, limit=1)
    return found[0]


def test_every_record_has_the_members_of_aws(world: Any, log: DecisionLog) -> None:
    sts = world.client("sts")
    made = request_id(sts.get_caller_identity())
    refused(sts.assume_role, RoleArn=READER + "-gone", RoleSessionName="abc")
    refused(world.client("sts", keys=("nobody_key", "secret")).get_caller_identity)
    world.client("chime", credentials=world.assume("chime-reader")).list_accounts()
    found = records(world)
    assert len(found) == 5
    for record in found:
        assert set(record) >= ALWAYS
        assert set(record) <= ALWAYS | SOMETIMES
        assert record["eventVersion"] == "1.11"
        assert (record["eventType"], record["managementEvent"], record["eventCategory"]) == (
            "AwsApiCall",
            True,
            "Management",
        )
        assert uuid.UUID(record["eventID"]).version == 5
    assert len({record["eventID"] for record in found}) == 5
    assert found[-1]["requestID"] == made
    assert records(world) == found


def test_a_user(world: Any, log: DecisionLog) -> None:
    user_id = world.client("iam").get_user(UserName="developer")["User"]["UserId"]
    world.client("sts", "developer").get_caller_identity()
    record = newest(world)
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "principalId": user_id,
        "arn": DEVELOPER,
        "accountId": world.first_account,
        "accessKeyId": "developer",
        "userName": "developer",
    }
    assert (record["eventSource"], record["eventName"]) == ("sts.amazonaws.com", "GetCallerIdentity")
    assert (record["awsRegion"], record["sourceIPAddress"]) == ("us-east-1", "127.0.0.1")
    assert record["userAgent"].startswith("Boto3/")
    assert (record["readOnly"], record["recipientAccountId"]) == (True, world.first_account)
    assert "errorCode" not in record
    assert "resources" not in record


def test_a_session_of_assume_root(make_world: Any) -> None:
    world = make_world(ROOT_SESSIONS)
    log = keep_log(world)
    task = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
    asked = {"TargetPrincipal": "444455556666", "TaskPolicyArn": {"arn": task}}
    credentials = world.client("sts").assume_root(**asked)["Credentials"]
    world.client("iam", credentials=credentials).get_user()
    identity = newest(world)["userIdentity"]
    assert (identity["type"], identity["arn"]) == ("Root", "arn:aws:iam::444455556666:root")
    assert identity["sessionContext"]["assumedRoot"] == "true"
    log.close()


def test_an_assumed_root_is_recorded_in_both_accounts(make_world: Any) -> None:
    world = make_world(ROOT_SESSIONS)
    log = keep_log(world)
    task = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
    world.client("sts").assume_root(TargetPrincipal="444455556666", TaskPolicyArn={"arn": task})
    own, others = records(world)
    assert [record["recipientAccountId"] for record in (own, others)] == ["111122223333", "444455556666"]
    assert (own["readOnly"], others["userIdentity"]["type"]) == (False, "AWSAccount")
    log.close()


def test_a_role_of_another_account_is_recorded_in_both(world: Any, log: DecisionLog) -> None:
    user_id = world.client("iam").get_user(UserName="admin")["User"]["UserId"]
    arn = f"arn:aws:iam::{world.second_account}:role/{OTHER_ROLE}"
    world.client("sts").assume_role(RoleArn=arn, RoleSessionName="visit", ExternalId=EXTERNAL_ID)
    own, others, _ = records(world)
    assert own["userIdentity"]["type"] == "IAMUser"
    assert others["userIdentity"] == {"type": "AWSAccount", "principalId": user_id, "accountId": world.first_account}
    assert [record["recipientAccountId"] for record in (own, others)] == [world.first_account, world.second_account]
    assert own["sharedEventID"] == others["sharedEventID"]
    assert len({own["eventID"], others["eventID"], own["sharedEventID"]}) == 3
    alike = ("requestID", "eventTime", "eventName", "resources", "additionalEventData", "readOnly")
    assert [own[name] for name in alike] == [others[name] for name in alike]
    assert own["resources"] == [{"ARN": arn, "accountId": world.second_account, "type": "AWS::IAM::Role"}]
    assert records(world)[:2] == [own, others]


def test_a_session_that_calls_another_account_is_named_by_its_id(world: Any, log: DecisionLog) -> None:
    iam = world.client("iam")
    role = iam.create_role(RoleName="first", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    iam.attach_role_policy(RoleName="first", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    credentials = world.assume("first")
    arn = f"arn:aws:iam::{world.second_account}:role/{OTHER_ROLE}"
    world.client("sts", credentials=credentials).assume_role(
        RoleArn=arn, RoleSessionName="visit", ExternalId=EXTERNAL_ID
    )
    assert records(world, limit=1)[1]["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": f"{role['RoleId']}:session",
        "accountId": world.first_account,
    }


def test_a_denied_request_is_not_recorded_in_the_other_account(world: Any, log: DecisionLog) -> None:
    refused(
        world.client("sts").assume_role,
        RoleArn=f"arn:aws:iam::{world.second_account}:role/gone",
        RoleSessionName="visit",
    )
    [record] = records(world)
    assert record["recipientAccountId"] == world.first_account
    assert "sharedEventID" not in record


@pytest.mark.parametrize("service", ["iam", "chime"])
def test_a_global_service_is_in_one_region(service: str, world: Any, log: DecisionLog) -> None:
    client = world.client(service, region="eu-west-1")
    client.list_users() if service == "iam" else client.list_accounts()
    assert newest(world)["awsRegion"] == "us-east-1"
    world.client("sts", region="eu-west-1").get_caller_identity()
    assert newest(world)["awsRegion"] == "eu-west-1"


def test_the_root_user(make_world: Any) -> None:
    account = {"id": "111122223333", "root_access_keys": [{"id": "root_key", "secret": "root-secret"}]}
    world = make_world(json.dumps({"version": 1, "accounts": [account]}))
    log = keep_log(world)
    root = world.client("sts", "root of 111122223333")
    root.get_caller_identity()
    assert newest(world)["userIdentity"] == {
        "type": "Root",
        "principalId": "111122223333",
        "arn": "arn:aws:iam::111122223333:root",
        "accountId": "111122223333",
        "accessKeyId": "root_key",
    }
    federated = root.get_federation_token(Name="guest")["Credentials"]
    world.client("sts", credentials=federated).get_caller_identity()
    assert newest(world)["userIdentity"]["sessionContext"]["sessionIssuer"] == {
        "type": "Root",
        "principalId": "111122223333",
        "arn": "arn:aws:iam::111122223333:root",
        "accountId": "111122223333",
    }
    log.close()


def test_a_role_session_with_source_identity(world: Any, log: DecisionLog) -> None:
    world.clock.freeze()
    iam = world.client("iam")
    made = iam.create_role(RoleName="worker", Path="/team/", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    credentials = world.assume(made["Arn"], SourceIdentity="ana", RoleSessionName="job")
    issued_at = newest(world)["eventTime"]
    refused(world.client("iam", credentials=credentials).create_user, UserName="eve")
    record = newest(world)
    assert record["userIdentity"] == {
        "type": "AssumedRole",
        "principalId": f"{made['RoleId']}:job",
        "arn": "arn:aws:sts::111122223333:assumed-role/worker/job",
        "accountId": "111122223333",
        "accessKeyId": credentials["AccessKeyId"],
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": made["RoleId"],
                "arn": "arn:aws:iam::111122223333:role/team/worker",
                "accountId": "111122223333",
                "userName": "worker",
            },
            "attributes": {"creationDate": issued_at, "mfaAuthenticated": "false"},
            "sourceIdentity": "ana",
        },
    }
    assert record["errorCode"] == "AccessDenied"
    assert "is not authorized to perform: iam:CreateUser" in record["errorMessage"]
    assert record["eventSource"] == "iam.amazonaws.com"
    assert record["readOnly"] is False
    assert record["resources"] == [
        {"ARN": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333", "type": "AWS::IAM::User"}
    ]
    assert record["additionalEventData"]["outcome"] == "ImplicitDeny"


def test_sessions_of_a_user(world: Any, log: DecisionLog) -> None:
    sts = world.client("sts", "admin")
    user_id = world.client("iam").get_user(UserName="admin")["User"]["UserId"]
    own = sts.get_session_token()["Credentials"]
    world.client("sts", credentials=own).get_caller_identity()
    identity = newest(world)["userIdentity"]
    assert (identity["type"], identity["userName"], identity["principalId"]) == ("IAMUser", "admin", user_id)
    assert list(identity["sessionContext"]) == ["attributes"]
    federated = sts.get_federation_token(Name="guest")["Credentials"]
    world.client("sts", credentials=federated).get_caller_identity()
    identity = newest(world)["userIdentity"]
    assert (identity["type"], identity["principalId"]) == ("FederatedUser", "111122223333:guest")
    assert identity["arn"] == "arn:aws:sts::111122223333:federated-user/guest"
    assert identity["sessionContext"]["sessionIssuer"] == {
        "type": "IAMUser",
        "principalId": user_id,
        "arn": "arn:aws:iam::111122223333:user/admin",
        "accountId": "111122223333",
        "userName": "admin",
    }


def test_who_assumed_which_role_is_told(world: Any, log: DecisionLog) -> None:
    answer = world.client("sts").assume_role(
        RoleArn=READER,
        RoleSessionName="job",
        DurationSeconds=900,
        Policy=SESSION_POLICY,
    )
    credentials = answer["Credentials"]
    record = newest(world)
    assert record["requestParameters"] == {
        "roleArn": READER,
        "roleSessionName": "job",
        "durationSeconds": 900,
        "policy": SESSION_POLICY,
    }
    told = record["responseElements"]
    assert told["assumedRoleUser"] == {
        "assumedRoleId": answer["AssumedRoleUser"]["AssumedRoleId"],
        "arn": answer["AssumedRoleUser"]["Arn"],
    }
    assert told["credentials"] == {
        "accessKeyId": credentials["AccessKeyId"],
        "sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS",
        "expiration": credentials["Expiration"].strftime("%b %-d, %Y %-I:%M:%S %p"),
    }


def test_answers_of_reading_calls_are_not_recorded(world: Any, log: DecisionLog) -> None:
    world.client("iam").get_user(UserName="developer")
    record = newest(world)
    assert (record["requestParameters"], record["responseElements"]) == ({"userName": "developer"}, None)
    world.client("sts").get_caller_identity()
    record = newest(world)
    assert (record["requestParameters"], record["responseElements"]) == (None, None)


def test_a_change_is_recorded_without_secrets(world: Any, log: DecisionLog) -> None:
    iam = world.client("iam")
    made = iam.create_access_key(UserName="developer")["AccessKey"]
    record = newest(world)
    assert record["requestParameters"] == {"userName": "developer"}
    assert record["responseElements"]["accessKey"] == {
        "userName": "developer",
        "accessKeyId": made["AccessKeyId"],
        "status": "Active",
        "createDate": made["CreateDate"].strftime("%b %-d, %Y %-I:%M:%S %p"),
    }
    iam.update_access_key(UserName="developer", AccessKeyId=made["AccessKeyId"], Status="Inactive")
    record = newest(world)
    assert record["requestParameters"]["status"] == "Inactive"
    assert record["responseElements"] is None


def test_addresses_in_chime_are_hidden(world: Any, log: DecisionLog) -> None:
    chime = world.client("chime")
    [account] = chime.list_accounts()["Accounts"]
    chime.invite_users(AccountId=account["AccountId"], UserEmailList=["eve@example.com"])
    record = newest(world)
    assert record["requestParameters"] == {
        "accountId": account["AccountId"],
        "userEmailList": ["HIDDEN_DUE_TO_SECURITY_REASONS"],
    }
    [invited] = record["responseElements"]["invites"]
    assert invited["emailAddress"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "eve@" not in json.dumps(record)


def test_a_refusal_tells_what_was_asked(world: Any, log: DecisionLog) -> None:
    refused(world.client("iam", "developer").create_user, UserName="eve")
    record = newest(world)
    assert (record["errorCode"], record["responseElements"]) == ("AccessDenied", None)
    assert record["requestParameters"] == {"userName": "eve"}


def test_parameters_out_of_order_are_not_recorded(world: Any, log: DecisionLog) -> None:
    unchecked = Config(parameter_validation=False)
    refused(world.client("sts", config=unchecked).assume_role, RoleArn=READER, RoleSessionName="password: hunter2")
    record = newest(world)
    assert (record["errorCode"], record["requestParameters"]) == ("ValidationError", None)
    refused(world.client("iam", keys=("nobody_key", "secret")).create_user, UserName="eve")
    assert newest(world)["requestParameters"] is None


def test_an_error_has_the_name_of_its_exception(world: Any, log: DecisionLog) -> None:
    iam = world.client("iam")
    refused(iam.get_role, RoleName="gone")
    assert newest(world)["errorCode"] == "NoSuchEntityException"
    refused(iam.create_user, UserName="developer")
    assert newest(world)["errorCode"] == "EntityAlreadyExistsException"
    [call] = log.calls(CallFilter(limit=1))
    # As the caller saw it.
    assert call.error_code == "EntityAlreadyExists"


@pytest.mark.parametrize("characters", [6000, 60_000, 130_000])
def test_what_is_too_large_is_left_out(characters: int, world: Any, log: DecisionLog) -> None:
    # The widest possible document: IAM does not count spaces.
    document = json.dumps(TRUST) + " " * characters
    world.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=document)
    record = newest(world)
    if characters == 6000:
        assert record["requestParameters"]["assumeRolePolicyDocument"] == document
        return
    omitted = record["requestParameters"]
    assert (omitted["omitted"], omitted["reason"]) == (True, "requestParameters too large")
    assert omitted["originalSize"] > characters
    assert record["responseElements"]["reason"] == "responseElements too large"


def test_a_caller_without_proof_is_unknown(world: Any, log: DecisionLog) -> None:
    refused(world.client("sts", keys=("nobody_key", "secret")).get_caller_identity)
    record = newest(world)
    assert record["userIdentity"] == {"type": "Unknown", "accessKeyId": "nobody_key"}
    assert (record["errorCode"], record["recipientAccountId"]) == ("InvalidClientTokenId", None)


def test_the_chain_of_a_session_is_recorded(world: Any, log: DecisionLog) -> None:
    iam = world.client("iam")
    for name in ("first", "second"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    first = world.assume("first")
    second = world.client("sts", credentials=first).assume_role(
        RoleArn="arn:aws:iam::111122223333:role/second", RoleSessionName="inner"
    )["Credentials"]
    made = request_id(world.client("sts", credentials=second).get_caller_identity())
    chain = ["arn:aws:iam::111122223333:user/admin", "arn:aws:sts::111122223333:assumed-role/first/session"]
    assert newest(world)["additionalEventData"]["sessionChain"] == chain
    call = log.call(made)
    assert call is not None
    assert json.loads(call.session)["chain"] == chain


def test_a_program_that_chains_in_a_circle_keeps_a_short_chain(world: Any, log: DecisionLog) -> None:
    iam = world.client("iam")
    iam.create_role(RoleName="round", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName="round", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    credentials = world.assume("round")
    lengths = set()
    for _ in range(14):
        lengths.add(len(credentials["SessionToken"]))
        credentials = world.client("sts", credentials=credentials).assume_role(
            RoleArn="arn:aws:iam::111122223333:role/round", RoleSessionName="again"
        )["Credentials"]
    world.client("sts", credentials=credentials).get_caller_identity()
    assert (
        newest(world)["additionalEventData"]["sessionChain"]
        == ["arn:aws:sts::111122223333:assumed-role/round/again"] * 10
    )


@pytest.mark.parametrize(
    ("prefix", "operation", "expected"),
    [
        ("sts", "AssumeRole", True),
        ("sts", "AssumeRoleWithSAML", True),
        ("sts", "AssumeRoleWithWebIdentity", True),
        ("sts", "AssumeRoot", False),
        ("sts", "GetFederationToken", False),
        ("sts", "GetSessionToken", False),
        ("sts", "GetCallerIdentity", True),
        ("iam", "GetUser", True),
        ("iam", "ListUsers", True),
        ("iam", "CreateUser", False),
        ("iam", "TagRole", False),
        ("iam", "GenerateCredentialReport", True),
        ("iam", "GetRequestAuthorizationDetails", True),
        ("chime", "ListAccounts", True),
        ("chime", "BatchSuspendUser", False),
        ("unknown", "", False),
    ],
)
def test_what_only_reads(prefix: str, operation: str, expected: bool) -> None:
    assert is_read_only(prefix, operation) is expected


def test_filters_hold_for_records_too(world: Any, log: DecisionLog) -> None:
    world.client("sts").get_caller_identity()
    refused(world.client("chime", credentials=world.assume("chime-reader")).create_account, Name="x")
    assert [record["eventName"] for record in records(world, outcome="Refused")] == ["CreateAccount"]
    assert records(world, since="2200-01-01") == []


def test_an_unknown_format_is_refused(world: Any, log: DecisionLog) -> None:
    answer = world.application.test_client().get("/_rolecall/decisions?format=xml")
    assert (answer.status_code, answer.json) == (400, {"message": "format must be json or cloudtrail."})


def test_a_chime_sdk_call_is_of_chime(world: Any, log: DecisionLog) -> None:
    refused(world.client("chime-sdk-voice").list_proxy_sessions, VoiceConnectorId="abcdef1ghij2klmno3pqr4")
    [call] = log.calls(CallFilter())
    assert cloudtrail_record(call)["eventSource"] == "chime.amazonaws.com"
    # When a call names no operation, only the host shows the service.
    assert cloudtrail_record(call._replace(operation="", actions=""))["eventSource"] == "chime.amazonaws.com"

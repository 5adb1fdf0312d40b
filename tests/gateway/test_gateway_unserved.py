"""Services that Rolecall does not serve, through boto3: each gets the error in its protocol, at once and only once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import botocore.parsers
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from raw_calls import Keys, Sent, query_call, send, signed

from rolecall.errors import AwsError
from rolecall.inprocess import ENDPOINT_URL
from rolecall.wire.unserved import Unserved, _modelled_protocol, encode_unserved_error

ADMIN: Keys = ("admin_key_for_tests", "admin-secret")
USER = "arn:aws:iam::111122223333:user/admin"


def user(name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    own = {"own": {"Version": "2012-10-17", "Statement": list(statements)}} if statements else {}
    return {
        "name": name,
        "access_keys": [{"id": f"{name}_key_for_tests", "secret": f"{name}-secret"}],
        "inline_policies": own,
    }


WORLD = {
    "version": 1,
    "accounts": [{"id": "111122223333", "users": [user("admin", {"Effect": "Allow", "Action": "*", "Resource": "*"})]}],
}
# Every protocol of botocore: a service with another name in the credential scope, one that shares its name, paths with
# encoded characters, bodies, and a call without a body in its answer.
CALLS = [
    ("dynamodb", "dynamodb", "list_tables", {}),
    ("dynamodbstreams", "dynamodb", "list_streams", {}),
    ("ssm", "ssm", "get_parameter", {"Name": "/a/b"}),
    ("secretsmanager", "secretsmanager", "list_secrets", {}),
    ("sqs", "sqs", "list_queues", {}),
    ("lambda", "lambda", "list_functions", {}),
    ("lambda", "lambda", "get_function", {"FunctionName": "arn:aws:lambda:us-east-1:111122223333:function:a b"}),
    ("sesv2", "ses", "list_email_identities", {}),
    ("ses", "ses", "list_identities", {}),
    ("sns", "sns", "list_topics", {}),
    ("ec2", "ec2", "describe_instances", {}),
    ("cloudwatch", "monitoring", "list_metrics", {}),
    ("s3", "s3", "list_buckets", {}),
    ("s3", "s3", "put_object", {"Bucket": "bucket", "Key": "a b/ü+c", "Body": b"text"}),
    ("s3", "s3", "delete_objects", {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "a"}]}}),
    ("route53", "route53", "list_hosted_zones", {}),
    ("efs", "elasticfilesystem", "describe_file_systems", {}),
]
EACH = pytest.mark.parametrize(("service", "scope", "method", "parameters"), CALLS)


@pytest.fixture(scope="module")
def world(make_shared_world: Any) -> Any:
    return make_shared_world(json.dumps(WORLD))


def failed(client: Any, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**parameters)
    answer: dict[str, Any] = caught.value.response
    return answer


@EACH
def test_a_service_that_is_not_served_says_so(
    world: Any, service: str, scope: str, method: str, parameters: dict[str, Any]
) -> None:
    answer = failed(world.client(service), method, parameters)
    assert answer["Error"]["Code"] == "NotImplemented"
    assert answer["Error"]["Message"] == f"Rolecall does not serve {scope}."
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    outcome = world.outcomes[-1]
    assert (outcome.service, outcome.caller.principal.arn, outcome.status) == (scope, USER, 501)


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize(
    ("service", "method"), [("dynamodb", "list_tables"), ("s3", "list_buckets"), ("ec2", "describe_vpcs")]
)
def test_no_sdk_repeats_the_call(world: Any, mode: str, service: str, method: str) -> None:
    before = len(world.outcomes)
    retries = Config(retries={"mode": mode, "total_max_attempts": 4})
    answer = failed(world.client(service, config=retries), method, {})
    assert answer["ResponseMetadata"].get("RetryAttempts", 0) == 0
    assert len(world.outcomes) == before + 1


@EACH
def test_a_wrong_signature_is_refused_before(
    world: Any, service: str, scope: str, method: str, parameters: dict[str, Any]
) -> None:
    for keys, codes in (
        (("admin_key_for_tests", "not-the-secret"), {"SignatureDoesNotMatch", "InvalidSignatureException"}),
        (("AKIANOSUCHKEYNOSUCH1", "any"), {"InvalidClientTokenId", "UnrecognizedClientException"}),
    ):
        answer = failed(world.client(service, keys=keys), method, parameters)
        assert answer["Error"]["Code"] in codes
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert "does not serve" not in answer["Error"]["Message"]
        # An unsigned name must not choose the name in the log.
        assert (world.outcomes[-1].service, world.outcomes[-1].caller) == ("", None)


def test_a_call_without_a_body_in_its_answer(world: Any) -> None:
    answer = failed(world.client("s3"), "head_bucket", {"Bucket": "bucket"})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_the_log_has_the_operation_where_the_request_tells_it(world: Any) -> None:
    for service, method, name in (
        ("dynamodb", "list_tables", "ListTables"),
        ("ec2", "describe_vpcs", "DescribeVpcs"),
        ("cloudwatch", "list_metrics", "ListMetrics"),
        ("lambda", "list_functions", ""),
    ):
        failed(world.client(service), method, {})
        assert world.outcomes[-1].operation == name


def test_a_session_that_has_expired_reads_that(world: Any) -> None:
    credentials = world.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    assert failed(world.client("s3", credentials=credentials), "list_buckets", {})["Error"]["Code"] == "NotImplemented"
    damaged = {**credentials, "SessionToken": credentials["SessionToken"][:-4] + "AAAA"}
    answer = failed(world.client("dynamodb", credentials=damaged), "list_tables", {})
    assert answer["Error"]["Code"] == "UnrecognizedClientException"


JSON_CALL = Sent("POST", "/", "", {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB.ListTables"})


def test_a_request_that_is_not_understood_is_refused_in_the_protocol_that_it_claims(world: Any) -> None:
    old = signed(JSON_CALL, ADMIN, "dynamodb").with_header("X-Amz-Date", "20200101T000000Z")
    answer = send(world.application, old)
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/x-amz-json-1.1")
    assert json.loads(answer.body)["__type"] == "InvalidSignatureException"
    too_large = send(world.application, signed(replace(JSON_CALL, body=b"x" * 1_048_577), ADMIN, "dynamodb"))
    assert (too_large.status, json.loads(too_large.body)["__type"]) == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize("scope", ["no-such-service", "execute-api", "s3-outposts", "x" * 64])
def test_a_name_that_no_model_has_gets_an_answer_in_json(world: Any, scope: str) -> None:
    answer = send(world.application, signed(Sent("GET", "/things/1"), ADMIN, scope))
    assert (answer.status, json.loads(answer.body)) == (
        501,
        {"__type": "NotImplemented", "message": f"Rolecall does not serve {scope}."},
    )


@pytest.mark.parametrize("scope", ["../iam", "a b", "UPPER", "x" * 65, "<b>", "sts.", "chime-sdk-voice"])
def test_an_invalid_service_name_is_a_wrong_scope(world: Any, scope: str) -> None:
    answer = send(world.application, signed(query_call("sts", "GetCallerIdentity"), ADMIN, scope))
    assert answer.status in (400, 403)
    assert b"does not serve" not in answer.body
    assert world.outcomes[-1].service in ("", "sts", "chime")


def test_a_call_that_says_which_service_it_is_for_is_signed_for_the_wrong_one(world: Any) -> None:
    status, code, message = send(
        world.application, signed(query_call("sts", "GetCallerIdentity"), ADMIN, "dynamodb")
    ).error
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message == "Credential should be scoped to correct service: 'sts'. "[:-1]


def test_a_presigned_address_of_s3_says_so_too(world: Any) -> None:
    s3 = world.client("s3", config=Config(signature_version="s3v4"))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "a b"})
    path, _, query = url.removeprefix(ENDPOINT_URL).partition("?")
    answer = send(world.application, Sent("GET", path, query))
    assert (answer.status, b"Rolecall does not serve s3." in answer.body) == (501, True)
    changed = send(world.application, Sent("GET", path + "x", query))
    assert (changed.status, b"SignatureDoesNotMatch" in changed.body) == (403, True)


def test_the_protocol_of_a_model_is_the_one_that_botocore_reads() -> None:
    session = botocore.session.get_session()
    for service in ("dynamodb", "ec2", "s3", "lambda", "ses", "secretsmanager", "route53", "sqs"):
        assert _modelled_protocol(service) == session.get_service_model(service).metadata["protocol"]
    assert _modelled_protocol("no-such-service") == ""


def test_a_long_message_in_cbor_is_read_by_botocore() -> None:
    unserved = Unserved("monitoring", "ListMetrics", "rpc-v2-cbor")
    message = "ü" * 70_000
    answer = encode_unserved_error(unserved, AwsError("SignatureDoesNotMatch", message), "id", "POST")
    parser = botocore.parsers.RpcV2CBORParser()
    shape = botocore.session.get_session().get_service_model("cloudwatch").operation_model("ListMetrics").output_shape
    read = parser.parse({"status_code": answer.status, "headers": answer.headers, "body": answer.body}, shape)
    assert read["Error"] == {"Code": "InvalidSignatureException", "Message": message}

"""Errors as each protocol's clients read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire_samples import operation_model, parsed, service_model

from rolecall.errors import COMMON_ERRORS, AwsError
from rolecall.http import HttpRequest
from rolecall.wire import SERVICES, encode_error, error_status, load_service
from rolecall.wire.models import load_model


def some_operation(service_name: str) -> str:
    return sorted(service_model(service_name).operation_names)[0]


# The model gives 400 to all of Sign-In's refusals. Its SDK for .NET documents 403 for missing permissions.
OTHER_STATUSES = {("signin", "AccessDeniedException"): 403}


@pytest.mark.parametrize("service_name", SERVICES)
def test_every_modelled_error_is_read_by_botocore_with_code_message_and_status(service_name: str) -> None:
    model = operation_model(service_name, some_operation(service_name))
    for shape in service_model(service_name).error_shapes:
        for code in (shape.name, shape.error_code):
            http = encode_error(service_name, AwsError(code, 'no <"&> ü'), "rid")
            found = parsed(model, http)
            assert found["Error"]["Code"] in {shape.error_code, shape.name}
            # RFC 6749, section 5.2: an error of OAuth has no message.
            is_oauth = "error_description" in shape.members
            told = json.loads(http.body)["error_description"] if is_oauth else found["Error"]["Message"]
            assert told == 'no <"&> ü'
            # botocore's classes leave out the trait fault.
            fault = load_model(service_name).shape(shape.name).traits.get("fault")
            expected = shape.metadata.get("error", {}).get("httpStatusCode", 500 if fault else 400)
            expected = OTHER_STATUSES.get((service_name, shape.name), expected)
            assert http.status == error_status(service_name, code) == expected


@pytest.mark.parametrize("service_name", SERVICES)
def test_every_common_error_has_its_code_and_status_in_every_protocol(service_name: str) -> None:
    model = operation_model(service_name, some_operation(service_name))
    protocol = service_model(service_name).protocol
    rest = protocol in ("rest-json", "json")
    for name, common in COMMON_ERRORS.items():
        http = encode_error(service_name, AwsError(name, "m"), "rid")
        code = common.json_code if rest else common.query_code
        assert parsed(model, http)["Error"]["Code"] == code
        if code not in load_service(service_name).errors:
            status = common.json_status if rest else common.query_status
            # JSON 1.1 has one status for all errors of the client.
            assert http.status == (400 if protocol == "json" and 400 <= status < 500 and status != 413 else status)


@pytest.mark.parametrize(
    ("service_name", "code", "wire_code", "status"),
    [
        ("sts", "MalformedPolicyDocument", "MalformedPolicyDocument", 400),
        ("sts", "MalformedPolicyDocumentException", "MalformedPolicyDocument", 400),
        ("sts", "ExpiredTokenException", "ExpiredTokenException", 400),
        ("sts", "ExpiredToken", "ExpiredToken", 403),
        ("sts", "IDPRejectedClaim", "IDPRejectedClaim", 403),
        ("sts", "AccessDenied", "AccessDenied", 403),
        ("sts", "AccessDeniedException", "AccessDenied", 403),
        ("sts", "SomethingNew", "SomethingNew", 400),
        ("iam", "NoSuchEntity", "NoSuchEntity", 404),
        ("iam", "EntityAlreadyExists", "EntityAlreadyExists", 409),
        ("iam", "ServiceFailureException", "ServiceFailure", 500),
        ("iam", "InvalidInput", "InvalidInput", 400),
        ("iam", "NotImplemented", "NotImplemented", 501),
        ("iam", "ThrottlingException", "Throttling", 400),
        ("organizations", "AccessDenied", "AccessDeniedException", 400),
        ("organizations", "InvalidClientTokenId", "UnrecognizedClientException", 400),
        ("organizations", "InvalidAction", "UnknownOperationException", 400),
        ("organizations", "NotImplemented", "NotImplemented", 501),
        ("chime", "ForbiddenException", "ForbiddenException", 403),
        ("chime", "UnauthorizedClientException", "UnauthorizedClientException", 401),
        ("chime", "InvalidClientTokenId", "UnrecognizedClientException", 403),
        ("chime", "InvalidAction", "UnknownOperationException", 404),
        ("chime", "MalformedInput", "SerializationException", 400),
        ("chime", "AccessDenied", "AccessDeniedException", 403),
        ("chime", "InternalFailure", "InternalFailure", 500),
        ("chime-sdk-meetings", "Throttling", "ThrottlingException", 429),
        ("", "InvalidAction", "InvalidAction", 400),
        ("s3", "AccessDenied", "AccessDenied", 403),
    ],
)
def test_code_and_status(service_name: str, code: str, wire_code: str, status: int) -> None:
    http = encode_error(service_name, AwsError(code, "m"), "rid")
    assert http.status == status == error_status(service_name, code)
    if service_name.startswith("chime"):
        assert http.headers == {"x-amzn-ErrorType": wire_code}
    elif service_name == "organizations":
        assert json.loads(http.body)["__type"] == wire_code
    else:
        assert f"<Code>{wire_code}</Code>" in http.body.decode()


def test_query_errors_have_the_shape_aws_gives_them() -> None:
    http = encode_error("iam", AwsError("NoSuchEntity", "The user with name a&b cannot be found."), "rid")
    assert http.content_type == "text/xml"
    assert http.body.decode() == (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        "<Code>NoSuchEntity</Code><Message>The user with name a&amp;b cannot be found.</Message></Error>"
        "<RequestId>rid</RequestId></ErrorResponse>"
    )
    assert b"<Type>Receiver</Type>" in encode_error("iam", AwsError("InternalFailure"), "rid").body


# Recorded: amazon-chime-sdk-js, issue 1569. Chime's own model has no RequestId, and its answers have one.
OF_CHIME = {"Message": "m", "RequestId": "rid", "Resource": None}


@pytest.mark.parametrize(
    ("service_name", "code", "body"),
    [
        ("chime", "ForbiddenException", {"Code": "Forbidden", **OF_CHIME}),
        ("chime", "BadRequestException", {"Code": "BadRequest", **OF_CHIME}),
        ("chime", "UnauthorizedClientException", {"Code": "Unauthorized", **OF_CHIME}),
        ("chime", "ThrottledClientException", {"Code": "Throttled", **OF_CHIME}),
        ("chime", "UnprocessableEntityException", {"Code": "Unprocessable", **OF_CHIME}),
        ("chime", "AccessDenied", {"Code": "AccessDenied", **OF_CHIME}),
        ("chime", "ExpiredToken", {"Code": "ExpiredTokenException", "Message": "m"}),
        ("chime-sdk-identity", "ConflictException", {"Code": "Conflict", **OF_CHIME}),
        ("chime-sdk-meetings", "NotFoundException", {"Code": "NotFound", **OF_CHIME}),
        # The model lists no such error. AWS's body is not recorded.
        ("chime-sdk-meetings", "AccessDenied", {"Code": "AccessDeniedException", "Message": "m"}),
        # The model's errors have no members at all.
        ("chime-sdk-voice", "GoneException", {"Code": "Gone", **OF_CHIME}),
    ],
)
def test_rest_error_bodies(service_name: str, code: str, body: dict[str, Any]) -> None:
    http = encode_error(service_name, AwsError(code, "m"), "rid")
    assert http.content_type == "application/json"
    assert list(json.loads(http.body).items()) == list(body.items())


def test_an_error_may_bring_its_own_status() -> None:
    assert encode_error("sts", AwsError("InvalidAction", status=404), "rid").status == 404


def test_query_errors_are_json_for_a_client_that_asks() -> None:
    request = HttpRequest("GET", "/", "", {"accept": "application/json"}, b"")
    http = encode_error("sts", AwsError("AccessDenied", 'no "x"'), "rid", request)
    assert json.loads(http.body) == {
        "Error": {"Code": "AccessDenied", "Message": 'no "x"', "Type": "Sender"},
        "RequestId": "rid",
    }


def test_a_made_up_code_cannot_write_headers() -> None:
    http = encode_error("chime", AwsError("Bad\r\nSet-Cookie: a=b", "m"), "rid")
    assert http.headers == {}
    assert json.loads(http.body)["Code"] == "Bad\r\nSet-Cookie: a=b"

"""Answers and errors as HTTP.

Query services answer in XML, or in JSON if the client's Accept header asks for it. Rest-json and json services answer
in JSON. Rest-json services also put the error's name in a header, because SDKs look there first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rolecall.errors import COMMON_ERRORS, AwsError, CommonError
from rolecall.http import HttpAnswer, HttpRequest
from rolecall.wire import json_answer
from rolecall.wire.constraints import reason_of, sentence
from rolecall.wire.models import KNOWN_SERVICES, Member
from rolecall.wire.scalars import http_date, iso8601_milliseconds
from rolecall.wire.services import Operation, ServiceError, load_service
from rolecall.wire.xml_answer import escape

XML_TYPE = "text/xml"
JSON_TYPE = "application/json"
JSON_TARGET_TYPE = "application/x-amz-json-1.1"
_TOO_LARGE = 413
_NO_NAMESPACE = "http://webservices.amazon.com/AWSFault/2005-15-09"
_COMMON_BY_CODE: Mapping[str, CommonError] = {
    **{common.json_code: common for common in COMMON_ERRORS.values()},
    **{common.query_code: common for common in COMMON_ERRORS.values()},
    **COMMON_ERRORS,
}


def check_constraints(operation: Operation, parameters: Mapping[str, Any]) -> None:
    """Check the decoded parameters against the model's limits.

    Raises AwsError with the service's own code (ValidationError, BadRequestException). One message lists all failures.
    """
    failures = operation.check(parameters)
    if failures:
        record = KNOWN_SERVICES[operation.service_name]
        if record.constraint_reasons:
            reason, message = reason_of(failures[0])
            raise AwsError(record.constraint_code, message, members={"Reason": reason}, reason=sentence(failures))
        raise AwsError(record.constraint_code, sentence(failures))


def encode_answer(
    operation: Operation, answer: Mapping[str, Any] | None, request: HttpRequest, request_id: str
) -> HttpAnswer:
    """The HTTP answer of a successful call. Raises TypeError for members or values the model does not know."""
    values = {} if answer is None else answer
    if operation.protocol == "query":
        return _query_answer(operation, values, request, request_id)
    if operation.protocol == "json":
        body = operation.encode_json(values)
        # An operation without answer members has an empty body, as AWS sends it.
        return HttpAnswer(200, body.encode("ascii") if operation.output_members else b"", JSON_TARGET_TYPE)
    return _rest_answer(operation, values)


def _wants_json(request: HttpRequest | None) -> bool:
    if request is None:
        return False
    accept = request.headers.get("accept", "")
    return "json" in accept and "xml" not in accept


def _query_answer(operation: Operation, values: Mapping[str, Any], request: HttpRequest, request_id: str) -> HttpAnswer:
    if _wants_json(request):
        result = (
            f"{quoted(operation.result_wrapper)}:{operation.encode_json(values)}," if operation.result_wrapper else ""
        )
        metadata = f'"ResponseMetadata":{{"RequestId":{quoted(request_id)}}}'
        body = f"{{{quoted(operation.name + 'Response')}:{{{result}{metadata}}}}}"
        return HttpAnswer(200, body.encode("ascii"), JSON_TYPE)
    opening, middle = operation.xml_envelope
    text = (
        f"{opening}{operation.encode_xml(values)}{middle}{escape(request_id)}"
        f"</RequestId></ResponseMetadata></{operation.name}Response>"
    )
    return HttpAnswer(200, text.encode("utf-8"), XML_TYPE)


def _rest_answer(operation: Operation, values: Mapping[str, Any]) -> HttpAnswer:
    if not operation.located_output:
        body = operation.encode_json(values)
        # HTTP allows no body with 204. An answer with members is sent with 200, which every SDK accepts as well.
        if operation.status == 204:
            return HttpAnswer(204, b"", JSON_TYPE) if body == "{}" else HttpAnswer(200, body.encode("ascii"), JSON_TYPE)
        if not operation.has_output:
            # Smithy, AWS restJson1: an empty payload. An output of no members is an empty object.
            return HttpAnswer(operation.status, b"", JSON_TYPE)
        return HttpAnswer(operation.status, body.encode("ascii"), JSON_TYPE)
    return _located_answer(operation, values)


def _located_answer(operation: Operation, values: Mapping[str, Any]) -> HttpAnswer:
    """An answer with members that go into headers, the status code or the payload."""
    located = operation.located_output
    status = operation.status
    headers: dict[str, str] = {}
    body = operation.encode_json({name: value for name, value in values.items() if name not in located}).encode("ascii")
    content_type = JSON_TYPE
    if operation.payload_output:
        body = b""
    for name, value in values.items():
        member = located.get(name)
        if member is None or value is None:
            continue
        if member.location == "statusCode":
            status = value
        elif member.location in {"header", "headers"}:
            headers.update(_header_items(member, value))
        else:
            body, content_type = _payload(member, value)
    if status == 204:
        body = b""
    return HttpAnswer(status, body, content_type, headers)


def _payload(member: Member, value: Any) -> tuple[bytes, str]:
    if member.shape.type == "blob":
        return bytes(value), "application/octet-stream"
    if member.shape.type == "string":
        return value.encode("utf-8"), "text/plain"
    return json_answer.encoder(member)(value).encode("ascii"), JSON_TYPE


def _header_items(member: Member, value: Any) -> dict[str, str]:
    if member.location == "headers":
        return {member.wire_name + name: _header_text(item) for name, item in value.items()}
    if member.shape.type == "timestamp":
        text = iso8601_milliseconds(value) if member.timestamp_format == "iso8601" else http_date(value)
        return {member.wire_name: text}
    if member.shape.type == "boolean":
        return {member.wire_name: "true" if value else "false"}
    return {member.wire_name: _header_text(str(value))}


def _header_text(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise TypeError("a header cannot hold a line break")
    return text


class _Resolved(Struct, frozen=True):
    """An error in the form of one service."""

    code: str
    status: int
    body_code: str
    members: frozenset[str]
    # Whether the service's own model lists it.
    modelled: bool = False


def _resolve(service_name: str, code: str) -> _Resolved:
    """Looks in the service's own model first, then among errors that all services share. An unknown code gets 400."""
    rest = _speaks_json(service_name)
    modelled = load_service(service_name).errors if service_name in KNOWN_SERVICES else {}
    if code in modelled:
        return _modelled(modelled[code])
    common = _COMMON_BY_CODE.get(code)
    if common is None:
        return _Resolved(code, 400, code, frozenset())
    spoken, status = (common.json_code, common.json_status) if rest else (common.query_code, common.query_status)
    if rest and KNOWN_SERVICES[service_name].protocol == "json" and 400 <= status < 500 and status != _TOO_LARGE:
        # JSON 1.1 has one status for all errors of the client.
        status = 400
    if rest and spoken in modelled:
        return _modelled(modelled[spoken])
    return _Resolved(spoken, status, spoken, frozenset())


def _speaks_json(service_name: str) -> bool:
    return service_name in KNOWN_SERVICES and KNOWN_SERVICES[service_name].error_form != "xml"


def _modelled(error: ServiceError) -> _Resolved:
    return _Resolved(error.code, error.status, error.body_code, error.members, modelled=True)


def error_status(service_name: str, code: str) -> int:
    """The HTTP status of a service's error; 400 for an unknown code."""
    resolved = _resolve(service_name, code)
    if service_name in KNOWN_SERVICES and KNOWN_SERVICES[service_name].error_form == "word":
        return _SIGN_IN_STATUSES.get(_SIGN_IN_WORDS.get(resolved.code, ""), resolved.status)
    return resolved.status


def error_code(service_name: str, code: str) -> str:
    """The error's code in the form of that service: Chime has ``ExpiredTokenException`` where STS has ExpiredToken."""
    return _resolve(service_name, code).code


def encode_error(service_name: str, error: AwsError, request_id: str, request: HttpRequest | None = None) -> HttpAnswer:
    """The HTTP answer of an error. An empty or unknown ``service_name`` means the query protocol's form.

    Only query services look at ``request``: its Accept header may ask for their JSON form.
    """
    resolved = _resolve(service_name, error.code)
    status = resolved.status if error.status is None else error.status
    if _speaks_json(service_name):
        if KNOWN_SERVICES[service_name].error_form == "type":
            return _typed_error(resolved, status, error)
        namespace = KNOWN_SERVICES[service_name].error_namespace
        if KNOWN_SERVICES[service_name].error_form == "oauth":
            return _oauth_error(resolved, status, error, namespace)
        if KNOWN_SERVICES[service_name].error_form == "word":
            return _worded_error(resolved, status, error)
        if KNOWN_SERVICES[service_name].error_form == "message":
            typed = f',"__type":{quoted(f"{namespace}#{resolved.code}")}' if namespace else ""
            return _error_answer(resolved, status, f'{{"message":{quoted(error.message)}{typed}}}')
        return _rest_error(resolved, status, error.message, request_id)
    kind = "Sender" if status < 500 else "Receiver"
    if _wants_json(request):
        body = (
            f'{{"Error":{{"Code":{quoted(resolved.code)},"Message":{quoted(error.message)},"Type":"{kind}"}},'
            f'"RequestId":{quoted(request_id)}}}'
        )
        return HttpAnswer(status, body.encode("ascii"), JSON_TYPE)
    namespace = load_service(service_name).namespace if service_name in KNOWN_SERVICES else _NO_NAMESPACE
    # Recorded for IAM: an error without a message lacks the element.
    message = f"<Message>{escape(error.message)}</Message>" if error.message else ""
    text = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{escape(resolved.code)}</Code>'
        f"{message}</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    return HttpAnswer(status, text.encode("utf-8"), XML_TYPE)


def _rest_error(resolved: _Resolved, status: int, message: str, request_id: str) -> HttpAnswer:
    body = f'{{"Code":{quoted(resolved.body_code)},"Message":{quoted(message)}'
    if resolved.modelled:
        # Recorded, amazon-chime-sdk-js issue 1569. Some of the models do not have these two members.
        body += f',"RequestId":{quoted(request_id)},"Resource":null'
    return _error_answer(resolved, status, body + "}")


def _typed_error(resolved: _Resolved, status: int, error: AwsError) -> HttpAnswer:
    """The error of a json service. An exception of the model spells its members as the model does."""
    message_member = "Message" if "Message" in resolved.members else "message"
    shown = {"__type": resolved.code, message_member: error.message}
    shown.update({name: value for name, value in error.members.items() if name in resolved.members})
    body = ",".join(f"{quoted(name)}:{quoted(value)}" for name, value in shown.items())
    return HttpAnswer(status, f"{{{body}}}".encode("ascii"), JSON_TARGET_TYPE)


# The words that do not follow from the exception's name (the model's documentation of their member error).
_OAUTH_WORDS = {"InternalServerException": "server_error", "InvalidRequestRegionException": "invalid_request"}
_begins_word = re.compile(r"(?<!^)(?=[A-Z])")


def _oauth_error(resolved: _Resolved, status: int, error: AwsError, namespace: str) -> HttpAnswer:
    """The error of an OAuth endpoint (RFC 6749, section 5.2), with the exception's name in a header."""
    usual = "server_error" if status >= 500 else "invalid_request"
    word = _OAUTH_WORDS.get(resolved.code, usual)
    if "error" in resolved.members and resolved.code not in _OAUTH_WORDS:
        word = _begins_word.sub("_", resolved.code.removesuffix("Exception")).lower()
    answer = _error_answer(resolved, status, f'{{"error":{quoted(word)},"error_description":{quoted(error.message)}}}')
    # As recorded: the header ends with the namespace, which SDKs cut off.
    named = {name: f"{code}:http://internal.amazon.com/coral/{namespace}/" for name, code in answer.headers.items()}
    return replace(answer, headers=named)


# The words of Sign-In's exceptions, for errors that do not carry one (the model's documentation of the member error).
_SIGN_IN_WORDS = {
    "AccessDeniedException": "INSUFFICIENT_PERMISSIONS",
    "ConflictException": "CONFLICT",
    "InternalServerException": "server_error",
    "InvalidGrantException": "invalid_grant",
    "InvalidScopeException": "invalid_scope",
    "ResourceNotFoundException": "RESOURCE_NOT_FOUND",
    "ServiceQuotaExceededException": "SERVICE_QUOTA_EXCEEDED",
    "ServiceUnavailableException": "service_unavailable",
    "TooManyRequestsError": "rate_exceeded",
    "ValidationException": "INVALID_REQUEST",
}
# One exception has two statuses (AWS SDK for .NET, AccessDeniedException of CreateOAuth2Token).
_SIGN_IN_STATUSES = {
    "AUTHCODE_EXPIRED": 401,
    "INSUFFICIENT_PERMISSIONS": 403,
    "TOKEN_EXPIRED": 401,
    "USER_CREDENTIALS_CHANGED": 403,
}


def _worded_error(resolved: _Resolved, status: int, error: AwsError) -> HttpAnswer:
    """The error of Sign-In: an exception of the model has a word, which SDKs tell its reasons by."""
    if "error" not in resolved.members:
        return _error_answer(resolved, status, f'{{"message":{quoted(error.message)}}}')
    word = error.members.get("error") or _SIGN_IN_WORDS.get(resolved.code, "server_error")
    status = status if error.status is not None else _SIGN_IN_STATUSES.get(word, status)
    return _error_answer(resolved, status, f'{{"error":{quoted(word)},"message":{quoted(error.message)}}}')


def _error_answer(resolved: _Resolved, status: int, body: str) -> HttpAnswer:
    # A fault rule can make up any code. Such a code must not be able to write headers of its own.
    named = {"x-amzn-ErrorType": resolved.code} if resolved.code.isascii() and resolved.code.isprintable() else {}
    return HttpAnswer(status, body.encode("ascii"), JSON_TYPE, named)

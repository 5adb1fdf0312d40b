"""The smallest request of every operation of Amazon Chime and the Chime SDK, made from botocore's models.

A new operation, and a new required member, needs nothing here: each text is the first sample that its shape takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.serialize import create_serializer

from rolecall.http import HttpRequest

ACCOUNT = "111122223333"
SERVICES = (
    "chime",
    "chime-sdk-identity",
    "chime-sdk-media-pipelines",
    "chime-sdk-meetings",
    "chime-sdk-messaging",
    "chime-sdk-voice",
)
UUID = "00000000-0000-4000-8000-000000000000"
CHIME = f"arn:aws:chime:us-east-1:{ACCOUNT}"
INSTANCE = f"{CHIME}:app-instance/{UUID}"
# By the last words of a member's name: ARNs must be of the kind that the member says.
BY_NAME = {
    "AppInstanceArn": INSTANCE,
    "AppInstanceBotArn": f"{INSTANCE}/bot/{UUID}",
    "ChannelArn": f"{INSTANCE}/channel/c",
    "ChannelFlowArn": f"{INSTANCE}/channel-flow/{UUID}",
    "ChimeBearer": f"{INSTANCE}/user/u",
    "MemberArn": f"{INSTANCE}/user/u",
    "MemberArns": f"{INSTANCE}/user/u",
    "UserArn": f"{INSTANCE}/user/u",
    "UserArns": f"{INSTANCE}/user/u",
    "AdminArn": f"{INSTANCE}/user/u",
    "ModeratorArn": f"{INSTANCE}/user/u",
    "VoiceProfileDomainArn": f"{CHIME}:voice-profile-domain/{UUID}",
    "MeetingArn": f"{CHIME}:meeting/{UUID}",
    "AwsAccountId": ACCOUNT,
    "Country": "US",
}
# The ARN of the operations on tags says which service is meant.
TAGGED = {
    "chime-sdk-identity": INSTANCE,
    "chime-sdk-media-pipelines": f"{CHIME}:media-pipeline/{UUID}",
    "chime-sdk-meetings": f"{CHIME}:meeting/{UUID}",
    "chime-sdk-messaging": f"{INSTANCE}/channel/c",
    "chime-sdk-voice": f"{CHIME}:vc/abcdefghijklmnopqrstu0",
}
SAMPLES = (
    UUID,
    "a",
    "token-1",
    "+12065550100",
    "abcdefghijklmnopqrstu0",
    f"{CHIME}:meeting/{UUID}",
    f"{INSTANCE}/user/u",
    "arn:aws:lambda:us-east-1:111122223333:function:f",
    "arn:aws:kms:us-east-1:111122223333:key/k",
    "arn:aws:s3:::bucket",
    "arn:aws:iam::111122223333:role/r",
    "arn:aws:mobiletargeting:us-east-1:111122223333:apps/a",
    "arn:aws:lex:us-east-1:111122223333:bot-alias/AAAAAAAAAA/BBBBBBBBBB",
    "arn:aws:kinesisvideo:us-east-1:111122223333:stream/s/1234567890123",
    "arn:aws:kinesis:us-east-1:111122223333:stream/chime-messaging-s",
    "rtmps://example.com/live/key",
    "https://example.com",
    "amzn1.application-oa2-client." + "0" * 32,
    "ana@example.com",
    "us-east-1",
    "US",
    "en_US",
    "1.2",
    "2",
    "a" * 64,
)


@cache
def model_of(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service_name=service)


def operations() -> Iterator[tuple[str, str]]:
    """Every service and operation of botocore's models."""
    for service in SERVICES:
        for name in model_of(service).operation_names:
            yield service, name


def smallest(service: str, name: str) -> dict[str, Any]:
    """Valid parameters of the operation: its required members alone."""
    operation: OperationModel = model_of(service).operation_model(name)
    if operation.input_shape is None:
        return {}
    given = _structure(operation.input_shape)
    if "ResourceARN" in given:
        given["ResourceARN"] = TAGGED[service]
    return given


def _structure(shape: Shape) -> dict[str, Any]:
    tokens = [name for name, member in shape.members.items() if member.metadata.get("idempotencyToken")]
    return {name: _value(shape.members[name], name) for name in [*shape.required_members, *tokens]}


def _value(shape: Shape, name: str) -> Any:
    if shape.type_name == "structure":
        return _structure(shape)
    if shape.type_name == "list":
        return [_value(shape.member, name)] * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "map":
        return {"k": _value(shape.value, name)}
    if shape.type_name == "boolean":
        return False
    if shape.type_name in ("integer", "long", "float", "double"):
        return max(1, shape.metadata.get("min", 1))
    if shape.type_name == "timestamp":
        return 1_700_000_000
    return _text(shape, name)


def _text(shape: Shape, name: str) -> str:
    limits = shape.metadata
    if "enum" in limits:
        return str(limits["enum"][0])
    if name in BY_NAME:
        return BY_NAME[name]
    # A count after an anchor is Java's, and means nothing. Categories of Unicode are not read: they take every sample.
    pattern = re.sub(r"\$\{\d+,?\d*\}", "$", limits.get("pattern", ".*"))
    matches = re.compile(".*" if r"\p{" in pattern else pattern, re.DOTALL).fullmatch
    for sample in SAMPLES:
        if limits.get("min", 0) <= len(sample) <= limits.get("max", 10_000) and matches(sample):
            return sample
    raise AssertionError(f"no sample fits {shape.name} {limits}")


def request_of(service: str, name: str, host: str, prefix: str = "") -> HttpRequest:
    """The request that botocore sends to a host for the smallest parameters; ``prefix`` begins its path."""
    model = model_of(service)
    raw = create_serializer(model.protocol).serialize_to_request(smallest(service, name), model.operation_model(name))
    prepare_request_dict(raw, endpoint_url=f"http://{host}{prefix}", context={"client_config": None})
    prepared = create_request_object(raw).prepare()
    parts = urlsplit(prepared.url)
    headers = {key.lower(): str(value) for key, value in prepared.headers.items()} | {"host": host}
    body = prepared.body or b""
    return HttpRequest(
        prepared.method, parts.path, parts.query, headers, body.encode() if isinstance(body, str) else body
    )


def shared_routes() -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Each method and path with fixed parameters that several services have: the services with their operations."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for service, name in operations():
        http = model_of(service).operation_model(name).http
        route = (http["method"], re.sub(r"\{[^}]*\}", "{}", http["requestUri"]))
        found.setdefault(route, set()).add((service, name))
    return {route: those for route, those in found.items() if len(those) > 1}

"""Plausible values for shapes of botocore's models, and botocore's own serializers and parsers."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from rolecall.http import HttpAnswer, HttpRequest
from rolecall.wire import SERVICES

PLAIN = string.ascii_letters + string.digits + "-_."
STRANGE = PLAIN + " &<>\"'/%+=?#;:@~,\t\nüß漢字\u2028🎉\\{}[]|^`"
ENDPOINTS = {
    "chime": "chime.us-east-1.amazonaws.com",
    "chime-sdk-identity": "identity-chime.us-east-1.amazonaws.com",
    "chime-sdk-meetings": "meetings-chime.us-east-1.amazonaws.com",
    "chime-sdk-media-pipelines": "media-pipelines-chime.us-east-1.amazonaws.com",
    "chime-sdk-messaging": "messaging-chime.us-east-1.amazonaws.com",
    "chime-sdk-voice": "voice-chime.us-east-1.amazonaws.com",
    "iam-toolbox": "iam-toolbox.us-east-1.amazonaws.com",
    "organizations": "organizations.us-east-1.amazonaws.com",
}
SIGNING_NAMES = {name: name.partition("-")[0] for name in SERVICES}


@cache
def service_model(name: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(name, "service-2"), service_name=name)


ALL_OPERATIONS = [(name, operation) for name in SERVICES for operation in service_model(name).operation_names]


def operation_model(service_name: str, operation_name: str) -> OperationModel:
    return service_model(service_name).operation_model(operation_name)


# How many lists a sample nests.
MAXIMUM_LISTS = 4


class Sampler:
    """Values of shapes from a seed: the same seed gives the same value. ``sparse`` leaves out random members."""

    def __init__(self, seed: int, *, alphabet: str = STRANGE, sparse: bool = False, milliseconds: bool = True) -> None:
        self.random = random.Random(seed)
        self.alphabet = alphabet
        self.sparse = sparse
        self.milliseconds = milliseconds
        self.depth = 0

    def value(self, shape: Shape) -> Any:
        return getattr(self, shape.type_name, self.text)(shape)

    def structure(self, shape: Shape) -> dict[str, Any]:
        if getattr(shape, "is_document_type", False):
            return {"any": ["JSON", 1, {"value": None}]}
        names = list(shape.members)
        if getattr(shape, "is_tagged_union", False):
            names = [self.random.choice(names)]
        elif self.sparse and names:
            kept = [name for name in names if name in shape.required_members or self.random.random() < 0.6]
            names = kept or names[:1]
        return {name: self.member(shape.members[name]) for name in names}

    def member(self, shape: Shape) -> Any:
        location = shape.serialization.get("location")
        if location and shape.type_name == "string":
            return self.text(shape, alphabet=PLAIN if location == "header" else self.alphabet, shortest=1)
        return self.value(shape)

    def list(self, shape: Shape) -> list[Any]:
        # Shapes may contain themselves.
        if self.depth > MAXIMUM_LISTS:
            return []
        self.depth += 1
        found = [self.value(shape.member) for _ in range(self.random.randint(0 if self.sparse else 1, 3))]
        self.depth -= 1
        return found

    def map(self, shape: Shape) -> dict[str, Any]:
        return {f"key {number} ü": self.value(shape.value) for number in range(self.random.randint(1, 3))}

    def text(self, shape: Shape, alphabet: str | None = None, shortest: int = 0) -> str:
        if shape.metadata.get("enum"):
            return self.random.choice(shape.metadata["enum"])
        size = self.random.randint(shortest, 12)
        return "".join(self.random.choice(alphabet or self.alphabet) for _ in range(size))

    def integer(self, shape: Shape) -> int:
        return self.random.randint(-(2**31), 2**31 - 1)

    def long(self, shape: Shape) -> int:
        return self.random.randint(-(2**63), 2**63 - 1)

    def float(self, shape: Shape) -> float:
        return self.random.randint(-1000, 1000) / 8

    double = float

    def boolean(self, shape: Shape) -> bool:
        return self.random.random() < 0.5

    def blob(self, shape: Shape) -> bytes:
        return self.random.randbytes(self.random.randint(1, 20))

    def timestamp(self, shape: Shape) -> float:
        whole = float(self.random.randint(0, 4_000_000_000))
        return whole + (self.random.randint(0, 999) / 1000 if self.milliseconds else 0)


def plain(value: Any) -> Any:
    """Dates as epoch seconds, so that sent and received values compare; without response metadata."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    return round(value, 3) if isinstance(value, float) else value


def dated(value: Any, shape: Shape) -> Any:
    """The value as a user of boto3 passes it: timestamps as dates."""
    if shape.type_name == "structure":
        return {name: dated(item, shape.members[name]) for name, item in value.items()}
    if shape.type_name == "list":
        return [dated(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {name: dated(item, shape.value) for name, item in value.items()}
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, UTC)
    return value


def request_of(model: OperationModel, parameters: dict[str, Any], host: str = "127.0.0.1:4580") -> HttpRequest:
    """The request botocore sends for these parameters."""
    serializer = create_serializer(model.service_model.protocol, include_validation=False)
    if model.input_shape is not None:
        parameters = dated(parameters, model.input_shape)
    raw = serializer.serialize_to_request(parameters, model)
    prepare_request_dict(raw, endpoint_url=f"http://{host}", context={"client_config": None})
    prepared = create_request_object(raw).prepare()
    parts = urlsplit(prepared.url)
    body = prepared.body or b""
    headers = {}
    for name, value in prepared.headers.items():
        headers[name.lower()] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    headers["host"] = host
    return HttpRequest(
        prepared.method,
        parts.path or "/",
        parts.query,
        headers,
        body.encode("utf-8") if isinstance(body, str) else body,
    )


def parsed(model: OperationModel, answer: HttpAnswer) -> dict[str, Any]:
    """Botocore's reading of an answer, success or error."""
    headers = HeadersDict({"content-type": answer.content_type, **answer.headers})
    response = {"body": answer.body, "headers": headers, "status_code": answer.status}
    return create_parser(model.service_model.protocol).parse(response, model.output_shape)

"""Services and operations. A model is read, and an operation compiled, on first use. Both are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from rolecall.http import HttpRequest
from rolecall.wire import json_answer, query, rest_json, xml_answer
from rolecall.wire.constraints import Check, compile_check
from rolecall.wire.models import KNOWN_SERVICES, Member, Model, Shape, load_model
from rolecall.wire.recorded import Recorder, compile_recorder

DecodeRequest = Callable[[Mapping[str, str], Mapping[str, str], HttpRequest], dict[str, Any]]
EncodeText = Callable[[Any], str]
# How many levels of an input's members ``input_paths`` lists. Every member that names a resource is within them.
MAXIMUM_MEMBER_DEPTH = 6
# The roles of a role's instance profiles in GetAccountAuthorizationDetails have their members on this level.
_ANSWER_MEMBER_DEPTH = 4


class Operation(Struct, frozen=True):
    """One operation, compiled. Member names are the model's.

    ``input_paths`` and ``output_paths`` also list members inside other members. ``signed`` is false for an operation
    without SigV4. ``has_output`` is true for an output without members, too. ``output_enums`` has the values of the
    answer's members that are enumerations, or lists of them.
    """

    name: str
    service_name: str
    protocol: str
    signed: bool
    method: str
    template: str
    status: int
    input_members: tuple[str, ...]
    input_paths: tuple[tuple[str, ...], ...]
    # The names of the query string that may have several values.
    query_lists: frozenset[str]
    required_members: tuple[str, ...]
    has_output: bool
    output_members: tuple[str, ...]
    output_paths: frozenset[tuple[str, ...]]
    output_enums: Mapping[str, tuple[str, ...]]
    error_codes: frozenset[str]
    decode: DecodeRequest
    check: Check
    encode_xml: EncodeText
    encode_json: EncodeText
    xml_envelope: tuple[str, str]
    result_wrapper: str
    located_output: Mapping[str, Member]
    payload_output: str
    recorder: Recorder


class ServiceError(Struct, frozen=True):
    """One exception of a model: its name, its code on the wire, its status, and the body's ``Code`` in rest-json."""

    name: str
    code: str
    status: int
    sender: bool
    body_code: str
    members: frozenset[str]


class Service:
    """One service as its model describes it; ``operation`` compiles on first use."""

    def __init__(self, name: str, model: Model) -> None:
        metadata = model.metadata
        self.name = name
        self.protocol: str = metadata["protocol"]
        self.api_version: str = metadata["apiVersion"]
        self.namespace: str = metadata.get("xmlNamespace", "")
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.operation_names: frozenset[str] = frozenset(model.operations)
        self.routes: tuple[tuple[str, str, str], ...] = tuple(
            (operation, raw["http"]["method"], raw["http"]["requestUri"]) for operation, raw in model.operations.items()
        )
        self.errors: Mapping[str, ServiceError] = _errors(model)
        self.error_names = {code: error.name for code, error in self.errors.items() if code != error.name}
        self._model = model
        self._compiled: dict[str, Operation] = {}

    def operation(self, name: str) -> Operation:
        """The compiled operation. Raises KeyError when the service has no such operation."""
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._compiled[name] = _compile(self, self._model, name)
        return compiled


@lru_cache(maxsize=len(KNOWN_SERVICES))
def load_service(name: str) -> Service:
    """The service of that name. Raises KeyError for a service Rolecall does not know."""
    return Service(KNOWN_SERVICES[name].name, load_model(name))


def _compile(service: Service, model: Model, name: str) -> Operation:
    raw = model.operations[name]
    given = model.shape(raw["input"]["shape"]) if "input" in raw else None
    answered = model.shape(raw["output"]["shape"]) if "output" in raw else None
    inputs = given.members if given else {}
    outputs = answered.members if answered else {}
    payload = answered.traits.get("payload", "") if answered else ""
    in_body = {member: m for member, m in outputs.items() if not m.location and member != payload}
    wrapper = raw.get("output", {}).get("resultWrapper", "")
    return Operation(
        name=name,
        service_name=service.name,
        protocol=service.protocol,
        signed=raw.get("authtype") != "none" and "smithy.api#noAuth" not in raw.get("auth", ()),
        method=raw["http"]["method"],
        template=raw["http"]["requestUri"],
        status=raw["http"].get("responseCode", 200),
        input_members=tuple(inputs),
        input_paths=tuple(_member_paths(given)),
        query_lists=frozenset(
            m.wire_name for m in inputs.values() if m.location == "querystring" and m.shape.type == "list"
        ),
        required_members=tuple(member for member in inputs if given and member in given.required),
        has_output=answered is not None,
        output_members=tuple(outputs),
        output_paths=frozenset(_member_paths(answered, _ANSWER_MEMBER_DEPTH)),
        output_enums=_enums(outputs),
        error_codes=frozenset(_error_code(model, error["shape"]) for error in raw.get("errors", ())),
        decode=_decoder(service.protocol, given),
        check=compile_check(given, service.name),
        encode_xml=xml_answer.compile_encode(answered),
        encode_json=json_answer.compile_encode(answered, in_body),
        xml_envelope=_xml_envelope(name, service.namespace, wrapper),
        result_wrapper=wrapper,
        located_output={member: m for member, m in outputs.items() if m.location or member == payload},
        payload_output=payload,
        recorder=compile_recorder(name, given, answered, service.protocol, service.error_names),
    )


def _member_paths(shape: Shape | None, depth: int = MAXIMUM_MEMBER_DEPTH) -> Iterator[tuple[str, ...]]:
    """The members of a structure and of the structures inside it, also in lists, down to ``depth`` levels."""
    if shape is None or depth == 0:
        return
    for name, member in shape.members.items():
        yield (name,)
        inner = member.shape
        while inner.type == "list":
            inner = inner.part("member").shape
        if inner.type == "structure":
            yield from ((name, *path) for path in _member_paths(inner, depth - 1))


def _enums(members: Mapping[str, Member]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, member in members.items():
        shape = member.shape.part("member").shape if member.shape.type == "list" else member.shape
        if "enum" in shape.traits:
            found[name] = tuple(shape.traits["enum"])
    return found


def _decoder(protocol: str, shape: Shape | None) -> DecodeRequest:
    if protocol in ("rest-json", "json"):
        return rest_json.compile_decode(shape)
    decode = query.compile_decode(shape)
    return lambda inputs, query_parameters, request: decode(inputs)


def _xml_envelope(name: str, namespace: str, wrapper: str) -> tuple[str, str]:
    """The XML before the result, and the XML between the result and the request id."""
    opening = f'<{name}Response xmlns="{namespace}">'
    if wrapper:
        return f"{opening}<{wrapper}>", f"</{wrapper}><ResponseMetadata><RequestId>"
    return opening, "<ResponseMetadata><RequestId>"


def _error_code(model: Model, name: str) -> str:
    code: str = model.shape(name).traits.get("error", {}).get("code", name)
    return code


def _errors(model: Model) -> dict[str, ServiceError]:
    """The model's exceptions by wire code and by name. A wire code wins over another exception's equal name."""
    by_name: dict[str, ServiceError] = {}
    by_code: dict[str, ServiceError] = {}
    body_codes = sorted(model.enum("ErrorCode"), key=len, reverse=True)
    for name, shape in model.exceptions().items():
        raw = shape.traits.get("error", {})
        code = raw.get("code", name)
        status = raw.get("httpStatusCode", 500 if shape.traits.get("fault") else 400)
        error = ServiceError(name, code, status, status < 500, _body_code(name, body_codes), frozenset(shape.members))
        by_name[name] = error
        by_code[code] = error
    return by_name | by_code


def _body_code(name: str, body_codes: list[str]) -> str:
    """``Forbidden`` for ``ForbiddenException``: the longest value of ErrorCode that the name starts with."""
    for code in body_codes:
        if name.startswith(code):
            return code
    return name.removesuffix("Exception").removesuffix("Client")

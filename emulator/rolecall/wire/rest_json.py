"""Reads rest-json input: path labels, query string, headers and JSON body become the members of the model.

A JSON value of the wrong type is a SerializationException in AWS's words. Members that the model lacks are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.wire.forms import values_of
from rolecall.wire.models import Member, Shape
from rolecall.wire.scalars import (
    FLOAT_TYPES,
    INTEGER_TYPES,
    checked_seconds,
    integer_bounds,
    not_convertible,
    read_blob,
    read_timestamp,
    text_reader,
)

MAXIMUM_NESTING = 64
# Possessive, and the final quote may be missing. Otherwise a hostile text could restart the search at every quote.
_STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
Decode = Callable[[Mapping[str, str], Mapping[str, str], HttpRequest], dict[str, Any]]
_Read = Callable[[Any], Any]


def compile_decode(shape: Shape | None) -> Decode:
    """A function from labels, query parameters and the request to the members of the operation's input."""
    members = shape.members if shape else {}
    payload = shape.traits.get("payload", "") if shape else ""
    labels, queries, headers = (_located(members, location) for location in ("uri", "querystring", "header"))
    lists = [
        (m.wire_name, name, text_reader(m.shape.part("member")) or str)
        for name, m in members.items()
        if m.location == "querystring" and m.shape.type == "list"
    ]
    body = {m.wire_name: (name, _reader(m)) for name, m in members.items() if not m.location and name != payload}
    whole = (payload, members[payload]) if payload else None

    def decode(path_labels: Mapping[str, str], query: Mapping[str, str], request: HttpRequest) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for wire_name, name, read in labels:
            text = path_labels[wire_name]
            values[name] = text if read is None else read(text)
        if query:
            _read_located(queries, query, values)
            for wire_name, name, read_part in lists:
                if wire_name in query:
                    values[name] = [read_part(text) for text in values_of(request.raw_query, wire_name)]
        if headers:
            _read_located(headers, request.headers, values)
        if whole is not None:
            _read_payload(whole[0], whole[1], request.body, values)
        elif body and request.body:
            for wire_name, value in parse_body(request.body).items():
                found = body.get(wire_name)
                if found is not None and value is not None:
                    values[found[0]] = found[1](value)
        return values

    return decode


def _located(members: Mapping[str, Member], location: str) -> list[tuple[str, str, Callable[[str], Any] | None]]:
    return [
        (wire_name, name, text_reader(m))
        for name, m in members.items()
        if m.location == location and not (location == "querystring" and m.shape.type == "list")
        for wire_name in (_header_names(m.wire_name) if location == "header" else (m.wire_name,))
    ]


def _header_names(name: str) -> tuple[str, ...]:
    """The names under which a header arrives. WSGI writes a hyphen as an underscore, so it cannot tell them apart."""
    return tuple(dict.fromkeys((name.lower(), name.lower().replace("_", "-"))))


def _read_located(
    plan: list[tuple[str, str, Callable[[str], Any] | None]], source: Mapping[str, str], values: dict[str, Any]
) -> None:
    for wire_name, name, read in plan:
        text = source.get(wire_name)
        if text is not None:
            if "\x00" in text:
                raise AwsError("MalformedInput", "The request contains a NUL character.")
            values[name] = text if read is None else read(text)


def _read_payload(name: str, member: Member, body: bytes, values: dict[str, Any]) -> None:
    if not body:
        return
    if member.shape.type == "blob":
        values[name] = body
    elif member.shape.type == "string":
        values[name] = _text(_decoded(body))
    else:
        values[name] = _reader(member)(parse_body(body))


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises AwsError MalformedInput for anything else."""
    text = _decoded(body)
    if not text.strip():
        return {}
    if text.count("[") + text.count("{") > MAXIMUM_NESTING and _nesting(text) > MAXIMUM_NESTING:
        raise AwsError("MalformedInput", "The request body is nested too deeply.")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise AwsError("MalformedInput", "The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise AwsError("MalformedInput", "The request body must be a JSON object.")
    return value


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise AwsError("MalformedInput", "The request body is not valid UTF-8.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _nesting(text: str) -> int:
    """How deep brackets nest. Brackets inside strings do not count."""
    depth = deepest = 0
    for bracket in _NOT_BRACKETS.sub("", _STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _reader(member: Member) -> _Read:
    kind = member.shape.type
    if kind == "structure":
        return _structure_reader(member.shape)
    if kind == "list":
        return _list_reader(member.shape)
    if kind == "map":
        return _map_reader(member.shape)
    if kind in INTEGER_TYPES:
        return _integer_reader(kind)
    if kind in FLOAT_TYPES:
        return _float
    return {"boolean": _boolean, "timestamp": _timestamp, "blob": _blob}.get(kind, _text)


def _token(value: Any) -> str:
    """The name AWS's JSON reader gives to the kind of a value."""
    if value is True:
        return "TRUE_VALUE"
    if value is False:
        return "FALSE_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    return "NUMBER_VALUE" if isinstance(value, int) else "DECIMAL_VALUE"


def _wrong(value: Any, wanted: str) -> AwsError:
    if isinstance(value, dict):
        return AwsError("MalformedInput", "Start of structure or map found where not expected.")
    if isinstance(value, list):
        return AwsError("MalformedInput", "Start of list found where not expected")
    return not_convertible(_token(value), wanted)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a String")
    if "\x00" in value:
        raise AwsError("MalformedInput", "The request body contains a NUL character.")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise AwsError("MalformedInput", "The request body contains half a surrogate pair.") from None
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong(value, "a Boolean")


def _integer_reader(kind: str) -> _Read:
    smallest, largest = integer_bounds(kind)
    wanted = "an Integer" if kind == "integer" else f"a {kind.capitalize()}"

    def read_integer(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and smallest <= value <= largest:
            return value
        raise _wrong(value, wanted)

    return read_integer


def _float(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1.7e308:
        return float(value)
    raise _wrong(value, "a Float")


def _timestamp(value: Any) -> float:
    if isinstance(value, str):
        return read_timestamp(value)
    return checked_seconds(_float(value))


def _blob(value: Any) -> bytes:
    return read_blob(_text(value))


def _structure_reader(shape: Shape) -> _Read:
    plan: dict[str, tuple[str, _Read]] = {}

    def read_structure(value: Any) -> Any:
        if not isinstance(value, dict):
            if isinstance(value, list):
                raise _wrong(value, "")
            raise AwsError("MalformedInput", f"Unexpected {_token(value)} where a structure or map is expected.")
        if not plan:
            plan.update({m.wire_name: (name, _reader(m)) for name, m in shape.members.items()})
        values = {}
        for name, child in value.items():
            found = plan.get(name)
            if found is not None and child is not None:
                values[found[0]] = found[1](child)
        return values

    return read_structure


def _list_reader(shape: Shape) -> _Read:
    element = shape.part("member")
    read: list[_Read] = []

    def read_list(value: Any) -> Any:
        if not isinstance(value, list):
            if isinstance(value, dict):
                raise _wrong(value, "")
            raise AwsError("MalformedInput", f"Unexpected {_token(value)} where a list is expected.")
        if not read:
            read.append(_reader(element))
        read_element = read[0]
        return [None if child is None else read_element(child) for child in value]

    return read_list


def _map_reader(shape: Shape) -> _Read:
    value_member = shape.part("value")
    read: list[_Read] = []

    def read_map(value: Any) -> Any:
        if not isinstance(value, dict):
            if isinstance(value, list):
                raise _wrong(value, "")
            raise AwsError("MalformedInput", f"Unexpected {_token(value)} where a structure or map is expected.")
        if not read:
            read.append(_reader(value_member))
        read_value = read[0]
        return {_text(key): None if child is None else read_value(child) for key, child in value.items()}

    return read_map

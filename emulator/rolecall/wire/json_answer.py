"""Answers as JSON: bodies of rest-json services, and of query services whose client asked for JSON.

The closures are compiled once per operation. They refuse a member that the model does not know, as the XML ones do.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from rolecall.caches import KeptList, KeptMapping
from rolecall.wire.models import Member, Shape
from rolecall.wire.scalars import PLAIN_TEXTS, epoch_seconds, http_date, iso8601_milliseconds

Encode = Callable[[Any], str]


def compile_encode(shape: Shape | None, members: Mapping[str, Member] | None = None) -> Encode:
    """A function from an answer to a JSON object. ``members`` limits the object to the members of the body."""
    if shape is None:
        return _refuse_any
    return _structure_encoder(shape, members)


def _refuse_any(value: Mapping[str, Any]) -> str:
    if value:
        raise TypeError(f"the operation has no output members, but got {sorted(value)}")
    return "{}"


def encoder(member: Member) -> Encode:
    """A function from one value to its JSON text."""
    kind = member.shape.type
    if kind == "structure" and member.shape.traits.get("document"):
        return _document
    if kind == "structure":
        return _structure_encoder(member.shape, None)
    if kind == "list":
        return _list_encoder(member.shape)
    if kind == "map":
        return _map_encoder(member.shape)
    if kind == "timestamp":
        return _timestamp_encoder(member.timestamp_format)
    return {**PLAIN_TEXTS, "blob": _blob}.get(kind, encode_basestring_ascii)


def _structure_encoder(shape: Shape, members: Mapping[str, Member] | None) -> Encode:
    plan: dict[str, tuple[str, Encode]] = {}

    def encode_structure(value: Mapping[str, Any]) -> str:
        if not plan:
            chosen = shape.members if members is None else members
            plan.update({n: (encode_basestring_ascii(m.wire_name) + ":", encoder(m)) for n, m in chosen.items()})
        try:
            planned = [(plan[name], item) for name, item in value.items()]
        except KeyError as error:
            raise TypeError(f"{shape.name} has no member {error.args[0]}") from error
        return "{" + ",".join([key + encode(item) for (key, encode), item in planned if item is not None]) + "}"

    return encode_structure


def _list_encoder(shape: Shape) -> Encode:
    element = shape.part("member")
    encoders: list[Encode] = []

    def encode_list(value: Any) -> str:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{shape.name} must be a list, not {type(value).__name__}")
        if not encoders:
            encoders.append(encoder(element))
        return value.text_by(encode_items) if type(value) is KeptList else encode_items(value)

    def encode_items(value: Any) -> str:
        encode = encoders[0]
        texts = [item.text_by(encode) if type(item) is KeptMapping else encode(item) for item in value]
        return "[" + ",".join(texts) + "]"

    return encode_list


def _map_encoder(shape: Shape) -> Encode:
    element = shape.part("value")
    encoders: list[Encode] = []

    def encode_map(value: Mapping[str, Any]) -> str:
        if not encoders:
            encoders.append(encoder(element))
        encode = encoders[0]
        return "{" + ",".join([f"{encode_basestring_ascii(name)}:{encode(item)}" for name, item in value.items()]) + "}"

    return encode_map


def _timestamp_encoder(timestamp_format: str) -> Encode:
    if timestamp_format == "iso8601":
        return lambda value: f'"{iso8601_milliseconds(value)}"'
    if timestamp_format == "rfc822":
        return lambda value: f'"{http_date(value)}"'
    return epoch_seconds


def _document(value: Any) -> str:
    """Any JSON value, for a member whose form the model does not fix."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _blob(value: Any) -> str:
    return f'"{base64.b64encode(value).decode("ascii")}"'

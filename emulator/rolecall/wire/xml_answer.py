"""Answers of query services as XML, from closures compiled once per operation.

The closures refuse a member that the model does not know: a client would drop it silently.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from rolecall.caches import KeptList, KeptMapping
from rolecall.wire.models import Member, Shape
from rolecall.wire.scalars import PLAIN_TEXTS, epoch_seconds, http_date, iso8601_seconds

Encode = Callable[[Any], str]
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]').search
_FORBIDDEN = [code for code in range(32) if code not in (9, 10, 13)] + [*range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_ESCAPES: dict[int, str] = {
    **dict.fromkeys(_FORBIDDEN, "\ufffd"),
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("\r"): "&#xD;",
}
# From this number of structures on, a list's texts are tested together.
_MANY = 8
_SPECIAL_OCTETS = bytes(code for code in _ESCAPES if code < 128)


def escape(text: str) -> str:
    """Text for XML 1.0. A character that XML forbids becomes U+FFFD, because no escape makes it legal."""
    if str.isascii(text):
        # Deleting absent bytes is the fastest test that the text needs no escape.
        octets = text.encode()
        if len(octets.translate(None, _SPECIAL_OCTETS)) == len(octets):
            return text
    elif not _SPECIAL(text):
        return text
    return text.translate(_ESCAPES)


def compile_encode(shape: Shape | None) -> Encode:
    """A function from an answer to the inside of its result element."""
    return _structure_encoder(shape) if shape else _refuse_any


def _refuse_any(value: Mapping[str, Any]) -> str:
    if value:
        raise TypeError(f"the operation has no output members, but got {sorted(value)}")
    return ""


def _encoder(member: Member) -> Encode:
    kind = member.shape.type
    if kind == "structure":
        return _structure_encoder(member.shape)
    if kind == "list":
        return _list_encoder(member.shape)
    if kind == "map":
        return _map_encoder(member.shape)
    if kind == "timestamp":
        return _timestamp_encoder(member.timestamp_format)
    return {**PLAIN_TEXTS, "blob": _blob}.get(kind, escape)


def _structure_encoder(shape: Shape, *, escapes: bool = True) -> Encode:
    """Without ``escapes`` the caller has made sure that no text of the structure itself needs an escape."""
    plan: dict[str, tuple[str, Encode | None, str]] = {}

    def encode_structure(value: Mapping[str, Any]) -> str:
        return value.text_by(encode_members) if type(value) is KeptMapping else encode_members(value)

    def encode_members(value: Mapping[str, Any]) -> str:
        if not plan:
            plan.update({name: _tagged(member, escapes=escapes) for name, member in shape.members.items()})
        text = ""
        for name, item in value.items():
            found = plan.get(name)
            if found is None:
                raise TypeError(f"{shape.name} has no member {name}")
            if item is not None:
                opening, encode, closing = found
                # By "+", which takes nothing but text.
                text += opening + (item if encode is None else encode(item)) + closing
        return text

    return encode_structure


def _tagged(member: Member, *, escapes: bool) -> tuple[str, Encode | None, str]:
    """The member's opening, its encoder and its closing. None in place of an encoder leaves the text as it is."""
    if member.shape.type in {"list", "map"} and member.shape.flattened:
        return "", _repeated_encoder(member), ""
    encode: Encode | None = _encoder(member)
    if encode is escape and not escapes:
        encode = None
    return f"<{member.wire_name}>", encode, f"</{member.wire_name}>"


def _repeated_encoder(member: Member) -> Encode:
    """A flattened list or map repeats the member's own element."""
    if member.shape.type == "map":
        return _entries_encoder(member.shape, member.wire_name)
    return _elements_encoder(member.shape, member.wire_name)


def _list_encoder(shape: Shape) -> Encode:
    return _elements_encoder(shape, shape.part("member").wire_name)


def _elements_encoder(shape: Shape, tag: str) -> Encode:
    element = shape.part("member")
    encoders: list[Encode] = []

    def encode_list(value: Any) -> str:
        return value.text_by(encode_items) if type(value) is KeptList else encode_items(value)

    def encode_items(value: Any) -> str:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{shape.name} must be a list, not {type(value).__name__}")
        if not encoders:
            encoders.append(_encoder(element))
        encode = encoders[0]
        if len(value) >= _MANY and element.shape.type == "structure":
            texts = "".join([text for item in value for text in item.values() if isinstance(text, str)])
            if escape(texts) is texts:
                # One test for the texts of all members is quicker than one for each.
                if len(encoders) == 1:
                    encoders.append(_structure_encoder(element.shape, escapes=False))
                encode = encoders[1]
        return "".join([f"<{tag}>{encode(item)}</{tag}>" for item in value])

    return encode_list


def _map_encoder(shape: Shape) -> Encode:
    return _entries_encoder(shape, "entry")


def _entries_encoder(shape: Shape, tag: str) -> Encode:
    key, element = shape.part("key"), shape.part("value")
    encoders: list[Encode] = []

    def encode_map(value: Mapping[str, Any]) -> str:
        if not encoders:
            encoders.append(_encoder(element))
        encode = encoders[0]
        return "".join(
            [
                f"<{tag}><{key.wire_name}>{escape(name)}</{key.wire_name}>"
                f"<{element.wire_name}>{encode(item)}</{element.wire_name}></{tag}>"
                for name, item in value.items()
            ]
        )

    return encode_map


def _timestamp_encoder(timestamp_format: str) -> Encode:
    return {"unixTimestamp": epoch_seconds, "rfc822": http_date}.get(timestamp_format, iso8601_seconds)


def _blob(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")

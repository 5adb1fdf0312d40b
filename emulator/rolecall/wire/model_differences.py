"""What a request has that one model of an operation knows and another one lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rolecall.wire.models import Shape


def has_more(one: Shape | None, other: Shape | None, query: Mapping[str, str], body: bytes) -> bool:
    """Whether a rest-json request has a member, or a value of an enumeration, of the first model alone.

    Both shapes are of the input. A body that is no JSON object has nothing.
    """
    if one is None or other is None:
        return False
    try:
        sent = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        sent = {}
    return _has_more(one, other, {**(sent if isinstance(sent, dict) else {}), **query})


def _has_more(one: Shape, other: Shape, value: Any) -> bool:
    if isinstance(value, dict) and one.type == other.type == "structure":
        known = {member.wire_name: member.shape for member in other.members.values()}
        return any(
            member.wire_name not in known or _has_more(member.shape, known[member.wire_name], value[member.wire_name])
            for member in one.members.values()
            if member.wire_name in value
        )
    if isinstance(value, list) and one.type == other.type == "list":
        return any(_has_more(one.part("member").shape, other.part("member").shape, each) for each in value)
    # A plain text has no enumeration, and takes every value.
    values, others = (shape.traits.get("enum", ()) for shape in (one, other))
    return isinstance(value, str) and value in values and bool(others) and value not in others

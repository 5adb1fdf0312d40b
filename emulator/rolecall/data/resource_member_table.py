"""Which member of a request names a resource, where neither the reference nor the member's own name shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct, field

_FILE = Path(__file__).parent / "actions" / "resource_members.json"


class ResourceMembers(Struct, frozen=True):
    """One service's rows.

    ``types`` are members by resource type, for every operation that has one of them. ``actions`` are resource types by
    action, and members by type. They replace what ``types`` says. A type without members is named by no member. A
    nested member is written ``Sinks.SinkArn``. ``condition_keys`` are members by condition key.
    """

    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    actions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    condition_keys: Mapping[str, str] = field(default_factory=dict)


@cache
def _table() -> Mapping[str, ResourceMembers]:
    rows = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        service_prefix: ResourceMembers(
            types=_tuples(row["types"]),
            actions={name: _tuples(types) for name, types in row["actions"].items()},
            condition_keys=row.get("condition_keys", {}),
        )
        for service_prefix, row in rows.items()
    }


def _tuples(members: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(listed) for name, listed in members.items()}


_NOTHING = ResourceMembers()


def resource_members(service_prefix: str) -> ResourceMembers:
    """The rows of one service; empty for a service that needs none."""
    return _table().get(service_prefix, _NOTHING)

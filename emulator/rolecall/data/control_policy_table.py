"""What control policies of an organization may name. ``control_policies/README.md`` gives the source."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "control_policies" / "resource_control_services.json"


@cache
def resource_control_services() -> frozenset[str]:
    """The service prefixes, in lower case, that resource control policies apply to."""
    return frozenset(json.loads(_FILE.read_text(encoding="utf-8")))


def without_resource_control(actions: Iterable[str]) -> list[str]:
    """The service prefixes of actions of services that resource control policies do not apply to, as written."""
    named = dict.fromkeys(action.partition(":")[0] for action in actions)
    return [prefix for prefix in named if prefix.lower() not in resource_control_services()]

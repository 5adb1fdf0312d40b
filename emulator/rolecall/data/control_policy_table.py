"""What control policies of an organization may name. ``control_policies/README.md`` gives the source."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "control_policies" / "resource_control_services.json"


@cache
def resource_control_services() -> frozenset[str]:
    """The service prefixes, in lower case, that resource control policies apply to."""
    return frozenset(json.loads(_FILE.read_text(encoding="utf-8")))

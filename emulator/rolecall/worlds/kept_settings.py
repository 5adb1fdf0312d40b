"""The settings of a sandbox as a text that its database keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec.structs import asdict, replace

from rolecall.data import QUOTA_FIELDS, changed_quotas, quotas_with
from rolecall.settings import SandboxSettings

_NAMES = SandboxSettings.__struct_fields__


def settings_text(settings: SandboxSettings) -> str:
    kept = asdict(settings) | {"quotas": changed_quotas(settings.quotas)}
    return json.dumps(kept, sort_keys=True)


def settings_of(text: str, declared: SandboxSettings) -> SandboxSettings:
    """The settings in a text. An older version of Rolecall kept fewer; ``declared`` has the others."""
    return replace(declared, **_kept_in(text))


# Every new generation asks, and the answer hardly ever changes. The mapping is shared, so no caller changes it.
@lru_cache(maxsize=16)
def _kept_in(text: str) -> Mapping[str, Any]:
    read = json.loads(text)
    known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in read.items()}
    if "quotas" in read:
        known["quotas"] = quotas_with({name: value for name, value in read["quotas"].items() if name in QUOTA_FIELDS})
    return {name: known[name] for name in _NAMES if name in known}

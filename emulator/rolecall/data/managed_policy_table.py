"""AWS managed policies: ``managed_policies/index.json`` for the facts, one file per document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).parent / "managed_policies"

# An account in use touches a handful of these; the largest document is 140 kB.
_DOCUMENTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """One AWS managed policy without its document.

    ``policy_id`` has AWS's form (``ANPA`` and 17 characters) and is made from the ARN, because no public source carries
    the real one. Dates are whole seconds since the epoch. ``is_attachable`` is false for the policies that AWS
    keeps for service-linked roles and root tasks. ``description`` is empty where the source has none.
    """

    arn: str
    name: str
    path: str
    policy_id: str
    default_version_id: str
    create_date_seconds: int
    update_date_seconds: int
    description: str
    is_attachable: bool


@cache
def managed_policies() -> Mapping[str, ManagedPolicy]:
    """Every AWS managed policy Rolecall knows, by ARN, in the order of the ARNs."""
    rows = json.loads((_FOLDER / "index.json").read_text(encoding="utf-8"))
    return MappingProxyType({row["arn"]: _policy(row) for row in sorted(rows, key=lambda row: str(row["arn"]))})


@lru_cache(maxsize=_DOCUMENTS_KEPT)
def managed_policy_document(arn: str) -> str:
    """The JSON text of the policy's default version. Raises KeyError for an ARN that is not in the table."""
    policy = managed_policies()[arn]
    return (_FOLDER / "documents" / f"{policy.name}.json").read_text(encoding="utf-8").rstrip("\n")


def _policy(row: Mapping[str, str | bool]) -> ManagedPolicy:
    return ManagedPolicy(
        arn=str(row["arn"]),
        name=str(row["name"]),
        path=str(row["path"]),
        policy_id=str(row["policy_id"]),
        default_version_id=str(row["default_version_id"]),
        create_date_seconds=_seconds(str(row["create_date"])),
        update_date_seconds=_seconds(str(row["update_date"])),
        description=str(row["description"]),
        is_attachable=bool(row["is_attachable"]),
    )


def _seconds(iso_date: str) -> int:
    return int(datetime.fromisoformat(iso_date).timestamp())

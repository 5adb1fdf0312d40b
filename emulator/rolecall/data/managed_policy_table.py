"""AWS managed policies, all of them: ``managed_policies/managed_policies.sqlite`` holds facts and packed documents.

Nothing is read before a policy is needed. One policy by its ARN is read alone. A list reads the facts of all policies,
and nothing ever reads all documents.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import zlib
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

_FILE = Path(__file__).parent / "managed_policies" / "managed_policies.sqlite"
_ARN_PREFIX = "arn:aws:iam::aws:policy/"
# AWS keeps the policies under these paths for its own roles and tasks.
_UNATTACHABLE_PATHS = ("/aws-service-role/", "/root-task/")
_ALL = "SELECT arn, path, default_version_id, create_date, update_date, description FROM policies ORDER BY arn"
_ONE = "SELECT arn, path, default_version_id, create_date, update_date, description FROM policies WHERE arn = ?"
_DOCUMENT = "SELECT document FROM documents JOIN policies USING (number) WHERE arn = ?"

# An account uses a handful of these; the largest document is 150 kB.
_DOCUMENTS_KEPT = 64
_POLICIES_KEPT = 256


class ManagedPolicy(Struct, frozen=True):
    """One AWS managed policy without its document.

    ``policy_id`` has AWS's form (``ANPA`` and 17 characters). It is made from the ARN, because no public source has the
    real one. Dates are whole seconds since the epoch. ``is_attachable`` is false for the policies that AWS keeps for
    service-linked roles and root tasks. ``description`` is empty where the source has none.
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
    """Every AWS managed policy by ARN, in the order of the ARNs, for lists. One policy: :func:`managed_policy`."""
    return MappingProxyType({row[0]: _policy(row) for row in _select(_ALL)})


def managed_policy(arn: str) -> ManagedPolicy | None:
    """The AWS managed policy with that ARN; None when there is no such policy."""
    return _known(arn) if arn.startswith(_ARN_PREFIX) else None


def managed_policy_document(arn: str) -> str:
    """The JSON text of the policy's default version. Raises KeyError for an unknown ARN."""
    document = _document(arn) if arn.startswith(_ARN_PREFIX) else None
    if document is None:
        raise KeyError(arn)
    return document


@lru_cache(maxsize=_POLICIES_KEPT)
def _known(arn: str) -> ManagedPolicy | None:
    rows = _select(_ONE, arn)
    return _policy(rows[0]) if rows else None


@lru_cache(maxsize=_DOCUMENTS_KEPT)
def _document(arn: str) -> str | None:
    rows = _select(_DOCUMENT, arn)
    if not rows:
        return None
    # The file holds documents without blanks. AWS shows them in lines, and a simulation answers the lines it means.
    return json.dumps(json.loads(zlib.decompress(rows[0][0])), indent=2, ensure_ascii=False)


def _select(statement: str, *values: str) -> list[tuple[Any, ...]]:
    """Opens the file for each query, which costs less than a millisecond and leaves nothing open.

    So threads and forked processes share no connection. ``immutable`` needs no locks, because nothing writes the file.
    """
    with closing(sqlite3.connect(f"{_FILE.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return connection.execute(statement, values).fetchall()


def _policy(row: tuple[str, ...]) -> ManagedPolicy:
    arn, path, default_version_id, create_date, update_date, description = row
    return ManagedPolicy(
        arn=arn,
        name=arn.rpartition("/")[2],
        path=path,
        policy_id=_policy_id(arn),
        default_version_id=default_version_id,
        create_date_seconds=_seconds(create_date),
        update_date_seconds=_seconds(update_date),
        description=description,
        is_attachable=path not in _UNATTACHABLE_PATHS,
    )


def _policy_id(arn: str) -> str:
    return "ANPA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


def _seconds(iso_date: str) -> int:
    return int(datetime.fromisoformat(iso_date).timestamp())

"""The templates behind the roles that AcquireRole made: rows in, frozen records out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection, bindparam, insert, select

from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.tables import acquired_roles as t


class AcquiredRole(Struct, frozen=True):
    """What a role was made from. ``replacement_values`` are the request's, by the name of the parameter."""

    template_arn: str
    template_minor_version: int
    replacement_values: Mapping[str, Sequence[str]]


_BY_ROLE = PreparedSelect(
    select(t.c.template_arn, t.c.template_minor_version, t.c.replacement_values).where(
        t.c.role_id == bindparam("role_id")
    ),
    "role_id",
)


def acquired_role(connection: Connection, role_id: str) -> AcquiredRole | None:
    """What a role was made from; None for a role that was not made from a template."""
    row = _BY_ROLE.first(connection, role_id)
    return None if row is None else AcquiredRole(row[0], row[1], json.loads(row[2]))


def add_acquired_role(connection: Connection, role_id: str, acquired: AcquiredRole) -> None:
    values = {
        "role_id": role_id,
        "template_arn": acquired.template_arn,
        "template_minor_version": acquired.template_minor_version,
        "replacement_values": json.dumps(acquired.replacement_values, sort_keys=True),
    }
    connection.execute(insert(t), values)

"""Roles that AcquireRole made, with the template and the values that they were made from."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Text

from rolecall.storage.schema import Snapshot, cascade, table

acquired_roles = table(
    "acquired_roles",
    # A row comes and goes with its role, and so GetRole may remember it.
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("role_id", String(32), cascade("roles.role_id"), primary_key=True),
        Column("template_arn", String(2048), nullable=False),
        Column("template_minor_version", Integer, nullable=False),
        # JSON: a list of texts by the name of the parameter.
        Column("replacement_values", Text, nullable=False),
    ],
)

"""Reports of last accesses, as their jobs made them, and the properties of accounts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Text

from rolecall.storage.schema import Snapshot, cascade, table

# The decision log, which reports are made from, is in no snapshot either.
access_reports = table(
    "access_reports",
    bears_on_rights=False,
    snapshot=Snapshot.LEFT_OUT,
    columns=[
        Column("job_id", String(36), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        # The unique id of the user or role that asked, or the account's id for the root user.
        Column("owner_id", String(128), nullable=False),
        # The operation that asked.
        Column("operation", String(64), nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        # JSON, as services/iam/access/reports.py writes it.
        Column("report", Text, nullable=False),
        Index(None, "account_id"),
    ],
)

account_properties = table(
    "account_properties",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("name", String(128), primary_key=True),
        Column("value", String(128), nullable=False),
    ],
)

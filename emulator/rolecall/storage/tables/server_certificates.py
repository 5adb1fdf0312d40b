"""Server certificates of accounts. Their private keys are not stored, because no operation shows or uses one."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Text, UniqueConstraint

from rolecall.storage.schema import Snapshot, cascade, table
from rolecall.storage.tables.entities import tags

server_certificates = table(
    "server_certificates",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("certificate_id", String(32), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("name", String(128), nullable=False),
        Column("name_key", String(128), nullable=False),
        Column("path", String(512), nullable=False),
        Column("body", Text, nullable=False),
        Column("chain", Text, nullable=True),
        Column("expires_at_seconds", BigInteger, nullable=False),
        Column("uploaded_at_seconds", BigInteger, nullable=False),
        UniqueConstraint("account_id", "name_key"),
    ],
)

server_certificate_tags = tags(
    "server_certificate_tags", "server_certificates", "certificate_id", snapshot=Snapshot.ROWS
)

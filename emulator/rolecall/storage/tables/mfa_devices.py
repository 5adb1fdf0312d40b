"""Virtual MFA devices and their used codes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String

from rolecall.storage.schema import Snapshot, cascade, table
from rolecall.storage.tables.entities import tags

# A virtual MFA device. ``user_id`` is null while it is not assigned, and when the root user has it.
mfa_devices = table(
    "mfa_devices",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("serial_number", String(256), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("seed", String(128), nullable=False),
        Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
        Column("of_root", Boolean, nullable=False, default=False),
        Column("enabled_at_seconds", BigInteger, nullable=True),
        Column("created_at_seconds", BigInteger, nullable=False),
        Index(None, "user_id"),
    ],
)

# The time step of the newest code used of a device. A code works once.
mfa_code_uses = table(
    "mfa_code_uses",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("serial_number", String(256), cascade("mfa_devices.serial_number"), primary_key=True),
        Column("used_step", BigInteger, nullable=False),
    ],
)

mfa_device_tags = tags("mfa_device_tags", "mfa_devices", "serial_number", 256, snapshot=Snapshot.ROWS)

"""Chime accounts and their users."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, String, UniqueConstraint

from rolecall.storage.schema import Snapshot, cascade, table

chime_accounts = table(
    "chime_accounts",
    bears_on_rights=False,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("account_id", String(36), primary_key=True),
        Column("aws_account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("name", String(100), nullable=False),
        Column("account_type", String(24), nullable=False, default="Team"),
        Column("default_license", String(16), nullable=False, default="Pro"),
        Column("account_status", String(16), nullable=False, default="Active"),
        Column("disable_remote_control", Boolean, nullable=False, default=False),
        Column("enable_dial_out", Boolean, nullable=False, default=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        Index(None, "aws_account_id"),
    ],
)

chime_users = table(
    "chime_users",
    bears_on_rights=False,
    snapshot=Snapshot.KEYS,
    columns=[
        Column("user_id", String(36), primary_key=True),
        Column("account_id", String(36), cascade("chime_accounts.account_id"), nullable=False),
        Column("primary_email", String(320), nullable=True),
        Column("email_key", String(320), nullable=True),
        Column("username", String(320), nullable=True),
        Column("display_name", String(320), nullable=False, default=""),
        Column("license_type", String(16), nullable=False),
        Column("user_type", String(16), nullable=False, default="PrivateUser"),
        Column("registration_status", String(16), nullable=False, default="Unregistered"),
        Column("invitation_status", String(16), nullable=True),
        Column("invite_id", String(36), nullable=True),
        Column("registered_at_seconds", BigInteger, nullable=True),
        Column("invited_at_seconds", BigInteger, nullable=True),
        Column("personal_pin", String(16), nullable=False),
        Column("alexa_for_business_enabled", Boolean, nullable=False, default=False),
        Column("alexa_for_business_room_arn", String(2048), nullable=True),
        Column("inbound_calling", Boolean, nullable=False, default=False),
        Column("outbound_calling", Boolean, nullable=False, default=False),
        Column("sms_messages", Boolean, nullable=False, default=False),
        Column("logged_out_at_seconds", BigInteger, nullable=True),
        UniqueConstraint("account_id", "email_key"),
        UniqueConstraint("account_id", "username"),
    ],
)

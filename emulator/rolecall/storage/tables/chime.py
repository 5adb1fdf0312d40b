"""Chime accounts, their users, rooms, bots and settings."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Text, UniqueConstraint

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

# Rooms and bots belong to Enterprise accounts. A token makes one room in an account.
chime_rooms = table(
    "chime_rooms",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("room_id", String(36), primary_key=True),
        Column("account_id", String(36), cascade("chime_accounts.account_id"), nullable=False),
        Column("name", Text, nullable=False),
        Column("created_by", String(2048), nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("updated_at_seconds", BigInteger, nullable=False),
        Column("create_token", String(64), nullable=True),
        UniqueConstraint("account_id", "create_token"),
        Index("ix_chime_rooms_page", "account_id", "created_at_seconds", "room_id"),
    ],
)

# A member is a user or a bot of the room's account. Neither can be deleted without the account.
chime_room_memberships = table(
    "chime_room_memberships",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("room_id", String(36), cascade("chime_rooms.room_id"), primary_key=True),
        Column("member_id", String(36), primary_key=True),
        Column("member_type", String(8), nullable=False),
        Column("role", String(16), nullable=False),
        Column("invited_by", String(2048), nullable=False),
        Column("updated_at_seconds", BigInteger, nullable=False),
        Index(None, "member_id"),
    ],
)

chime_bots = table(
    "chime_bots",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("bot_id", String(36), primary_key=True),
        Column("account_id", String(36), cascade("chime_accounts.account_id"), nullable=False),
        Column("display_name", Text, nullable=False),
        Column("bot_email", String(640), nullable=False),
        Column("security_token", String(64), nullable=False),
        Column("disabled", Boolean, nullable=False, default=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("updated_at_seconds", BigInteger, nullable=False),
        # The events configuration has one of the two; without one, both are NULL.
        Column("events_https_endpoint", Text, nullable=True),
        Column("events_lambda_arn", Text, nullable=True),
        Index("ix_chime_bots_page", "account_id", "created_at_seconds", "bot_id"),
    ],
)

chime_retention_settings = table(
    "chime_retention_settings",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(36), cascade("chime_accounts.account_id"), primary_key=True),
        Column("room_days", BigInteger, nullable=True),
        Column("conversation_days", BigInteger, nullable=True),
        Column("deletion_at_seconds", BigInteger, nullable=False),
    ],
)

chime_delegate_groups = table(
    "chime_delegate_groups",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(36), cascade("chime_accounts.account_id"), primary_key=True),
        Column("group_name", String(256), primary_key=True),
    ],
)

"""Phone numbers of AWS accounts, their orders and settings. Chime and Chime SDK voice share them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, UniqueConstraint

from rolecall.storage.schema import Snapshot, cascade, table

# One owner at a time has a number. Its status follows from these times, its associations and the sandbox's clock.
phone_numbers = table(
    "phone_numbers",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("phone_number", String(16), primary_key=True),
        Column("aws_account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("order_id", String(36), nullable=False),
        Column("product_type", String(32), nullable=False),
        Column("name", String(256), nullable=True),
        Column("calling_name", String(15), nullable=True),
        Column("calling_name_requested_at_seconds", BigInteger, nullable=True),
        Column("acquired_at_seconds", BigInteger, nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("updated_at_seconds", BigInteger, nullable=False),
        # When it went into the deletion queue.
        Column("deleted_at_seconds", BigInteger, nullable=True),
        Index("ix_phone_numbers_page", "aws_account_id", "created_at_seconds", "phone_number"),
    ],
)

# What a number is assigned to. ``name`` is the model's: AccountId, UserId, VoiceConnectorId and so on.
phone_number_associations = table(
    "phone_number_associations",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("phone_number", String(16), cascade("phone_numbers.phone_number"), primary_key=True),
        Column("name", String(32), primary_key=True),
        Column("value", String(64), nullable=False),
        Column("associated_at_seconds", BigInteger, nullable=False),
        Index("ix_phone_number_associations_value", "name", "value"),
    ],
)

phone_number_orders = table(
    "phone_number_orders",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("order_id", String(36), primary_key=True),
        Column("aws_account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("product_type", String(32), nullable=False),
        Column("name", String(256), nullable=True),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("done_at_seconds", BigInteger, nullable=False),
        Index("ix_phone_number_orders_page", "aws_account_id", "created_at_seconds", "order_id"),
    ],
)

# The outcome of a number is known when it is ordered, and shown when the order is done.
ordered_phone_numbers = table(
    "ordered_phone_numbers",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("order_id", String(36), cascade("phone_number_orders.order_id"), primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("phone_number", String(16), nullable=False),
        Column("acquired", Boolean, nullable=False),
        UniqueConstraint("order_id", "phone_number"),
    ],
)

# What an AWS account sets for all its numbers.
telephony_settings = table(
    "telephony_settings",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("aws_account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("business_calling_bucket", String(256), nullable=True),
        Column("voice_connector_bucket", String(256), nullable=True),
        Column("calling_name", String(15), nullable=True),
        Column("calling_name_updated_at_seconds", BigInteger, nullable=True),
    ],
)

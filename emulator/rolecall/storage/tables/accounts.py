"""An account's settings: tokens of the global endpoint, outbound federation, rules for passwords; and its report."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, String, Text

from rolecall.storage.schema import Snapshot, cascade, table

account_preferences = table(
    "account_preferences",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("global_endpoint_token_version", String(8), nullable=False, default="v1Token"),
        CheckConstraint(
            "global_endpoint_token_version IN ('v1Token', 'v2Token')", name="global_endpoint_token_version"
        ),
    ],
)

# A name for the account, unique among all accounts.
account_aliases = table(
    "account_aliases",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("alias", String(63), nullable=False, unique=True),
    ],
)

# The newest credential report. It may be read from ``ready_at_seconds`` on.
credential_reports = table(
    "credential_reports",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("content", Text, nullable=False),
        Column("generated_at_seconds", BigInteger, nullable=False),
        Column("ready_at_seconds", BigInteger, nullable=False),
    ],
)

# Outbound web identity federation: the issuer of an account's tokens. It is kept while it is switched off.
outbound_federations = table(
    "outbound_federations",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("issuer_id", String(36), nullable=False, unique=True),
        Column("enabled", Boolean, nullable=False, default=False),
    ],
)

password_policies = table(
    "password_policies",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("minimum_length", Integer, nullable=False),
        Column("require_symbols", Boolean, nullable=False),
        Column("require_numbers", Boolean, nullable=False),
        Column("require_uppercase", Boolean, nullable=False),
        Column("require_lowercase", Boolean, nullable=False),
        Column("users_may_change", Boolean, nullable=False),
        Column("maximum_age_days", Integer, nullable=True),
        Column("reuse_prevention_count", Integer, nullable=True),
        Column("hard_expiry", Boolean, nullable=True),
    ],
)

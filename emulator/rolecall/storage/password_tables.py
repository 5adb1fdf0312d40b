"""The tables of passwords and signing certificates, which are no keys: nothing is signed with them here."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from rolecall.storage.schema import cascade, metadata

# A password for the console; of the root user where ``user_id`` is null, and then ``owner_id`` is the account's id.
# Only its hash is kept, none where the root user may set its first one by recovery.
login_profiles = Table(
    "login_profiles",
    metadata,
    Column("owner_id", String(32), primary_key=True),
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
    Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
    Column("password_hash", String(255), nullable=True),
    Column("reset_required", Boolean, nullable=False),
    Column("created_at_seconds", BigInteger, nullable=False),
    Index(None, "user_id"),
)

# The hashes of the passwords before, numbered as they came: an account's policy may forbid to take one again.
old_passwords = Table(
    "old_passwords",
    metadata,
    Column("owner_id", String(32), cascade("login_profiles.owner_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("password_hash", String(255), nullable=False),
)

password_policies = Table(
    "password_policies",
    metadata,
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
)

# X.509 certificates of users, and of the root user where ``user_id`` is null.
signing_certificates = Table(
    "signing_certificates",
    metadata,
    Column("certificate_id", String(128), primary_key=True),
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
    Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
    Column("body", Text, nullable=False),
    # Of what is certified, whatever the text around it looks like.
    Column("fingerprint", String(64), nullable=False),
    Column("status", String(8), nullable=False),
    Column("uploaded_at_seconds", BigInteger, nullable=False),
    UniqueConstraint("account_id", "fingerprint"),
    Index(None, "user_id"),
)

"""Users, with their policies, tags, access keys, passwords and signing certificates."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)

from rolecall.storage.schema import Snapshot, cascade, table
from rolecall.storage.tables.entities import attached_policies, inline_policies, named_entity, tags

users = named_entity("users", "user_id", Column("permissions_boundary_arn", String(2048), nullable=True))

user_attached_policies = attached_policies("user_attached_policies", "users", "user_id")

user_inline_policies = inline_policies("user_inline_policies", "users", "user_id")

user_tags = tags("user_tags", "users", "user_id")

access_keys = table(
    "access_keys",
    bears_on_rights=True,
    of_entity="access_key_id",
    snapshot=Snapshot.KEYS,
    columns=[
        Column("access_key_id", String(128), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        # Null for a key of the account's root user.
        Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
        Column("secret_access_key", String(256), nullable=False),
        Column("status", String(8), nullable=False, default="Active"),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("last_used_at_seconds", BigInteger, nullable=True),
        Column("last_used_service", String(64), nullable=True),
        Column("last_used_region", String(32), nullable=True),
        CheckConstraint("status IN ('Active', 'Inactive', 'Expired')", name="status"),
        Index(None, "user_id"),
    ],
)

# A password for the console. For the root user ``user_id`` is null and ``owner_id`` is the account's id. Only the hash
# is stored. It is null until the root user sets a first password by recovery.
login_profiles = table(
    "login_profiles",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("owner_id", String(32), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
        Column("password_hash", String(255), nullable=True),
        Column("reset_required", Boolean, nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        # The longest sign-in session of the user; null while it is not set.
        Column("max_signin_session_duration_seconds", Integer, nullable=True),
        # Null until the password is changed.
        Column("password_changed_at_seconds", BigInteger, nullable=True),
        Index(None, "user_id"),
    ],
)

# The hashes of earlier passwords, numbered in their order: an account's policy may forbid their reuse.
old_passwords = table(
    "old_passwords",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("owner_id", String(32), cascade("login_profiles.owner_id"), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("password_hash", String(255), nullable=False),
    ],
)

# X.509 certificates of users. ``user_id`` is null for the root user.
signing_certificates = table(
    "signing_certificates",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("certificate_id", String(128), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("user_id", String(32), ForeignKey("users.user_id"), nullable=True),
        Column("body", Text, nullable=False),
        # Of the certificate's content, so that other text around it does not matter.
        Column("fingerprint", String(64), nullable=False),
        Column("status", String(8), nullable=False),
        Column("uploaded_at_seconds", BigInteger, nullable=False),
        UniqueConstraint("account_id", "fingerprint"),
        Index(None, "user_id"),
    ],
)

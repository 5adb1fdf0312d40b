"""Credentials of users for single services: SSH public keys, and service-specific credentials."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Text, UniqueConstraint

from rolecall.storage.schema import Snapshot, cascade, table

ssh_public_keys = table(
    "ssh_public_keys",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("key_id", String(128), primary_key=True),
        # No cascade: AWS refuses to delete a user with keys.
        Column("user_id", String(32), ForeignKey("users.user_id"), nullable=False),
        # In the form of OpenSSH, without a comment, so that both encodings of one key are one key.
        Column("body", Text, nullable=False),
        Column("fingerprint", String(48), nullable=False),
        Column("status", String(8), nullable=False),
        Column("uploaded_at_seconds", BigInteger, nullable=False),
        UniqueConstraint("user_id", "fingerprint"),
        CheckConstraint("status IN ('Active', 'Inactive')", name="status"),
    ],
)

# ``public_name`` is ServiceUserName or ServiceCredentialAlias. Of the secret only the SHA-256 digest is stored: the
# secret has 352 random bits, so a slow hash would protect it no better.
service_credentials = table(
    "service_credentials",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("credential_id", String(128), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("user_id", String(32), ForeignKey("users.user_id"), nullable=False),
        Column("service_name", String(128), nullable=False),
        Column("public_name", String(200), nullable=False),
        Column("secret_digest", String(64), nullable=False),
        Column("status", String(8), nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("expires_at_seconds", BigInteger, nullable=True),
        UniqueConstraint("account_id", "service_name", "public_name"),
        CheckConstraint("status IN ('Active', 'Inactive')", name="status"),
        Index(None, "user_id"),
    ],
)

"""Sign-In: authorization codes and sessions of ``aws login``, and the proofs of possession that were used. The access
to the console: permission statements, and where they are enforced.

Only digests of codes, tokens and proofs are stored. ``principal`` is JSON: the parts of the principal who signed in.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, String, Table, Text, UniqueConstraint
from sqlalchemy.schema import SchemaItem

from rolecall.storage.schema import Snapshot, cascade, table


def _passing(name: str, *columns: SchemaItem) -> Table:
    """A table of who is signed in. Another database does not know the tokens."""
    return table(name, bears_on_rights=False, snapshot=Snapshot.LEFT_OUT, columns=columns)


# ``session_id`` is set when the code was spent.
signin_codes = _passing(
    "signin_codes",
    Column("code_digest", String(64), primary_key=True),
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
    Column("region", String(32), nullable=False),
    Column("principal", Text, nullable=False),
    Column("credentials_mark", String(64), nullable=False),
    Column("client_id", String(256), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", String(128), nullable=False),
    Column("session_id", String(36), nullable=True),
    Column("signed_in_at_seconds", BigInteger, nullable=False),
    Column("expires_at_seconds", BigInteger, nullable=False),
    Index(None, "expires_at_seconds"),
)

signin_sessions = _passing(
    "signin_sessions",
    Column("session_id", String(36), primary_key=True),
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
    Column("region", String(32), nullable=False),
    Column("principal", Text, nullable=False),
    # The user, role or root user behind the principal, without a path.
    Column("owner_arn", String(2048), nullable=False),
    # Changes when the owner's password does.
    Column("credentials_mark", String(64), nullable=False),
    Column("client_id", String(256), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("key_thumbprint", String(64), nullable=False),
    Column("refresh_digest", String(64), nullable=False, unique=True),
    Column("status", String(8), nullable=False),
    Column("revocation_reason", String(256), nullable=False, default=""),
    Column("user_agent", String(1024), nullable=False),
    Column("issued_at_seconds", BigInteger, nullable=False),
    Column("expires_at_seconds", BigInteger, nullable=False),
    Column("last_used_at_seconds", BigInteger, nullable=True),
    CheckConstraint("status IN ('ACTIVE', 'REVOKED')", name="status"),
    Index(None, "account_id", "issued_at_seconds"),
    Index(None, "expires_at_seconds"),
)

# A proof may come again only with the grant that it came with first: a client repeats a request that failed.
dpop_proofs = _passing(
    "dpop_proofs",
    Column("proof_digest", String(64), primary_key=True),
    Column("grant_digest", String(64), nullable=False),
    Column("expires_at_seconds", BigInteger, nullable=False),
    Index(None, "expires_at_seconds"),
)

# The statements of an account's resource-based policy. ``parameters`` is JSON: the network and the excluded principal.
signin_permission_statements = table(
    "signin_permission_statements",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("statement_id", String(65), primary_key=True),
        Column("position", BigInteger, nullable=False),
        Column("parameters", Text, nullable=False),
        UniqueConstraint("account_id", "position"),
    ],
)

# Where console authorization is enabled: for an account, or for an organization.
console_authorizations = table(
    "console_authorizations",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("target_id", String(34), primary_key=True),
        Column("account_id", String(12), cascade("accounts.account_id"), nullable=True),
        Column("organization_id", String(34), cascade("organizations.organization_id"), nullable=True),
    ],
)

# The tokens that make a repeated call of PutResourcePermissionStatement or its Delete the same call.
signin_client_tokens = table(
    "signin_client_tokens",
    bears_on_rights=False,
    snapshot=Snapshot.LEFT_OUT,
    columns=[
        Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
        Column("operation", String(64), primary_key=True),
        Column("client_token", String(64), primary_key=True),
        Column("request_digest", String(64), nullable=False),
        Column("expires_at_seconds", BigInteger, nullable=False),
        Index(None, "expires_at_seconds"),
    ],
)

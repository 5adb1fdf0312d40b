"""IAM Identity Center: its directory, permission sets and their roles; clients, codes and sessions of its sign-in."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table, Text, UniqueConstraint
from sqlalchemy.schema import SchemaItem

from rolecall.storage.schema import Snapshot, cascade, table


def _kept(name: str, *columns: SchemaItem) -> Table:
    """A table of the world. Rights come from the roles of permission sets, not from here."""
    return table(name, bears_on_rights=False, snapshot=Snapshot.ROWS, columns=columns)


def _passing(name: str, *columns: SchemaItem) -> Table:
    """A table of who is signed in. Another database does not know the tokens."""
    return table(name, bears_on_rights=False, snapshot=Snapshot.LEFT_OUT, columns=columns)


# The one instance of a sandbox.
identity_centers = _kept(
    "identity_centers",
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("instance_id", String(32), nullable=False),
    Column("identity_store_id", String(36), nullable=False),
    Column("start_url", String(512), nullable=False),
    Column("region", String(32), nullable=False),
    Column("session_duration_seconds", Integer, nullable=False),
    CheckConstraint("number = 1", name="number"),
    CheckConstraint("session_duration_seconds BETWEEN 900 AND 7776000", name="session_duration"),
)

directory_users = _kept(
    "directory_users",
    Column("user_id", String(47), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("name_key", String(128), nullable=False, unique=True),
    Column("email", String(320), nullable=False, default=""),
    Column("display_name", String(1024), nullable=False, default=""),
    # JSON object: the attributes for access control, which become session tags.
    Column("attributes", Text, nullable=False, default="{}"),
)

directory_groups = _kept(
    "directory_groups",
    Column("group_id", String(47), primary_key=True),
    Column("name", String(1024), nullable=False),
    Column("name_key", String(1024), nullable=False, unique=True),
)

directory_members = _kept(
    "directory_members",
    Column("user_id", String(47), cascade("directory_users.user_id"), primary_key=True),
    Column("group_id", String(47), cascade("directory_groups.group_id"), primary_key=True),
)

permission_sets = _kept(
    "permission_sets",
    Column("permission_set_id", String(32), primary_key=True),
    Column("name", String(32), nullable=False),
    Column("name_key", String(32), nullable=False, unique=True),
    Column("description", String(700), nullable=False, default=""),
    Column("session_duration_seconds", Integer, nullable=False),
    CheckConstraint("session_duration_seconds BETWEEN 3600 AND 43200", name="session_duration"),
)

# The role of a permission set in an account. Deleting an account deletes its roles, and so this row.
permission_set_roles = _kept(
    "permission_set_roles",
    Column("role_id", String(32), cascade("roles.role_id"), primary_key=True),
    Column("permission_set_id", String(32), cascade("permission_sets.permission_set_id"), nullable=False),
    Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
    UniqueConstraint("permission_set_id", "account_id"),
)

# Who gets a permission set in an account. ``principal_id`` is the id of a user or a group of the directory.
permission_set_assignments = _kept(
    "permission_set_assignments",
    Column("permission_set_id", String(32), cascade("permission_sets.permission_set_id"), primary_key=True),
    Column("account_id", String(12), cascade("accounts.account_id"), primary_key=True),
    Column("principal_id", String(47), primary_key=True),
    Index(None, "principal_id"),
)

sso_clients = _passing(
    "sso_clients",
    Column("client_id", String(64), primary_key=True),
    Column("secret_digest", String(64), nullable=False),
    Column("name", String(256), nullable=False),
    # JSON lists of texts. An empty list of grant types stands for all of a client without redirects.
    Column("scopes", Text, nullable=False),
    Column("redirect_uris", Text, nullable=False),
    Column("grant_types", Text, nullable=False),
    Column("expires_at_seconds", BigInteger, nullable=False),
    Index(None, "expires_at_seconds"),
)

# A device code with its user code, or an authorization code. ``session_id`` is set when the code was spent.
sso_codes = _passing(
    "sso_codes",
    Column("code_digest", String(64), primary_key=True),
    Column("client_id", String(64), cascade("sso_clients.client_id"), nullable=False),
    Column("user_code", String(16), nullable=True, unique=True),
    Column("status", String(16), nullable=False),
    Column("user_id", String(47), cascade("directory_users.user_id"), nullable=True),
    Column("redirect_uri", Text, nullable=False, default=""),
    Column("code_challenge", String(128), nullable=False, default=""),
    Column("polled_at_millis", BigInteger, nullable=True),
    Column("session_id", String(36), nullable=True),
    Column("expires_at_seconds", BigInteger, nullable=False),
    CheckConstraint("status IN ('pending', 'approved', 'denied', 'spent')", name="status"),
    Index(None, "expires_at_seconds"),
)

sso_sessions = _passing(
    "sso_sessions",
    Column("session_id", String(36), primary_key=True),
    Column("client_id", String(64), nullable=False),
    Column("user_id", String(47), cascade("directory_users.user_id"), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("expires_at_seconds", BigInteger, nullable=False),
    Index(None, "expires_at_seconds"),
)

sso_tokens = _passing(
    "sso_tokens",
    Column("token_digest", String(64), primary_key=True),
    Column("session_id", String(36), cascade("sso_sessions.session_id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("expires_at_seconds", BigInteger, nullable=False),
    CheckConstraint("kind IN ('access', 'refresh')", name="kind"),
    Index(None, "session_id"),
)

"""An account's setting for STS: the version of the tokens that the global endpoint issues."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from rolecall.storage.tables import account_preferences as t

# The default of every account (IAM User Guide, "Manage AWS STS in an AWS Region").
DEFAULT_TOKEN_VERSION = "v1Token"  # noqa: S105


def global_endpoint_token_version(connection: Connection, account_id: str) -> str:
    """``v1Token`` or ``v2Token``."""
    found = connection.execute(select(t.c.global_endpoint_token_version).where(t.c.account_id == account_id)).scalar()
    return found or DEFAULT_TOKEN_VERSION


def set_global_endpoint_token_version(connection: Connection, account_id: str, version: str) -> None:
    values = {"global_endpoint_token_version": version}
    changed = connection.execute(update(t).where(t.c.account_id == account_id).values(**values))
    if not changed.rowcount:
        connection.execute(insert(t).values(account_id=account_id, **values))

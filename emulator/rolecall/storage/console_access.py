"""Sign-In: the statements of an account's resource-based policy, and where console authorization is enabled."""

from __future__ import annotations

import json
from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from rolecall.storage import tables as t
from rolecall.storage.organizations import organization_id_of

_STATEMENTS, _ENABLED, _TOKENS = t.signin_permission_statements, t.console_authorizations, t.signin_client_tokens
# AWS does not say how long it knows a client token.
_TOKEN_SECONDS = 86_400


class PermissionStatement(Struct, frozen=True):
    """A permission statement with the parameters of PutResourcePermissionStatement, in the API's spelling."""

    statement_id: str
    parameters: Mapping[str, str]


def statements_of(connection: Connection, account_id: str) -> list[PermissionStatement]:
    """The statements of an account in the order in which they were made."""
    rows = connection.execute(
        select(_STATEMENTS.c.statement_id, _STATEMENTS.c.parameters)
        .where(_STATEMENTS.c.account_id == account_id)
        .order_by(_STATEMENTS.c.position)
    )
    return [PermissionStatement(statement_id, json.loads(parameters)) for statement_id, parameters in rows]


def add_statement(connection: Connection, account_id: str, statement: PermissionStatement) -> None:
    newest = select(func.max(_STATEMENTS.c.position)).where(_STATEMENTS.c.account_id == account_id)
    position = (connection.execute(newest).scalar() or 0) + 1
    text = json.dumps(dict(statement.parameters), sort_keys=True)
    row = {"statement_id": statement.statement_id, "position": position, "parameters": text}
    connection.execute(insert(_STATEMENTS).values(account_id=account_id, **row))


def delete_statement(connection: Connection, account_id: str, statement_id: str) -> bool:
    """False when there is no such statement."""
    chosen = (_STATEMENTS.c.account_id == account_id) & (_STATEMENTS.c.statement_id == statement_id)
    return connection.execute(delete(_STATEMENTS).where(chosen)).rowcount == 1


def is_enabled(connection: Connection, target_id: str) -> bool:
    """Whether console authorization is enabled for this account or organization itself."""
    return connection.execute(select(_ENABLED.c.target_id).where(_ENABLED.c.target_id == target_id)).first() is not None


def is_enforced(connection: Connection, account_id: str) -> bool:
    """Whether console authorization is enabled for an account, or for the organization of the account."""
    if is_enabled(connection, account_id):
        return True
    organization_id = organization_id_of(connection, account_id)
    return organization_id is not None and is_enabled(connection, organization_id)


def enable(connection: Connection, target_id: str, *, of_organization: bool) -> None:
    """Enable console authorization for an account or an organization. Nothing changes if it is already enabled."""
    if not is_enabled(connection, target_id):
        column = "organization_id" if of_organization else "account_id"
        connection.execute(insert(_ENABLED).values(target_id=target_id, **{column: target_id}))


def disable(connection: Connection, target_id: str) -> None:
    connection.execute(delete(_ENABLED).where(_ENABLED.c.target_id == target_id))


def request_with_token(
    connection: Connection, account_id: str, operation: str, client_token: str, now_seconds: float
) -> str | None:
    """The digest of the request that came with a client token within the last day; None for a new token."""
    chosen = (_TOKENS.c.account_id == account_id) & (_TOKENS.c.operation == operation)
    chosen &= (_TOKENS.c.client_token == client_token) & (_TOKENS.c.expires_at_seconds > now_seconds)
    known: str | None = connection.execute(select(_TOKENS.c.request_digest).where(chosen)).scalar()
    return known


def note_token(
    connection: Connection, account_id: str, operation: str, client_token: str, request_digest: str, now_seconds: float
) -> None:
    """Remember a client token. Deletes the tokens that are too old, so that the table does not grow for ever."""
    connection.execute(delete(_TOKENS).where(_TOKENS.c.expires_at_seconds <= now_seconds))
    row = {"operation": operation, "client_token": client_token, "request_digest": request_digest}
    expires_at_seconds = int(now_seconds) + _TOKEN_SECONDS
    connection.execute(insert(_TOKENS).values(account_id=account_id, expires_at_seconds=expires_at_seconds, **row))

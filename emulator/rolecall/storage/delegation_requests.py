"""Delegation requests: rows in, frozen records out. Each change names the state that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, insert, select, update

from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.tables import accounts
from rolecall.storage.tables import delegation_requests as t


class DelegationRequest(Struct, frozen=True):
    """A partner's request. ``permissions`` and ``approval`` are JSON. ``state`` does not reflect expiry."""

    request_id: str
    requestor_account_id: str
    owner_account_id: str | None
    description: str
    request_message: str | None
    permissions: str
    permission_policy: str
    requestor_workflow_id: str
    redirect_url: str | None
    notification_channel: str
    session_duration_seconds: int
    only_send_by_owner: bool
    state: str
    created_at_seconds: int
    updated_at_seconds: int
    expires_at_seconds: int
    owner_arn: str | None = None
    approver_arn: str | None = None
    approval: str | None = None
    notes: str | None = None
    rejection_reason: str | None = None
    sent_at_seconds: int | None = None
    exchanged_at_seconds: int | None = None


_REQUEST = select(*(t.c[name] for name in DelegationRequest.__struct_fields__))


def add_request(connection: Connection, request: DelegationRequest) -> None:
    """Raises AlreadyThere when the requestor already has a request for the same workflow."""
    with problem_for_conflict(connection, AlreadyThere(request.requestor_workflow_id)):
        connection.execute(insert(t).values(**asdict(request)))


def request_by_id(connection: Connection, request_id: str) -> DelegationRequest | None:
    row = connection.execute(_REQUEST.where(t.c.request_id == request_id)).first()
    return None if row is None else DelegationRequest(*row)


def owned_requests(
    connection: Connection, account_id: str, *, owner_arn: str | None, after_id: str, limit: int
) -> Sequence[DelegationRequest]:
    """Requests with an owner in the account, by id. ``owner_arn`` limits them to one owner."""
    statement = _REQUEST.where(
        t.c.owner_account_id == account_id, t.c.owner_arn.is_not(None), t.c.request_id > after_id
    )
    if owner_arn is not None:
        statement = statement.where(t.c.owner_arn == owner_arn)
    rows = connection.execute(statement.order_by(t.c.request_id).limit(limit))
    return [DelegationRequest(*row) for row in rows]


def move_request(connection: Connection, request_id: str, from_state: str, **values: Any) -> bool:
    """Change a request that is still in ``from_state``. False when another transaction changed it first."""
    still = (t.c.request_id == request_id) & (t.c.state == from_state)
    return connection.execute(update(t).where(still).values(**values)).rowcount == 1


def spend_token(connection: Connection, request_id: str, now_seconds: int) -> bool:
    """Record that a request's token was exchanged. False when it was already exchanged, so only one of two succeeds."""
    unspent = (t.c.request_id == request_id) & (t.c.state == "FINALIZED") & t.c.exchanged_at_seconds.is_(None)
    return connection.execute(update(t).where(unspent).values(exchanged_at_seconds=now_seconds)).rowcount == 1


def account_name(connection: Connection, account_id: str) -> str:
    return connection.execute(select(accounts.c.name).where(accounts.c.account_id == account_id)).scalar() or ""

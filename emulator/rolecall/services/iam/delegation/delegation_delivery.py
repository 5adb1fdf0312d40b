"""The notification channel of delegation requests. Rolecall has no SNS, so the token waits until it is fetched."""

from __future__ import annotations

from typing import Any

from rolecall.clock import iso8601
from rolecall.sessions.delegation import exchange_token
from rolecall.sessions.keys import KeyRing
from rolecall.storage import keyring
from rolecall.storage.delegation_requests import request_by_id
from rolecall.storage.engine import Database


def delivered_token(database: Database, request_id: str) -> dict[str, Any] | None:
    """The message to the requestor once the token is sent; None before, and when there is no such request."""
    with database.snapshot() as connection:
        request = request_by_id(connection, request_id)
        if request is None or request.sent_at_seconds is None:
            return None
        keys = KeyRing.of_rows(keyring.load(connection))
    return {
        "delegation_request_id": request.request_id,
        "notification_channel": request.notification_channel,
        "requestor_account_id": request.requestor_account_id,
        "trade_in_token": exchange_token(keys, request.request_id, request.sent_at_seconds),
        "expires_at": iso8601(request.sent_at_seconds + request.session_duration_seconds),
    }

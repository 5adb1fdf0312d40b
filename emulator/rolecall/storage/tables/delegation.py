"""Temporary delegation: a partner's request for access, and its result."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Text, UniqueConstraint

from rolecall.storage.schema import Snapshot, cascade, table

# ``permissions`` and ``approval`` are JSON.
delegation_requests = table(
    "delegation_requests",
    bears_on_rights=False,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("request_id", String(128), primary_key=True),
        Column("requestor_account_id", String(12), cascade("accounts.account_id"), nullable=False),
        Column("owner_account_id", String(12), nullable=True),
        Column("owner_arn", String(2048), nullable=True),
        Column("approver_arn", String(2048), nullable=True),
        # The approver's identity and session as they were at acceptance.
        Column("approval", Text, nullable=True),
        Column("state", String(16), nullable=False),
        Column("description", Text, nullable=False),
        Column("request_message", Text, nullable=True),
        Column("permissions", Text, nullable=False),
        Column("permission_policy", Text, nullable=False),
        Column("requestor_workflow_id", String(400), nullable=False),
        Column("redirect_url", String(255), nullable=True),
        Column("notification_channel", String(400), nullable=False),
        Column("session_duration_seconds", Integer, nullable=False),
        Column("only_send_by_owner", Boolean, nullable=False, default=False),
        Column("notes", Text, nullable=True),
        Column("rejection_reason", Text, nullable=True),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("updated_at_seconds", BigInteger, nullable=False),
        Column("expires_at_seconds", BigInteger, nullable=False),
        # When the exchange token was sent, and when it was exchanged.
        Column("sent_at_seconds", BigInteger, nullable=True),
        Column("exchanged_at_seconds", BigInteger, nullable=True),
        UniqueConstraint("requestor_account_id", "requestor_workflow_id", name="uq_delegation_requests_workflow"),
        CheckConstraint(
            "state IN ('UNASSIGNED', 'ASSIGNED', 'PENDING_APPROVAL', 'FINALIZED', 'ACCEPTED', 'REJECTED', 'EXPIRED')",
            name="state",
        ),
        Index(None, "owner_account_id"),
    ],
)

"""What AWS puts into an account that CreateAccount makes."""

from __future__ import annotations

import json

from rolecall.arns import root_arn
from rolecall.ids import ROLE_PREFIX
from rolecall.services.registry import Call
from rolecall.storage.entity_policies import attach_policy
from rolecall.storage.gather import account_exists
from rolecall.storage.roles import RoleRecord, add_role

ACCOUNT_ID_DIGITS = 12
ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
SESSION_SECONDS = 3600


def new_account_id(call: Call) -> str:
    """An id that no account of the sandbox has."""
    account_id = call.ids.digits(ACCOUNT_ID_DIGITS)
    while account_id.startswith("0") or account_exists(call.db, account_id):
        account_id = call.ids.digits(ACCOUNT_ID_DIGITS)
    return account_id


def add_access_role(call: Call, account_id: str, name: str, management_account_id: str) -> None:
    """The role with which the management account administers the new account.

    Source: User Guide, Accessing member accounts in an organization.
    """
    trusted = root_arn(management_account_id)
    statement = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
    role = RoleRecord(
        role_id=call.ids.unique_id(ROLE_PREFIX),
        account_id=account_id,
        name=name,
        path="/",
        description="",
        trust_policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        trust_principal_ids={},
        max_session_duration_seconds=SESSION_SECONDS,
        permissions_boundary_arn=None,
        linked_service=None,
        created_at_seconds=int(call.now_seconds),
    )
    add_role(call.db, role)
    attach_policy(call.db, "role", role.role_id, ADMINISTRATOR_ACCESS, None, int(call.now_seconds))

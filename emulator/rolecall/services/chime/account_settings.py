"""Settings of an Amazon Chime account: GetAccountSettings, UpdateAccountSettings."""

from __future__ import annotations

from collections.abc import Mapping

from rolecall.services.chime.common import locked_account, owned_account
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_accounts

_COLUMNS = {"DisableRemoteControl": "disable_remote_control", "EnableDialOut": "enable_dial_out"}


@operation("chime", "GetAccountSettings")
def get_account_settings(call: Call, *, AccountId: str) -> Answer:
    account = owned_account(call, AccountId)
    return {"AccountSettings": {member: getattr(account, column) for member, column in _COLUMNS.items()}}


@operation("chime", "UpdateAccountSettings")
def update_account_settings(call: Call, *, AccountId: str, AccountSettings: Mapping[str, bool]) -> Answer:
    """Settings that the request leaves out stay as they are."""
    account = locked_account(call, AccountId)
    changes = {_COLUMNS[member]: value for member, value in AccountSettings.items()}
    chime_accounts.update_account(call.db, account.account_id, changes)
    return {}

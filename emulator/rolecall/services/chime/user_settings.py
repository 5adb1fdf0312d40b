"""Telephony settings of a user: GetUserSettings, UpdateUserSettings."""

from __future__ import annotations

from collections.abc import Mapping

from rolecall.services.chime.common import owned_account, owned_user, user_not_found
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_users

_COLUMNS = {"InboundCalling": "inbound_calling", "OutboundCalling": "outbound_calling", "SMS": "sms_messages"}


@operation("chime", "GetUserSettings")
def get_user_settings(call: Call, *, AccountId: str, UserId: str) -> Answer:
    telephony = chime_users.telephony(call.db, call.account_id, AccountId, UserId)
    if telephony is None:
        owned_account(call, AccountId)
        raise user_not_found(UserId)
    return {"UserSettings": {"Telephony": {name: getattr(telephony, column) for name, column in _COLUMNS.items()}}}


@operation("chime", "UpdateUserSettings")
def update_user_settings(
    call: Call, *, AccountId: str, UserId: str, UserSettings: Mapping[str, Mapping[str, bool]]
) -> Answer:
    user = owned_user(call, AccountId, UserId)
    changes = {_COLUMNS[member]: value for member, value in UserSettings["Telephony"].items()}
    chime_users.update_user(call.db, user.user_id, changes)
    return {}

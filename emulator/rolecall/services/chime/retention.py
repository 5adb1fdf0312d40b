"""How long an Enterprise account keeps messages."""

from __future__ import annotations

from typing import TypedDict

from rolecall.services.chime.common import enterprise_account
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_settings
from rolecall.storage.chime_settings import Retention

# Amazon Chime Administration Guide, Managing chat retention policies. Not confirmed by a recorded answer.
GRACE_SECONDS = 30 * 86_400


class RetentionOf(TypedDict, total=False):
    """Days; left out, messages are kept for ever."""

    RetentionDays: int


class RetentionSettingsOf(TypedDict, total=False):
    """The retention settings of an account."""

    RoomRetentionSettings: RetentionOf
    ConversationRetentionSettings: RetentionOf


@operation("chime", "GetRetentionSettings")
def get_retention_settings(call: Call, *, AccountId: str) -> Answer:
    account = enterprise_account(call, AccountId)
    return _shown(chime_settings.retention(call.db, account.account_id))


@operation("chime", "PutRetentionSettings")
def put_retention_settings(call: Call, *, AccountId: str, RetentionSettings: RetentionSettingsOf) -> Answer:
    """Replaces the settings. Without RetentionDays a retention is off. The model's status, 204, hides the answer."""
    account = enterprise_account(call, AccountId, locked=True)
    settings = Retention(
        room_days=RetentionSettings.get("RoomRetentionSettings", {}).get("RetentionDays"),
        conversation_days=RetentionSettings.get("ConversationRetentionSettings", {}).get("RetentionDays"),
        deletion_at_seconds=int(call.now_seconds) + GRACE_SECONDS,
    )
    chime_settings.put_retention(call.db, account.account_id, settings)
    return _shown(settings)


def _shown(settings: Retention | None) -> Answer:
    days = (None, None) if settings is None else (settings.room_days, settings.conversation_days)
    answer: Answer = {
        "RetentionSettings": {
            "RoomRetentionSettings": {"RetentionDays": days[0]},
            "ConversationRetentionSettings": {"RetentionDays": days[1]},
        }
    }
    if settings is not None and days != (None, None):
        answer["InitiateDeletionTimestamp"] = settings.deletion_at_seconds
    return answer

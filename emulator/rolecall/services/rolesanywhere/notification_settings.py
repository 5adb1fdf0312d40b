"""Notification settings of trust anchors. Rolecall sends no notification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.delivery.anywhere.contents import DEFAULT_NOTIFICATIONS, noted, notification_key
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.rolesanywhere.common import SERVICE
from rolecall.services.rolesanywhere.trust_anchors import ANCHOR, NotificationSetting
from rolecall.services.rolesanywhere.verbs import changed
from rolecall.services.verbs import existing


class NotificationSettingKey(TypedDict, total=False):
    """Which setting is reset."""

    event: str
    channel: str


@operation(SERVICE, "PutNotificationSettings")
def put_notification_settings(
    call: Call, *, trustAnchorId: str, notificationSettings: Sequence[NotificationSetting]
) -> Answer:
    """Each setting replaces the one with the same event and channel."""
    present = existing(call, ANCHOR, trustAnchorId, locked=True).content["notificationSettings"]
    settings = noted(present, notificationSettings, call.account_id)
    return changed(call, ANCHOR, trustAnchorId, {"notificationSettings": settings})


@operation(SERVICE, "ResetNotificationSettings")
def reset_notification_settings(
    call: Call, *, trustAnchorId: str, notificationSettingKeys: Sequence[NotificationSettingKey]
) -> Answer:
    """The settings of these events are AWS's own again."""
    present = existing(call, ANCHOR, trustAnchorId, locked=True).content["notificationSettings"]
    reset = {notification_key(each) for each in notificationSettingKeys}
    kept = [each for each in present if notification_key(each) not in reset]
    defaults = [each for each in DEFAULT_NOTIFICATIONS if notification_key(each) in reset]
    return changed(call, ANCHOR, trustAnchorId, {"notificationSettings": [*kept, *defaults]})

"""When channels and users of app instances expire (Chime SDK Developer Guide, Using ExpirationSettings)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXPIRATION = "ExpirationSettings"
CREATED, LAST_MESSAGE = "CREATED_TIMESTAMP", "LAST_MESSAGE_TIMESTAMP"
MAXIMUM_DAYS = 5475
_DAY_SECONDS = 86_400


def expires_at_seconds(content: Mapping[str, Any]) -> int | None:
    """When a user or channel with that content expires, in seconds since the epoch; None without settings."""
    settings = content.get(EXPIRATION)
    if settings is None:
        return None
    begin = content["CreatedTimestamp"]
    if settings["ExpirationCriterion"] == LAST_MESSAGE:
        begin = content.get("LastMessageTimestamp", begin)
    return int(begin) + int(settings["ExpirationDays"]) * _DAY_SECONDS

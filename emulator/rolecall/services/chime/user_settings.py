"""Telephony settings of a user."""

from __future__ import annotations

from rolecall.services.chime.kinds import USER
from rolecall.services.verbs import get_setting, put_setting

get_setting(USER, "GetUserSettings")
put_setting(USER, "UpdateUserSettings")
